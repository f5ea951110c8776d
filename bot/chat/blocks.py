"""Files as blocks of a request, and the most tokens that they can take.

What a picture takes follows from its pixels, not from its bytes: one token for each patch of 28 pixels squared, up to
4,784 (older models: a token for 750 pixels, up to some 1,600). A page of a PDF takes its picture and its text, 1,500 to
3,000 tokens. https://platform.claude.com/docs/en/build-with-claude/vision, and pdf-support there (November 2026).
"""

from collections.abc import Sequence
from typing import Any

from bot.files.pdf import PAGES
from bot.files.values import Block, Document, Picture, TextFile
from bot.text.clean import clean, quote

#: The side of a patch, less a margin that covers the older models' count too; and the most that one picture takes.
PATCH = 27
PICTURE = 5_000
#: The most that a page takes: its picture, and its text.
PAGE = PICTURE + 3_000
#: What each block takes besides, its name apart.
AROUND = 100


def of(files: Sequence[Block]) -> list[dict[str, Any]]:
    """The files as blocks, each after its name. They go before the message's text, as the documents advise."""
    blocks: list[dict[str, Any]] = []
    for file in files:
        if isinstance(file, TextFile):
            blocks.append({"type": "text", "text": _quoted(file)})
        else:
            blocks += [{"type": "text", "text": f"({clean(file.name)}:)"}, _block(file)]
    return blocks


def _quoted(file: TextFile) -> str:
    return f"({clean(file.name)}, as text:)\n{quote(clean(file.text))}"


def _block(file: Picture | Document) -> dict[str, Any]:
    kind, media_type = ("document", "application/pdf") if isinstance(file, Document) else ("image", file.media_type)
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": file.data}}


def max_tokens(files: Sequence[Block]) -> int:
    """The most tokens that they can take in a request."""
    return sum(_max_tokens(file) + len(clean(file.name).encode()) + AROUND for file in files)


def _max_tokens(file: Block) -> int:
    if isinstance(file, Picture):
        return min(-(-file.width // PATCH) * -(-file.height // PATCH), PICTURE)
    if isinstance(file, TextFile):
        return len(_quoted(file).encode())  # no token is shorter than a byte
    return (PAGES if file.pages is None else file.pages) * PAGE
