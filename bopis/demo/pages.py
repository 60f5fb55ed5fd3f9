"""The pages of the demonstration: the product's own web process on its clock, with the reference shop, while the day
plays."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bopis.access.keys import new_key
from bopis.access.roles import Role
from bopis.adapters.secrets.access_table import AccessTable
from bopis.adapters.secrets.sign_in_links import SignInLinks
from bopis.adapters.secrets.vault import keys_url
from bopis.adapters.web_process import web_process
from bopis.cli.app.context import CommandContext
from bopis.cli.app.progress import Steps
from bopis.demo.gateway import HOST, free_port, running
from bopis.demo.process import WEB

SHOP_KEY_FILE = "demo-shop-key"
READY_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1


def page_settings(data_dir: Path) -> dict[str, object]:
    """Settings under which the pages are served on a free port of this machine alone, with the reference shop."""
    return {
        "web_host": HOST,
        "web_port": free_port(),
        "web_url": "",
        "web_shop_key_file": data_dir.resolve() / SHOP_KEY_FILE,
    }


@contextmanager
def serving(ctx: CommandContext, program: Sequence[str], steps: Steps) -> Iterator[None]:
    """Serve the pages beside what follows, and say where they are. Pages that do not start stop no demonstration."""
    if not ctx.settings.web_enabled:
        yield
        return
    _make_shop_key(ctx)
    steps.show("Starting the pages")
    with running(ctx, program, WEB) as process:
        give_up = time.monotonic() + READY_SECONDS_MAX
        while (url := _address(ctx, process.pid)) is None and process.poll() is None and time.monotonic() < give_up:
            time.sleep(POLL_SECONDS)
        steps.end()
        if url is None:
            ctx.note(f"The pages did not start: {ctx.settings.data_dir / WEB}.log says why.")
        else:
            show_addresses(ctx, url)
            ctx.note(
                "Look around while the day plays. Place orders of your own after it: its account has none of them."
            )
        yield


def show_addresses(ctx: CommandContext, url: str = "") -> None:
    """Say where the pages are, with a new link that signs in once; nothing while none are served."""
    found = web_process(ctx.settings.data_dir)
    url = url or (found.url if found is not None else "")
    if not url:
        return
    with ctx.vault() as vault:
        link = SignInLinks(vault.session_key).url(url, ctx.actor, Role.HQ_OPERATOR)
    places = (("dashboard", f"{link}  (signs in once)"), ("counter", f"{url}/counter"), ("shop", f"{url}/shop/"))
    ctx.note("\n".join(f"  {name:<10} {place}" for name, place in places))


def _make_shop_key(ctx: CommandContext) -> None:
    text, record = new_key("demo-shop", Role.SHOP_FRONT)
    with closing(AccessTable(keys_url(ctx.settings))) as access:
        access.put_key(record)
    file = ctx.settings.data_dir / SHOP_KEY_FILE
    file.touch(mode=0o600)
    file.write_text(f"{text}\n", encoding="ascii")


def _address(ctx: CommandContext, pid: int) -> str | None:
    found = web_process(ctx.settings.data_dir)
    return found.url if found is not None and found.pid == pid else None
