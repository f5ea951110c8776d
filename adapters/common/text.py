"""Text processing that every chat platform needs: splitting Markdown into messages."""

import re
from dataclasses import dataclass, field, replace

# Backquotes in the info string would make it inline code (CommonMark 0.31, 4.5). Possessive, or tildes followed by a
# backquote would be tried at each length.
_FENCE = re.compile(r"(?P<marker>`{3,}+|~{3,}+)[ \t]*+(?P<info>[^`]*+)")
_MAX_LANGUAGE = 20


@dataclass(frozen=True, slots=True)
class _Fence:
    """An open code block: its marker and its language."""

    marker: str
    language: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A line, and what is open before and after it: a code block, or a table whose head is `table`."""

    text: str
    before: _Fence | None
    after: _Fence | None
    table: str = ""


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters, none of them blank.

    Breaks between paragraphs if possible, else between lines, else between words. Whatever is broken continues in the
    next part: a code block is closed and reopened with its language, a table's head is repeated, a part that begins
    within a list is moved to the margin. A code block that never ends is closed. The first parts stay the same while
    the text grows. Linear: each line is examined a bounded number of times. `limit` is at least 64.
    """
    if limit < 64:
        raise ValueError("limit: at least 64 characters")
    splitter = _Splitter(limit)
    for line in text.split("\n"):
        splitter.add(line)
    return splitter.end()


def complete_rows(text: str) -> str:
    """A growing text without the row of a table that is being written, and without a head that is none yet.

    Until the line below the head is there, they would be shown as paragraphs full of bars.
    """
    end = text.rfind("\n") + 1
    last = text[end:].lstrip()
    if last and not last.startswith("|"):
        return text
    above = text.rfind("\n", 0, max(0, end - 1)) + 1
    if _is_row(text[above:end]) and not _delimits(text[above : end - 1]):
        before = text.rfind("\n", 0, max(0, above - 1)) + 1
        end = end if _is_row(text[before:above]) else above
    return text[:end]


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")


