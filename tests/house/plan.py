"""The floor plan: which rooms there are, on which floor, and what each may take from outside."""

# Longest name first wins. The program and its commands are one room, and so are streams and their entry point.
FLOORS = {
    "bopis.domain": 0,
    "bopis.wire": 1,
    "bopis.ports": 1,
    "bopis.clock": 1,
    "bopis.settings": 1,
    "bopis.topics": 1,
    "bopis.services": 2,
    "bopis.adapters": 2,
    "bopis.readside": 2,
    "bopis.broker": 2,
    "bopis.commands": 3,
    "bopis.web": 3,
    "streams": 3,
    "store_agent": 3,
    "migrations": 3,
    "benchmarks": 4,
    "deploy": 3,
}
SAME_ROOM = {"cli": "bopis.commands"}
TOP_PACKAGE = "bopis"

# What the pure core and the wire may take from the standard library: value types and pure functions.
PURE = frozenset(
    "abc base64 bisect collections dataclasses datetime decimal enum fractions functools hashlib heapq "  # noqa: SIM905
    "itertools json math operator re string struct types typing zlib zoneinfo".split()
)
DOMAIN_PURE = PURE - {"base64", "hashlib", "json", "zoneinfo", "functools"}

# Third-party libraries per room; the standard library is free where PURE_ROOMS does not say otherwise.
LIBRARIES = {
    "bopis.domain": {"msgspec"},
    "bopis.wire": {"msgspec"},
    "bopis.ports": set(),
    "bopis.clock": set(),
    "bopis.settings": {"pydantic", "pydantic_settings"},
    "bopis.topics": {"msgspec"},
    "bopis.services": {"msgspec"},
    "bopis.adapters": {
        "kafka",
        "msgspec",
        "opening_hours",
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
    },
    "bopis.readside": {"sqlalchemy", "alembic", "msgspec", "psycopg"},
    "bopis.broker": {"kafka", "crc32c", "uvloop"},
    "bopis.commands": {"typer", "rich", "msgspec", "psutil", "pydantic", "sqlalchemy"},
    "streams": {"faust", "aiokafka", "mode", "msgspec", "structlog", "uvloop", "psutil", "stamina", "sqlalchemy"},
    "store_agent": {"kafka", "msgspec", "watchfiles"},
    "migrations": {"alembic", "sqlalchemy"},
    "deploy": {"kafka"},
}
PURE_ROOMS = {"bopis.domain": DOMAIN_PURE, "bopis.wire": PURE, "bopis.ports": PURE}
# A service asks the world through its ports, so it opens no socket, database or process itself.
BARRED = {"bopis.services": {"socket", "sqlite3", "subprocess", "asyncio", "multiprocessing", "http", "urllib"}}

# Exceptions that are part of an interface: they stand beside what raises them, and never reach a person.
SIGNALS = {
    "bopis.broker.coordinator:MemberIdRequired",
    "bopis.broker.records:Opaque",
    "bopis.domain.inventory.admission:Rejected",
    "streams.client:Retry",
    "streams.processor:Poison",
}

# In the domain each part uses only what stands left of it.
DOMAIN_ORDER = ("values", "message", "inventory", "payments", "notices", "calendar", "sourcing", "orders")

BAD_MODULE_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "data", "info", "common", "misc"}
BAD_WORDS = ("stock level", "inventory count", "booking", "oversold unit")
UNFINISHED = ("TO" + "DO", "FIX" + "ME", "X" * 3 + ":", "HACK:")

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40
PARAMETERS_MAX = 5


def room_of(module: str) -> str | None:
    """The room that a module of ours stands in; None for the package that holds the rooms."""
    if module in SAME_ROOM:
        return SAME_ROOM[module]
    for room in sorted(FLOORS, key=len, reverse=True):
        if module == room or module.startswith(room + "."):
            return room
    return None
