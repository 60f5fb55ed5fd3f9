"""``python -m bopis.web``: what ``bopis web`` and ``bopis up`` run."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence

import structlog
import uvloop

from bopis.errors import CONFIGURATION, BopisError
from bopis.settings import Settings, SettingsError, explain, load
from bopis.web.serve import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bopis.web", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print that it is ready as one JSON line")
    given = parser.parse_args(arguments)
    try:
        settings = load()
    except SettingsError as error:
        print(f"A setting is not valid: {explain(error, {})}.", file=sys.stderr)
        return CONFIGURATION
    except BopisError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    _log_to_stderr(settings)
    uvloop.install()
    try:
        serve(settings, lambda url, _: _print_ready(url, as_json=given.json))
    except OSError as error:
        cause = error.strerror or error
        place = f"{settings.web_host}:{settings.web_port}"
        _print_error(f"{place} cannot be used ({cause}). Give another --port, or set web_port.", as_json=given.json)
        return CONFIGURATION
    except BopisError as error:
        _print_error(str(error), as_json=given.json)
        return error.exit_code
    return 0


def _print_ready(url: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(event="ready", name="web", url=url, pid=os.getpid())
        return
    print(f"bopis web is ready: {url}  (API {url}/v1, documentation {url}/docs). Ctrl-C stops it.", flush=True)


def _print_error(text: str, *, as_json: bool) -> None:
    """Print an error; also to standard output as one JSON line for the supervisor, which shows it."""
    print(f"Error: {text}", file=sys.stderr)
    if as_json:
        _print_json(event="error", name="web", error=text)


def _print_json(**fields: object) -> None:
    print(json.dumps(fields, separators=(",", ":")), flush=True)


def _log_to_stderr(settings: Settings) -> None:
    least = (settings.log_level or ("warning" if sys.stderr.isatty() else "info")).upper()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[least]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
