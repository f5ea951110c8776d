"""Embedded memory end to end: real mem0, store and SDK, against a loopback Messages API."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.memory.embedded.memory import TRIES
from bot.model import PRIVATE_SCOPE, SHARED_SCOPE, Exchange
from bot.ports import LearningFailed, MemoryUnavailable
from tests.fakes.claude import (
    REFUSAL,
    UNPAID,
    FakeClaude,
    Reply,
    Request,
    default,
    existing_memories,
    facts,
    last_text,
    new_messages,
)
from tests.memory.embedding import MONDAY, PUBLIC, Waiting, exchange, holding, opened, recalled


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude() as server:
        yield server


async def test_what_was_told_is_recalled_after_a_restart(claude: FakeClaude, tmp_path: Path) -> None:
    """A preference told to one process is recalled by the next, with its date and its source."""
    celsius = "I prefer all temperatures in Celsius, never Fahrenheit."
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, celsius)]) == 1
    async with opened(tmp_path, claude) as memory:
        (found,) = await memory.recall("discord:1", None, "What's a comfortable room temperature?", [], MONDAY)
    assert (found.text, found.scope, found.learned_at) == (celsius, PRIVATE_SCOPE, MONDAY + timedelta(minutes=1))
    assert [(source.event_id, source.place, source.link) for source in found.sources] == [
        ("discord:1", "DM", "https://example.test/1")
    ]


async def test_nobody_recalls_anothers_memories(claude: FakeClaude, tmp_path: Path) -> None:
    """What one person said is neither recalled nor listed for another, nor forgotten by them."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I live in Porto.")])
        (mine,) = await memory.list("discord:1")
        assert await recalled(memory, "Porto", user="discord:2") == []
        assert await memory.list("discord:2") == []
        assert await memory.forget("discord:2", [mine.id]) == 0
        assert await memory.forget_all("discord:2") == 0
        assert await recalled(memory, "Porto") == ["I live in Porto."]


async def test_a_channel_hears_nothing_of_a_direct_message(claude: FakeClaude, tmp_path: Path) -> None:
    """What was said in a DM is neither recalled in a channel nor part of what the channel's memories are made from."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "My secret surgery is on Friday.")])
        await memory.learn([exchange(2, "I was ill on Friday.", scope=PUBLIC)])
        public = frozenset({PUBLIC, SHARED_SCOPE})
        assert await recalled(memory, "surgery on Friday", scopes=public) == ["I was ill on Friday."]
        assert len(await recalled(memory, "surgery on Friday")) == 2
    assert "surgery" in last_text(claude.extractions[0])
    assert "surgery" not in str(claude.extractions[1])


async def test_the_next_extraction_sees_memories_and_no_former_messages(claude: FakeClaude, tmp_path: Path) -> None:
    """mem0's context holds what was learned, and never the raw words of exchanges that are learned already."""
    claude.handler = lambda request: facts({"text": "User likes tea", "source": 1})
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "gooseberry tea is nice", answer="quince")])
        await memory.learn([exchange(2, "what tea do I like")])
    prompt = last_text(claude.extractions[1])
    assert existing_memories(prompt) == [{"id": "0", "text": "User likes tea"}]
    assert "gooseberry" not in prompt
    assert "quince" not in prompt


async def test_what_waits_is_learned_in_one_call_with_each_fact_from_its_exchange(
    claude: FakeClaude, tmp_path: Path
) -> None:
    """Three exchanges cost one call, and each memory names the exchange that taught it."""
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(n, f"Fact number {n} is here.") for n in (1, 2, 3)]) == 3
        found = {item.text: [source.event_id for source in item.sources] for item in await memory.list("discord:1")}
    assert claude.calls == 1
    assert found == {f"Fact number {n} is here.": [f"discord:{n}"] for n in (1, 2, 3)}


