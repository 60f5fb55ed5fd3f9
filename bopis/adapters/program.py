"""The start of a program that a supervisor runs: settings, log lines, and lines for whoever reads its output."""

import json
import logging
import sys
from collections.abc import Sequence

import structlog

from bopis.errors import CONFIGURATION, ConfigurationError
from bopis.settings import Settings, SettingsError, explain, load


def settings_of_program() -> Settings | int:
    """The settings; or, with the problem printed, the exit code of a program that cannot start with them."""
    try:
        return load()
    except SettingsError as error:
        print(f"A setting is not valid: {explain(error, {})}.", file=sys.stderr)
        return CONFIGURATION
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def log_to_stderr(level: str, first: Sequence[structlog.typing.Processor] = ()) -> None:
    """Log to stderr: on a terminal the events that need a person, formatted; elsewhere all, one JSON object a line.
    `first` sees each event before it is formatted."""
    least = logging.getLevelNamesMapping()[(level or ("warning" if sys.stderr.isatty() else "info")).upper()]
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            *first,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def print_json(**fields: object) -> None:
    """Print one JSON line to standard output, at once."""
    print(json.dumps(fields, separators=(",", ":")), flush=True)
