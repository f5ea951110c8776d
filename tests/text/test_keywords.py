"""Keywords: what a text is found by."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
import Stemmer
from hypothesis import given
from hypothesis import strategies as st

from bot.text import keywords
from bot.text.keywords import Words, signature, stem, stems, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She was hiking in the Alps", {"hike": 1, "alp": 1}),
        ("hikes, HIKED; hiking!", {"hike": 3}),
        ("the and of", {}),
        ("", {}),
        ("東京都", {"東京": 1, "京都": 1, "東": 1, "京": 1, "都": 1}),
        ("猫", {"猫": 1}),
        ("собаки", {stem("собак"): 1}),
        ("แมว", {"แม": 1, "มว": 1}),
        ("हिन्दी हिन्दी", {"हिन्द": 2}),
        ("thé", {"the": 1}),
        ("node.js v18", {"node": 1, "js": 1, "v18": 1}),
        ("ﬁancée", {"fiance": 1}),
        ("user_name", {"user": 1, "name": 1}),
    ],
)
def test_terms(text: str, expected: dict[str, int]) -> None:
    """Terms are bare stems without stop words; scripts without stemmers give pairs, and ideographs alone as well."""
    assert terms(text) == expected


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("english", "running ponies skies dying hoping zebras generously yes a"),
        ("russian", "зебры говорили красивая"),
        ("hindi", "बिल्लियाँ किताबें"),
        ("greek", "ανθρώπουσ γυναικών"),
        ("tamil", "புத்தகங்கள் வீடுகளில்"),
    ],
)
def test_stems_are_snowballs_each_time(language: str, words: str) -> None:
    """A stem is what Snowball says, each time."""
    snowball = Stemmer.Stemmer(language, 0)
    for word in words.split():
        assert [stem(word), stem(word)] == [snowball.stemWord(word)] * 2


def test_no_word_is_kept() -> None:
    """What makes stems fast holds none of the words, however often they came: they may have to be forgotten."""
    words = ["zebrafinchings", "бегемотики"]
    for word in words * 2:
        assert stem(word)
    assert {stemmer.maxCacheSize for stemmer in vars(keywords._local).values()} == {0}
    assert not any(part in str(vars(keywords)) for part in ("zebrafinch", "бегемот"))


def test_texts_that_say_the_same_share_a_signature() -> None:
    """Case, punctuation and endings don't count in a signature; order and stop words do."""
    assert signature("She likes dogs.") == signature("she LIKES, dog")
    assert signature("dog bites man") != signature("man bites dog")
    assert signature("she is in") != signature("she is out")
    assert signature("🎉") != signature("💥")
    assert signature("...") == "..."
    assert signature("Tôi thích bò") != signature("Tôi thích bơ")
    assert signature("वह कम खाता है") != signature("वह काम खाता है")


def test_stemming_is_safe_in_threads() -> None:
    """Many threads stem at once and get what one alone gets."""
    words = [f"walking{suffix} running jumped" for suffix in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(stems, words)) == [stems(word) for word in words]


