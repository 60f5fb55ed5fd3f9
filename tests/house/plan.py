"""The floor plan: which rooms there are, on which floor, and what each may take from outside."""

# Longest name first wins.
FLOORS = {
    "bopis.contacts": 0,
    "bopis.deadlines": 0,
    "bopis.broker": 0,
    "bopis.geography": 0,
    "bopis.quantiles": 0,
    "bopis.names": 0,
    "bopis.errors": 0,
    "bopis.domain": 0,
    "bopis.wire": 1,
    "bopis.ports": 1,
    "bopis.settings": 1,
    "bopis.access": 1,
    "bopis.webhooks": 1,
    "bopis.setting_groups": 0,
    "bopis.topics": 1,
    "bopis.tables": 1,
    "bopis.journal": 2,
    "bopis.journal.limits": 1,
    "bopis.services": 2,
    "bopis.adapters": 2,
    "bopis.readside": 2,
    "bopis.verification": 2,
    "bopis.cli": 3,
    "bopis.web": 3,
    "streams": 3,
    "bopis.uplink": 3,
    "bopis.pos": 4,
    "store_agent": 4,
    "migrations": 3,
    "bopis.demo": 4,
    "bopis.reference": 6,
    "cli": 5,
    "benchmarks": 6,
    "deploy": 3,
}
TOP_PACKAGE = "bopis"

# What the pure core and the wire may take from the standard library: value types and pure functions.
PURE = frozenset(
    "abc base64 bisect collections dataclasses datetime decimal enum fractions functools hashlib heapq "  # noqa: SIM905
    "contextlib itertools json math operator re string struct types typing zlib zoneinfo".split()
)
DOMAIN_PURE = PURE - {"base64", "contextlib", "hashlib", "json", "zoneinfo", "functools"}

# Third-party libraries per room; the standard library is free where PURE_ROOMS does not say otherwise.
LIBRARIES = {
    "bopis.contacts": {"babel", "email_validator", "phonenumbers"},
    "bopis.domain": {"msgspec"},
    "bopis.wire": {"msgspec"},
    "bopis.ports": set(),
    "bopis.settings": {"pydantic", "pydantic_settings"},
    "bopis.access": {"msgspec"},
    "bopis.webhooks": {"msgspec"},
    "bopis.setting_groups": {"pydantic"},
    "bopis.topics": {"msgspec"},
    "bopis.tables": {"msgspec", "openpyxl"},
    "bopis.journal": {"msgspec"},
    "bopis.uplink": {"msgspec"},
    "bopis.pos": {"msgspec"},
    "bopis.services": {"cachetools", "msgspec"},
    "bopis.adapters": {
        "babel",
        "kafka",
        "msgspec",
        "opening_hours",
        "holidays",
        "stamina",
        "psutil",
        "structlog",
        "cryptography",
        "sqlalchemy",
        "biip",
        "jinja2",
        "markupsafe",
        "aiosmtplib",
        "httpx",
        "apprise",
        "segno",
        "starlette",
        "anyio",
        "uvicorn",
        "stripe",
        "itsdangerous",
    },
    "bopis.readside": {"sqlalchemy", "alembic", "msgspec", "psycopg"},
    "bopis.broker": {"kafka", "crc32c", "uvloop"},
    "bopis.verification": {"msgspec"},
    "bopis.web": {
        "anyio",
        "cachetools",
        "jinja2",
        "joserfc",
        "msgspec",
        "prometheus_client",
        "sqlalchemy",
        "sse_starlette",
        "starlette",
        "structlog",
        "uvicorn",
        "httpx",
        "markupsafe",
        "segno",
        "uvloop",
    },
    "bopis.cli": {"typer", "rich", "msgspec", "psutil", "pydantic", "sqlalchemy"},
    "bopis.demo": {"typer", "rich", "msgspec", "psutil", "sqlalchemy"},
    "bopis.reference": {"typer", "msgspec"},
    "cli": {"typer"},
    "streams": {"faust", "aiokafka", "mode", "msgspec", "setproctitle", "structlog", "uvloop", "psutil", "sqlalchemy"},
    "store_agent": {"msgspec"},
    "migrations": {"alembic", "sqlalchemy"},
    "deploy": {"kafka"},
}
PURE_ROOMS = {"bopis.domain": DOMAIN_PURE, "bopis.wire": PURE, "bopis.ports": PURE}
# A service asks the world through its ports, so it opens no socket or process itself. (A temporary database that sorts
# rows is memory, not the world.)
BARRED = {"bopis.services": {"socket", "subprocess", "asyncio", "multiprocessing", "http", "urllib"}}

