"""The gateways of an installation, as its settings name them."""

from bopis.adapters.gateways.config import GatewayConfig, GatewayKind
from bopis.adapters.gateways.errors import GatewayMisconfigured
from bopis.adapters.gateways.registry import Gateways
from bopis.adapters.notices.channels import secret_of
from bopis.adapters.notices.errors import NoticeError
from bopis.settings import Settings


def gateway_configs(settings: Settings) -> list[GatewayConfig]:
    """The gateways that the settings set up, the default one first. Raises `GatewayMisconfigured`.

    Their rate is none: the runner keeps it, where the most urgent call goes first.
    """
    default = settings.payment_gateway
    if default == GatewayKind.FAKE and not settings.payment_gateway_url:
        raise GatewayMisconfigured(name=default, cause="the setting payment_gateway_url has no address")
    if default == GatewayKind.STRIPE and not _secret("stripe_key", settings):
        raise GatewayMisconfigured(name=default, cause="the setting stripe_key_file names no file with its secret key")
    configs = []
    if settings.payment_gateway_url:
        configs.append(
            GatewayConfig(
                name=GatewayKind.FAKE.value,
                kind=GatewayKind.FAKE,
                url=settings.payment_gateway_url,
                callback_secrets=_several("payment_webhook_secret", settings),
                timeout_s=settings.payment_timeout_seconds,
                connections_max=settings.payment_concurrency,
            )
        )
    if stripe_key := _secret("stripe_key", settings):
        configs.append(
            GatewayConfig(
                name=GatewayKind.STRIPE.value,
                kind=GatewayKind.STRIPE,
                url=settings.stripe_url,
                api_key=stripe_key,
                callback_secrets=_several("stripe_webhook_secret", settings),
                timeout_s=settings.payment_timeout_seconds,
                connections_max=settings.payment_concurrency,
            )
        )
    return sorted(configs, key=lambda it: it.name != default)


def installed_gateways(settings: Settings) -> Gateways:
    """The gateways themselves. Raises `GatewayMisconfigured` or `GatewayPackageMissing`."""
    return Gateways(gateway_configs(settings))


def _several(name: str, settings: Settings) -> tuple[str, ...]:
    """Secrets separated by commas: while one changes, the old one signs as well."""
    return tuple(part for it in _secret(name, settings).split(",") if (part := it.strip()))


def _secret(name: str, settings: Settings) -> str:
    try:
        return secret_of(name, settings)
    except NoticeError as error:
        raise GatewayMisconfigured(name=name, cause=str(error)) from error
