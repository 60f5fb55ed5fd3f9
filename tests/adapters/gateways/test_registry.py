"""The gateways of an installation by name."""

from __future__ import annotations

import pytest

from bopis.adapters.gateways.config import GatewayConfig, GatewayKind
from bopis.adapters.gateways.errors import GatewayMisconfigured, GatewayUnknown
from bopis.adapters.gateways.fake import FakeGateway
from bopis.adapters.gateways.registry import Gateways, InStoreGateway
from bopis.adapters.gateways.stripe_gateway import StripeGateway
from bopis.domain.payments.gateway import Capabilities, MethodKind, PaymentMethod

FAKE = GatewayConfig(name="main", url="http://127.0.0.1:1")
STRIPE = GatewayConfig(name="stripe", kind=GatewayKind.STRIPE, api_key="sk")


async def test_gateways_are_found_by_name_and_the_first_one_is_asked_by_default() -> None:
    gateways = Gateways([FAKE, STRIPE])

    assert gateways.names == ("main", "stripe", "in_store")
    assert isinstance(gateways.named(""), FakeGateway)
    assert isinstance(gateways.named("stripe"), StripeGateway)
    assert isinstance(gateways.named("in_store"), InStoreGateway)
    await gateways.close()


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (PaymentMethod(), "main"),
        (PaymentMethod(gateway="stripe"), "stripe"),
        (PaymentMethod(kind=MethodKind.GIFT_CARD), "main"),
        (PaymentMethod(kind=MethodKind.PAY_IN_STORE), "in_store"),
        (PaymentMethod(kind=MethodKind.PAY_IN_STORE, gateway="main"), "main"),
    ],
)
def test_a_payment_method_has_a_gateway(method: PaymentMethod, name: str) -> None:
    assert Gateways([FAKE, STRIPE]).name_for(method) == name


def test_a_name_that_is_not_set_up_is_told_with_those_that_are() -> None:
    with pytest.raises(GatewayUnknown, match="No gateway 'adyen' is set up; there are: main, in_store"):
        Gateways([FAKE]).name_for(PaymentMethod(gateway="adyen"))


@pytest.mark.parametrize("configs", [[FAKE, FAKE], [GatewayConfig(name="", url="http://x")]])
def test_names_are_there_once(configs: list[GatewayConfig]) -> None:
    with pytest.raises(GatewayMisconfigured, match="empty or there twice"):
        Gateways(configs)


def test_without_any_gateway_payment_in_the_store_is_left() -> None:
    assert isinstance(Gateways([]).named(""), InStoreGateway)


def test_capabilities_of_an_account_replace_those_of_its_adapter() -> None:
    own = Capabilities(adjust=True)

    assert StripeGateway(GatewayConfig(name="s", api_key="sk", capabilities=own)).capabilities == own


def test_secrets_are_not_shown() -> None:
    assert "sk_live" not in repr(GatewayConfig(name="s", api_key="sk_live", callback_secrets=("whsec_sk_live",)))
