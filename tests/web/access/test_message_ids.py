"""The id of the message of a change: one per caller and key, of any length."""

from unittest.mock import sentinel

from bopis.access.roles import Principal, Role
from bopis.domain.values import ID_LENGTH_MAX
from bopis.web.endpoint import Call


def message_id(source: str, key: str) -> str | None:
    """The id for a caller and a key."""
    caller = Principal(name="anna", role=Role.HQ_OPERATOR, source=source)
    return Call(sentinel.site, sentinel.request, caller, None, None).message_id(key)


def test_a_short_id_names_its_caller_and_key() -> None:
    assert message_id("web/session/anna", "k1") == "web/session/anna/k1"


def test_no_key_is_no_id() -> None:
    assert message_id("web/session/anna", "") is None


def test_long_keys_that_differ_at_their_end_have_ids_of_their_own() -> None:
    long = "k" * ID_LENGTH_MAX
    ids = [message_id("web/shop", long + end) for end in "ab"]

    assert ids[0] != ids[1]
    assert all(it is not None and len(it) <= ID_LENGTH_MAX for it in ids)
    assert ids[0] == message_id("web/shop", long + "a")


def test_a_caller_with_a_long_name_has_an_id_per_key() -> None:
    source = "web/" + "n" * ID_LENGTH_MAX

    assert message_id(source, "k1") != message_id(source, "k2")
