"""The files of deploy/, read."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "bopis"
UNITS = DEPLOY / "systemd"
VARIABLE = re.compile(r"\bBOPIS_[A-Z_]+\b")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def compose() -> dict[str, Any]:
    document: dict[str, Any] = read_yaml(DEPLOY / "compose" / "compose.yaml")
    return document


def own_services() -> dict[str, dict[str, Any]]:
    """The services of the compose file that run bopis."""
    return {name: it for name, it in compose()["services"].items() if it["image"].startswith("bopis:")}


def alerts() -> list[dict[str, Any]]:
    groups = read_yaml(CHART / "files" / "alerts.yaml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
    return document


def expressions() -> dict[str, str]:
    """Every expression of PromQL in alerts and dashboard, by where it is."""
    found = {it["alert"]: it["expr"] for it in alerts()}
    for panel in dashboard()["panels"]:
        found |= {f"{panel['title']}/{it['refId']}": it["expr"] for it in panel.get("targets", ())}
    return found


def unit(path: Path) -> dict[str, list[str]]:
    """The values of each directive of a unit of systemd, in their order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found