async def test_a_fact_without_a_source_counts_as_all_exchanges(claude: FakeClaude, tmp_path: Path) -> None:
    """Where the model names no exchange, or one that isn't there, all of the call's exchanges are the sources."""
    claude.handler = lambda request: facts({"text": "A is so"}, {"text": "B is so", "source": 9})
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "one"), exchange(2, "two")])
        for item in await memory.list("discord:1"):
            assert {source.event_id for source in item.sources} == {"discord:1", "discord:2"}


async def test_which_messages_taught_something(claude: FakeClaude, tmp_path: Path) -> None:
    """Of those learned together, the ones that new facts come from are told."""
    found = {"text": "Lives in Porto.", "source": 2}
    claude.script.extend([facts(found), facts()])
    taught: set[str] = set()
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "Hello!"), exchange(2, "I live in Porto.")], taught) == 1
        assert taught == {"discord:2"}
        assert await memory.learn([exchange(3, "How are you?")], taught) == 0
    assert taught == {"discord:2"}


async def test_what_an_answer_only_repeats_gains_no_source(claude: FakeClaude, tmp_path: Path) -> None:
    """A recalled fact that the answer says again is forgotten with the message that taught it all the same."""
    fact = {"text": "User lives in Porto", "source": 1}
    async with opened(tmp_path, claude) as memory:
        claude.handler = lambda request: facts(fact)
        assert await memory.learn([exchange(1, "I live in Porto.")]) == 1
        claude.handler = lambda request: facts({**fact, "attributed_to": "assistant"})
        assert await memory.learn([exchange(2, "Where do I live?", answer="You live in Porto.")]) == 0
        (known,) = await memory.list("discord:1")
        assert [source.event_id for source in known.sources] == ["discord:1"]
        await memory.forget_sources(["discord:1"])
        assert await memory.list("discord:1") == []


async def test_a_fact_stated_again_gains_a_source(claude: FakeClaude, tmp_path: Path) -> None:
    """The same fact from another day is one memory with two sources, not two memories."""
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "I live in Porto.")]) == 1
        taught: set[str] = set()
        assert await memory.learn([exchange(2, "I live in Porto.")], taught) == 0
        assert taught == set()
        (found,) = await memory.list("discord:1")
    assert [source.event_id for source in found.sources] == ["discord:1", "discord:2"]


async def test_a_change_supersedes_what_was_so(claude: FakeClaude, tmp_path: Path) -> None:
    """After a move the former home is out of recall, and still listed as earlier."""

    def extract(request: Request) -> str:
        shown = existing_memories(last_text(request))
        text = new_messages(last_text(request))[0][1]
        return facts({"text": text, "source": 1, "supersedes": [row["id"] for row in shown] + ["77"]})

    claude.handler = extract
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I live in Lisbon.")])
        await memory.learn([exchange(2, "I moved to Porto.")])
        assert await recalled(memory, "Where do I live?") == ["I moved to Porto."]
        new, old = await memory.list("discord:1")
    assert (old.text, old.superseded_by, new.superseded_by) == ("I live in Lisbon.", new.id, None)


async def test_the_fixed_prompt_is_the_same_bytes_every_time(claude: FakeClaude, tmp_path: Path) -> None:
    """The system prompt is written to the cache once and read from it by everybody's later extractions."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I like tea.")])
        await memory.learn([exchange(2, "I like coffee.", user="discord:2", scope=PUBLIC)])
    first, second = claude.extractions
    assert first["system"] == second["system"]
    assert [("cache_control" in block) for block in first["system"]] == [False, True]
    assert claude.tokens["cache_creation"] == claude.tokens["cache_read"] > 8000


CUT = [Reply("{}", stop_reason="max_tokens"), Reply('{"memory": [{"id"'), Reply("[1, 2]"), Reply('{"memory": 7}')]


@pytest.mark.parametrize("answer", CUT)
async def test_an_unusable_answer_is_tried_again_with_less(claude: FakeClaude, tmp_path: Path, answer: Reply) -> None:
    """A cut or malformed answer for four exchanges loses none of them: they are learned in smaller calls."""
    waiting = Waiting()
    claude.handler = lambda request: answer if len(new_messages(last_text(request))) > 1 else _one(request)
    async with opened(tmp_path, claude, waiting) as memory:
        assert await memory.learn([exchange(n, f"Fact number {n} is here.") for n in range(1, 5)]) == 4
    assert waiting.learned == [1, 2, 3, 4]


def _one(request: Request) -> str:
    return facts({"text": new_messages(last_text(request))[0][1], "source": 1})


@pytest.mark.parametrize("answer", CUT)
async def test_an_unusable_answer_is_never_no_facts(claude: FakeClaude, tmp_path: Path, answer: Reply) -> None:
    """Where even a single exchange gives nothing usable, it isn't learned, and is named."""
    waiting = Waiting()
    claude.handler = lambda request: answer
    async with opened(tmp_path, claude, waiting) as memory:
        with pytest.raises(LearningFailed) as caught:
            await memory.learn([exchange(1, "I like tea.")])
    assert (caught.value.ids, caught.value.final, waiting.learned) == ((1,), False, [])


