"""The shop's own face on mails: name, colour, logo, reply address, page of an order, folder of templates."""

from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from bopis.adapters.notices.errors import ChannelMisconfigured
from bopis.settings import Settings

LOGO = "brand-logo"
LOGO_BYTES_MAX = 200_000
# The first bytes of the image formats that mail programs show.
FORMATS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}
COLOUR = "#2c6b2f"
CONTRAST_MIN = 4.5  # WCAG 2.2, 1.4.3: of text and its background
ORDER = "{order}"


class Logo(Struct, frozen=True):
    """A logo that is sent inside of the mail; `kind` is the subtype of its content type."""

    content: bytes
    kind: str


class Brand(Struct, frozen=True, kw_only=True):
    """The shop's face. Each part may be empty: nothing is shown in its place, and nothing invented."""

    name: str = ""
    colour: str = COLOUR
    logo: Logo | None = None
    logo_url: str = ""
    reply_to: str = ""
    shop_url: str = ""

    @property
    def logo_source(self) -> str:
        """The address of the logo in the HTML of a mail; empty without a logo."""
        return f"cid:{LOGO}" if self.logo is not None else self.logo_url

    @property
    def link_colour(self) -> str:
        """The colour of links: the shop's, if it can be read on white."""
        return self.colour if contrast_with_white(self.colour) >= CONTRAST_MIN else COLOUR

    def order_page(self, order: str) -> str:
        """The page of an order in the shop; empty without one."""
        return self.shop_url.replace(ORDER, quote(order, safe=""))


def check_templates(folder: Path | None) -> None:
    """Raise `ChannelMisconfigured` for a folder of the shop's own templates that is none."""
    if folder is not None and not folder.is_dir():
        raise ChannelMisconfigured(setting="notice_templates", cause=f"{folder} is no folder")


def brand_of(settings: Settings) -> Brand:
    """The brand in the settings. Raises `ChannelMisconfigured` for a logo that cannot be used."""
    is_url = settings.brand_logo.startswith("https://")
    return Brand(
        name=settings.brand_name,
        colour=settings.brand_colour,
        logo=_logo(Path(settings.brand_logo)) if settings.brand_logo and not is_url else None,
        logo_url=settings.brand_logo if is_url else "",
        reply_to=settings.reply_to,
        shop_url=settings.shop_url,
    )


def contrast_with_white(colour: str) -> float:
    """The contrast of a colour (``#rrggbb``) with white, from 1 to 21 (WCAG 2.2, relative luminance)."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [it / 12.92 if it <= 0.04045 else ((it + 0.055) / 1.055) ** 2.4 for it in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def _logo(file: Path) -> Logo:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ChannelMisconfigured(setting="brand_logo", cause=f"{file}: {error.strerror}") from error
    kind = next((kind for start, kind in FORMATS.items() if content.startswith(start)), "")
    if not kind or len(content) > LOGO_BYTES_MAX:
        cause = f"{file} is not a PNG, JPEG or GIF of at most {LOGO_BYTES_MAX // 1000} kB"
        raise ChannelMisconfigured(setting="brand_logo", cause=cause)
    return Logo(content, kind)
