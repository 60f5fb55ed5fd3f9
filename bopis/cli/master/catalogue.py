"""The catalogue: import, list, show and remove articles."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bopis.adapters.barcodes import gtin14
from bopis.cli.app.context import AsJson, CommandContext, Yes, open_context
from bopis.cli.app.errors import Conflict, NotFound
from bopis.cli.app.record_changes import ImportSummary, record_change
from bopis.cli.app.render import counted, print_line, print_lines, table
from bopis.cli.app.row_files import (
    FILE_HELP,
    DryRun,
    Encoding,
    FileRows,
    IgnoreColumns,
    RejectedRow,
    SkipBad,
    documents,
    read_rows,
    refuse_rejected,
    skipped_text,
)
from bopis.domain.quantities import goods_text
from bopis.names import CATALOGUE_TOPIC
from bopis.services.catalogue import (
    COLUMNS,
    Catalogue,
    check_kits,
    code_conflicts,
    publish_article,
    read_article,
    read_catalogue,
    remove_article,
)
from bopis.services.code_owners import ContestedCode, contested_text, take_back_later_claims
from bopis.tables.header import ColumnNames
from bopis.wire.catalogue import Article

LINGER_MS = 20


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help=FILE_HELP)],
    skip_bad: SkipBad = False,
    dry_run: DryRun = False,
    ignore_columns: IgnoreColumns = None,
    encoding: Encoding = None,
    as_json: AsJson = False,
) -> None:
    """Import articles: sku, name, unit, category, gtins, substitutes, components.

    Only sku is required. A column that is not in the file, and an empty cell, leave the value that the article has; a
    cell with - clears it. Separate several values in one cell by semicolons. A kit names its components, each as SKU or
    SKU*NUMBER; it is sold as one and held as its components. A GTIN belongs to one article. Rows that are not valid are
    listed with their line, and nothing is imported unless --skip-bad is given.

    Examples:
        bopis catalogue import catalogue.csv
        bopis catalogue import catalogue.xlsx --dry-run
        bopis catalogue import catalogue.ndjson --skip-bad
    """
    ctx = open_context(context, as_json)
    ctx.require_log()
    columns = ColumnNames(COLUMNS, ("sku",), frozenset(ignore_columns or ()))
    rows = read_rows(ctx, file, columns, encoding)
    known = current_catalogue(ctx)
    articles, rejected = _read_articles(rows, known)
    refuse_rejected(ctx, file, rejected, len(articles), skip_bad)
    check_kits(known, articles)
    contested = [] if dry_run else _publish(ctx, articles)
    changes = [record_change(it.sku, known.get(it.sku), it) for it in articles]
    summary = ImportSummary(changes, "article", str(file), dry_run)
    kits = sum(bool(article.components) for article in articles)
    rest = f"; {counted(kits, 'kit')}" if kits else ""
    document = summary.document | {"kits": kits, "rejected": documents(rejected), "contested": contested}
    ctx.print_result(document, lambda out: print_lines(out, summary.lines(rest + skipped_text(rejected))))
    _note_unknown_parts(ctx, known, articles)
    if contested:
        for it in contested:
            ctx.note(f"Another import ran at the same time. {contested_text(it)}, and was imported without it.")
        raise typer.Exit(Conflict.exit_code)


def list_(
    context: typer.Context,
    search: Annotated[str | None, typer.Argument(metavar="TEXT", help="In SKU, name, category or GTIN.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows at most.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List the articles of the catalogue by SKU.

    Examples:
        bopis catalogue list
        bopis catalogue list bananas --limit 20
    """
    ctx = open_context(context, as_json)
    catalogue = current_catalogue(ctx)
    articles = catalogue.all()
    if search:
        articles = [article for article in articles if search.lower() in _searchable(article)]

    def render(out: Console) -> None:
        if not articles:
            ctx.note("No articles. Import some with `bopis catalogue import FILE`.")
            return
        grid = table("SKU", "name", "unit", "category", "GTINs", "kit of")
        for article in articles[:limit]:
            names = (article.sku, article.name, article.unit, article.category)
            grid.add_row(*names, " ".join(article.gtins), kit_text(article, catalogue))
        out.print(grid)
        if len(articles) > limit:
            ctx.note(f"... and {len(articles) - limit} more: give --limit or a text to search for.")

    ctx.print_result({"articles": articles[:limit], "more": max(0, len(articles) - limit)}, render)


