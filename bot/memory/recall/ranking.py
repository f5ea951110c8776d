"""Ranks memories for a prompt: pure functions over NumPy arrays, one entry per memory of one person.

The parameters are few and round on purpose; `python -m tests.benchmarks.recall` measures them. A row's match is one
third meaning and two thirds words, each relative to the best row. What was learned next to a match counts half as much,
one step further a quarter. A question about a time boosts what was learned then. Ties go to the newer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from bot.text.keywords import stems
from bot.text.time_expressions import TimeWindow

Floats = NDArray[np.float64] | NDArray[np.float32]
Indices = NDArray[np.intp]

#: Memories learned further apart than this (seconds) aren't neighbours: no session spans a night.
SESSION = 6 * 3600.0
#: What neighbours one, two and three steps away add, the better of both sides at each step.
NEIGHBOURS = (0.5, 0.25, 0.125)
#: What a time window adds, where the best row's match is 1.
WINDOW = 0.5
#: What being new adds, where the best row's match is 1, and its half-life in seconds.
RECENT = 0.05
RECENT_HALF_LIFE = 30 * 86400.0
#: Characters of a memory's line in the prompt besides its text: `- [YYYY-MM-DD] ` and a newline.
LINE = 16
#: Characters per token in the budget.
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Match:
    """How well each of n rows matches one text.

    Attributes:
        semantic: Cosine similarities, of any embedder: only their order and relative distances matter.
        keyword: BM25 scores, 0 if no word matches.
    """

    semantic: Floats
    keyword: Floats


def rank(
    query: Match,
    created_at: Floats,
    *,
    now: float,
    seen_at: Floats | None = None,
    group: NDArray[np.integer] | None = None,
    context: Match | None = None,
    words: int = 0,
    window: TimeWindow | None = None,
    limit: int | None = None,
) -> Indices:
    """Row indices, best first: all of them, or the best `limit`.

    Args:
        query: How the rows match the question.
        created_at: When each was learned, in epoch seconds. Rows are in the order in which they were stored.
        now: The present, in epoch seconds.
        seen_at: When each was last said, in epoch seconds, if that may be later.
        group: Only rows of the same group can be neighbours. The group is the scope, as a thread often has one message.
        context: How the rows match the conversation's last texts, taken as one.
        words: The number of content words in the question. The context counts as much as one more.
        window: The time range that the question refers to.
    """
    rows = len(created_at)
    if rows == 0 or limit == 0:
        return np.empty(0, np.intp)
    score = _match(query)
    if context is not None:
        score = score + _match(context) / (1 + words)
    score = _with_neighbours(score, created_at, group)
    score = _to_best(score)
    last = created_at if seen_at is None else np.maximum(seen_at, created_at)
    score += RECENT * np.exp2(-np.maximum(now - last, 0) / RECENT_HALF_LIFE)
    if window is not None:
        score += WINDOW * np.maximum(_within(created_at, window), _within(last, window))
    score = np.asarray(np.round(score, 9), np.float64)  # or rounding errors would break ties
    newest_first = np.arange(rows - 1, -1, -1)
    if limit is not None and limit < rows:
        # Keep all rows that tie at the limit, so that ties are broken as in the full order.
        least = np.partition(score, rows - limit)[rows - limit]
        newest_first = newest_first[score[newest_first] >= least]
    return newest_first[np.argsort(-score[newest_first], kind="stable")][:limit]


def _match(text: Match) -> Floats:
    """From 0 to 1: one third for meaning above the average row's, two thirds for words."""
    semantic = np.nan_to_num(np.asarray(text.semantic, np.float64))
    keyword = np.nan_to_num(np.asarray(text.keyword, np.float64))
    return (_to_best(semantic - semantic.mean()) + 2 * _to_best(keyword)) / 3


def _to_best(score: Floats) -> Floats:
    best = float(score.max())
    return np.clip(score / best, 0, 1) if best > 1e-9 else np.zeros(len(score))


