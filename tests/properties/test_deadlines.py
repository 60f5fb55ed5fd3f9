"""Deadlines beside a plain dict: set, replaced, removed, due."""

from hypothesis import given
from hypothesis import strategies as st

from bopis.deadlines import Deadlines

KEYS = st.sampled_from("abc")
TIMES = st.integers(0, 5)
STEPS = st.lists(st.one_of(st.tuples(st.just("set"), KEYS, TIMES), st.tuples(st.just("remove"), KEYS, st.none())))


@given(STEPS, TIMES)
def test_keys_are_due_by_deadline_and_key_until_set_again_or_removed(steps: list, at_ms: int) -> None:
    deadlines, plain = Deadlines(), {}
    for action, key, deadline_ms in steps:
        if action == "set":
            deadlines.set(key, deadline_ms)
            plain[key] = deadline_ms
        else:
            deadlines.remove(key)
            plain.pop(key, None)
        expected = [it for _, it in sorted((when, it) for it, when in plain.items() if when <= at_ms)]

        assert deadlines.due(at_ms) == expected
        assert deadlines.next() == min(plain.values(), default=None)
        assert len(deadlines) == len(plain)


def test_loaded_deadlines_are_as_if_each_was_set() -> None:
    deadlines = Deadlines()
    deadlines.set("a", 9)

    deadlines.load([("b", 3), ("a", 5)])

    assert deadlines.due(5) == ["b", "a"]
    deadlines.clear()
    assert deadlines.next() is None
