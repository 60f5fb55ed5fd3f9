"""What can go wrong with the ways to customers. Each docstring is the message and says what to do next.

NoticeError
+-- ExtraMissing       text messages and chat need a package that is not installed
+-- ChannelUnsound     a channel's settings cannot be used
+-- NoSuchTemplate     there are no words for a milestone in a language
+-- MailAway           the mail server does not let us in
"""

from typing import ClassVar


class NoticeError(Exception):
    """Something about notices did not fit together."""

    exit_code: ClassVar[int] = 78

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(" ".join((type(self).__doc__ or "").split()).format(**facts))


class ExtraMissing(NoticeError):
    """{setting} is set, but the package apprise is not installed. Install it with `pip install bopis[chat]`, or take
    the setting out."""


class ChannelUnsound(NoticeError):
    """{setting} cannot be used: {cause}."""


class NoSuchTemplate(NoticeError):
    """There are no words for {milestone} in {language}. Put {language}/{milestone}.j2 into the folder that
    notice_templates names."""


class MailAway(NoticeError):
    """The mail server {server} does not let us in ({cause}). Check smtp_host, smtp_port, smtp_security and the
    login."""

    exit_code = 69
