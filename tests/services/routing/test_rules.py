"""Rule sets as files, and distances."""

from pathlib import Path

import pytest

from bopis.domain.sourcing.request import GeoPoint
from bopis.domain.sourcing.rules import Ranker, RuleSet
from bopis.services.routing.errors import RulesUnreadable
from bopis.services.routing.fact_gathering import geo_point, metres
from bopis.services.routing.rules_file import read_rules, written


def test_a_rule_set_that_is_written_out_reads_as_itself(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(written(RuleSet(name="mine", version=3, promise_minutes=60)))

    assert read_rules(file) == RuleSet(name="mine", version=3, promise_minutes=60)


def test_what_a_file_leaves_out_is_as_in_the_standard_set(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('name = "near"\nversion = 2\n[[rankers]]\nby = "distance"\nstep = 500\n')

    rules = read_rules(file)

    assert [(it.by, it.step) for it in rules.rankers] == [(Ranker.DISTANCE, 500)]
    assert rules.promise_minutes == RuleSet().promise_minutes


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("version = 1", "a name and a version"),
        ('name = "x"\nversion = 1\npromise_minuts = 5', "promise_minuts"),
        ('name = "x"\nversion = 1\npromise_minutes = -5', "promise_minutes"),
        ('name = "x"\nversion = 1\npromise_minutes = 1.5', "promise_minutes"),
        ('name = "x"\nversion = 1\n[[rankers]]\nby = "luck"', "luck"),
        ('name = "x"\nversion = 1\n[[rankers]]\nby = "cost"\n[[rankers]]\nby = "cost"', "'cost' is listed twice"),
        ('name = "x"\nversion == 1', "line 2"),
    ],
)
def test_what_is_wrong_with_a_rules_file_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)

    with pytest.raises(RulesUnreadable) as refused:
        read_rules(file)

    assert named in str(refused.value)
    assert "bopis routing check" in str(refused.value)


def test_a_rules_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesUnreadable, match=r"nowhere\.toml"):
        read_rules(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("a", "b", "truth"),
    [
        ((48.8566, 2.3522), (52.5200, 13.4050), 879_700),  # Paris, Berlin on the WGS-84 ellipsoid
        ((41.8781, -87.6298), (41.8781, -87.6298), 0),
        ((0.0, 179.9), (0.0, -179.9), 22_264),  # over the date line
        ((90.0, 0.0), (-90.0, 0.0), 20_003_931),
    ],
)
def test_distances_are_true_within_a_third_of_a_percent(
    a: tuple[float, float], b: tuple[float, float], truth: int
) -> None:
    here, there = geo_point(*a), geo_point(*b)

    assert isinstance(here, GeoPoint)
    assert isinstance(there, GeoPoint)
    assert abs(metres(here, there) - truth) <= truth * 0.0033
    assert metres(here, there) == metres(there, here)
