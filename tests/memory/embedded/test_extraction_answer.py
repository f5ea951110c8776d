"""What is read of a memory model's answer, whether or not the model keeps to the schema."""

import contextlib
import json
import time

import pytest

from bot.memory.embedded.extraction_answer import LONGEST_ANSWER, LONGEST_FACT, Unreadable, read

TEA = {"id": "0", "text": "Likes tea", "attributed_to": "user", "source": 1}
WHOLE = json.dumps({"memory": [TEA]})


def texts(answer: str) -> list[str]:
    """The facts that are read of an answer."""
    return [row.text for row in read(answer).rows]


@pytest.mark.parametrize(
    "answer",
    [
        f"```json\n{WHOLE}\n```",
        f"```\n{WHOLE}\n```\n",
        f"Here are the facts (as JSON):\n\n```json\n{WHOLE}\n```\n\nLet me know if you need more!",
        f"Sure! {WHOLE} I left out [the weather].",
        f"The person said {{that}} they like [tea].\n{WHOLE}",
        f'<think>\nThey like tea. {{"memory": []}}\n</think>\n{WHOLE}',
        f'They like tea. {{"memory": []}}\n</think>\n\n{WHOLE}',
        json.dumps([TEA]),
        json.dumps({"facts": [TEA]}),
        json.dumps({"memory": ["Likes tea"]}),
        json.dumps({"memory": [{"fact": "Likes tea"}]}),
        json.dumps({"memory": [{"memory": "Likes tea", "source": "1"}]}),
        WHOLE.replace('"source": 1', '"source": ' + "1" * 10_000),
        WHOLE.replace("Likes tea", "Likes tea\n"),
    ],
)
def test_facts_are_read_past_what_stands_around_them(answer: str) -> None:
    """A code block, a sentence, thoughts, another name or form of the list: the fact is read all the same."""
    assert texts(answer) == ["Likes tea"]


@pytest.mark.parametrize(
    "bad", [None, 7, [], {}, {"text": 7}, {"text": None}, {"text": ["Likes tea"]}, {"id": "0"}, True, {"text": {}}]
)
def test_a_bad_row_leaves_the_good_ones(bad: object) -> None:
    """A row that is no fact is counted, and the others are kept."""
    reading = read(json.dumps({"memory": [TEA, bad, {**TEA, "text": "Likes cake"}]}))
    assert [row.text for row in reading.rows] == ["Likes tea", "Likes cake"]
    assert (reading.bad, reading.whole, reading.plain) == (1, True, True)


def test_a_list_that_breaks_off_gives_its_whole_rows() -> None:
    """What was written before an answer ended in its middle is read, and is known not to be all."""
    reading = read(json.dumps({"memory": [TEA, {**TEA, "text": "Likes cake"}]})[:-30])
    assert ([row.text for row in reading.rows], reading.whole) == (["Likes tea"], False)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I can't help with that.",
        "[" * 100_000,
        '{"memory": ' + "[" * 100_000,
        '{"memory": [' + '{"text": ' * 50_000,
        "{" * 100_000,
        '{"memory": 7}',
        '{"memory": [7, null]}',
        "null",
        '"memory"',
        "Nothing new [] here.",
        "\ud800",
    ],
    ids=lambda answer: answer[:20],
)
def test_what_is_no_list_of_facts_is_none(answer: str) -> None:
    """An answer without facts in it is never taken for "nothing to remember"."""
    with pytest.raises(Unreadable):
        read(answer)


def test_an_empty_list_is_nothing_to_remember() -> None:
    """The one answer that says that nothing was worth keeping."""
    assert read('{"memory": []}').rows == ()


def test_odd_text_is_made_storable() -> None:
    """Lone surrogates and NULs, in a text or in whom it is attributed to, reach no store."""
    (row,) = read(json.dumps({"memory": [{"text": "a\ud800\0b", "attributed_to": "\ud800"}]})).rows
    assert (row.text, row.speaker) == ("a?b", "user")


def test_a_fact_has_a_longest_length() -> None:
    """A fact that is longer than any is cut there, and counted."""
    reading = read(json.dumps({"memory": [{"text": "x" * 100_000}, TEA]}))
    assert [len(row.text) for row in reading.rows] == [LONGEST_FACT, len("Likes tea")]
    assert reading.cut == 1


def test_an_answer_has_a_longest_length() -> None:
    """Of an answer that doesn't end, what lies within the length that any has is read, and known not to be all."""
    many = json.dumps({"memory": [{"text": f"Likes tea {number}"} for number in range(20_000)]})
    reading = read(many)
    assert 1000 < len(reading.rows) < LONGEST_ANSWER / 20
    assert not reading.whole


@pytest.mark.parametrize(
    "shape", ["[", "{", '{"memory": [', '{"text": "x"},', "```", "<think>", '"', "\\", "[]", "{} "]
)
def test_reading_is_linear(shape: str) -> None:
    """Twice the length takes about twice the time, whatever an answer is made of."""

    def seconds(length: int) -> float:
        answer = shape * (length // len(shape))
        began = time.process_time()
        with contextlib.suppress(Unreadable):
            read(answer)
        return time.process_time() - began

    assert min(seconds(160_000) for _ in range(3)) < 0.05 + 6 * min(seconds(40_000) for _ in range(3))