# Rooms that own a database. Everybody else asks the read side through `bopis.readside.queries`.
SQL_ROOMS = {
    "bopis.readside",
    "migrations",
    "bopis.broker",  # the log's own file
    "bopis.services.sorter",  # a temporary database
    "bopis.journal",  # the file of a shop's journal
    "bopis.adapters.secrets",  # the table of customers' keys
    "bopis.adapters.webhooks",  # subscriptions and their deliveries
    "benchmarks",  # databases of their own
}
# Modules of the read side that define or write its tables.
SQL_TABLES = ("bopis.readside.schema", "bopis.readside.orders.tables", "bopis.readside.statements")
# Names of SQLAlchemy that are statements or parts of them. Engines, connections, URLs and errors are not.
SQL_WORDS = frozenset(
    "select insert update delete text func case literal and_ or_ not_ tuple_ Table Column MetaData Index".split()  # noqa: SIM905
)

# Exceptions that are part of an interface: they stand beside what raises them, and never reach a person.
SIGNALS = {
    "bopis.broker.groups.coordinator:MemberIdRequired",
    "bopis.broker.storage.records:UnreadableRecords",
    "bopis.domain.inventory.admission:Rejected",
    "bopis.web.problems:Problem",
    "store_agent.sources.tills:RequestProblem",
    "streams.engine.retry:Retry",
    "streams.engine.processor:Poison",
}

# In the domain each part uses only what stands left of it.
DOMAIN_ORDER = (
    "values",
    "article_codes",
    "quantities",
    "papers",
    "message",
    "inventory",
    "repeats",
    "payments",
    "notices",
    "calendar",
    "sourcing",
    "orders",
)

# Topics that have one name, in bopis/names.py; the others are also plain words.
TOPIC_LITERALS = frozenset(
    "inventory-levels inventory-events order-state order-events notice-state notice-events payment-state "  # noqa: SIM905
    "payment-events routing-shadow dead-letters dead-letter-marks".split()
)
# The command group of that name.
NOT_TOPICS = {"cli.py:dead-letters"}

# In commands imports are at the top; these files import in functions, each for the reason given.
LATE_IMPORTS = {"bopis/cli/app/context.py": "each command pays only for the libraries of the connections it opens"}

# Files in the data directory that several parts read, with the modules that may name them. The log's own files are in
# bopis/broker/files.py.
FILE_LITERALS = {
    "up.json": ["bopis/adapters/supervision.py"],
    "web.json": ["bopis/adapters/web_process.py"],
}

BAD_MODULE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "info", "common", "misc"}
BAD_WORDS = ("stock level", "inventory count", "booking", "oversold unit")
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "X" * 3 + ":", "HACK:")

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
# One flat match reads like a table: it may be as long as its list of cases.
FLAT_MATCH_LINES_MAX = 60
PARAMETERS_MAX = 5
FOLDER_MODULES_MAX = 25
TEST_LINES_MAX = 500

# A module below this size with a single importer is part of that one, unless the domain, a library or a process cuts
# there: those are named here, with what cuts.
SMALL_MODULE_LINES = 60
SMALL_MODULES = {
    "bopis.adapters.public_holidays": "the library of holidays, apart from the syntax of hours",
    "bopis.adapters.notices.chat": "one channel a module",
    "bopis.adapters.notices.outbox": "one channel a module",
    "bopis.cli.operate.config": "a command of its own",
    "bopis.cli.order.methods": "payment methods as they are typed, apart from the command that is long already",
    "bopis.setting_groups.agent": "one group of settings a module",
    "bopis.setting_groups.payments": "one group of settings a module",
    "bopis.setting_groups.security": "one group of settings a module",
    "bopis.setting_groups.web": "one group of settings a module",
    "bopis.setting_groups.webhooks": "one group of settings a module",
    "bopis.domain.notices.relevance": "the rule when a notice is too late",
    "bopis.domain.orders.events.moving": "one part of the domain a module",
    "bopis.domain.orders.folds.moving": "one part of the domain a module",
    "bopis.domain.orders.folds.routing": "one part of the domain a module",
    "bopis.domain.sourcing.ranking": "one step of sourcing a module",
    "bopis.domain.sourcing.splitting": "one step of sourcing a module",
    "bopis.readside.orders.work": "the work queue's table",
    "bopis.readside.queries.sources": "SQL stays in the read side",
    "bopis.services.replay.fingerprint": "a file on disk with a format of its own",
    "bopis.services.till_files.sequences": "numbers of devices, apart from the rows of files",
    "bopis.services.till_files.sources.row_types": "files whose rows have types, apart from those with a header",
    "bopis.uplink.ledger": "the comparison, apart from the connection that it shares with messages",
    "bopis.web.api.ledger": "one resource a module",
    "bopis.web.pages.table": "the table of all pages",
    "streams.process.instance_names": "leases on disk",
}


def room_of(module: str) -> str | None:
    """The room that a module of ours stands in; None for the package that holds the rooms."""
    for room in sorted(FLOORS, key=len, reverse=True):
        if module == room or module.startswith(room + "."):
            return room
    return None
