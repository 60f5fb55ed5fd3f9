"""Alerts, dashboard and runbooks are about figures that exist, and about each other."""

import re
from types import SimpleNamespace
from typing import Any

import promql_parser
import pytest

from bopis.web.metrics import Metrics
from tests.deploy.files import DEPLOY, ROOT, alerts, dashboard, expressions, read_yaml

FAKE_SITE: Any = SimpleNamespace()
# A figure that Prometheus itself has for each target.
OF_PROMETHEUS = {"up"}
SUFFIXES = ("_total", "_bucket", "_count", "_sum")
NAME = re.compile(r"\bbopis_\w+|\bup\b")
LABELS = re.compile(r"\$labels\.(\w+)")
RUNBOOKS = ROOT / "docs" / "runbooks.md"


def figures() -> set[str]:
    """The figures of a web process, as they are declared."""
    return {it.name for it in Metrics(FAKE_SITE).registry.collect()}


def base(name: str) -> str:
    suffix = next((it for it in SUFFIXES if name.endswith(it)), "")
    return name.removesuffix(suffix)


@pytest.mark.parametrize("place", sorted(expressions()))
def test_every_expression_can_be_read(place: str) -> None:
    assert promql_parser.parse(expressions()[place]) is not None


def test_alerts_and_dashboard_use_figures_that_exist() -> None:
    used = {base(name) for text in expressions().values() for name in NAME.findall(text)}

    assert used - OF_PROMETHEUS <= figures()


def test_every_figure_is_shown_or_watched() -> None:
    used = {base(name) for text in expressions().values() for name in NAME.findall(text)}

    assert figures() - used == set()


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    for it in alerts():
        assert it["labels"]["severity"] in ("critical", "warning"), it["alert"]
        assert it["annotations"]["summary"].endswith("."), it["alert"]
        assert it["for"], it["alert"]


def test_summaries_name_labels_that_the_expression_keeps() -> None:
    for it in alerts():
        kept = re.findall(r"by \(([^)]*)\)", it["expr"])
        labels = {label.strip() for text in kept for label in text.split(",")} - {"le"} or {"instance"}
        assert set(LABELS.findall(it["annotations"]["summary"])) <= labels, it["alert"]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    text = RUNBOOKS.read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    names = [it.splitlines()[0] for it in sections]

    assert names == [it["alert"] for it in alerts()]
    for section in sections:
        for part in ("**Meaning.**", "**Check.**", "**Remedy.**"):
            assert part in section, (section.splitlines()[0], part)


def test_the_panels_have_names_and_places_of_their_own() -> None:
    panels = dashboard()["panels"]
    places = {
        (x, y)
        for it in panels
        for x in range(it["gridPos"]["x"], it["gridPos"]["x"] + it["gridPos"]["w"])
        for y in range(it["gridPos"]["y"], it["gridPos"]["y"] + it["gridPos"]["h"])
    }

    assert len({it["id"] for it in panels}) == len({it["title"] for it in panels}) == len(panels)
    assert len(places) == sum(it["gridPos"]["w"] * it["gridPos"]["h"] for it in panels)
    assert max(x for x, _ in places) < 24


def test_prometheus_reads_the_rules_and_grafana_its_source() -> None:
    config = read_yaml(DEPLOY / "compose" / "prometheus.yaml")
    (job,) = config["scrape_configs"]
    source = read_yaml(DEPLOY / "compose" / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")
    used = {it["datasource"]["uid"] for panel in dashboard()["panels"] for it in panel.get("targets", ())}

    assert config["rule_files"] == ["/etc/prometheus/alerts.yaml"]
    # The rule on targets that are down names the job.
    assert 'job="bopis"' in expressions()["BopisWebDown"]
    assert job["job_name"] == "bopis"
    assert used == {source["datasources"][0]["uid"]}
