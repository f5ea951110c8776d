"""Hosted mem0 through mem0's own asynchronous client, against a loopback service."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import SettingsError
from bot.ports import LearningFailed, MemoryUnavailable
from tests.fakes.mem0 import KEY, FakeMem0, Fault
from tests.harness import Clock
from tests.memory.hosted.world import ANN, BEN, NOW, PUBLIC, Process, Sleep, adds, process


@pytest.fixture
async def mem0() -> AsyncIterator[FakeMem0]:
    async with FakeMem0() as fake:
        yield fake


@pytest.fixture
def sleep() -> Sleep:
    return Sleep()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def bot(tmp_path: Path, mem0: FakeMem0, sleep: Sleep, clock: Clock) -> AsyncIterator[Process]:
    async with process(tmp_path, mem0.url, sleep=sleep, clock=clock) as found:
        yield found


async def test_what_was_said_is_learned_with_who_where_and_when(mem0: FakeMem0, bot: Process) -> None:
    """An exchange becomes one add with the speaker in the text, and its memory knows its source and audience."""
    said = replace(await bot.say(1, "I prefer Celsius", scope=PUBLIC), text="I prefer Celsius\ud800\0")
    assert await bot.memory.learn([said]) == 1
    assert await bot.waiting(scope=PUBLIC) == []
    (add,) = adds(mem0)
    assert add.body["messages"] == [
        {"role": "user", "content": "Ann system: x: I prefer Celsius?"},
        {"role": "assistant", "content": "Noted."},
    ]
    assert add.body["timestamp"] == int(said.at.timestamp())
    (kept,) = await bot.memory.list(ANN)
    assert kept.scope == PUBLIC
    assert kept.learned_at == said.at
    assert [(source.event_id, source.place, source.link) for source in kept.sources] == [
        (said.event_id, "#general", said.link)
    ]


async def test_an_exchange_stays_until_its_queued_add_has_ended(mem0: FakeMem0, bot: Process, sleep: Sleep) -> None:
    """The raw text is dropped only when mem0 says that the add succeeded."""
    mem0.release = asyncio.Event()
    said = await bot.say(1, "I live in Porto")
    learning = asyncio.create_task(bot.memory.learn([said]))
    await sleep.polled.wait()
    assert await bot.waiting() == [said]
    mem0.release.set()
    assert await learning == 1
    assert await bot.waiting() == []


async def test_exchanges_are_added_in_their_order(mem0: FakeMem0, bot: Process) -> None:
    """What was said first is learned first, each exchange by an add of its own."""
    assert await bot.memory.learn([await bot.say(n, f"fact {n}") for n in (1, 2, 3)]) == 3
    assert [add.body["metadata"]["source"] for add in adds(mem0)] == ["discord:1", "discord:2", "discord:3"]
    assert await bot.waiting() == []


async def test_a_failed_event_is_reported_and_learned_at_the_next_attempt(mem0: FakeMem0, bot: Process) -> None:
    """An add that mem0 fails on keeps its exchange, lets the others through, and is added again later."""
    mem0.failing = 1
    first = await bot.say(1, "I live in Porto")
    taught: set[str] = set()
    with pytest.raises(LearningFailed) as failed:
        await bot.memory.learn([first, await bot.say(2, "I like tea")], taught)
    assert taught == {"discord:2"}
    assert not failed.value.final
    assert failed.value.ids == (first.id,)
    assert await bot.waiting() == [first]
    assert await bot.memory.learn([first]) == 1
    assert await bot.texts() == ["I like tea", "I live in Porto"]
    assert await bot.waiting() == []


async def test_an_add_still_queued_is_followed_not_added_again(tmp_path: Path, mem0: FakeMem0) -> None:
    """Where mem0 takes longer than our patience, the next attempt waits for the same event."""
    mem0.release = asyncio.Event()
    async with process(tmp_path, mem0.url, patience=1) as bot:
        said = await bot.say(1, "I live in Porto")
        with pytest.raises(LearningFailed):
            await bot.memory.learn([said])
        mem0.release.set()
        assert await bot.memory.learn([said]) == 1
        assert len(adds(mem0)) == 1


@pytest.mark.parametrize("status", [0, 500, 502])
@pytest.mark.parametrize("after", [False, True])
async def test_a_lost_answer_neither_loses_nor_doubles_a_fact(
    mem0: FakeMem0, bot: Process, clock: Clock, status: int, after: bool
) -> None:
    """Where the answer to an add is an error, or the connection is cut, the fact is there once: done or not done."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", status, after=after))
    said = await bot.say(1, "I live in Porto")
    with pytest.raises(MemoryUnavailable):
        await bot.memory.learn([said])
    if not after:
        with pytest.raises(LearningFailed, match="not worked on it yet"):
            await bot.memory.learn([said])
    clock.now += 60
    await bot.memory.learn([said])
    assert await bot.texts() == ["I live in Porto"]
    assert len(adds(mem0)) == (1 if after else 2)
    assert await bot.waiting() == []
    assert all(add.void for add in await bot.journal.adds.unfinished())


