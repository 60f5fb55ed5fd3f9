"""Errors of the channels to customers. Each docstring is the message.

NoticeError
+-- PackageMissing          text messages and chat need a package that is not installed
+-- ChannelMisconfigured    a channel's settings cannot be used
+-- TemplateMissing         a milestone has no template in a language
+-- MailServerUnavailable   the mail server cannot be used
"""

from bopis.errors import CONFIGURATION, UNAVAILABLE, BopisError


class NoticeError(BopisError):
    """Notices cannot be sent as configured."""

    exit_code = CONFIGURATION


class PackageMissing(NoticeError):
    """{setting} is set, but the package apprise is not installed. Install it with `pip install bopis[chat]`, or remove
    the setting."""


class ChannelMisconfigured(NoticeError):
    """{setting} cannot be used: {cause}. Correct the setting."""


class TemplateMissing(NoticeError):
    """No template for {milestone} in language {language}. Put {language}/{milestone}.j2 into the folder in
    notice_templates."""


class MailServerUnavailable(NoticeError):
    """The mail server {server} cannot be used ({cause}). Check smtp_host, smtp_port, smtp_security and the login."""

    exit_code = UNAVAILABLE