def show(
    context: typer.Context,
    code: Annotated[str, typer.Argument(help="SKU, or a GTIN as typed or scanned.")],
    as_json: AsJson = False,
) -> None:
    """Show one article: its name, codes, substitutes, and the components of a kit.

    Examples:
        bopis catalogue show 4011
        bopis catalogue show 4006381333931
    """
    ctx = open_context(context, as_json)
    catalogue = current_catalogue(ctx)
    article = article_of(catalogue, code)

    def render(out: Console) -> None:
        for label, value in (
            ("SKU", article.sku),
            ("name", article.name or "-"),
            ("unit", article.unit),
            ("category", article.category or "-"),
            ("GTINs", " ".join(article.gtins) or "-"),
            ("substitutes", ", ".join(f"{sku} {catalogue.name(sku)}" for sku in article.substitutes) or "-"),
            ("kit of", kit_text(article, catalogue) or "-"),
        ):
            print_line(out, f"{label:<12}{value}")

    ctx.print_result({"article": article}, render)


def remove(
    context: typer.Context,
    sku: Annotated[str, typer.Argument(help="SKU of the article.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove an article from the catalogue; orders and stock of it stay as they are.

    Examples:
        bopis catalogue remove 4011
        bopis catalogue remove 4011 --yes
    """
    ctx = open_context(context, as_json)
    catalogue = current_catalogue(ctx)
    article = article_of(catalogue, sku)
    ctx.confirm(f"remove {article.sku} from the catalogue", "not removed", yes)
    with ctx.publisher() as publisher:
        remove_article(publisher, article.sku).wait()
    passed_on = {code: others[-1] for code in article.gtins if (others := _others(catalogue, code, article.sku))}

    def render(out: Console) -> None:
        print_line(out, f"Removed: {article.sku}")
        for code, owner in passed_on.items():
            print_line(out, f"GTIN {code} now means {owner}, which lists it, too.")

    ctx.print_result({"removed": article.sku, "codes_passed_on": passed_on}, render)


def current_catalogue(ctx: CommandContext) -> Catalogue:
    """The catalogue in the log."""
    with ctx.reader() as reader:
        return read_catalogue(reader)


def article_of(catalogue: Catalogue, code: str) -> Article:
    """The article of a SKU or GTIN; raises `NotFound`."""
    sku = catalogue.resolve(code, gtin14)
    article = catalogue.get(sku) if sku is not None else None
    if article is None:
        raise NotFound(what=f"{code!r} is neither a SKU nor a GTIN of the catalogue; `bopis catalogue list` lists all")
    return article


def kit_text(article: Article, catalogue: Catalogue) -> str:
    """The components of a kit: ``2 x MUG, 300 g HAM``; empty for another article."""
    return ", ".join(goods_text(it.quantity, catalogue.unit(it.sku), it.sku) for it in article.components)


def _publish(ctx: CommandContext, articles: list[Article]) -> list[ContestedCode]:
    """Publish articles; returns codes that another import gave away at the same time, and that they have not."""
    ctx.ensure_topic(CATALOGUE_TOPIC)
    with ctx.publisher(LINGER_MS) as publisher:
        deliveries = [publish_article(publisher, article) for article in articles]
        publisher.flush()
        for delivery in deliveries:
            delivery.wait()
        with ctx.reader() as reader:
            return take_back_later_claims(reader, publisher, (it.sku for it in articles), gtin14)


def _note_unknown_parts(ctx: CommandContext, known: Catalogue, articles: list[Article]) -> None:
    """Name components and substitutes that are no article: most of them are spelling mistakes."""
    there = {it.sku for it in (*known.all(), *articles)}
    for article in articles:
        named = ((it.sku, "a component") for it in article.components)
        for sku, role in (*named, *((it, "a substitute") for it in article.substitutes)):
            if sku not in there:
                ctx.note(f"{sku!r} is {role} of {article.sku}, and in no catalogue; check its spelling.")


def _read_articles(rows: FileRows, known: Catalogue) -> tuple[list[Article], list[RejectedRow]]:
    """The articles of a file as they will be, and its rows that are not valid."""
    articles: dict[str, Article] = {}
    lines: dict[str, int] = {}
    rejected = list(rows.rejected)
    for row in rows.rows:
        read = read_article(row.cells, gtin14, known.get(row.cells.get("sku", "")))
        if isinstance(read, list):
            rejected.append(RejectedRow(row.line, read))
        elif read.sku in articles:
            rejected.append(RejectedRow(row.line, [f"sku {read.sku} is in the file twice"]))
        else:
            articles[read.sku], lines[read.sku] = read, row.line
    # An article that is left out keeps its codes, so others may come into conflict with it.
    while conflicts := code_conflicts(known, articles.values(), gtin14):
        for sku, problems in conflicts.items():
            del articles[sku]
            rejected.append(RejectedRow(lines[sku], problems))
    return list(articles.values()), sorted(rejected)


def _others(catalogue: Catalogue, gtin: str, sku: str) -> list[str]:
    return [owner for owner in catalogue.owners(gtin) if owner != sku]


def _searchable(article: Article) -> str:
    return f"{article.sku} {article.name} {article.category} {' '.join(article.gtins)}".lower()
