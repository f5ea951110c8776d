"""What in the code reads text piece by piece, found in its syntax trees: patterns, and loops written by hand."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import adapters
import bot

ROOT = Path(__file__).parents[1]
_TEXT = ("str", "str | None")


@dataclass(frozen=True, slots=True)
class Found:
    """Where something is: `module:Class.function`."""

    place: str
    line: int


def modules() -> list[str]:
    """The names of all modules of the two packages, but those that run when they are imported."""
    names = [
        found.name
        for package in (bot, adapters)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [name for name in names if ".migrations" not in name and not name.endswith("__main__")]


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every compiled pattern that a module holds, however deep in its tables, by name."""
    seen: set[str] = set()
    for name in modules():
        for attribute, value in vars(importlib.import_module(name)).items():
            for number, pattern in enumerate(_within(value, 0)):
                if pattern.pattern not in seen:
                    seen.add(pattern.pattern)
                    yield f"{name}.{attribute}[{number}]", pattern


def _within(value: object, depth: int) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 4 and isinstance(value, Mapping):
        for item in value.values():
            yield from _within(item, depth + 1)
    elif depth < 4 and isinstance(value, (tuple, list, frozenset, set)):
        for item in value:
            yield from _within(item, depth + 1)


def hidden_patterns() -> list[Found]:
    """Uses of `re` within functions: no table holds such a pattern, so that nothing measures it."""
    found = []
    for place, node in _nodes():
        called = node.func if isinstance(node, ast.Call) else None
        of_re = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"
        if of_re and isinstance(called, ast.Attribute) and called.attr != "escape" and not place.endswith(":"):
            found.append(Found(place, called.lineno))
    return found


def loops() -> dict[str, int]:
    """Functions with a loop over a text that they are given, by place: how many lines such a loop begins at."""
    found: dict[str, int] = {}
    for place, node in _nodes():
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        texts = {
            argument.arg for argument in arguments if argument.annotation and ast.unparse(argument.annotation) in _TEXT
        }
        if texts and any(_reads(inner, texts) for inner in ast.walk(node)):
            found[f"{place}.{node.name}" if not place.endswith(":") else f"{place}{node.name}"] = node.lineno
    return found


def _reads(node: ast.AST, texts: set[str]) -> bool:
    """Whether it is a loop that goes along one of the texts."""
    if isinstance(node, ast.While):
        return any(_touches(inner, texts) for inner in ast.walk(node))
    if isinstance(node, (ast.For, ast.comprehension)):
        names = {inner.id for inner in ast.walk(node.iter) if isinstance(inner, ast.Name)}
        return bool(names & texts) and not isinstance(node.iter, ast.Dict)
    return False


def _touches(node: ast.AST, texts: set[str]) -> bool:
    """Whether it looks into one of the texts: a slice of it, or a method of it."""
    inner = node.value if isinstance(node, (ast.Subscript, ast.Attribute)) else None
    return isinstance(inner, ast.Name) and inner.id in texts


def _nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of the two packages, and where it stands: its module, and the functions and classes around it."""
    for path in sorted((*ROOT.glob("bot/**/*.py"), *ROOT.glob("adapters/**/*.py"))):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield from _below(ast.parse(path.read_text()), f"{module}:")


def _below(node: ast.AST, place: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        yield place, child
        named = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda))
        name = getattr(child, "name", "lambda") if named else ""
        inner = f"{place}{'' if place.endswith(':') else '.'}{name}" if name else place
        yield from _below(child, inner)


def module_of(place: str) -> ModuleType:
    """The module of a place."""
    return importlib.import_module(place.partition(":")[0])
