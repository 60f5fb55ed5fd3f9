"""XML read as a stream: one small tree per element of interest. Entities are refused, a DOCTYPE alone is not read."""

from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.parsers import expat

from bopis.services.till_files.errors import TillFileRefused

BLOCK_BYTES = 1 << 16
NODES_MAX = 200_000  # of one transaction: a larger one is no transaction
DEPTH_MAX = 200
CHARACTERS_MAX = 32 * 1024 * 1024  # of one transaction, with its signatures
SEPARATOR = "\x1f"
REMEDY = "Export it again; a file that was cut off is read when it is complete."


class Node:
    """An element: its namespace and local name, attributes by name, children, and its text."""

    __slots__ = ("attributes", "children", "name", "namespace", "text")

    def __init__(self, namespace: str, name: str, attributes: dict[str, str]) -> None:
        self.namespace, self.name, self.attributes = namespace, name, attributes
        self.children: list[Node] = []
        self.text = ""

    def child(self, name: str) -> "Node | None":
        """The first child of this name in the same namespace."""
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator["Node"]:
        """The children of this name in the same namespace."""
        return (it for it in self.children if it.name == name and it.namespace == self.namespace)

    def attribute(self, name: str) -> str:
        """An attribute by its local name; one without a namespace wins."""
        if name in self.attributes:
            return self.attributes[name]
        return next((value for key, value in self.attributes.items() if key.endswith(SEPARATOR + name)), "")


class _Builder:
    """Builds a tree for each element of one name, and forgets it once it was taken."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._path: list[Node] = []
        self._depth = 0
        self._nodes = 0
        self._characters = 0
        self.done: list[Node] = []
        self.problem = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            self.problem = self.problem or "its elements are nested too deeply"
            return
        namespace, _, local = name.rpartition(SEPARATOR)
        if not self._path and local != self._name:
            return
        self._nodes += 1
        if self._nodes > NODES_MAX:
            self.problem = self.problem or f"one {self._name} has more than {NODES_MAX:,} elements"
            return
        node = Node(namespace, local, attributes)
        if self._path:
            self._path[-1].children.append(node)
        self._path.append(node)

    def end(self, _: str) -> None:
        self._depth -= 1
        if self.problem or not self._path:
            return
        node = self._path.pop()
        if not self._path:
            self.done.append(node)
            self._nodes = self._characters = 0

    def characters(self, text: str) -> None:
        if not self._path or self.problem:
            return
        self._characters += len(text)
        if self._characters > CHARACTERS_MAX:
            self.problem = f"one {self._name} has more than {CHARACTERS_MAX:,} characters"
            return
        self._path[-1].text += text


def nodes(name: str, file: BinaryIO, element: str, encoding: str = "") -> Iterator[Node]:
    """Every element of one local name that is not within another one, in order.

    Raises `TillFileRefused` for a file that is not well formed, is cut off, or declares entities.
    """
    builder = _Builder(element)
    parser = _parser(name, builder, encoding)
    for feed in _feeds(file):
        try:
            feed(parser)
        except expat.ExpatError as error:
            raise TillFileRefused(name=name, cause=f"it is not well-formed XML ({error})", remedy=REMEDY) from error
        if builder.problem:
            raise TillFileRefused(name=name, cause=builder.problem, remedy=REMEDY)
        yield from builder.done
        builder.done.clear()


def check_whole(name: str, file: BinaryIO, encoding: str = "") -> None:
    """Read a file to its end without keeping anything. Raises `TillFileRefused`."""
    for _ in nodes(name, file, "", encoding):
        pass  # no element has an empty name


def _feeds(file: BinaryIO) -> Iterator[Callable[[expat.XMLParserType], object]]:
    while block := file.read(BLOCK_BYTES):
        yield lambda parser, block=block: parser.Parse(block, False)  # type: ignore[misc]  # a default of a lambda
    yield lambda parser: parser.Parse(b"", True)


def _parser(name: str, builder: _Builder, encoding: str) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding or None, SEPARATOR)
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        cause = "it declares or uses entities"
        raise TillFileRefused(name=name, cause=cause, remedy="No till needs them; export it again.")

    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.SkippedEntityHandler = refuse
    return parser
