"""Which memories come first."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from bot.memory.recall.ranking import Match, rank
from bot.text.time_expressions import TimeWindow

NOW = datetime(2023, 6, 14, 12, tzinfo=UTC)
SCORES = st.floats(-1, 1, width=32)
TIMES = st.floats(0, NOW.timestamp())
Times = NDArray[np.float64]
Person = tuple[Match, Times, NDArray[np.int64]]


def days_ago(*days: float) -> Times:
    return np.array([(NOW - timedelta(days=day)).timestamp() for day in days])


def match(semantic: list[float], keyword: list[float] | None = None) -> Match:
    return Match(
        np.array(semantic, np.float32),
        np.array(keyword if keyword is not None else [0] * len(semantic), np.float32),
    )


def ranked(query: Match, created_at: Times, **more: object) -> list[int]:
    order = rank(query, created_at, now=NOW.timestamp(), **more)  # type: ignore[arg-type]
    return [int(row) for row in order]


@st.composite
def people(draw: st.DrawFn) -> Person:
    rows = draw(st.integers(1, 40))
    semantic = draw(hnp.arrays(np.float32, rows, elements=SCORES))
    keyword = draw(hnp.arrays(np.float32, rows, elements=st.floats(0, 30, width=32)))
    created_at = draw(hnp.arrays(np.float64, rows, elements=TIMES))
    group = draw(hnp.arrays(np.int64, rows, elements=st.integers(0, 3)))
    return Match(semantic, keyword), created_at, group


@given(people())
def test_every_memory_has_one_place(person: Person) -> None:
    """The order names every row once, whatever the scores are."""
    query, created_at, group = person
    order = ranked(query, created_at, group=group, context=query, words=2)
    assert sorted(order) == list(range(len(created_at)))


@given(people(), st.integers(0, 50))
def test_a_limit_cuts_the_same_order_short(person: Person, limit: int) -> None:
    """The best few are the beginning of the whole order, equals included."""
    query, created_at, group = person
    assert ranked(query, created_at, group=group, limit=limit) == ranked(query, created_at, group=group)[:limit]


@given(people(), st.sampled_from([0.25, 0.5, 2.0]), st.sampled_from([-1.0, 0.5, 1.0]))
def test_the_embedders_scale_is_of_no_account(person: Person, scale: float, shift: float) -> None:
    """Cosines in a narrow or a high band, as some embedders give them, rank as others do."""
    query, created_at, group = person
    coarse = np.round(query.semantic.astype(np.float64) * 8) / 8
    order = ranked(Match(coarse, query.keyword), created_at, group=group)
    assert ranked(Match(coarse * scale + shift, query.keyword), created_at, group=group) == order


def test_nobody_without_memories_is_an_error() -> None:
    """A person with no memories gets an empty order."""
    assert ranked(match([]), days_ago()) == []


def test_words_and_meaning_both_find() -> None:
    """A row that only its words match and one that only its meaning matches come before those that nothing matches."""
    query = match([0.1, 0.1, 0.6, 0.1, 0.1, 0.1], [0, 9, 0, 0, 0, 0])
    spread = days_ago(60, 50, 40, 30, 20, 10)
    assert set(ranked(query, spread)[:2]) == {1, 2}


def test_what_was_learned_beside_a_hit_comes_along() -> None:
    """The answer to a question that matches is found though it shares no word with what is asked."""
    query = match([0.1] * 7, [0, 0, 0, 9, 0, 0, 0])
    together = days_ago(9, 9, 9, 9, 9, 9, 9)
    assert set(ranked(query, together)[:3]) == {2, 3, 4}


def test_a_night_ends_a_sitting() -> None:
    """What was learned the day after a hit gains nothing from it."""
    query = match([0.1] * 4, [0, 9, 0, 0])
    order = ranked(query, days_ago(5.01, 5, 4, 3.99))
    assert order[:2] == [1, 0]


def test_other_scopes_lie_between_without_parting_neighbours() -> None:
    """Rows of another scope stored in between neither gain from a hit nor keep its neighbours from gaining."""
    query = match([0.1] * 5, [9, 0, 0, 0, 0])
    order = ranked(query, days_ago(5, 5, 5, 5, 5), group=np.array([0, 1, 0, 1, 1]))
    assert order[:2] == [0, 2]


def test_of_two_equals_the_newer_comes_first() -> None:
    """With the same match, the later of two contradicting facts stands above the earlier."""
    assert ranked(match([0.5, 0.5], [3, 3]), days_ago(400, 2)) == [1, 0]
    assert ranked(match([0.5, 0.5], [3, 3]), days_ago(2, 2)) == [1, 0]


def test_an_old_match_beats_a_new_miss() -> None:
    """Being new never outweighs being what was asked for."""
    assert ranked(match([0.5, 0.1, 0.1], [3, 0, 0]), days_ago(900, 2, 0))[0] == 0


def test_the_conversation_says_what_she_means() -> None:
    """A question without a telling word is answered from what was spoken of before."""
    query, before = match([0.2] * 4), match([0.2] * 4, [0, 7, 0, 0])
    spread = days_ago(40, 30, 20, 10)
    assert ranked(query, spread, context=before, words=0)[0] == 1


def test_a_question_that_stands_alone_hardly_hears_the_conversation() -> None:
    """What was spoken of before doesn't push out what a whole question asks for."""
    query, before = match([0.2] * 4, [6, 0, 5, 0]), match([0.2] * 4, [0, 7, 0, 0])
    spread = days_ago(40, 30, 20, 10)
    assert ranked(query, spread, context=before, words=4)[:2] == [0, 2]


def test_a_time_finds_what_no_word_does() -> None:
    """A question about last week brings what was learned then, though nothing else matches."""
    last_week = TimeWindow(NOW - timedelta(days=9), NOW - timedelta(days=2), "")
    order = ranked(match([0.0] * 5), days_ago(300, 200, 5, 4, 0), window=last_week)
    assert set(order[:2]) == {2, 3}


def test_what_was_said_again_counts_for_both_times() -> None:
    """A question about last week finds what was first said long ago and again last week, and so does one about then."""
    first, again = days_ago(300, 200, 100), days_ago(300, 5, 100)
    for middle in (200, 5):
        around = TimeWindow(NOW - timedelta(days=middle + 1), NOW - timedelta(days=middle - 1), "")
        assert ranked(match([0.0] * 3), first, seen_at=again, window=around)[0] == 1


def test_a_time_chooses_among_matches() -> None:
    """Of two rows that match alike, the one of the time asked about comes first, and both before the rest."""
    in_may = TimeWindow(datetime(2023, 5, 1, tzinfo=UTC), datetime(2023, 6, 1, tzinfo=UTC), "")
    order = ranked(match([0.1] * 4, [8, 0, 8, 0]), days_ago(30, 29, 400, 390), window=in_may)
    assert order[0] == 0
    assert 2 in order[:3]


def test_a_broken_vector_spoils_only_its_own_row() -> None:
    """A row whose cosine is not a number is a row that doesn't match."""
    assert ranked(match([float("nan"), 0.1, 0.6], [0, 0, 5]), days_ago(30, 20, 10))[0] == 2
