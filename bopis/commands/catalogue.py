"""The catalogue: import articles, look at them, take one out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bopis.commands.errors import NotFound, RowsBroken
from bopis.commands.shell import AsJson, Shell, Yes, open_shell

if TYPE_CHECKING:
    from rich.console import Console

    from bopis.services.catalogue import Catalogue
    from bopis.wire.catalogue import Article

LINGER_MS = 20
PROBLEMS_TOLD_MAX = 20

app = typer.Typer(help="The catalogue: names, units, GTINs, substitutes, kits.", no_args_is_help=True)


@app.command("import")
def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV with a header, or NDJSON.")],
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Import the sound rows, leave the others out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import articles: sku, name, unit, category, gtins, substitutes, components.

    Several values in one cell are parted by semicolons. A kit names its components, each as SKU or SKU*NUMBER; it is
    sold as one and held as what stands on the shelf. A SKU that is there already takes the new values. Rows that are
    not sound are named with their line; nothing is sent then, unless --skip-bad is given.
    """
    from bopis.adapters.barcodes import gtin14
    from bopis.commands.rowfiles import read_rows
    from bopis.services.catalogue import check_kits, publish_article, read_article

    shell = open_shell(context, as_json)
    shell.bootstrap  # noqa: B018  (says at once that no log runs)
    articles: dict[str, Article] = {}
    owners: dict[str, str] = {}
    rejected: list[dict[str, Any]] = []
    for row in read_rows(file):
        read = read_article(row.cells, gtin14)
        problems = read if isinstance(read, list) else _clashes(read, articles, owners)
        if problems:
            rejected.append({"line": row.line, "problems": problems})
        elif not isinstance(read, list):
            articles[read.sku] = read
            owners.update(dict.fromkeys(read.gtins, read.sku))
    for it in rejected[:PROBLEMS_TOLD_MAX]:
        shell.say(f"{file}:{it['line']}: {'; '.join(it['problems'])}")
    if len(rejected) > PROBLEMS_TOLD_MAX:
        shell.say(f"... and {len(rejected) - PROBLEMS_TOLD_MAX} more.")
    if rejected and not skip_bad:
        raise RowsBroken(file=file, bad=len(rejected), rows=len(articles) + len(rejected))
    _ensure_topic(shell)
    check_kits(read_all(shell), articles.values())
    with shell.publisher(LINGER_MS) as publisher:
        deliveries = [publish_article(publisher, it) for it in articles.values()]
        publisher.flush()
        for delivery in deliveries:
            delivery.wait()
    kits = sum(bool(it.components) for it in articles.values())
    document = {"imported": len(articles), "kits": kits, "rejected": rejected}
    told = f"Imported {len(articles)} articles ({kits} kits) from {file}"
    shell.answer(document, lambda out: out.print(told, soft_wrap=True, markup=False))


@app.command("list")
def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="In SKU, name, category or GTIN.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List the articles of the catalogue by SKU."""
    shell = open_shell(context, as_json)
    found = read_all(shell).all()
    if search:
        wanted = search.lower()
        found = [it for it in found if wanted in f"{it.sku} {it.name} {it.category} {' '.join(it.gtins)}".lower()]

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain, table

        if not found:
            shell.say("No articles. Import some with `bopis catalogue import FILE`.")
            return
        grid = table("SKU", "name", "unit", "category", "GTINs", "kit of")
        for it in found[:limit]:
            grid.add_row(
                plain(it.sku), plain(it.name), it.unit, plain(it.category), " ".join(it.gtins), plain(kit_told(it))
            )
        out.print(grid)
        if len(found) > limit:
            shell.say(f"... and {len(found) - limit} more: give --limit or a text to look for.")

    shell.answer({"articles": found[:limit], "more": max(0, len(found) - limit)}, render)


@app.command()
def show(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="SKU, or a GTIN as it was typed or scanned.")],
    as_json: AsJson = False,
) -> None:
    """Show one article: its name, codes, substitutes, and what a kit is made of."""
    shell = open_shell(context, as_json)
    catalogue = read_all(shell)
    article = article_of(catalogue, code)

    def render(out: "Console") -> None:
        from bopis.commands.tables import plain

        for label, value in (
            ("SKU", article.sku),
            ("name", article.name or "-"),
            ("unit", article.unit),
            ("category", article.category or "-"),
            ("GTINs", " ".join(article.gtins) or "-"),
            ("substitutes", ", ".join(f"{it} {catalogue.name(it)}" for it in article.substitutes) or "-"),
            ("kit of", kit_told(article) or "-"),
        ):
            out.print(plain(f"{label:<12}{value}"), soft_wrap=True)

    shell.answer({"article": article}, render)


@app.command()
def remove(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="SKU of the article.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take an article out of the catalogue; orders and stock of it are not touched."""
    from bopis.services.catalogue import take_out

    shell = open_shell(context, as_json)
    article = article_of(read_all(shell), sku)
    shell.confirm(f"take {article.sku} out of the catalogue", yes)
    with shell.publisher() as publisher:
        take_out(publisher, article.sku).wait()
    shell.answer({"removed": article.sku}, lambda out: out.print(f"Taken out: {article.sku}", markup=False))


def read_all(shell: Shell) -> "Catalogue":
    """The catalogue as it stands in the log."""
    from bopis.services.catalogue import read_catalogue

    with shell.reader() as reader:
        return read_catalogue(reader)


def article_of(catalogue: "Catalogue", code: str) -> "Article":
    """The article that a code means; raises `NotFound`."""
    from bopis.adapters.barcodes import gtin14

    sku = catalogue.resolve(code, gtin14)
    article = catalogue.get(sku) if sku is not None else None
    if article is None:
        raise NotFound(what=f"{code!r} is neither a SKU nor a GTIN of the catalogue; `bopis catalogue list` names all")
    return article


def kit_told(article: "Article") -> str:
    """What a kit is made of, in words."""
    return ", ".join(f"{it.quantity} x {it.sku}" for it in article.components)


def _clashes(article: "Article", others: "dict[str, Article]", owners: dict[str, str]) -> list[str]:
    problems = [f"sku {article.sku} stands in the file twice"] if article.sku in others else []
    return problems + [f"GTIN {it} belongs to {owners[it]} already" for it in article.gtins if it in owners]


def _ensure_topic(shell: Shell) -> None:
    from bopis.adapters.topics import TopicKeeper
    from bopis.topics.known import plans
    from bopis.wire.catalogue import CATALOGUE_TOPIC

    with shell.reader() as reader:
        if reader.end_offsets([CATALOGUE_TOPIC]):
            return
    with shell.admin() as admin:
        TopicKeeper(admin).create(plans(shell.settings, [CATALOGUE_TOPIC]))


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="catalogue")
