"""From text to keywords: tokens, stems, and what makes two texts the same sentence.

Scripts that put spaces between words are split into words and stemmed by Snowball, each script by a language of its
own; the others (Chinese, Japanese, Thai, …) are split into pairs of neighbouring characters.
"""

import re
import threading
import unicodedata
from collections import Counter
from typing import NamedTuple

import snowballstemmer

#: English words that say nothing about a sentence's subject. Contractions are split by the tokenizer.
STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are aren as at be because been before being below between
    both but by can could couldn d did didn do does doesn doing don down during each few for from further had hadn has
    hasn have haven having he her here hers herself him himself his how i if in into is isn it its itself just ll m me
    might more most must my myself no nor not now of off on once only or other our ours ourselves out over own re s
    same shall she should shouldn so some such t than that the their theirs them themselves then there these they this
    those through to too under until up ve very was wasn we were weren what when where which while who whom why will
    with won would wouldn you your yours yourself yourselves
    """.split()  # noqa: SIM905 - a list of 170 lines says no more
)

# Scripts written without spaces: Thai, Lao, Burmese, Khmer; kana, CJK ideographs, and their compatibility forms.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_TOKEN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_IS_UNSPACED = re.compile(rf"[{_UNSPACED}]")
_SCRIPTS = (
    (re.compile("[\u0400-\u04ff]"), "russian"),
    (re.compile("[\u0370-\u03ff]"), "greek"),
    (re.compile("[\u0600-\u06ff]"), "arabic"),
    (re.compile("[\u0900-\u097f]"), "hindi"),
    (re.compile("[\u0530-\u058f]"), "armenian"),
    (re.compile("[\u0590-\u05ff]"), "yiddish"),
    (re.compile("[\u0b80-\u0bff]"), "tamil"),
)

# A stemmer keeps the word it works on in itself: one per thread.
_local = threading.local()


class _Cut(NamedTuple):
    """How a word's stem is made of it: `word[start:end]`, then `ending`."""

    start: int
    end: int
    ending: str


#: How words were cut before, by their hashes: a cache of the words themselves would outlive their being forgotten.
_cuts: dict[int, _Cut] = {}
_MOST_CUTS = 20_000
#: An ending that is longer may tell the word.
_LONGEST_ENDING = 3


def fold(text: str) -> str:
    """The text with case, width and composition evened out (NFKC, case-folded)."""
    return unicodedata.normalize("NFKC", text).casefold()


def stem(word: str) -> str:
    """The stem of a folded word, by the language that its script suggests (Latin: English)."""
    cut = _cuts.get(hash(word))
    if cut is not None:
        return word[cut.start : cut.end] + cut.ending
    stemmed = _stemmed(word)
    start = max(word.find(stemmed), 0)
    same = 0
    while same < len(stemmed) and word[start + same : start + same + 1] == stemmed[same]:
        same += 1
    if len(ending := stemmed[same:]) <= _LONGEST_ENDING:
        if len(_cuts) >= _MOST_CUTS:
            _cuts.clear()
        _cuts[hash(word)] = _Cut(start, start + same, ending)
    return stemmed


def _stemmed(word: str) -> str:
    language = next((name for pattern, name in _SCRIPTS if pattern.search(word)), "english")
    stemmers = _local.__dict__
    if language not in stemmers:
        stemmers[language] = snowballstemmer.stemmer(language)
    stemmer = stemmers[language]
    stemmed: str = stemmer.stemWord(word)
    stemmer.set_current("")
    return stemmed or word


def _unspaced(token: str) -> bool:
    return _IS_UNSPACED.match(token) is not None


def _pairs(token: str) -> list[str]:
    return [token[i : i + 2] for i in range(len(token) - 1)] or [token]


def stems(text: str) -> list[str]:
    """All words of the text, stemmed, in order, stop words included."""
    found: list[str] = []
    for token in _TOKEN.findall(fold(text)):
        found.extend(_pairs(token) if _unspaced(token) else (stem(token),))
    return found


def terms(text: str) -> Counter[str]:
    """What the keyword index holds of a text: each stem, stop words left out, and how often it occurs."""
    counted: Counter[str] = Counter()
    for token in _TOKEN.findall(fold(text)):
        if _unspaced(token):
            counted.update(_pairs(token))
        elif token not in STOP_WORDS:
            counted[stem(token)] += 1
    return counted


def signature(text: str) -> str:
    """Equal for texts that differ in case, punctuation and word endings alone; never empty unless the text is."""
    return " ".join(stems(text)) or fold(text).strip()


class Words:
    """Words to be found literally in texts, case and word endings aside.

    What has no words (a sign, an emoji), or is of a script without spaces, is looked for as it stands.
    """

    def __init__(self, words: str) -> None:
        tokens = _TOKEN.findall(fold(words))
        self._stems = frozenset(stem(token) for token in tokens if not _unspaced(token))
        self._pieces = tuple(token for token in tokens if _unspaced(token))
        if not tokens:
            self._pieces = tuple(fold(words).split())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for, which every text holds."""
        return not self._stems and not self._pieces

    def indexed(self) -> list[str]:
        """Terms that the keyword index holds for every text that matches: a way to narrow the search."""
        found = [
            piece[i : i + 2]
            for piece in self._pieces
            if len(piece) > 1 and _unspaced(piece)
            for i in range(len(piece) - 1)
        ]
        # A stop word's stem can be another word's stem, but is itself not indexed.
        return found + [each for each in self._stems if each not in _STOP_STEMS]

    def match(self, text: str) -> bool:
        """Whether the text holds all of the words."""
        folded = fold(text)
        if not all(piece in folded for piece in self._pieces):
            return False
        return not self._stems or self._stems <= {
            stem(token) for token in _TOKEN.findall(folded) if not _unspaced(token)
        }


_STOP_STEMS = STOP_WORDS | frozenset(stem(word) for word in STOP_WORDS)
