"""From text to keywords: tokens, stems, and when two texts are the same sentence.

Words in scripts that Snowball has stemmers for are stemmed, in one language per script. Arabic and Hebrew attach
articles, conjunctions and prepositions to words; these are removed. Every other script, whether it has no spaces
(Chinese, Japanese, Thai, …) or attaches particles to words (Korean, Bengali, Georgian, …), is split into pairs of
adjacent characters.

Two foldings: `fold` normalises case, width and composition; `bare` also drops accents and vowel points. Memories are
found by bare words ("sao paulo" finds "São Paulo"), but whether two of them say the same is decided with accents, which
distinguish words in many languages ("bò" is beef, "bơ" butter).

Everything is linear in the text's length: see LONGEST_TEXT, LONGEST_WORD and MAX_MARKS.
"""

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Iterator

import Stemmer

#: Characters read of a text, and of a word; the rest isn't searched.
LONGEST_TEXT = 100_000
LONGEST_WORD = 64
#: Combining marks kept on one letter (Unicode's Stream-Safe Text Format): sorting them is quadratic in their number.
MAX_MARKS = 30

#: English stop words. The tokenizer splits contractions.
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

_IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HANGUL = "\uac00-\ud7ff"
#: Scripts that are split into pairs of characters: these blocks, and the two above.
_PAIRED = (
    "\u0980-\u0b7f"  # Bengali, Gurmukhi, Gujarati, Odia
    "\u0c00-\u0fff"  # Telugu, Kannada, Malayalam, Sinhala, Thai, Lao, Tibetan
    "\u1000-\u139f"  # Burmese, Georgian, Hangul letters, Ethiopic
    "\u1700-\u18af\u1900-\u1aaf\u1b00-\u1c7f"  # the Philippines, Khmer, Mongolian, Limbu to Balinese, Lepcha
    "\u1c90-\u1cbf\u2d00-\u2d2f\u2d80-\u2ddf"  # Georgian and Ethiopic again
    "\u3040-\u31ff"  # kana, Bopomofo, Hangul letters
    "\ua000-\ua4cf\ua800-\ua8df\ua930-\uab2f\uabc0-\uabff"  # Yi, Phags-pa, Rejang to Ethiopic, Meetei Mayek
    + _HANGUL
    + _IDEOGRAPHS
)


def _marks() -> str:
    """Every combining mark, as ranges of a character class: `\\w` excludes them, though they don't end a word."""
    codes = (*range(0x0300, 0x2100), *range(0x2C00, 0x3100), *range(0xA600, 0xAC00), *range(0xFB00, 0xFE30))
    ranges: list[list[int]] = []
    for code in (*codes, *range(0x10A00, 0x12000)):
        if not unicodedata.category(chr(code)).startswith("M"):
            continue
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_MARKS = _marks()
_TOKEN = re.compile(rf"[{_PAIRED}][{_PAIRED}{_MARKS}]*|[^\W_{_PAIRED}](?:[^\W_{_PAIRED}]|[{_MARKS}])*")
_IS_PAIRED = re.compile(rf"[{_PAIRED}]")
_IS_WORD = re.compile(rf"[{_IDEOGRAPHS}{_HANGUL}]")
_PILE = re.compile(rf"([{_MARKS}]{{{MAX_MARKS}}})[{_MARKS}]+")
_SCRIPTS = (
    (re.compile("[\u0400-\u052f]"), "russian"),
    (re.compile("[\u0370-\u03ff\u1f00-\u1fff]"), "greek"),
    (re.compile("[\u0600-\u06ff\u0750-\u077f]"), "arabic"),
    (re.compile("[\u0900-\u097f]"), "hindi"),
    (re.compile("[\u0530-\u058f]"), "armenian"),
    (re.compile("[\u0590-\u05ff]"), "hebrew"),
    (re.compile("[\u0b80-\u0bff]"), "tamil"),
)
#: Invisible characters: soft hyphens, joiners, direction marks and line break opportunities; and Arabic's tatweel.
_UNSEEN = dict.fromkeys((0xAD, 0x61C, 0x640, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF))
_UNSEEN |= dict.fromkeys((*range(0x2066, 0x206A), *range(0xFE00, 0xFE10)))
#: Accents, vowel points and other marks that people may leave out: in alphabets and abjads, not in scripts whose vowels
#: are marks.
_ACCENTS: dict[int, str | None] = dict.fromkeys(
    (
        *(*range(0x300, 0x370), *range(0x483, 0x488), *range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7),
        *(*range(0x610, 0x61B), *range(0x64B, 0x660), 0x670, *range(0x6D6, 0x6DD), *range(0x6DF, 0x6E5), 0x6E7, 0x6E8),
        *(*range(0x6EA, 0x6EE), *range(0x8D3, 0x900), 0x93C, *range(0x1AB0, 0x1B00), *range(0x1DC0, 0x1E00)),
        *range(0x20D0, 0x20F1),
    )
)
# In order: Latin letters that have no decomposition; Arabic's, and Persian's forms of them; Hebrew's at a word's end.
_LETTERS = dict(zip("øđłıħŧðŋ" + "ىةکیےٱ" + "ךםןףץ", "odlihtdn" + "يهكييا" + "כמנפצ", strict=True))
_LETTERS |= {"æ": "ae", "œ": "oe", "þ": "th"}
#: Katakana is folded to Hiragana.
_LETTERS |= {chr(code): chr(code - 0x60) for code in range(0x30A1, 0x30F7)}
_BARE = _ACCENTS | str.maketrans(_LETTERS)
#: Cyrillic isn't decomposed: й and ї are letters in their own right, which the stemmer knows.
_CYRILLIC: dict[int, str | None] = {ord("ё"): "е", 0x300: None, 0x301: None}
_CYRILLIC_RUN = re.compile("([\u0400-\u052f][\u0400-\u052f\u0300\u0301]*)")

