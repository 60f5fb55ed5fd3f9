"""Mapping files of tills: list and show those that are shipped, propose one for a file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bopis.cli.app.context import AsJson, open_context
from bopis.cli.app.errors import Conflict
from bopis.cli.app.render import print_line, table
from bopis.services.till_files.mapping_file import parse_mapping, read_mapping, shipped_names, shipped_text
from bopis.services.till_files.proposal import propose
from bopis.tables.errors import TableNotOpened


def new(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of the till; of a DSFinV-K export its folder.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the mapping to this new file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Propose a mapping for a till's file, and list the decisions to make: zones, words, conditions.

    Nothing is guessed: facts that the file lacks are left blank, and the mapping is refused until they are written.

    Examples:
        bopis agent mapping new sales.csv
        bopis agent mapping new sales.csv --output my-till.toml
    """
    ctx = open_context(context, as_json)
    if not file.exists():
        raise TableNotOpened(name=str(file), cause="no such file")
    found = propose(file)
    if output is not None:
        if output.exists():
            raise Conflict(cause=f"{output} exists; name another file")
        output.write_text(found.text, encoding="utf-8")

    def render(out: Console) -> None:
        if output is None:
            out.print(found.text, end="", markup=False, highlight=False, soft_wrap=True)
        for doubt in found.doubts:
            ctx.note(f"Decide: {doubt}")
        if output is not None:
            ctx.note(f"Then try it: bopis agent check {file} --mapping {output}")

    ctx.print_result({"file": str(file), "mapping": found.text, "doubts": list(found.doubts)}, render)


def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the shipped mappings of tills.

    Examples:
        bopis agent mapping list
        bopis agent mapping list --json
    """
    ctx = open_context(context, as_json)
    found = [(name, parse_mapping(shipped_text(name), name)) for name in shipped_names()]
    rows = [{"name": name, "kind": it.kind, "about": it.name, "doubts": list(it.doubts)} for name, it in found]

    def render(out: Console) -> None:
        grid = table("name", "kind", "till")
        for name, it in found:
            grid.add_row(name, it.kind, it.name)
        out.print(grid)

    ctx.print_result({"mappings": rows}, render)


def show(
    context: typer.Context,
    mapping: Annotated[str, typer.Argument(metavar="MAPPING", help="TOML file, or the name of a shipped mapping.")],
    as_json: AsJson = False,
) -> None:
    """Show a mapping: a shipped one as its TOML text, or whether a file of your own is valid.

    Examples:
        bopis agent mapping show square-items
        bopis agent mapping show my-till.toml --json
    """
    ctx = open_context(context, as_json)
    stated = read_mapping(mapping)
    is_shipped = mapping in shipped_names() and not Path(mapping).exists()
    text = shipped_text(mapping) if is_shipped else Path(mapping).read_text(encoding="utf-8-sig")

    def render(out: Console) -> None:
        out.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        print_line(ctx.err, f"{mapping} is valid: {stated.name}, kind {stated.kind}")

    ctx.print_result({"mapping": stated, "text": text}, render)
