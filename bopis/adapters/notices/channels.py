"""The sender of each channel, as the settings of an installation say."""

import ssl
from pathlib import Path

from bopis.adapters.notices.brand import brand_of
from bopis.adapters.notices.chat import Chat
from bopis.adapters.notices.errors import ChannelMisconfigured
from bopis.adapters.notices.folders import FOLDER
from bopis.adapters.notices.mail import MailIdentity, MailServer, SmtpMail
from bopis.adapters.notices.outbox import Outbox
from bopis.adapters.notices.webhook import Webhook
from bopis.domain.notices.vocabulary import Channel
from bopis.ports import Sender
from bopis.settings import Settings

PORTS = {"tls": 465, "starttls": 587, "none": 25}


def senders(settings: Settings) -> dict[Channel, Sender]:
    """A sender for every channel; a channel without settings gets the outbox. Raises `NoticeError`."""
    outbox = Outbox(settings.data_dir / FOLDER, mail_identity(settings))
    timeout_s = settings.notice_timeout_seconds
    by_channel: dict[Channel, Sender] = dict.fromkeys(Channel, outbox)
    if settings.smtp_host:
        by_channel[Channel.EMAIL] = SmtpMail(mail_server(settings))
    if settings.notice_webhook_url:
        secret = secret_of("notice_webhook_secret", settings)
        by_channel[Channel.WEBHOOK] = Webhook(settings.notice_webhook_url, secret, timeout_s)
    for channel, name in ((Channel.SMS, "notice_sms_url"), (Channel.CHAT, "notice_chat_url")):
        url = getattr(settings, name).get_secret_value()
        if url:
            by_channel[channel] = Chat(url, name, timeout_s)
    return by_channel


def mail_server(settings: Settings) -> MailServer:
    """The mail server of the settings. Raises `ChannelMisconfigured`."""
    context = None
    if settings.smtp_security != "none":
        try:
            context = ssl.create_default_context(cafile=settings.smtp_ca_file)
        except OSError as error:
            raise ChannelMisconfigured(setting="smtp_ca_file", cause=error.strerror or error) from error
    return MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port or PORTS[settings.smtp_security],
        security=settings.smtp_security,
        identity=mail_identity(settings),
        username=settings.smtp_username,
        password=secret_of("smtp_password", settings),
        timeout_s=settings.notice_timeout_seconds,
        context=context,
    )


def mail_identity(settings: Settings) -> MailIdentity:
    """Sender and brand of mails. The brand's name replaces that of a sender that was not set. Raises
    `ChannelMisconfigured`."""
    brand, sender = brand_of(settings), settings.smtp_from
    if brand.name and sender == Settings.model_fields["smtp_from"].default:
        sender = sender.rpartition("<")[2].rstrip(">")
    return MailIdentity(sender=sender, brand=brand)


def secret_of(name: str, settings: Settings) -> str:
    """A secret from its setting, or from the file in the setting ``…_file``. Raises `ChannelMisconfigured`."""
    file: Path | None = getattr(settings, f"{name}_file")
    if file is None:
        return str(getattr(settings, name).get_secret_value())
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelMisconfigured(setting=f"{name}_file", cause=error) from error
