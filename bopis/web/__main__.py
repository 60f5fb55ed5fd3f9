"""``python -m bopis.web``: what ``bopis web`` and ``bopis up`` run."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

import uvloop

from bopis.adapters.program import log_to_stderr, print_json, settings_of_program
from bopis.errors import CONFIGURATION, BopisError
from bopis.web.serve import serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, serve; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bopis.web", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print that it is ready as one JSON line")
    given = parser.parse_args(arguments)
    settings = settings_of_program()
    if isinstance(settings, int):
        return settings
    log_to_stderr(settings.log_level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
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
        print_json(event="ready", name="web", url=url, pid=os.getpid())
        return
    print(f"bopis web is ready: {url}  (API {url}/v1, documentation {url}/docs). Ctrl-C stops it.", flush=True)


def _print_error(text: str, *, as_json: bool) -> None:
    """Print an error; also to standard output as one JSON line for the supervisor, which shows it."""
    print(f"Error: {text}", file=sys.stderr)
    if as_json:
        print_json(event="error", name="web", error=text)


if __name__ == "__main__":
    sys.exit(main())