async def test_a_refusal_is_final_for_its_exchange_alone(claude: FakeClaude, tmp_path: Path) -> None:
    """An exchange that the model refuses to read is given up by name; those beside it are learned."""
    waiting = Waiting()
    claude.handler = lambda request: REFUSAL if "forbidden" in last_text(request) else _all(request)
    async with opened(tmp_path, claude, waiting) as memory:
        with pytest.raises(LearningFailed) as caught:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "forbidden"), exchange(3, "I like cake.")])
        assert {item.text for item in await memory.list("discord:1")} == {"I like tea.", "I like cake."}
    assert (caught.value.ids, caught.value.final) == ((2,), True)
    assert sorted(waiting.learned) == [1, 3]


def _all(request: Request) -> str:
    return facts(*({"text": user, "source": n} for n, user, _ in new_messages(last_text(request))))


async def test_a_service_that_is_down_is_asked_once(claude: FakeClaude, tmp_path: Path) -> None:
    """While the service fails nothing is learned or lost, and no smaller batches hammer it."""
    waiting = Waiting()
    claude.script.extend([Reply("oops", status=500)] * 3)
    async with opened(tmp_path, claude, waiting) as memory:
        with pytest.raises(LearningFailed) as caught:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "I like cake.")])
        assert (caught.value.smaller, caught.value.final, caught.value.ids) == (False, False, None)
        assert waiting.learned == []
        assert await memory.learn([exchange(1, "I like tea."), exchange(2, "I like cake.")]) == 2
    assert claude.calls == 4  # the SDK's own two retries


async def test_nothing_worth_keeping_is_learned_too(claude: FakeClaude, tmp_path: Path) -> None:
    """Small talk leaves no memory, and its exchange is done with."""
    waiting = Waiting()
    claude.handler = lambda request: facts()
    async with opened(tmp_path, claude, waiting) as memory:
        assert await memory.learn([exchange(1, "Hello!")]) == 0
    assert waiting.learned == [1]


@pytest.mark.parametrize("infer", [True, False])
async def test_what_is_forgotten_meanwhile_is_not_brought_back(claude: FakeClaude, tmp_path: Path, infer: bool) -> None:
    """An exchange that was forgotten while it was being learned leaves nothing, and nobody is troubled."""
    waiting = Waiting()
    waiting.forgotten.add(1)
    async with opened(tmp_path, claude if infer else None, waiting) as memory:
        assert await memory.learn([exchange(1, "I like tea.")]) == 0
        assert await memory.list("discord:1") == []