async def test_what_comes_late_after_all_is_no_second_memory(mem0: FakeMem0, bot: Process, clock: Clock) -> None:
    """An add whose answer was lost, and that mem0 works on only after another took its place, leaves nothing."""
    late = asyncio.Event()

    async def work(body: object) -> None:
        if len(adds(mem0)) == 1:
            await late.wait()

    mem0.work = work
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 0, after=True))
    said = await bot.say(1, "I live in Porto")
    with pytest.raises(MemoryUnavailable):
        await bot.memory.learn([said])
    clock.now += 60
    assert await bot.memory.learn([said]) == 1
    late.set()
    await asyncio.sleep(0.05)
    assert len(mem0.rows) == 2
    assert await bot.texts() == ["I live in Porto"], "not even until it is deleted"
    assert len(await bot.memory.recall(ANN, None, "Porto", (), NOW)) == 1
    await bot.memory.tidy()
    assert len(mem0.rows) == 1
    clock.now += 3600
    await bot.memory.tidy()
    assert await bot.journal.adds.unfinished() == []


async def test_a_rate_limit_is_waited_out_as_long_as_it_asks(mem0: FakeMem0, bot: Process, sleep: Sleep) -> None:
    """A 429 is tried again after its Retry-After, for adds and reads."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 429, headers={"Retry-After": "7"}))
    await bot.tell(1, "I live in Porto")
    assert max(sleep.slept) >= 7
    mem0.faults.append(Fault("POST", "/v3/memories/search/", 429, times=2, headers={"Retry-After": "3"}))
    assert len(await bot.memory.recall(ANN, None, "where do I live", (), NOW)) == 1


async def test_a_service_that_is_down_is_told_apart_from_no_memories(mem0: FakeMem0, bot: Process) -> None:
    """Reads raise MemoryUnavailable after their retries, never an empty list."""
    mem0.faults.append(Fault("POST", "/v3/memories", 500, times=100))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.list(ANN)
    with pytest.raises(MemoryUnavailable):
        await bot.memory.recall(ANN, None, "tea", (), NOW)


async def test_an_answer_that_no_parser_takes_is_an_outage(mem0: FakeMem0, bot: Process) -> None:
    """JSON nested deeper than Python reads takes no answer along: it is a service that gave none."""
    mem0.faults.append(Fault("POST", "/v3/memories", 200, times=100, body="[" * 100_000 + "]" * 100_000))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.recall(ANN, None, "tea", (), NOW)


async def test_a_refused_message_is_given_up_for_good(mem0: FakeMem0, bot: Process) -> None:
    """An add that mem0 calls invalid is reported as final and doesn't hold up the next exchange."""
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 400))
    first = await bot.say(1, "x")
    with pytest.raises(LearningFailed) as failed:
        await bot.memory.learn([first, await bot.say(2, "I like tea")])
    assert failed.value.final
    assert await bot.waiting() == [first]
    assert await bot.journal.adds.unfinished() == []


