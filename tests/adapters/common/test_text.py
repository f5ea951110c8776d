"""Markdown is split into messages that each read as a whole."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.common.text import split_markdown

WORDS = st.lists(st.sampled_from(["word", "another", "x" * 90, "naïve", "1.", "*bold*"]), min_size=1, max_size=30)
LINES = st.lists(st.sampled_from(["", "    indented = 1", "return x", "y" * 150, "# note"]), min_size=1, max_size=20)
BLOCKS = st.one_of(
    WORDS.map(" ".join), LINES.map(lambda lines: "```py\n" + "\n".join(lines) + "\n```"), st.just("- item\n- item")
)


def prose_and_code(text: str) -> tuple[str, str]:
    """What stands outside and inside code blocks, without white space."""
    outside: list[str] = []
    inside: list[str] = []
    in_code = False
    for line in text.split("\n"):
        if line.startswith("```"):
            assert line == ("```" if in_code else "```py")
            in_code = not in_code
        else:
            (inside if in_code else outside).append(line)
    assert not in_code
    return re.sub(r"\s", "", "".join(outside)), re.sub(r"\s", "", "".join(inside))


@given(st.lists(BLOCKS, max_size=8), st.sampled_from([64, 100, 250]))
def test_every_part_is_whole_and_nothing_is_lost(blocks: list[str], limit: int) -> None:
    """No part is too long or has an open code block, and the parts together hold the text."""
    text = "\n\n".join(blocks)
    parts = split_markdown(text, limit)
    assert all(part.strip() and len(part) <= limit for part in parts)
    pieces = [prose_and_code(part) for part in parts]
    assert ("".join(prose for prose, _ in pieces), "".join(code for _, code in pieces)) == prose_and_code(text)


@given(st.text(max_size=600), st.sampled_from([64, 100]))
def test_any_text_is_split(text: str, limit: int) -> None:
    """Whatever the text, each part fits and none is blank."""
    assert all(part.strip() and len(part) <= limit for part in split_markdown(text, limit))


def test_short_text_is_one_part() -> None:
    """A text that fits is left as it is."""
    assert split_markdown("Hello **you**.\n\n- a\n  - b", 2000) == ["Hello **you**.\n\n- a\n  - b"]


@pytest.mark.parametrize("blank", ["", " ", "\n\n \t"])
def test_blank_text_is_no_part(blank: str) -> None:
    """There is no message to send for a blank text."""
    assert split_markdown(blank, 2000) == []


def test_paragraphs_stay_together() -> None:
    """A break falls between paragraphs where it can."""
    first, second = "one " * 15 + "end.", "two " * 15 + "end."
    assert split_markdown(f"{first}\n\n{second}", 100) == [first, second]


def test_words_stay_together() -> None:
    """A break within a line falls between words."""
    parts = split_markdown("sentence " * 40, 100)
    assert {word for part in parts for word in part.split()} == {"sentence"}


def test_a_code_block_is_closed_and_opened_again() -> None:
    """A block longer than a message goes on in the next one, in its language."""
    code = "\n".join(f"line_{number} = {number}" for number in range(20))
    parts = split_markdown(f"Look:\n```python\n{code}\n```\nDone.", 120)
    assert len(parts) > 2
    assert all(part.count("```") == 2 for part in parts)
    assert all(part.startswith("```python\nline_") for part in parts[1:])
    assert parts[-1].endswith("```\nDone.")


def test_an_unfinished_code_block_is_closed() -> None:
    """While an answer still grows, its code already shows as code."""
    assert split_markdown("So:\n```py\nx = 1", 2000) == ["So:\n```py\nx = 1\n```"]


def test_first_parts_stay_while_the_text_grows() -> None:
    """A streamed answer's full messages needn't be edited again."""
    text = " ".join(f"w{number}" for number in range(200))
    assert split_markdown(text[:400], 150)[:2] == split_markdown(text, 150)[:2]