@dataclass(slots=True)
class _Splitter:
    """The part being filled: its head (of a continued code block or table) and its lines."""

    limit: int
    parts: list[str] = field(default_factory=list)
    head: str = ""
    rows: list[_Row] = field(default_factory=list)
    length: int = 0
    fence: _Fence | None = None
    table: str = ""
    previous: str = ""
    #: Columns by which lines are moved to the left, in a part that begins within a list.
    margin: int = 0

    def add(self, line: str) -> None:
        """Add a line of the text."""
        before, self.fence = self.fence, _after(line, self.fence)
        if before is None and self.fence is not None and len(line) > self.limit // 2:
            line = self.fence.marker + self.fence.language  # the rest of it isn't shown anyway
        table = self._in_table(line) if before is None and self.fence is None else ""
        step = 4 * self.limit
        row = _Row(line[:step], before, self.fence, table)
        for start in range(step, len(line), step):  # in steps, or each cut would copy the whole line
            while len(row.text) > self.limit:
                row = self._shorten(row)
            row = replace(row, text=row.text + line[start : start + step])
        self._add_row(row)
        self.previous = line[: self.limit]

    def _in_table(self, line: str) -> str:
        if self.table:
            self.table = self.table if "|" in line else ""
        elif _delimits(line) and "|" in self.previous and len(self.previous) + len(line) < self.limit // 3:
            self.table = f"{self.previous.strip()}\n{line.strip()}\n"
            return ""
        return self.table

    def _add_row(self, row: _Row) -> None:
        while not self._fits(row):
            row = self._shorten(row)
        if self.rows or row.text.strip() or row.before is not None:
            if not self.rows:
                self._begin(row)
                if row.before is not None and row.after is None:
                    self.head = ""
                    return  # the block would be empty
            text = self._moved(row.text)
            self.rows.append(_Row(text, row.before, row.after, row.table))
            self.length += len(text) + 1

    def _shorten(self, row: _Row) -> _Row:
        """End a part that a line doesn't fit into; return what of the line goes into the next."""
        place = self._break()
        if place:
            self._emit(place)
        elif row.before is not row.after and self.rows:  # a fence's own line is never cut
            self._emit(len(self.rows))
        else:
            return self._cut(row)
        return row

    def _begin(self, row: _Row) -> None:
        """Begin a part with this line."""
        self.head, self.margin = "", 0
        if row.before is not None:
            self.head = f"{row.before.marker}{row.before.language}\n"
        elif row.table:
            self.head = row.table
        elif self.parts and row.after is None:
            self.margin = len(row.text) - len(row.text.lstrip(" "))
        self.length = len(self.head)

    def _moved(self, line: str) -> str:
        if not self.margin or not line.strip():
            return line
        here = len(line) - len(line.lstrip(" "))
        if here < self.margin:
            self.margin = 0
            return line
        return line[self.margin :]

    def _fits(self, row: _Row) -> bool:
        if self.rows:
            used = self.length
        else:
            head = f"{row.before.marker}{row.before.language}\n" if row.before else row.table
            used = len(head)
        end = len(row.after.marker) + 1 if row.after else 0
        return used + len(row.text.rstrip()) + end <= self.limit

    def _break(self) -> int:
        """How many lines the part keeps: up to the end of a paragraph, else of a line, else of a line of code, else 0.

        Never breaks in the part's first half.
        """
        paragraphs = lines = code = 0
        length = len(self.head)
        for place, row in enumerate(self.rows, 1):
            length += len(row.text) + 1
            if length < self.limit // 2:
                continue
            following = self.rows[place] if place < len(self.rows) else None
            if row.after is not None:
                # Never right after an opening fence, which would leave an empty block; nor before the closing one.
                if row.before is not None and length + len(row.after.marker) <= self.limit:
                    code = place
            elif not row.text.strip() or (following is not None and not following.text.strip()):
                paragraphs = place
            else:
                lines = place
        return paragraphs or lines or code

    def _emit(self, keep: int) -> None:
        kept, left = self.rows[:keep], self.rows[keep:]
        self._close(kept)
        self.rows, self.length = [], 0
        for row in left:
            self._add_row(row)

    def _close(self, rows: list[_Row]) -> None:
        fence = rows[-1].after
        body = "\n".join(row.text for row in rows)
        if fence is None:
            part = (self.head + body).rstrip()
        elif len(rows) == 1 and rows[0].before is None:
            return  # an opening fence alone
        else:
            part = f"{self.head}{body}".rstrip("\n") + f"\n{fence.marker}"
        if part.strip():
            self.parts.append(part)

    def _cut(self, row: _Row) -> _Row:
        """Put as much of a line into this part as fits, cut between words if possible; return the rest."""
        if not self.rows:
            self._begin(row)
        end = len(row.after.marker) + 1 if row.after else 0
        room = self.limit - self.length - end
        if self.rows and room < self.limit // 2:
            self._emit(len(self.rows))
            return row
        word = row.text.rfind(" ", room // 2, room)
        place = word + 1 if word > 0 else room
        if "\ud800" <= row.text[place - 1] <= "\udbff":  # half a surrogate pair, on platforms that count UTF-16 units
            place -= 1
        text = row.text[:place] if row.after else row.text[:place].rstrip()
        if text.strip() or row.after:
            self.rows.append(_Row(text, row.before, row.after))
        if self.rows:
            self._emit(len(self.rows))
        rest = row.text[place:]
        return _Row(rest if row.after else rest.lstrip(" "), row.after, row.after, "")

    def end(self) -> list[str]:
        """End the text; return its parts."""
        while self.rows and not self.rows[-1].text.strip():
            self.rows.pop()
        if self.rows:
            self._close(self.rows)
        return self.parts


def _after(line: str, fence: _Fence | None) -> _Fence | None:
    """The code block that is open after the line."""
    line = line.strip()
    if not line.startswith(("```", "~~~")):
        return fence
    found = _FENCE.fullmatch(line)
    if found is None:
        return fence
    if fence is None:
        language = found["info"].split(maxsplit=1)[0] if found["info"] else ""
        return _Fence(found["marker"][:_MAX_LANGUAGE], language[:_MAX_LANGUAGE])
    closes = found["marker"].startswith(fence.marker) and not found["info"]
    return None if closes else fence


def _delimits(line: str) -> bool:
    """Whether a line is the delimiter row of a table."""
    return "|" in line and "-" in line and not line.strip(" \t|:-")
