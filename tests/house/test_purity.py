"""The core knows no clock, chance, I/O, await or log: what it needs arrives in the message."""

import ast

from tests.house.reading import Module, modules, verdict

CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
WORLD = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}


def test_the_domain_is_pure() -> None:
    found = []
    for module in modules():
        if module.name.startswith("bopis.domain"):
            found += [f"{module.place}:{line} {what}" for line, what in impurities(module)]

    assert not found, verdict(found, "The core touches the world:")


def impurities(module: Module) -> list[tuple[int, str]]:
    found = []
    for node in module.nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                found.append((node.lineno, f"asks a clock: .{name}()"))
            case ast.Call(func=ast.Name(id=name)) if name in WORLD:
                found.append((node.lineno, f"calls {name}()"))
            case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                found.append((node.lineno, "waits"))
            case ast.Global() | ast.Nonlocal():
                found.append((node.lineno, "changes a variable outside of its function"))
            case _:
                pass
    return found


def test_the_domain_never_calculates_with_floats() -> None:
    found = []
    for module in modules():
        if not module.name.startswith("bopis.domain"):
            continue
        for node in module.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                found.append(f"{module.place}:{node.lineno} {node.value}")
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                found.append(f"{module.place}:{node.lineno} divides with /")
            elif isinstance(node, ast.Name) and node.id == "float":
                found.append(f"{module.place}:{node.lineno} names float")

    assert not found, verdict(found, "Quantities are int and money is minor units:")