async def test_recall_waits_for_no_extraction(claude: FakeClaude, tmp_path: Path) -> None:
    """With thirty extractions that hang, a person's memories are recalled as ever."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I like tea.")])
        claude.handler = lambda request: Reply("", hang_after=0)
        hanging = [asyncio.create_task(memory.learn([exchange(n, "Hi", user=f"discord:{n}")])) for n in range(100, 130)]
        await claude.busy(30)
        assert await recalled(memory, "tea") == ["I like tea."]
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_long_backlog_is_learned_in_order_in_calls_of_bounded_size(claude: FakeClaude, tmp_path: Path) -> None:
    """A hundred long exchanges go in several calls, none of them huge, in the order in which they were said."""
    waiting = Waiting()
    async with opened(tmp_path, claude, waiting) as memory:
        await memory.learn([exchange(n, f"Number {n}. " + "word " * 300) for n in range(1, 101)])
    assert waiting.learned == list(range(1, 101))
    assert max(len(last_text(request)) for request in claude.extractions) < 40_000


async def test_facts_with_markup_survive_mem0(claude: FakeClaude, tmp_path: Path) -> None:
    """mem0 cuts thinking tags and code fences out of answers: a fact that quotes them is kept whole."""
    odd = ["User writes <think>slow</think> code", "User ends with </think>", "```json\n{}\n```", "half \ud83d pair"]
    claude.handler = lambda request: facts(*({"text": text, "source": 1} for text in odd))
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "odd")]) == 4
        assert {item.text for item in await memory.list("discord:1")} == {*odd[:3], "half ? pair"}


@pytest.mark.parametrize("odd", ["", " ", "\0", "\ud83d", "\u202e", "x" * 40_000, "a\nb\u2028c"])
async def test_odd_texts_are_learned_and_looked_for(claude: FakeClaude, tmp_path: Path, odd: str) -> None:
    """Whatever was said or asked ends in memories or none, never in an error."""
    waiting = Waiting()
    async with opened(tmp_path, claude, waiting) as memory:
        await memory.learn([exchange(1, odd, answer=odd, name=odd)])
        await memory.recall("discord:1", None, odd, [odd], MONDAY)
        await memory.list("discord:1", odd)
    assert waiting.learned == [1]


async def test_the_notebook_keeps_what_it_is_told(tmp_path: Path) -> None:
    """Without a key, statements are kept word for word, once, and what is only a question is not."""
    waiting = Waiting()
    told = [exchange(1, "I live in Porto."), exchange(2, "Where do I live?"), exchange(3, "I live in Porto.")]
    async with opened(tmp_path, None, waiting) as memory:
        assert await memory.learn(told) == 1
        (found,) = await memory.recall("discord:1", None, "Where do I live?", [], MONDAY)
    assert (found.text, found.learned_at) == ("I live in Porto.", MONDAY + timedelta(minutes=3))
    assert [source.event_id for source in found.sources] == ["discord:1", "discord:3"]
    assert waiting.learned == [1, 2, 3]


async def test_a_name_with_spaces_is_a_person_too(tmp_path: Path) -> None:
    """mem0 refuses ids with white space: such a person is remembered as any other, and kept apart."""
    async with opened(tmp_path, None) as memory:
        await memory.learn([exchange(1, "I like tea.", user="terminal:Ann Lee")])
        assert await recalled(memory, "tea", user="terminal:Ann Lee") == ["I like tea."]
        assert await recalled(memory, "tea", user="terminal:AnnLee") == []
        assert await memory.forget_all("terminal:Ann Lee") == 1


async def test_memories_fit_their_budget(claude: FakeClaude, tmp_path: Path) -> None:
    """However many memories match, their lines in the prompt take no more than 1,000 tokens of 4 characters."""
    async with opened(tmp_path, claude) as memory:
        for start in range(0, 200, 20):
            await memory.learn([exchange(n, f"Tea number {n} is {n * 'very '}good.") for n in range(start, start + 20)])
        found = await memory.recall("discord:1", None, "tea", [], MONDAY)
    lines = "".join(f"- [{line.learned_at:%Y-%m-%d}] {line.text}\n" for line in found)
    assert 3000 < len(lines) <= 4000


async def test_forgotten_is_gone(claude: FakeClaude, tmp_path: Path) -> None:
    """What is forgotten is neither recalled nor listed, and no file of the data folder holds its words."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I adore gooseberries."), exchange(2, "I like tea.")])
        (fruit,) = await memory.list("discord:1", "gooseberry")
        assert await memory.forget("discord:1", [fruit.id]) == 1
        assert await recalled(memory, "gooseberries") == ["I like tea."]
        assert await memory.forget_all("discord:1") == 1
        assert await memory.list("discord:1") == []
    assert holding(tmp_path, b"gooseberr") == []


