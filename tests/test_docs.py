"""The documents, held to the repository: their links lead somewhere, and the files that they name are there."""

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