def _with_neighbours(score: Floats, created_at: Floats, group: NDArray[np.integer] | None) -> Floats:
    """Each score plus what its neighbours in the same group and session add to it."""
    order = None if group is None or not np.ptp(group) else np.argsort(group, kind="stable")
    if group is None or order is None:
        apart = np.abs(np.diff(created_at)) > SESSION
        own = score
    else:
        apart = (np.diff(group[order]) != 0) | (np.abs(np.diff(created_at[order])) > SESSION)
        own = score[order]
    session = np.concatenate(([0], np.cumsum(apart)))
    raised = own.copy()
    for step, share in enumerate(NEIGHBOURS, 1):
        if step >= len(own):
            break
        together = session[step:] == session[:-step]
        better = np.zeros(len(own))
        better[step:] = own[:-step] * together
        better[:-step] = np.maximum(better[:-step], own[step:] * together)
        raised += share * better
    if order is None:
        return raised
    back = np.empty_like(raised)
    back[order] = raised
    return back


def _within(created_at: Floats, window: TimeWindow) -> Floats:
    """1 within the window, halved for each window length away: what happened then may have been told later."""
    start, end = window.start.timestamp(), window.end.timestamp()
    distance = np.maximum(np.maximum(start - created_at, created_at - end), 0)
    return np.exp2(-distance / (end - start))


def max_lines(tokens: int) -> int:
    """How many of the best rows to pass to `fit`: no more lines can fit, however short."""
    return tokens * CHARACTERS_PER_TOKEN // LINE


def fit(texts: Sequence[str], learned_at: Sequence[datetime], tokens: int) -> list[int]:
    """The positions of the texts that fit the budget, best first, as lines of a prompt.

    All, if all fit. Otherwise texts too long for the remaining budget are skipped, and of near-duplicates only the
    newest is taken, in place of the best.

    Args:
        texts: Memories, best first.
        learned_at: When each was learned.
        tokens: The budget, in tokens of four characters.
    """
    left = tokens * CHARACTERS_PER_TOKEN
    if sum(map(len, texts)) + LINE * len(texts) <= left:
        return list(range(len(texts)))
    taken: list[int] = []
    said: list[_Wording] = []
    for position, text in enumerate(texts):
        if len(text) + LINE > left:
            continue
        new = _Wording.of(text)
        twin = next((place for place, old in enumerate(said) if new.repeats(old)), None)
        if twin is None:
            left -= len(text) + LINE
            taken.append(position)
            said.append(new)
        elif learned_at[position] > learned_at[taken[twin]]:
            left -= len(text) - len(texts[taken[twin]])
            taken[twin], said[twin] = position, new
    return taken


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FILLERS = frozenset("a also an and just of quite really so that the to too very".split())  # noqa: SIM905 (a line)
_NEGATIONS = frozenset(("cannot", "never", "no", "nobody", "none", "nor", "not", "nothing", "without"))


@dataclass(frozen=True, slots=True)
class _Wording:
    """A text's stems without fillers, and the words that a near-duplicate must share."""

    stems: frozenset[str]
    distinctive: frozenset[str]

    @classmethod
    def of(cls, text: str) -> "_Wording":
        # Names, numbers and negations: "in Porto" and "in Lisbon" share most words and nothing else.
        distinctive = {word.casefold() for word in _WORD.findall(text) if _is_distinctive(word)}
        return cls(frozenset(stems(text)) - _FILLERS, frozenset(distinctive) - _FILLERS)

    def repeats(self, other: "_Wording") -> bool:
        """Whether both say the same, except for one word in ten that isn't a name, a number or a negation."""
        if self.stems == other.stems:
            return bool(self.stems)
        shared = len(self.stems & other.stems)
        return self.distinctive == other.distinctive and shared >= 0.9 * len(self.stems | other.stems)


def _is_distinctive(word: str) -> bool:
    folded = word.casefold().replace("’", "'")
    # Anything with a capital, a digit or an apostrophe: rather repeat a memory than lose one.
    return not word.islower() or not word.isalpha() or folded in _NEGATIONS or folded.endswith("n't")