async def test_recall_gives_a_place_only_its_audiences(mem0: FakeMem0, bot: Process) -> None:
    """A public channel gets public memories alone, a direct message all of the person's, nobody another's."""
    await bot.tell(1, "my tea is green", scope=PUBLIC)
    await bot.tell(2, "my tea is secret")
    await bot.tell(3, "my tea is black", BEN, PUBLIC)
    mem0.put("my tea has no audience", user_id=ANN)
    public = await bot.memory.recall(ANN, frozenset({PUBLIC, "shared"}), "my tea", (), NOW)
    private = await bot.memory.recall(ANN, None, "my tea", (), NOW)
    assert [m.text.split(": ")[-1] for m in public] == ["my tea is green"]
    assert {m.text.split(": ")[-1] for m in private} == {
        "my tea is green",
        "my tea is secret",
        "my tea has no audience",
    }
    with pytest.raises(ValueError, match="audience"):
        await bot.memory.recall(ANN, frozenset(), "my tea", (), NOW)


@pytest.mark.parametrize("query", ["my tea", ""])
async def test_the_audience_is_in_the_query_itself(mem0: FakeMem0, bot: Process, query: str) -> None:
    """mem0 is never asked for more than may be heard: what it would answer holds nothing that is filtered out here."""
    await bot.tell(1, "my tea is green", scope=PUBLIC)
    await bot.tell(2, "my tea is secret")
    mem0.asked.clear()
    await bot.memory.recall(ANN, frozenset({PUBLIC, "shared"}), query, (), NOW)
    (asked,) = mem0.asked
    assert [row["memory"].split(": ")[-1] for row in mem0.found(asked.body)] == ["my tea is green"]


async def test_a_service_that_answers_too_much_is_not_believed(mem0: FakeMem0, bot: Process) -> None:
    """Whatever comes back, another person's memory or another audience's is neither shown, changed nor deleted."""
    await bot.tell(1, "my tea is green", scope=PUBLIC)
    await bot.tell(2, "my tea is secret")
    await bot.tell(3, "my tea is black", BEN, PUBLIC)
    mem0.deaf = True
    for query in ("my tea", ""):
        heard = await bot.memory.recall(ANN, frozenset({PUBLIC, "shared"}), query, (), NOW)
        assert [memory.text.split(": ")[-1] for memory in heard] == ["my tea is green"]
    assert await bot.texts() == ["my tea is secret", "my tea is green"]
    assert await bot.memory.forget_sources(["discord:3"], ANN) == 0
    assert await bot.memory.forget_workspace("discord", "7", [ANN]) == 1
    assert await bot.memory.forget_all(ANN) == 1
    assert await bot.texts(BEN) == ["my tea is black"]


async def test_audiences_are_never_context_of_each_other(mem0: FakeMem0, bot: Process) -> None:
    """Each person's audience is a run of its own at mem0, so that no extraction reads another's words."""
    await bot.tell(1, "a")
    await bot.tell(2, "b", scope=PUBLIC)
    await bot.tell(3, "c", BEN, PUBLIC)
    runs = [add.body["run_id"] for add in adds(mem0)]
    assert len(set(runs)) == 3


async def test_recall_fills_the_budget_best_first(tmp_path: Path, mem0: FakeMem0) -> None:
    """As many memories go out as fit the tokens, beginning with the best."""
    for number in range(40):
        mem0.put(f"note {number} about boats", user_id=ANN)
    mem0.put("green tea please", user_id=ANN)
    async with process(tmp_path, mem0.url, tokens=50) as bot:
        found = await bot.memory.recall(ANN, None, "green tea", (), NOW)
        assert found[0].text == "green tea please"
        assert 100 < sum(len(f"- [{m.learned_at:%Y-%m-%d}] {m.text}\n") for m in found) <= 200