#: What is looked for, and a text of the same language in which people would see it.
SEEN = [
    ("dogs", "walks the dog"),
    ("the", "walks the dog"),
    ("京都", "東京都"),
    ("🎉", "party 🎉"),
    ("❤", "I ❤️ it"),
    ("", "anything"),
    ("고양이", "고양이를 키운다"),
    ("고양이", "길고양이가 있다"),
    ("개", "우리 개는 초코"),
    ("고양이", unicodedata.normalize("NFD", "고양이")),
    (unicodedata.normalize("NFD", "고양이"), "고양이"),
    ("猫", "黒猫を飼っている"),
    ("ネコ", "ねこが好き"),
    ("ﾈｺ", "ネコ"),
    ("แมว", "ฉันเลี้ยงแมวสองตัว"),
    ("น้ำ", "ชอบดื่มน้ำเย็น"),
    ("ແມວ", "ຂ້ອຍລ້ຽງແມວ"),
    ("ឆ្មា", "ខ្ញុំ\u200bចិញ្ចឹម\u200bឆ្មា\u200bមួយ"),
    ("ကြောင်", "ကျွန်တော်ကြောင်မွေး"),
    ("বিড়াল", "আমার বিড়ালের নাম"),
    ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
    ("बिल्ली", "मेरी दो बिल्लियाँ"),
    ("कलम", "लाल क़लम"),
    ("பூனை", "என் பூனைகள்"),
    ("قطة", "عندي قطتي الصغيرة"),
    ("كتاب", "والكتاب على الطاولة"),
    ("الكتاب", "عندي كتاب"),
    ("احمد", "صديقي أَحْمَد"),
    ("علی", "صديقي علي"),
    ("می\u200cخواهم", "میخواهم"),
    ("כלב", "יש לי שני כלבים והכלב גדול"),
    ("הכלב", "כלב גדול"),
    ("שלום", "שָׁלוֹם לכולם"),
    ("sao paulo", "Lives in São Paulo"),
    ("São Paulo", "lives in sao paulo"),
    ("pho", "thích phở bò"),
    ("Đà Nẵng", "song o da nang"),
    ("strasse", "Wohnt in der langen Straße"),
    ("GRÖẞE", "die größe"),
    ("istanbul", "İSTANBUL"),
    ("ISTANBUL", "İstanbul"),
    ("diyarbakır", "DİYARBAKIR"),
    ("lodz", "mieszka w Łódź"),
    ("smorrebrod", "Smørrebrød"),
    ("cafe", unicodedata.normalize("NFD", "Café")),
    ("федор", "мой брат Фёдор"),
    ("новый", "но\u0301вый дом"),
    ("καφες", "ΚΑΦΈΣ"),
    ("ａｂｃ", "abc"),
    ("co\u00adop", "coop"),
]
UNSEEN = [
    ("an", "walks the dog"),
    ("dog cat", "walks the dog"),
    ("都京", "東京都"),
    ("🎉", "party"),
    ("кот", "который"),
    ("개", "고양이"),
    ("כלב", "חתול"),
]


@pytest.mark.parametrize(("words", "text"), SEEN)
def test_words_are_found(words: str, text: str) -> None:
    """In every script a word is found as people write it: inflected, with what is written onto it, with or without
    accents, in any form of Unicode. The index narrows the search to no less."""
    assert Words(words).match(text)
    assert set(Words(words).indexed()) <= set(terms(text))


@pytest.mark.parametrize(("words", "text"), UNSEEN)
def test_other_words_are_not_found(words: str, text: str) -> None:
    """All words must be in the text, in their order where they are one run."""
    assert not Words(words).match(text)


@given(st.text(max_size=80), st.text(max_size=10), st.text(max_size=80))
def test_the_index_never_hides_a_match(before: str, words: str, after: str) -> None:
    """Whatever the text, what matches literally holds each term by which the index narrows."""
    text = before + words + after
    if Words(words).match(text):
        assert set(Words(words).indexed()) <= set(terms(text))


@given(st.text(max_size=200))
def test_every_text_finds_itself(text: str) -> None:
    """A text is found by its own words."""
    assert Words(text).match(text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("고양이", "고양이를 키운다"),
        ("猫", "黒猫を飼っている"),
        ("猫叫什么", "养了一只猫"),
        ("كتاب", "والكتاب"),
        ("כלב", "והכלב"),
    ],
)
def test_a_query_shares_terms_with_what_it_seeks(query: str, text: str) -> None:
    """The ranked search, too, finds words within what is written onto them."""
    assert terms(query).keys() & terms(text).keys()


def test_threads_have_stemmers_of_their_own() -> None:
    """A stemmer works on one word at a time, and keeps none: its cache is off."""

    def look(_: int) -> tuple[list[str], int]:
        return keywords.stems("She was running, мы бежали")[:3], keywords._local.english.maxCacheSize

    with ThreadPoolExecutor(4) as pool:
        assert set(map(repr, pool.map(look, range(50)))) == {repr((["she", "was", "run"], 0))}