#: What Arabic and Hebrew attach to the beginning and the end of a word.
_PREFIXES = {"arabic": ("ال", "و", "ف", "ب", "ك", "ل"), "hebrew": ("מ", "ש", "ה", "ו", "כ", "ל", "ב")}
_SUFFIXES = {"arabic": ("ها", "ات", "ان", "ون", "ين", "ه", "ي"), "hebrew": ("ימ", "ות")}
_SHORTEST = 3

# A stemmer isn't thread-safe: one per thread.
_local = threading.local()


def fold(text: str) -> str:
    """The text with case, width and composition normalised (NFKC, case-folded), without invisible characters."""
    text = text[:LONGEST_TEXT]
    if text.isascii():
        return text.casefold()
    text = _PILE.sub(r"\1", text.translate(_UNSEEN))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def bare(folded: str) -> str:
    """A folded text without accents and vowel points, in the letters that people type instead."""
    if folded.isascii():
        return folded
    pieces = _CYRILLIC_RUN.split(folded)
    pieces[1::2] = [piece.translate(_CYRILLIC) for piece in pieces[1::2]]
    pieces[::2] = [
        unicodedata.normalize("NFC", unicodedata.normalize("NFD", piece).translate(_BARE)) for piece in pieces[::2]
    ]
    return "".join(pieces)


def stem(word: str) -> str:
    """The stem of a folded word, by the language that its script suggests (Latin: English)."""
    word = word[:LONGEST_WORD]
    language = _language(word)
    if language in _PREFIXES:
        return _peeled(word, _PREFIXES[language], _SUFFIXES[language])
    stemmers = _local.__dict__
    if language not in stemmers:
        # Without its cache of 10,000 words, which would keep what people have had forgotten.
        stemmers[language] = Stemmer.Stemmer(language, 0)
    stemmed: str = stemmers[language].stemWord(word)
    return stemmed or word


def _language(word: str) -> str:
    if word.isascii():
        return "english"
    return next((name for pattern, name in _SCRIPTS if pattern.search(word)), "english")


def _peeled(word: str, prefixes: tuple[str, ...], suffixes: tuple[str, ...]) -> str:
    """The word without all its prefixes and one suffix; at least three letters stay."""
    while prefix := next((prefix for prefix in prefixes if word.startswith(prefix)), ""):
        if len(word) - len(prefix) < _SHORTEST:
            break
        word = word[len(prefix) :]
    suffix = next((suffix for suffix in suffixes if word.endswith(suffix)), "")
    return word[: len(word) - len(suffix)] if len(word) - len(suffix) >= _SHORTEST else word


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    """The words of a folded text, and whether each is to be split into pairs."""
    for token in _TOKEN.findall(text):
        yield token, _paired(token)