async def test_an_empty_message_recalls_the_newest(bot: Process) -> None:
    """A message with no words (only a file) recalls what was learned last, in its audience."""
    await bot.tell(1, "old")
    await bot.tell(2, "new")
    await bot.tell(3, "newest", scope=PUBLIC)
    found = await bot.memory.recall(ANN, frozenset({"private"}), " ", (), NOW)
    assert [memory.text.split(": ")[-1] for memory in found] == ["new", "old"]


async def test_a_list_spans_all_pages_and_searches_words(mem0: FakeMem0, bot: Process) -> None:
    """Every page is read; a search wants all words, whatever their case and ending, never something similar."""
    for number in range(250):
        mem0.put(f"note {number}", user_id=ANN, metadata={"at": f"2026-01-01T00:00:{number % 60:02}+00:00"})
    mem0.put("Likes GREEN teas", user_id=ANN)
    mem0.put("Likes greenhouses", user_id=ANN)
    assert len(await bot.memory.list(ANN)) == 252
    assert [m.text for m in await bot.memory.list(ANN, "green tea")] == ["Likes GREEN teas"]


async def test_forgetting_takes_only_that_persons_memories(mem0: FakeMem0, bot: Process) -> None:
    """Ids of somebody else, unknown, odd or empty ones are let pass; the person's own are gone."""
    await bot.tell(1, "a")
    await bot.tell(2, "b")
    theirs = mem0.put("Ben's", user_id=BEN)
    nobodys = mem0.put("nobody's")
    mine = [memory.id for memory in await bot.memory.list(ANN)]
    odd = ["unknown", "", "*", "../memories", f"{theirs}?x=", "a/b"]
    assert await bot.memory.forget(ANN, [mine[0], mine[0], theirs, nobodys, *odd]) == 1
    assert [memory.id for memory in await bot.memory.list(ANN)] == [mine[1]]
    assert {row["memory"] for row in mem0.rows} >= {"Ben's", "nobody's"}


async def test_a_lost_key_is_no_empty_success(mem0: FakeMem0, bot: Process) -> None:
    """Forgetting with a key that is refused meanwhile fails aloud."""
    (kept,) = [mem0.put("a", user_id=ANN)]
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 401, times=9))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.forget(ANN, [kept])


async def test_forget_everything_leaves_nothing_of_that_person(mem0: FakeMem0, bot: Process) -> None:
    """All of a person's memories go, with and without a run, and nobody else's."""
    await bot.tell(1, "a")
    await bot.tell(2, "b", scope=PUBLIC)
    await bot.tell(3, "c", BEN)
    mem0.put("older bot's", user_id=ANN)
    assert await bot.memory.forget_all(ANN) == 3
    assert [row["user_id"] for row in mem0.rows] == [BEN]


async def test_what_is_queued_when_everything_is_forgotten_does_not_come_back(
    tmp_path: Path, mem0: FakeMem0, sleep: Sleep
) -> None:
    """An add in flight while the person forgets everything leaves nothing behind."""
    mem0.release = asyncio.Event()
    async with process(tmp_path, mem0.url, sleep=sleep, patience=1e9) as bot:
        said = [await bot.say(1, "a secret"), await bot.say(2, "another")]
        learning = asyncio.create_task(bot.memory.learn(said))
        await sleep.polled.wait()
        await bot.journal.texts.forget_person(ANN, [ANN])
        forgetting = asyncio.create_task(bot.memory.forget_all(ANN))
        await asyncio.sleep(0)
        mem0.release.set()
        await forgetting
        await learning
    assert mem0.rows == []
    assert len(adds(mem0)) == 1


