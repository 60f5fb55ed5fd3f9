"""The chart: its values are documented and checked; rendered where helm is installed."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from bopis.names import PROCESSORS
from tests.deploy.files import CHART, UNITS, read_yaml

USED = re.compile(r"\.Values\.([A-Za-z.]+)")
REQUIRED = {"broker": "kafka://kafka:9092", "web.proxy": "10.0.0.0/8"}
EVERYTHING = REQUIRED | {
    "backup.enabled": "true", "backup.claim": "backups", "monitoring.enabled": "true", "web.ingress.enabled": "true",
    "web.ingress.host": "pickup.example", "web.ingress.tlsSecret": "tls", "mountedSecrets": "{kafka}",
}  # fmt: skip
HELM, ANALYZE = shutil.which("helm"), shutil.which("systemd-analyze")
EXPOSURE_MAX = 2.0


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def values() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(CHART / "values.yaml")
    return found


def paths(node: Any, prefix: str = "") -> Iterator[str]:
    for name, value in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{name}"
        yield from paths(value, f"{prefix}{name}.")


def test_templates_use_only_values_that_are_there() -> None:
    known = set(paths(values()))
    used = {
        path.rstrip(".")
        for it in (CHART / "templates").iterdir()
        for path in USED.findall(it.read_text(encoding="utf-8"))
    }

    assert len(used) > 20
    assert used <= known


def test_every_value_is_used() -> None:
    text = "".join(it.read_text(encoding="utf-8") for it in (CHART / "templates").iterdir())
    top = {it for it in values() if f".Values.{it}" not in text}

    assert top == set()


def known(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """The values of a schema; those of processors have one definition."""
    for name, it in node.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from known(schema()["$defs"]["processor"] if prefix == "processors." else it, f"{prefix}{name}.")


def test_the_schema_knows_every_value_and_no_other() -> None:
    free = re.compile(r"\.resources\.|\.settings\.")

    assert {it for it in known(schema()) if it != "global"} == {it for it in paths(values()) if not free.search(it)}


def test_what_must_be_set_is_asked_for() -> None:
    check = jsonschema.Draft7Validator(schema())
    given = values()

    missing = {".".join(map(str, it.path)) for it in check.iter_errors(given)}

    assert missing == REQUIRED.keys()
    given["broker"], given["web"]["proxy"] = REQUIRED.values()
    assert list(check.iter_errors(given)) == []
    given["settings"] = {"PARTITIONS": "4"}
    assert [it.path[0] for it in check.iter_errors(given)] == ["settings"]


def rendered(**chosen: str) -> list[dict[str, Any]]:
    assert HELM is not None
    sets = [part for name, value in chosen.items() for part in ("--set", f"{name}={value}")]
    command = [HELM, "template", "shop", str(CHART), "--kube-version", "1.30.0", *sets]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return [it for it in yaml.safe_load_all(done.stdout) if it]


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_the_chart_renders_a_set_per_processor_with_probes_and_budgets() -> None:
    found = rendered(**EVERYTHING)
    by_kind: dict[str, dict[str, Any]] = {}
    for it in found:
        by_kind.setdefault(it["kind"], {})[it["metadata"]["name"]] = it

    assert by_kind["StatefulSet"].keys() == {f"shop-{it}" for it in PROCESSORS}
    assert by_kind["PodDisruptionBudget"].keys() == {f"shop-{it}" for it in (*PROCESSORS, "web")}
    for name, it in (by_kind["StatefulSet"] | by_kind["Deployment"]).items():
        pod = it["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"startupProbe", "readinessProbe"} <= container.keys()
        names = [one["name"] for one in container["env"]]
        assert len(names) == len(set(names))
        mounted = {one["name"] for one in container["volumeMounts"]}
        claimed = {one["metadata"]["name"] for one in it["spec"].get("volumeClaimTemplates", ())}
        assert mounted == {one["name"] for one in pod["volumes"]} | claimed
    (rule,) = by_kind["PrometheusRule"].values()
    assert rule["spec"] == read_yaml(CHART / "files" / "alerts.yaml")


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_the_chart_renders_without_what_is_optional() -> None:
    kinds = {it["kind"] for it in rendered(**REQUIRED)}

    assert kinds == {"ServiceAccount", "Service", "StatefulSet", "Deployment", "PodDisruptionBudget"}


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_systemd_reads_the_units_and_finds_them_closed() -> None:
    assert ANALYZE is not None
    units = [str(it) for it in UNITS.iterdir() if it.suffix in (".service", ".timer", ".target") and "@" not in it.name]
    instance = str(UNITS / "bopis-worker@inventory.service")

    checked = subprocess.run([ANALYZE, "verify", *units, instance], capture_output=True, text=True, timeout=60)
    secure = subprocess.run(
        [ANALYZE, "security", "--offline=yes", *(it for it in units if it.endswith(".service"))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    complaints = [it for it in checked.stderr.splitlines() if "/opt/bopis/bin/bopis is not executable" not in it]
    assert [it for it in complaints if "bopis" in it] == []
    levels = [float(it) for it in re.findall(r"exposure level for \S+: ([\d.]+)", secure.stdout)]
    assert len(levels) == sum(it.endswith(".service") for it in units)
    assert max(levels) < EXPOSURE_MAX
