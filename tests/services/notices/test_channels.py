"""Every way to a customer against a real server: one contract, and what each way has of its own."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import msgspec
import pytest
import standardwebhooks
from pydantic import SecretStr

from bopis.adapters.notices.channels import mail_server as mail_settings
from bopis.adapters.notices.channels import senders
from bopis.adapters.notices.chat import Chat
from bopis.adapters.notices.errors import ChannelMisconfigured, MailServerUnavailable, PackageMissing
from bopis.adapters.notices.mail import MailIdentity, MailServer, SmtpMail
from bopis.adapters.notices.outbox import Outbox
from bopis.adapters.notices.webhook import Webhook, secret_bytes
from bopis.adapters.webhooks.signing import signature
from bopis.domain.notices.delivery import OutgoingMessage, SendResult
from bopis.domain.notices.vocabulary import Channel, Milestone, SendOutcome
from bopis.ports import Sender
from bopis.settings import Settings
from tests.services.notices.book import ORDER
from tests.services.notices.letters import ANNA, Desk, to
from tests.services.notices.post import Mailbox, Receiver, free_port, mail_server, webhook_receiver

# apprise asks for a module that Python is about to drop.
pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SHOP = MailIdentity(sender="Shop <shop@example.org>")
WAYS = ("mail", "webhook", "outbox", "chat")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "home")
    yield desk
    desk.vault.close()


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as receiver:
        yield receiver


def server(port: int, **changes: object) -> MailServer:
    told = {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "identity": SHOP,
        "timeout_s": 5.0,
    }
    return MailServer(**(told | changes))  # type: ignore[arg-type]


def way(name: str, box: Mailbox, receiver: Receiver, home: Path) -> Sender:
    match name:
        case "mail":
            return SmtpMail(server(box.port))
        case "webhook":
            return Webhook(receiver.url, SECRET, 5.0)
        case "outbox":
            return Outbox(home / "outbox", SHOP)
        case _:
            return Chat(receiver.url.replace("http://", "json://") + "?to={to}", "notice_sms_url", 5.0)


def arrived(name: str, box: Mailbox, receiver: Receiver, home: Path) -> int:
    if name == "mail":
        return len(box.mails)
    return len(list((home / "outbox").rglob("*.*"))) if name == "outbox" else len(receiver.calls)


@pytest.mark.parametrize("name", WAYS)
async def test_every_way_delivers_a_letter_and_says_so(
    name: str, desk: Desk, box: Mailbox, receiver: Receiver, tmp_path: Path
) -> None:
    sender = way(name, box, receiver, tmp_path)

    verdict = await sender.send(desk.letter())
    await sender.close()

    assert verdict.outcome is SendOutcome.SENT
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=SendResult) == verdict
    assert arrived(name, box, receiver, tmp_path) == 1


@pytest.mark.parametrize("name", WAYS)
async def test_no_way_repeats_an_address_or_a_code_in_what_it_says(
    name: str, desk: Desk, box: Mailbox, receiver: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    letter = desk.letter()
    box.answer, receiver.status = f"550 {ANNA['email']} is nobody", 400
    sender = way(name, box, receiver, tmp_path)

    verdict = await sender.send(letter)
    await sender.close()

    code = desk.vault.codes.code(ORDER, 1)
    for secret in (ANNA["email"], ANNA["phone"], code, letter.token):
        assert secret not in verdict.cause + repr(letter)
        if name != "mail":  # the library under the test's own mail server writes what it hears
            assert secret not in caplog.text


@pytest.mark.parametrize(
    ("greeting", "answer", "outcome"),
    [
        ("250 ok", "250 taken", SendOutcome.SENT),
        ("450 mailbox busy", "250 taken", SendOutcome.FAILED),
        ("550 nobody", "250 taken", SendOutcome.REFUSED),
        ("250 ok", "451 try later", SendOutcome.FAILED),
        ("250 ok", "554 spam", SendOutcome.REFUSED),
    ],
)
async def test_what_a_mail_server_says_decides_whether_to_try_again(
    greeting: str, answer: str, outcome: SendOutcome, desk: Desk, box: Mailbox
) -> None:
    box.greeting, box.answer = greeting, answer

    verdict = await SmtpMail(server(box.port)).send(desk.letter())

    assert verdict.outcome is outcome


async def test_a_mail_server_that_is_away_is_tried_again(desk: Desk) -> None:
    verdict = await SmtpMail(server(free_port())).send(desk.letter())

    assert verdict.outcome is SendOutcome.FAILED


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "drops"])
async def test_a_server_that_goes_away_with_the_mail_leaves_it_unknown(hangs: bool, desk: Desk, box: Mailbox) -> None:
    box.delay_s, box.drops = (4.0, False) if hangs else (0.0, True)

    verdict = await SmtpMail(server(box.port, timeout_s=1.0 if hangs else 20.0)).send(desk.letter())

    assert verdict.outcome is SendOutcome.UNKNOWN


async def test_a_mail_says_code_address_hours_and_carries_the_picture(desk: Desk, box: Mailbox) -> None:
    await SmtpMail(server(box.port)).send(desk.letter())

    [mail] = box.mails
    code = desk.vault.codes.code(ORDER, 1)
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert box.recipients == [ANNA["email"]]
    assert ANNA["name"] in str(mail["To"])
    for words in (text, html):
        assert code[:3] in words
        assert code[3:] in words
        assert "Springfield, IL 62701" in words
        assert "8:00 AM–8:00 PM" in words
        assert "4K7P-92QX" in words
    assert "Milk &amp; &lt;Honey&gt;" in html
    assert "Milk & <Honey>" in text
    assert 'src="cid:pickup-code"' in html
    pictures = [it for it in mail.walk() if it.get_content_type() == "image/png"]
    assert [it["Content-ID"] for it in pictures] == ["<pickup-code>"]
    assert pictures[0].get_content().startswith(b"\x89PNG")


async def test_the_id_of_a_mail_follows_from_its_key(desk: Desk, box: Mailbox) -> None:
    sender = SmtpMail(server(box.port))

    for letter in (desk.letter(), desk.letter(), desk.letter(Milestone.REMINDER)):
        await sender.send(letter)

    ids = [mail["Message-ID"] for mail in box.mails]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].endswith("@example.org>")


@pytest.mark.parametrize("address", ["nobody", "a@b\r\nBcc: x@y.z", ""])
async def test_an_address_that_is_none_is_refused_and_nothing_leaves(address: str, desk: Desk, box: Mailbox) -> None:
    verdict = await SmtpMail(server(box.port)).send(to(desk.letter(), address))

    assert verdict.outcome is SendOutcome.REFUSED
    assert box.mails == []


async def test_a_login_is_used_and_a_wrong_one_is_told(desk: Desk) -> None:
    with mail_server(login=("shop", "pass")) as box:
        good = SmtpMail(server(box.port, username="shop", password="pass"))
        wrong = SmtpMail(server(box.port, username="shop", password="no"))

        verdict = await good.send(desk.letter())

        assert verdict.outcome is SendOutcome.SENT
        with pytest.raises(MailServerUnavailable):
            await wrong.check()


async def test_a_webhook_is_signed_so_that_its_receiver_can_tell(desk: Desk, receiver: Receiver) -> None:
    sender = Webhook(receiver.url, SECRET)

    await sender.send(desk.letter(channel=Channel.WEBHOOK))
    await sender.close()

    [(headers, body)] = receiver.calls
    key, at = headers["webhook-id"], int(headers["webhook-timestamp"])
    assert key == f"{ORDER}/ready/1/webhook"
    assert headers["webhook-signature"] == signature(secret_bytes(SECRET), key, at, body)
    assert json.loads(body)["milestone"] == "ready"


async def test_a_receiver_with_the_standards_own_library_accepts_a_webhook(desk: Desk, receiver: Receiver) -> None:
    sender = Webhook(receiver.url, SECRET)

    await sender.send(desk.letter(channel=Channel.WEBHOOK))
    await sender.close()

    [(headers, body)] = receiver.calls
    assert standardwebhooks.Webhook(SECRET).verify(body, dict(headers))["order"] == ORDER
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(body + b" ", dict(headers))


def test_signatures_are_those_of_the_standard() -> None:
    content = b'{"test": 2432232314}'

    made = signature(secret_bytes(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, content)

    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (204, SendOutcome.SENT),
        (302, SendOutcome.REFUSED),
        (404, SendOutcome.REFUSED),
        (410, SendOutcome.REFUSED),
        (429, SendOutcome.FAILED),
        (503, SendOutcome.FAILED),
    ],
)
async def test_what_a_receiver_says_decides_whether_to_try_again(
    status: int, outcome: SendOutcome, desk: Desk, receiver: Receiver
) -> None:
    receiver.status = status
    sender = Webhook(receiver.url, SECRET)

    verdict = await sender.send(desk.letter(channel=Channel.WEBHOOK))
    await sender.close()

    assert verdict.outcome is outcome
    assert len(receiver.calls) == 1


async def test_a_receiver_that_answers_late_leaves_it_unknown_and_one_that_is_away_does_not(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.delay_s = 2.0
    late, away = Webhook(receiver.url, SECRET, 0.5), Webhook(f"http://127.0.0.1:{free_port()}/", SECRET, 5.0)

    verdicts = await asyncio.gather(*(it.send(desk.letter(channel=Channel.WEBHOOK)) for it in (late, away)))
    await asyncio.gather(late.close(), away.close())

    assert [it.outcome for it in verdicts] == [SendOutcome.UNKNOWN, SendOutcome.FAILED]


def test_a_secret_that_is_none_is_told() -> None:
    with pytest.raises(ChannelMisconfigured):
        Webhook("http://127.0.0.1/", "hunter2")


async def test_a_text_message_that_nobody_confirmed_is_unknown(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    sender = Chat(receiver.url.replace("http://", "json://"), "notice_sms_url", 5.0)

    verdict = await sender.send(desk.letter(channel=Channel.SMS))

    assert verdict.outcome is SendOutcome.UNKNOWN


def test_without_its_package_a_text_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(PackageMissing, match=r"bopis\[chat\]"):
        Chat("json://localhost/{to}", "notice_sms_url")


async def test_the_outbox_keeps_mails_for_their_owner_alone(desk: Desk, tmp_path: Path) -> None:
    await Outbox(tmp_path / "outbox", SHOP).send(desk.letter())

    [file] = (tmp_path / "outbox").rglob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.name == "c-c1"
    assert mail["Subject"] == "Your order 4K7P-92QX is ready"


async def test_erasing_a_customer_empties_their_outbox_too(desk: Desk, tmp_path: Path) -> None:
    outbox = tmp_path / "home" / "outbox"
    await Outbox(outbox, SHOP).send(desk.letter())
    before = list(outbox.rglob("*.eml"))

    desk.vault.erase("c1")

    assert len(before) == 1
    assert list(outbox.rglob("*.eml")) == []


def test_settings_say_which_way_each_channel_goes(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("pass\n")
    settings = Settings(
        data_dir=tmp_path,
        smtp_host="mail.example.org",
        smtp_password_file=password,
        notice_webhook_url="https://example.org/hook",
        notice_webhook_secret=SecretStr(SECRET),
    )

    ways = senders(settings)

    assert isinstance(ways[Channel.EMAIL], SmtpMail)
    assert isinstance(ways[Channel.WEBHOOK], Webhook)
    assert isinstance(ways[Channel.SMS], Outbox)
    told = mail_settings(settings)
    assert (told.port, told.password, told.context is not None) == (587, "pass", True)
    assert "pass" not in repr(told)


def test_a_letter_tells_nothing_of_what_it_says(desk: Desk) -> None:
    letter: OutgoingMessage = desk.letter()

    assert repr(letter) == f"OutgoingMessage('{ORDER}/ready/1/email', attempt=1)"
