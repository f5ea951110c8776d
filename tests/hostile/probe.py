"""The bot's own command, with an eye in it: `python -m tests.hostile.probe` in place of `python -m bot`.

At SIGUSR1 it looks through all live objects of the process for words that nothing should hold any more, and writes what
holds them to a file. The words come masked, so that the eye itself holds none.
"""

import base64
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bot.cli import main

#: Masked words, separated by commas; and where the findings are written, one a line.
WORDS = "PROBE_WORDS"
OUT = "PROBE_OUT"

_MASK = 0x5A
#: The way to a finding is told so many steps back, where there are no more findings than a person reads.
_STEPS = 4
_MOST = 25
#: What holds no other object.
_PLAIN = (str, bytes, bytearray, int, float, complex, bool, type(None), range)


def masked(word: str) -> str:
    """The word in a form that it can't be found in."""
    return bytes(byte ^ _MASK for byte in word.encode()).hex()


def _unmasked(text: str) -> str:
    return bytes(byte ^ _MASK for byte in bytes.fromhex(text)).decode()


def forms(word: str) -> list[bytes]:
    """A lower-case word as it may stand in bytes: plain (JSON too, as it is ASCII), UTF-16, hexadecimal, base64."""
    plain = word.encode()
    found = [plain, word.encode("utf-16-le"), word.encode("utf-16-be"), plain.hex().encode()]
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + plain).rstrip(b"=")
        # The characters at either end also tell what stands beside the word.
        last = -1 if (before + len(plain)) % 3 else len(encoded)
        found.append(encoded[(0, 2, 3)[before] : last].lower())
    return found


def holds(data: bytes, needles: list[bytes]) -> bool:
    """Whether these bytes hold a word in any form, whatever its case."""
    lowered = data.lower()
    return any(needle in lowered for needle in needles)


def _frames() -> Iterator[tuple[str, Any]]:
    """The locals of all threads' running frames, which the collector doesn't see, but those of this module."""
    for frame in sys._current_frames().values():
        at: FrameType | None = frame
        while at is not None:
            if at.f_code.co_filename != __file__:
                yield f"local of {at.f_code.co_qualname} ({Path(at.f_code.co_filename).name})", at.f_locals
            at = at.f_back


def _look(needles: list[bytes]) -> list[tuple[str, Any]]:
    """Each string with a word that can be reached from any live object, with what it is."""
    gc.unfreeze()  # what the bot froze is left out otherwise
    gc.collect()  # the bot does so by itself, from time to time
    found = []
    seen = {id(needles)}
    for where, roots in (*_frames(), ("", gc.get_objects())):
        pending = [roots] if where else [root for root in roots if root is not needles]
        while pending:
            # Whatever holds others, and is not tracked itself, is looked into in the next round.
            reached = {id(thing): thing for thing in gc.get_referents(*pending)}
            new = [thing for key, thing in reached.items() if key not in seen]
            seen.update(reached)
            texts = [thing for thing in new if isinstance(thing, (str, bytes, bytearray))]
            found += [
                (f"{type(thing).__name__} of {len(thing)} {where}", thing) for thing in _with_words(texts, needles)
            ]
            pending = [thing for thing in new if not isinstance(thing, _PLAIN) and not gc.is_tracked(thing)]
    return found


def _with_words(texts: list[Any], needles: list[bytes]) -> list[Any]:
    """The texts that hold a word; many at once are looked through together."""
    data = b"\0".join(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text) for text in texts)
    if not holds(data, needles):
        return []
    if len(texts) <= 1:
        return texts
    half = len(texts) // 2
    return _with_words(texts[:half], needles) + _with_words(texts[half:], needles)


def _told(found: list[tuple[str, Any]], needles: list[bytes]) -> list[str]:
    """A line for each finding: what it is, and the way to it by what holds what."""
    lines = [what for what, _ in found]
    ends = [thing for _, thing in found]
    ours = {id(found), id(lines), id(ends), *map(id, found)}
    for _ in range(_STEPS):
        behind = [
            holder for holder in gc.get_referrers(*ends) if id(holder) not in ours and not isinstance(holder, FrameType)
        ]
        by_id = {id(held): holder for holder in behind for held in gc.get_referents(holder)}
        ours |= {id(behind), id(by_id)}
        ends = [by_id.get(id(end)) for end in ends]
        ours.add(id(ends))
        lines = [f"{line} < {_named(end, needles)}" for line, end in zip(lines, ends, strict=True)]
    return lines


def _named(holder: Any, needles: list[bytes]) -> str:
    kind = type(holder).__qualname__
    keys = [key for key in holder if isinstance(key, str)][:12] if isinstance(holder, dict) else []
    about = f"{getattr(holder, '__qualname__', '')} {','.join(keys)}".strip()
    return f"{kind}({'…' if holds(about.encode(), needles) else about})"


def _findings() -> list[str]:
    needles = [form for word in os.environ[WORDS].split(",") for form in forms(_unmasked(word))]
    found = _look(needles)
    if 0 < len(found) <= _MOST:
        return _told(found, needles)
    return [what for what, _ in found]


def _report(number: int, frame: FrameType | None) -> None:
    lines = _findings()  # what the eye itself has held is gone before anybody may ask it again
    out = Path(os.environ[OUT])
    part = out.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines))
    part.replace(out)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _report)
    sys.exit(main())