async def test_a_deletion_is_followed_to_its_end(tmp_path: Path, mem0: FakeMem0, sleep: Sleep) -> None:
    """mem0 only queues it: nothing counts as forgotten before it is done, and where that fails it is tried again."""
    mem0.deleted = asyncio.Event()
    async with process(tmp_path, mem0.url, sleep=sleep) as bot:
        await bot.tell(1, "a secret")
        forgetting = asyncio.create_task(bot.memory.forget_all(ANN))
        await sleep.polled.wait()
        assert not forgetting.done()
        mem0.deleted.set()
        assert await forgetting == 1
        assert mem0.rows == []
        mem0.deleted = asyncio.Event()
        with pytest.raises(MemoryUnavailable, match="PENDING"):
            await bot.memory.forget_all(ANN)


async def test_what_mem0_has_merged_is_forgotten_too(mem0: FakeMem0, bot: Process) -> None:
    """A memory that mem0 hides behind a fuller one is shown as an earlier one, and goes like any other."""
    await bot.tell(1, "My dog is called Rex")
    await bot.tell(2, "Rex is three years old")
    mem0.merged = {mem0.rows[0]["id"]}
    assert [memory.text.split(": ")[-1] for memory in await bot.memory.recall(ANN, None, "Rex", (), NOW)] == [
        "Rex is three years old"
    ]
    fuller, barer = await bot.memory.list(ANN, "Rex")
    assert (fuller.superseded_by is None, barer.superseded_by is None) == (True, False)
    assert await bot.memory.forget(ANN, [fuller.id, barer.id]) == 2
    assert mem0.rows == []


async def test_a_deleted_message_takes_along_what_mem0_has_merged(mem0: FakeMem0, bot: Process) -> None:
    """Of two messages of which mem0 has made one memory, each can be withdrawn."""
    await bot.tell(1, "My dog is called Rex")
    await bot.tell(2, "Rex is three years old")
    mem0.merged = {mem0.rows[0]["id"]}
    assert await bot.memory.forget_sources(["discord:1"], ANN) == 1
    assert await bot.texts() == ["Rex is three years old"]
    await bot.tell(3, "My dog is called Rex")
    mem0.merged = {mem0.rows[1]["id"]}
    assert await bot.memory.forget_all(ANN) == 2
    assert mem0.rows == []


async def test_what_mem0_says_of_the_assistant_is_the_persons(mem0: FakeMem0, bot: Process) -> None:
    """A fact that mem0 gives no user is theirs whose message it came from: shown to them alone, and forgotten."""
    mem0.assistants = lambda messages: ["The assistant advised a vet for Rex"]
    await bot.tell(1, "Rex limps")
    await bot.tell(2, "Rex sleeps", BEN)
    assert sorted(await bot.texts()) == ["Rex limps", "The assistant advised a vet for Rex"]
    assert await bot.memory.forget_sources(["discord:1"], ANN) == 2
    assert await bot.memory.forget_all(BEN) == 2
    assert mem0.rows == []


async def test_forgetting_that_cannot_be_finished_is_said(tmp_path: Path, mem0: FakeMem0) -> None:
    """Where mem0 still works on what was said, forgetting everything fails instead of claiming success."""
    mem0.release = asyncio.Event()
    async with process(tmp_path, mem0.url, patience=1) as bot:
        with pytest.raises(LearningFailed):
            await bot.tell(1, "a secret")
        with pytest.raises(MemoryUnavailable):
            await bot.memory.forget_all(ANN)


async def test_a_wildcard_is_a_name_like_any_other(mem0: FakeMem0, bot: Process) -> None:
    """Somebody called `*` in the terminal, or with a blank in their name, has memories of their own alone."""
    star, blank = "terminal:*", "terminal:Ann Lee"
    await bot.tell(1, "a", star)
    await bot.tell(2, "b", blank)
    await bot.tell(3, "c")
    assert len(await bot.memory.list(star)) == 1
    assert len(await bot.memory.list(blank)) == 1
    assert await bot.memory.list("*") == []
    assert await bot.memory.forget_all("*") == 0
    assert await bot.memory.forget_all(star) == 1
    assert await bot.memory.forget_all(blank) == 1
    assert [row["user_id"] for row in mem0.rows] == [ANN]


