"""Which channel goes which way in one installation, by its settings."""

import ssl
from pathlib import Path

from bopis.adapters.notices.chat import Chat
from bopis.adapters.notices.errors import ChannelUnsound
from bopis.adapters.notices.folders import FOLDER
from bopis.adapters.notices.mail import MailServer, SmtpMail
from bopis.adapters.notices.outbox import Outbox
from bopis.adapters.notices.webhook import Webhook
from bopis.domain.notices.terms import Channel
from bopis.ports import Sender
from bopis.settings import Settings

PORTS = {"tls": 465, "starttls": 587, "none": 25}


def senders(settings: Settings) -> dict[Channel, Sender]:
    """A way for every channel; one that nothing is set for goes to the outbox. Raises `NoticeError`."""
    outbox = Outbox(settings.data_dir / FOLDER)
    timeout_s = settings.notice_timeout_seconds
    ways: dict[Channel, Sender] = dict.fromkeys(Channel, outbox)
    if settings.smtp_host:
        ways[Channel.EMAIL] = SmtpMail(mail_server(settings))
    if settings.notice_webhook_url:
        secret = secret_of("notice_webhook_secret", settings)
        ways[Channel.WEBHOOK] = Webhook(settings.notice_webhook_url, secret, timeout_s)
    for channel, name in ((Channel.SMS, "notice_sms_url"), (Channel.CHAT, "notice_chat_url")):
        url = getattr(settings, name).get_secret_value()
        if url:
            ways[channel] = Chat(url, name, timeout_s)
    return ways


def mail_server(settings: Settings) -> MailServer:
    """Where mail is handed in. Raises `ChannelUnsound`."""
    context = None
    if settings.smtp_security != "none":
        try:
            context = ssl.create_default_context(cafile=settings.smtp_ca_file)
        except OSError as error:
            raise ChannelUnsound(setting="smtp_ca_file", cause=error.strerror or error) from error
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port or PORTS[settings.smtp_security],
        security=settings.smtp_security,
        sender=settings.smtp_from,
        username=settings.smtp_username,
        password=secret_of("smtp_password", settings),
        timeout_s=settings.notice_timeout_seconds,
        context=context,
    )


def secret_of(name: str, settings: Settings) -> str:
    """A secret from its setting, or from the file that the setting ``…_file`` names. Raises `ChannelUnsound`."""
    file: Path | None = getattr(settings, f"{name}_file")
    if file is None:
        return str(getattr(settings, name).get_secret_value())
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelUnsound(setting=f"{name}_file", cause=error) from error