async def test_a_closed_memory_is_unavailable(tmp_path: Path) -> None:
    """A store that fails is told as unavailable, for the core to answer without memories."""
    async with opened(tmp_path, None) as memory:
        memory._store.close()
        with pytest.raises(MemoryUnavailable):
            await recalled(memory, "tea")
        with pytest.raises(MemoryUnavailable):
            await memory.learn([exchange(1, "I like tea.")])


async def test_no_text_reaches_the_log(claude: FakeClaude, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, learning, failing to learn, recalling and forgetting leave no words in the log."""
    caplog.set_level(logging.DEBUG)
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I adore gooseberries.")])
        await memory.learn([exchange(1, "I adore gooseberries.")])
        claude.script.append(Reply('{"memory": [{"id": "gooseberries"'))
        with pytest.raises(LearningFailed):
            await memory.learn([exchange(2, "More gooseberries.")])
        await recalled(memory, "gooseberries")
        await memory.forget_all("discord:1")
    assert "gooseberr" not in caplog.text


@pytest.mark.parametrize("silent", [True, False])
@pytest.mark.parametrize(
    "unknown", [{"output_config"}, {"thinking"}, {"cache_control"}, {"output_config", "thinking", "cache_control"}]
)
async def test_a_server_that_refuses_parameters_is_asked_without(
    claude: FakeClaude, tmp_path: Path, unknown: set[str], silent: bool
) -> None:
    """A compatible server that knows no schema, no thinking or no cache teaches all the same, and is asked once."""
    claude.unknown, claude.silent = unknown, silent
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "I like tea.")]) == 1
        before = claude.calls
        assert await memory.learn([exchange(2, "I like cake.")]) == 1
    assert claude.calls == before + 1


async def test_a_model_that_ignores_the_schema_teaches_all_the_same(
    claude: FakeClaude, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """JSON in a code block behind a sentence, with one bad row, is read for its good ones, and the log says so once."""

    def wrapped(request: Request) -> str:
        said = new_messages(last_text(request))
        rows = [{"text": text, "source": number} for number, text, _ in said]
        return "Here is what I found:\n\n```json\n" + json.dumps({"memory": [{"text": 7}, *rows]}) + "\n```\nDone!"

    claude.handler = wrapped
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "I like tea."), exchange(2, "I like cake.")]) == 2
        assert await memory.learn([exchange(3, "I like rain.")]) == 1
    assert claude.calls == 2
    assert caplog.text.count("ignores JSON schemas") == 1


@pytest.mark.parametrize(
    "answer",
    [
        "[" * 100_000,
        '{"memory": ' + "[" * 100_000,
        '{"memory": [{"text": {"text": ' * 20_000,
        json.dumps({"memory": [{"text": 7}]}),
        '{"memory": 7}',
        "no JSON at all",
    ],
    ids=lambda answer: answer[:24],
)
async def test_an_odd_answer_holds_up_only_its_own_exchange(claude: FakeClaude, tmp_path: Path, answer: str) -> None:
    """Whatever form an answer has, the exchange that it is about is known, and the others are learned."""

    def odd(request: Request) -> Reply | str:
        return Reply(answer) if "poison" in last_text(request) else default(request)

    claude.handler = odd
    async with opened(tmp_path, claude) as memory:
        with pytest.raises(LearningFailed) as failed:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "poison"), exchange(3, "I like rain.")])
        assert failed.value.ids == (2,)
        assert {item.text for item in await memory.list("discord:1")} == {"I like tea.", "I like rain."}


async def test_a_bad_request_holds_up_only_its_own_exchange(claude: FakeClaude, tmp_path: Path) -> None:
    """What the service refuses about one exchange's content doesn't keep the others from being learned."""

    def picky(request: Request) -> Reply | str:
        bad = "poison" in last_text(request)
        return Reply("messages.0: bad", status=400, error="invalid_request_error") if bad else default(request)

    claude.handler = picky
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(9, "I like cake.")])
        with pytest.raises(LearningFailed) as failed:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "poison"), exchange(3, "I like rain.")])
        assert failed.value.ids == (2,)
        assert len(await memory.list("discord:1")) == 3


async def test_a_memory_that_is_refused_doesnt_end_learning(claude: FakeClaude, tmp_path: Path) -> None:
    """Where the model refuses an older memory, what is said next is learned without it being shown."""
    async with opened(tmp_path, claude) as memory:
        await memory.learn([exchange(1, "I like tea with poppies.")])
        claude.triggers = {"poppies"}
        assert await memory.learn([exchange(2, "I like tea at five.")]) == 1
        assert claude.calls == 3
        with pytest.raises(LearningFailed) as failed:
            await memory.learn([exchange(3, "More tea with poppies.")])
        assert failed.value.final


async def test_a_lesson_has_a_most(claude: FakeClaude, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of facts of one exchange are cut to what one transaction takes, and the log says so."""
    many = facts(*({"text": f"Fact number {number}", "source": 1} for number in range(2000)))
    claude.handler = lambda request: many
    async with opened(tmp_path, claude) as memory:
        assert await memory.learn([exchange(1, "I like many things.")]) == 100
    assert "1900 were more than one lesson teaches" in caplog.text


async def test_an_unpaid_account_is_an_outage(claude: FakeClaude, tmp_path: Path) -> None:
    """With the credit run out nothing is given up, and the exchanges aren't tried one by one."""
    claude.script.append(UNPAID)
    async with opened(tmp_path, claude) as memory:
        with pytest.raises(LearningFailed, match="no credit") as failed:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "I like rain.")])
        assert (failed.value.smaller, failed.value.outage, claude.calls) == (False, True, 1)


