"""Limits of requests, and headers that protect."""

from base64 import urlsafe_b64encode

import pytest

from bopis.access.roles import Role
from bopis.web.endpoint import BODY_BYTES_MAX
from bopis.web.problems import Problem
from bopis.web.rate_limits import BURST_S, RateLimits
from tests.web.shop import OWN, Shop

JSON = {"Content-Type": "application/json"}


def test_a_body_that_is_too_large_is_refused_also_without_a_length(shop: Shop) -> None:
    announced = shop.ask("POST", "/v1/availability", content=b" " * (BODY_BYTES_MAX + 1), headers=JSON)
    pieces = (b" " * 65_536 for _ in range(BODY_BYTES_MAX // 65_536 + 1))
    streamed = shop.ask("POST", "/v1/availability", content=pieces, headers=JSON)

    assert [it.json()["code"] for it in (announced, streamed)] == ["body-too-large"] * 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"[" * 100_000, 422), (b"\xff", 400), (b"null", 422), (b"[]", 422),
        (b'{"store":1}', 422), (b'{"store":"319","lines":[]}', 422),
        (b'{"store":"319","lines":[{"sku":"\\ud800"}]}', 400),
        (b'{"store":"319","lines":[{"sku":"4011","quantity":1}],"price":1}', 422),
    ],
)  # fmt: skip
def test_a_body_that_is_no_order_is_refused_with_the_place(body: bytes, status: int, shop: Shop) -> None:
    headers = JSON | {"Idempotency-Key": "k"}

    answer = shop.ask("POST", "/v1/orders", Role.SHOP_FRONT, content=body, headers=headers)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:bopis:problem:{answer.json()['code']}"


def test_more_lines_than_an_order_has_are_refused(shop: Shop) -> None:
    body = shop.basket() | {"lines": [{"sku": "4011", "quantity": 1}] * 10_000}

    assert shop.place(body).status_code == 422


def test_only_json_is_taken(shop: Shop) -> None:
    answer = shop.ask("POST", "/v1/availability", content=b"{}", headers={"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()["code"]) == (415, "media-type")


@pytest.mark.parametrize("query", ["limit=501", "limit=0", "limit=x", "cursor=x", "nothing=1", "since=yesterday"])
def test_a_page_has_limits(query: str, shop: Shop) -> None:
    answer = shop.ask("GET", f"/v1/orders?{query}")

    assert answer.status_code == 400, answer.text


def cursor(content: str) -> str:
    """A cursor as the API makes it, of any JSON."""
    return urlsafe_b64encode(content.encode()).decode().rstrip("=")


@pytest.mark.parametrize("number", [str(1 << 53 | 1), "99999999999999999999", "-99999999999999999999", "1e400"])
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/orders", '[{},"A"]'),
        ("/v1/webhooks", '[{},"A"]'),
        ("/orders", '[{},"A"]'),
        ("/inventory", '["319","4011",{}]'),
    ],
)
def test_a_cursor_with_a_number_that_no_database_takes_is_refused(
    path: str, form: str, number: str, shop: Shop
) -> None:
    answer = shop.ask("GET", path, params={"cursor": cursor(form.format(number))})

    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("text", ["99999999999999999999.0.0", "0.99999999999999999999.0", "0.0.-99999999999999999999"])
def test_a_cursor_of_movements_is_refused_likewise(text: str, shop: Shop) -> None:
    answer = shop.ask("GET", f"/v1/stores/{OWN}/stock/4011/history", params={"cursor": text})

    assert (answer.status_code, answer.json()["code"]) == (400, "cursor-invalid")


@pytest.mark.parametrize(
    "path", ["/v1/orders?customer=%00", "/v1/orders/A%00", f"/v1/stores/{OWN}/stock/%00/at?instant=2026-01-01T00:00Z"]
)
def test_a_character_that_no_database_has_in_texts_is_refused(path: str, shop: Shop) -> None:
    answer = shop.ask("GET", path)
    in_cursor = shop.ask("GET", "/v1/orders", params={"cursor": cursor('[1,"\\u0000"]')})

    assert (answer.status_code, answer.json()["code"]) == (400, "parameter-invalid"), answer.text
    assert (in_cursor.status_code, in_cursor.json()["code"]) == (400, "cursor-invalid")


def test_every_answer_has_the_headers_that_protect_browsers(shop: Shop) -> None:
    for path in ("/livez", "/docs", "/nothing", "/v1/orders", "/sign-in"):
        headers = shop.ask("GET", path, None).headers

        assert "default-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


def test_a_path_or_method_that_is_none_is_a_problem_document(shop: Shop) -> None:
    path, method = shop.ask("GET", "/v1/nothing"), shop.ask("DELETE", "/v1/orders")

    assert (path.status_code, path.json()["code"]) == (404, "path-unknown")
    assert (method.status_code, method.json()["code"]) == (405, "method-not-allowed")


def test_a_caller_who_sends_too_much_waits_and_the_others_do_not() -> None:
    now = [0.0]
    limits = RateLimits(10, lambda: now[0])
    for _ in range(int(10 * BURST_S)):
        limits.take("a")

    with pytest.raises(Problem) as caught:
        limits.take("a")
    limits.take("b")

    assert (caught.value.status, caught.value.retry_after_s >= 1) == (429, True)
    now[0] = caught.value.retry_after_s
    limits.take("a")


def test_a_batch_that_is_larger_than_the_bucket_is_taken_once_the_bucket_is_full() -> None:
    limits = RateLimits(10, lambda: 0.0)

    limits.take("till", 10_000)

    with pytest.raises(Problem):
        limits.take("till")
