"""The documents, held to the repository: their links lead somewhere, and the files that they name are there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", ".github/*.md")
    for path in ROOT.glob(pattern)
)

_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_METHOD = re.compile(r"`([A-Z][A-Za-z]+)\.([a-z_]+)`")
_NAMED = re.compile(r"`((?:bot|adapters|tests|docs|\.github|\.ci)/[\w./-]*)`")


def anchors(path: Path) -> set[str]:
    """The fragments that lead to a document's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """Each relative link is to a file of the repository, and to a heading that it has."""
    document = ROOT / name
    for link in _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not fragment or fragment in anchors(target), link


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_are_named_are_there(name: str) -> None:
    """What a document calls by its path is at that path."""
    for path in _NAMED.findall((ROOT / name).read_text(encoding="utf-8")):
        assert (ROOT / path).exists(), path


def test_methods_that_the_architecture_names_are_there() -> None:
    """Each `Class.method` of docs/architecture.md is one of the bot's."""
    classes = {
        node.name: {member.name for member in node.body if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)}
        for path in (ROOT / "bot").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    named = _METHOD.findall((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert named
    for name, method in named:
        assert method in classes.get(name, ()), f"{name}.{method}"