def _paired(token: str) -> bool:
    return _IS_PAIRED.match(token) is not None


def _pairs(token: str) -> list[str]:
    return [token[i : i + 2] for i in range(len(token) - 1)] or [token]


def stems(text: str) -> list[str]:
    """All words of the text in order, with stop words and accents, stemmed if Snowball knows how."""
    found: list[str] = []
    for token, paired in _tokens(fold(text)):
        if paired:
            found.extend(_pairs(token))
        else:
            found.append(token[:LONGEST_WORD] if _language(token) in _PREFIXES else stem(token))
    return found


def terms(text: str) -> Counter[str]:
    """A text's terms in the keyword index: bare stems, without stop words, and how often each occurs.

    In scripts where a single character is often a word (Chinese, Japanese, Korean), characters count as well as pairs.
    """
    counted = content_terms(text)
    for token, paired in _tokens(fold(text)):
        if paired and len(token) > 1:
            counted.update(_IS_WORD.findall(bare(token)))
    return counted


def content_terms(text: str) -> Counter[str]:
    """The text's terms, except single characters of longer words, which too many other texts contain as well."""
    counted: Counter[str] = Counter()
    for token, paired in _tokens(fold(text)):
        if paired:
            counted.update(_pairs(bare(token)))
        elif token not in STOP_WORDS:
            counted[stem(bare(token))] += 1
    return counted


def signature(text: str) -> str:
    """Equal for texts that differ only in case, punctuation and word endings; empty only if the text is."""
    return " ".join(stems(text)) or fold(text).strip()


def changed(text: str) -> bool:
    """Whether a text's terms differ from those before the store's revision 0002."""
    return not text.isascii() or any(len(word) > LONGEST_WORD for word in text.split())


class Words:
    """Words to find literally in texts, apart from case, accents and word endings.

    Words in scripts that are split into pairs, or in Arabic or Hebrew, are found within longer words as well; a query
    without words (a symbol, an emoji) is matched verbatim.
    """

    def __init__(self, words: str) -> None:
        folded = fold(words)
        tokens = [(bare(token)[:LONGEST_WORD], paired) for token, paired in _tokens(folded)]
        inner = [(token, paired) for token, paired in tokens if paired or _within(token)]
        self._stems = frozenset(stem(token) for token, paired in tokens if not paired and not _within(token))
        self._pieces = tuple(dict.fromkeys(_open(token) for token, _ in inner))
        self._pairs = [pair for token, paired in inner if paired and len(token) > 1 for pair in _pairs(token)]
        if not tokens:
            self._pieces = tuple(dict.fromkeys(bare(folded).split()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to look for, which every text matches."""
        return not self._stems and not self._pieces

    def indexed(self) -> list[str]:
        """Terms that the keyword index has for every text that matches, to narrow the search."""
        # A stop word's stem can be another word's stem, but stop words aren't indexed.
        return self._pairs + [stem for stem in self._stems if stem not in _STOP_STEMS]

    def match(self, text: str) -> bool:
        """Whether the text contains all the words."""
        folded = fold(text)
        if not self._stems and not self._pieces:
            return True
        if self._pieces and not self._held(folded):
            return False
        return not self._stems or self._stems <= {stem(bare(token)) for token, paired in _tokens(folded) if not paired}

    def _held(self, folded: str) -> bool:
        plain = bare(folded)
        missing = [piece for piece in self._pieces if piece not in plain]
        if not missing:
            return True
        # "הכלב" is found in "כלב" as well.
        found = {stem(bare(token)) for token, paired in _tokens(folded) if not paired}
        return all(_within(piece) and stem(piece) in found for piece in missing)


def _within(token: str) -> bool:
    return _language(token) in _PREFIXES


def _open(token: str) -> str:
    """A bare word without the Arabic ending that changes before a suffix (ة, as in قطة, قطتي)."""
    return token[:-1] if len(token) > 2 and token.endswith("ه") else token


_STOP_STEMS = STOP_WORDS | frozenset(stem(word) for word in STOP_WORDS)
