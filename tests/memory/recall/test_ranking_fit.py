"""What goes into the prompt's budget."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.memory.recall.ranking import fit, max_lines

DAY = datetime(2023, 6, 14, tzinfo=UTC)
TEXTS = st.lists(st.text(alphabet="ab cD1é日", max_size=60), max_size=30)


def lines(texts: list[str]) -> int:
    return sum(len(f"- [{DAY:%Y-%m-%d}] {text}\n") for text in texts)


def taken(texts: list[str], tokens: int, days: list[int] | None = None) -> list[str]:
    dates = [DAY + timedelta(days=day) for day in (days or [0] * len(texts))]
    return [texts[position] for position in fit(texts, dates, tokens)]


@given(TEXTS, st.integers(0, 400))
def test_the_budget_holds(texts: list[str], tokens: int) -> None:
    """The lines, dates and dashes included, never take more than the budget, and none stands twice."""
    positions = fit(texts, [DAY] * len(texts), tokens)
    assert lines([texts[position] for position in positions]) <= 4 * tokens
    assert len(set(positions)) == len(positions)
    assert all(0 <= position < len(texts) for position in positions)


@given(TEXTS)
def test_where_all_fit_it_is_all(texts: list[str]) -> None:
    """A person with few memories has all of them in the prompt, in order, repetitions too."""
    exactly = -(-lines(texts) // 4)
    assert fit(texts, [DAY] * len(texts), exactly) == list(range(len(texts)))


@given(st.lists(st.integers(0, 60), max_size=30), st.integers(0, 400))
def test_no_room_is_left_for_what_was_left_out(lengths: list[int], tokens: int) -> None:
    """Of different texts, each that was left out is longer than what is left of the budget."""
    texts = [f"{number} " + "x" * length for number, length in enumerate(lengths)]
    chosen = taken(texts, tokens)
    left = 4 * tokens - lines(chosen)
    assert all(lines([text]) > left for text in texts if text not in chosen)


@given(st.integers(0, 2000), st.integers(0, 300))
def test_as_many_are_asked_for_as_can_fit(tokens: int, rows: int) -> None:
    """More than `most` never fit, however short they are."""
    assert len(fit([""] * rows, [DAY] * rows, tokens)) <= max_lines(tokens)


def test_a_text_too_long_is_passed_over() -> None:
    """One that doesn't fit leaves its place to the next that does."""
    assert taken(["x" * 500, "Likes tea", "y" * 300], 50) == ["Likes tea"]


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("Likes hiking in the mountains", "Really likes hiking in the mountains!"),
        ("Has a dog named Rex", "has a dog named REX."),
        ("Plays tennis on weekends", "plays tennis on the weekend"),
        ("住在东京,喜欢喝茶", "住在东京,喜欢喝茶。"),
    ],
)
def test_near_duplicates_spend_the_budget_once(text: str, again: str) -> None:
    """The same said again, with other endings, case or filling words, makes room for something else."""
    room = -(-lines([again, "Lives by the sea"]) // 4)
    assert taken([text, again, "Lives by the sea"], room) == [text, "Lives by the sea"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Has moved to a flat by the station in Porto with us", "Has moved to a flat by the station in Faro with us"),
        ("The bus to the school on the hill leaves home at 9", "The bus to the school on the hill leaves home at 7"),
        ("Does eat the fish that she brings from the lake", "Does not eat the fish that she brings from the lake"),
        ("Likes tea", "Hates tea"),
        ("Anna: thanks", "Ben: thanks"),
    ],
)
def test_what_differs_in_what_counts_is_no_duplicate(text: str, other: str) -> None:
    """Another name, number or a "not" is another fact, however long the rest that is shared."""
    texts = [text, other, "z" * 400]
    assert taken(texts, -(-lines([text, other]) // 4)) == [text, other]


def test_of_near_duplicates_the_newest_stands() -> None:
    """The line shows when it was last said, in the place of the best match."""
    texts = ["Likes tea", "Lives by the sea", "likes tea!", "x" * 400]
    dates = [DAY, DAY, DAY + timedelta(days=90), DAY]
    assert fit(texts, dates, 30) == [2, 1]
