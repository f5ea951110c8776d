"""Keywords: what a text is found by."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import snowballstemmer

from bot.memory import keywords
from bot.memory.keywords import Words, signature, stem, stems, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She was hiking in the Alps", {"hike": 1, "alp": 1}),
        ("hikes, HIKED; hiking!", {"hike": 3}),
        ("the and of", {}),
        ("", {}),
        ("東京都", {"東京": 1, "京都": 1}),
        ("猫", {"猫": 1}),
        ("собаки", {stem("собак"): 1}),
        ("node.js v18", {"node": 1, "js": 1, "v18": 1}),
        ("ﬁancée", {"fiancé": 1}),
        ("user_name", {"user": 1, "name": 1}),
    ],
)
def test_terms(text: str, expected: dict[str, int]) -> None:
    """Terms are stems without stop words; scripts without spaces give pairs of characters."""
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("english", "running ponies skies dying hoping zebras generously yes a"),
        ("russian", "зебры говорили красивая"),
        ("arabic", "المكتبة يكتبون والكتاب"),
        ("greek", "ανθρώπουσ γυναικών"),
        ("yiddish", "גערעדט ביכער"),
        ("tamil", "புத்தகங்கள் வீடுகளில்"),
    ],
)
def test_stems_are_snowballs_each_time(language: str, words: str) -> None:
    """A stem is what Snowball says, at the first time and when it is made of how the word was cut before."""
    snowball = snowballstemmer.stemmer(language)
    for word in words.split():
        assert [stem(word), stem(word)] == [snowball.stemWord(word)] * 2


def test_no_word_is_kept() -> None:
    """What makes stems fast holds none of the words, however often they came: they may have to be forgotten."""
    words = ["zebrafinchings", "القرطاسية"]
    for word in words * 2:
        assert stem(word)
    kept = f"{vars(keywords)} {[vars(each) for each in vars(keywords._local).values()]}"
    assert not any(part in kept for part in ("zebrafinch", "قرطاسي"))


def test_texts_that_say_the_same_share_a_signature() -> None:
    """Case, punctuation and endings don't count in a signature; order and stop words do."""
    assert signature("She likes dogs.") == signature("she LIKES, dog")
    assert signature("dog bites man") != signature("man bites dog")
    assert signature("she is in") != signature("she is out")
    assert signature("🎉") != signature("💥")
    assert signature("...") == "..."


def test_stemming_is_safe_in_threads() -> None:
    """Many threads stem at once and get what one alone gets."""
    words = [f"walking{suffix} running jumped" for suffix in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stems, words)) == [stems(word) for word in words]


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("dogs", "walks the dog", True),
        ("the", "walks the dog", True),
        ("an", "walks the dog", False),
        ("dog cat", "walks the dog", False),
        ("京都", "東京都", True),
        ("都京", "東京都", False),
        ("🎉", "party 🎉", True),
        ("🎉", "party", False),
        ("", "anything", True),
    ],
)
def test_words_match_literally(words: str, text: str, found: bool) -> None:
    """All words must be in the text, endings aside."""
    assert Words(words).match(text) is found
    if found:
        assert set(Words(words).indexed()) <= set(terms(text))
