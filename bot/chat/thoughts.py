"""Separates a model's thoughts from its answer.

A model behind a compatible server may put its reasoning into the text: `<think>…</think>` before the answer. That is
neither shown to anybody nor learned from.
"""

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|reason|reflection|scratchpad|antthinking|seed:think"
_OPENING = re.compile(rf"(?:<({_NAMES})(?:\s[^<>]{{0,200}})?>|\[think\]|◁think▷)", re.IGNORECASE)
#: An incomplete opening tag, which the next piece may complete.
_PARTIAL = re.compile(
    r"(?:<(?:"
    + "|".join(f"{name[:end]}" for name in _NAMES.split("|") for end in range(len(name) + 1))
    + rf"|(?:{_NAMES})\s[^<>]{{0,200}})?|[\[◁](?:t|th|thi|thin|think)?)?",
    re.IGNORECASE,
)
#: A closing tag at the start or end of a line: some models' opening tag is part of the prompt.
_CLOSING_LINE = re.compile(
    r"(?:^|\n)[ \t]*</think(?:ing)?>[ \t]*(?=[^\s`])|(?<!`)</think(?:ing)?>[ \t]*(?=\n)", re.IGNORECASE
)
#: Closing tags by opening tags: models mix a tag's two forms.
_CLOSINGS = {name: re.compile(rf"</{name}\s{{0,3}}>", re.IGNORECASE) for name in _NAMES.split("|")}
_CLOSINGS |= dict.fromkeys(("think", "thinking"), re.compile(r"</think(?:ing)?\s{0,3}>", re.IGNORECASE))
_CLOSINGS |= dict.fromkeys(("thought", "thoughts"), re.compile(r"</thoughts?\s{0,3}>", re.IGNORECASE))
_CLOSINGS |= {"[think]": re.compile(r"\[/think\]", re.IGNORECASE), "◁think▷": re.compile("◁/think▷", re.IGNORECASE)}
_BLANK = re.compile(r"\s*")
_TAIL = 40


class Thoughts:
    """Filters the thoughts out of an answer that arrives in pieces.

    Only the beginning of an answer can be thoughts; an answer may well be about such tags. Thoughts that are never
    closed are never shown.

    Args:
        unopened: The model is known to start with thoughts that lack an opening tag: hold everything back until they
            are closed, or until the end.

    Attributes:
        any: Whether there were thoughts.
        closed_unopened: Set by a closing tag, at the start or end of a line, that has no opening tag before it.
    """

    def __init__(self, *, unopened: bool = False, watch: bool = True) -> None:
        self.any = False
        self.closed_unopened = False
        self._partial = ""
        self._at_start = True
        self._closing: re.Pattern[str] | None = None
        self._unopened: list[str] | None = [] if unopened else None
        self._tail = ""
        #: Whether to stop looking: an answer that mentions the opening tag is about such tags.
        self._settled = not watch

    def feed(self, piece: str) -> str:
        """What can be shown after this piece."""
        text, at = self._partial + piece, 0
        self._partial = ""
        while self._at_start:  # several thoughts may follow one another
            if self._closing is not None:
                if (found := self._closing.search(text, at)) is None:
                    self._partial = text[max(at, len(text) - _TAIL) :]
                    return ""
                self._closing, at = None, found.end()
            at = _blank(text, at)
            if opening := _OPENING.match(text, at):
                self._closing, self._unopened = _CLOSINGS[(opening[1] or opening[0]).lower()], None
                at, self.any = opening.end(), True
            elif _PARTIAL.fullmatch(text, at):
                self._partial = text[at:]
                return ""
            else:
                self._at_start = False
        return self._say(text[at:]) if self._unopened is None else self._hold(self._unopened, text[at:])

    def end(self) -> str:
        """What was held back and is shown after all, as the answer has ended."""
        held = "".join(self._unopened or ()) + ("" if self._closing else self._partial)
        self._unopened, self._partial = None, ""
        return held

    def _hold(self, held: list[str], piece: str) -> str:
        seen = self._tail + piece
        self._tail = seen[-_TAIL:]
        held.append(piece)
        if (found := _CLOSING_LINE.search(seen)) is None:
            return ""
        self.any = self.closed_unopened = self._settled = self._at_start = True
        self._unopened = None
        return self.feed(seen[found.end() :])

    def _say(self, piece: str) -> str:
        if self._settled:
            return piece
        seen = self._tail + piece
        self._tail = seen[-_TAIL:]
        if "<think" in seen.lower():
            self._settled = True
        elif _CLOSING_LINE.search(seen) is not None:
            self._settled = self.closed_unopened = True
        return piece


def _blank(text: str, at: int) -> int:
    """The end of the white space at `at`."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def spoken(text: str, *, unopened: bool = False) -> str:
    """A whole answer without its thoughts; with `unopened`, they may lack an opening tag."""
    thoughts = Thoughts(unopened=unopened)
    return thoughts.feed(text) + thoughts.end()