@pytest.mark.parametrize("odd", ["C 2", "C\n2", "*", "", "C" * 300, "C%20"])
async def test_odd_ids_are_learned(tmp_path: Path, odd: str) -> None:
    """Whatever a platform calls its channels and messages, what is said there is learned, once, and recalled there."""
    scope = f"members:slack:T1:{odd}"
    said = [exchange(number, "I like tea.", scope=scope, event_id=f"slack:T1:{odd}:{number}") for number in (1, 2)]
    async with opened(tmp_path, None) as memory:
        for heard in said:
            await memory.learn([heard])
        (found,) = await memory.list("discord:1")
        assert (found.text, found.scope) == ("I like tea.", scope)
        assert [source.event_id for source in found.sources] == [heard.event_id for heard in said]
        assert await recalled(memory, "tea", scopes=frozenset({scope})) == ["I like tea."]


class Picky(Waiting):
    """A journal that fails on one exchange, in a way that nobody foresaw."""

    def commit(self, connection: Any, exchanges: Sequence[Exchange]) -> None:
        if any("odd" in heard.text for heard in exchanges):
            raise LookupError("odd")
        super().commit(connection, exchanges)


@pytest.mark.parametrize("keyed", [False, True])
async def test_one_odd_exchange_is_told_from_the_others(tmp_path: Path, keyed: bool) -> None:
    """Where one of many can't be stored, for no reason of the database's, the others are learned and it is named."""
    waiting = Picky()
    async with FakeClaude() as claude, opened(tmp_path, claude if keyed else None, waiting) as memory:
        with pytest.raises(LearningFailed) as failed:
            await memory.learn([exchange(1, "I like tea."), exchange(2, "I am odd."), exchange(3, "I ski.")])
        assert (failed.value.ids, failed.value.final, failed.value.tries) == ((2,), False, TRIES)
        assert sorted(item.text for item in await memory.list("discord:1")) == ["I like tea.", "I ski."]
    assert sorted(waiting.learned) == [1, 3]
