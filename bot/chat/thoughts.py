"""What a model thinks aloud, told from what it says.

A model behind a compatible server may put its reasoning into the text: `<think>…</think>` before the answer. Nobody is
to be shown that, nor is anything to be learned from it.
"""

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|reason|reflection|scratchpad|antthinking|seed:think"
_OPENING = re.compile(rf"(?:<({_NAMES})(?:\s[^<>]{{0,200}})?>|\[think\]|◁think▷)", re.IGNORECASE)
#: The beginning of an opening tag, which the next piece may complete.
_BEGUN = re.compile(
    r"(?:<(?:"
    + "|".join(f"{name[:end]}" for name in _NAMES.split("|") for end in range(len(name) + 1))
    + rf"|(?:{_NAMES})\s[^<>]{{0,200}})?|[\[◁](?:t|th|thi|thin|think)?)?",
    re.IGNORECASE,
)
#: A closing tag that begins or ends a line: some models' opening one is part of what they are asked with.
_CLOSING_LINE = re.compile(
    r"(?:^|\n)[ \t]*</think(?:ing)?>[ \t]*(?=[^\s`])|(?<!`)</think(?:ing)?>[ \t]*(?=\n)", re.IGNORECASE
)
#: What closes thoughts, by what opened them: models mix a tag's two forms.
_CLOSINGS = {name: re.compile(rf"</{name}\s{{0,3}}>", re.IGNORECASE) for name in _NAMES.split("|")}
_CLOSINGS |= dict.fromkeys(("think", "thinking"), re.compile(r"</think(?:ing)?\s{0,3}>", re.IGNORECASE))
_CLOSINGS |= dict.fromkeys(("thought", "thoughts"), re.compile(r"</thoughts?\s{0,3}>", re.IGNORECASE))
_CLOSINGS |= {"[think]": re.compile(r"\[/think\]", re.IGNORECASE), "◁think▷": re.compile("◁/think▷", re.IGNORECASE)}
_BLANK = re.compile(r"\s*")
_TAIL = 40


class Thoughts:
    """Takes an answer in pieces and gives back what of it is said.

    Only what begins an answer is taken for thoughts; an answer may well be about such tags. Thoughts that are never
    closed are never said.

    Args:
        unopened: The model is known to begin with thoughts without an opening tag: nothing is given back before they
            are closed, or all of it at the end.

    Attributes:
        any: Whether there were thoughts.
        closed_unopened: Set where a closing tag begins or ends a line and no opening one stands before it.
    """

    def __init__(self, *, unopened: bool = False, watch: bool = True) -> None:
        self.any = False
        self.closed_unopened = False
        self._begun = ""
        self._begins = True
        self._closing: re.Pattern[str] | None = None
        self._unopened: list[str] | None = [] if unopened else None
        self._tail = ""
        #: Whether there is nothing more to look for: an answer that names the opening tag is about such tags.
        self._settled = not watch

    def feed(self, piece: str) -> str:
        """What can be said now that this piece has come."""
        text, at = self._begun + piece, 0
        self._begun = ""
        while self._begins:  # several thoughts may follow one another
            if self._closing is not None:
                if (found := self._closing.search(text, at)) is None:
                    self._begun = text[max(at, len(text) - _TAIL) :]
                    return ""
                self._closing, at = None, found.end()
            at = _blank(text, at)
            if opening := _OPENING.match(text, at):
                self._closing, self._unopened = _CLOSINGS[(opening[1] or opening[0]).lower()], None
                at, self.any = opening.end(), True
            elif _BEGUN.fullmatch(text, at):
                self._begun = text[at:]
                return ""
            else:
                self._begins = False
        return self._say(text[at:]) if self._unopened is None else self._hold(self._unopened, text[at:])

    def end(self) -> str:
        """What was held back and is said after all, now that the answer has ended."""
        held = "".join(self._unopened or ()) + ("" if self._closing else self._begun)
        self._unopened, self._begun = None, ""
        return held

    def _hold(self, held: list[str], piece: str) -> str:
        seen = self._tail + piece
        self._tail = seen[-_TAIL:]
        held.append(piece)
        if (found := _CLOSING_LINE.search(seen)) is None:
            return ""
        self.any = self.closed_unopened = self._settled = self._begins = True
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
    """Where the white space that begins there ends."""
    found = _BLANK.match(text, at)
    return found.end() if found else at


def spoken(text: str, *, unopened: bool = False) -> str:
    """What of a whole answer is said; with `unopened`, also where its thoughts may have no opening tag."""
    thoughts = Thoughts(unopened=unopened)
    said = thoughts.feed(text)
    return said + thoughts.end()
