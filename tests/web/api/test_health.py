"""The web process in `bopis status` and `bopis doctor`, of a running installation."""

from tests.web.shop import Shop


def test_status_and_doctor_know_the_web_process(shop: Shop) -> None:
    web = shop.bopis.ask("status")["web"]
    checks = {it["check"]: it for it in shop.bopis.ask("doctor")["checks"]}

    assert (web["state"], web["alive"], web["ready"], web["url"]) == ("ready", True, True, shop.url)
    assert web["age_ms"] < 60_000
    assert (checks["web"]["result"], shop.url in checks["web"]["seen"]) == ("ok", True)