@pytest.mark.parametrize("user_id", ["", " ", "\t\n"])
async def test_no_request_goes_out_without_one_person(mem0: FakeMem0, bot: Process, user_id: str) -> None:
    """An empty or blank user id is an error before anything is sent."""
    said = replace(await bot.say(1, "a"), user_id=user_id, person_key="")
    mem0.asked.clear()
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.recall(user_id, None, "tea", (), NOW)
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.learn([said])
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.list(user_id)
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.forget(user_id, ["a"])
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.forget_all(user_id)
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.forget_sources(["discord:1"], user_id)
    with pytest.raises(ValueError, match="one person"):
        await bot.memory.forget_workspace("discord", "7", [user_id])
    assert mem0.asked == []


async def test_a_refused_key_ends_the_start_naming_the_variable(tmp_path: Path, mem0: FakeMem0) -> None:
    """A wrong key is one line that names MEM0_API_KEY and doesn't hold the key."""
    with pytest.raises(SettingsError, match=r"^MEM0_API_KEY: mem0 refuses it$"):
        async with process(tmp_path, mem0.url, key="wrong-key"):
            raise AssertionError("it was let in")


async def test_a_host_without_mem0_ends_the_start_naming_the_variable(tmp_path: Path, mem0: FakeMem0) -> None:
    """An address where no mem0 answers is one line that names MEM0_HOST."""
    mem0.faults.append(Fault("GET", "/v1/ping/", 404))
    with pytest.raises(SettingsError, match=r"^MEM0_HOST: "):
        async with process(tmp_path, mem0.url):
            raise AssertionError("it was taken for mem0")


async def test_opening_never_blocks_the_loop(tmp_path: Path, mem0: FakeMem0) -> None:
    """While mem0's ping hangs, everything else on the loop goes on."""
    mem0.hang_ping = True

    async def start() -> None:
        async with process(tmp_path, mem0.url):
            raise AssertionError("nobody answered the ping")

    opening = asyncio.create_task(start())
    await mem0.pinged.wait()
    assert not opening.done()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_a_service_that_is_down_does_not_keep_the_bot_from_starting(tmp_path: Path) -> None:
    """With mem0 out of reach the store opens, its calls fail one by one, and what is to be learned isn't in doubt."""
    async with FakeMem0() as gone:
        url = gone.url
    async with process(tmp_path, url) as bot:
        with pytest.raises(MemoryUnavailable):
            await bot.memory.list(ANN)
        with pytest.raises(MemoryUnavailable):
            await bot.tell(1, "I like tea")
        assert await bot.journal.adds.unfinished() == []


async def test_texts_and_keys_stay_out_of_logs(mem0: FakeMem0, bot: Process, caplog: pytest.LogCaptureFixture) -> None:
    """No log at any level holds a message, a memory, a query or the key, in failures either."""
    caplog.set_level(logging.DEBUG)
    mem0.failing = 1
    mem0.faults.append(Fault("POST", "/v3/memories/add/", 500, after=True))
    said = [await bot.say(1, "platypus"), await bot.say(2, "platypus again")]
    for _ in range(2):
        with pytest.raises(MemoryUnavailable):
            await bot.memory.learn(said)
    await bot.memory.recall(ANN, None, "platypus", ("platypus",), NOW)
    mem0.faults.append(Fault("DELETE", "/v1/memories/", 500, times=99))
    with pytest.raises(MemoryUnavailable):
        await bot.memory.forget_all(ANN)
    assert caplog.text
    assert "platypus" not in caplog.text
    assert KEY not in caplog.text
