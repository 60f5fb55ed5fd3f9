"""The agent as a process: ``python -m store_agent --options FILE``, started by `bopis agent run`."""

import argparse
import logging
import os
import sys

from bopis.adapters.agent_process import from_file
from bopis.errors import BopisError
from store_agent.runtime import Agent


def main() -> int:
    """Run until a signal; returns the exit code of the process."""
    parser = argparse.ArgumentParser(prog="python -m store_agent", description=__doc__)
    parser.add_argument("--options", required=True, metavar="FILE", help="a file with the options as JSON")
    options = from_file(parser.parse_args().options)
    # The client of the log reports each reconnection; the sender reports what matters of them.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        return Agent(options).run(os.getpid())
    except BopisError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
