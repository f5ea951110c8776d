"""An answer that calls tools: its rounds, its text, what it costs, and what happens when something breaks."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot.core.answer import Answer
from bot.core.rounds import CALLS, LAST, ROUNDS, TOO_MANY, WITHHELD
from bot.core.spending import FreeCharge
from bot.core.tools.toolbox import FAILED, LATE, UNKNOWN, UNREADABLE, Kit, Toolbox, Workshop
from bot.model import Asked, Call, Prompt, Result, Tool
from bot.ports import ChatError, ChatOverloaded, ChatRefused, LimitReached
from bot.usage import Usage
from tests.stubs import StubChat


def asks(*queries: str) -> Asked:
    return Asked(tuple(Call(f"c{number}", "look", {"query": query}) for number, query in enumerate(queries)))


class Run:
    """Answers each call with its query in capitals, and notes it."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    async def __call__(self, call: Call) -> Result:
        query = (call.arguments or {})["query"]
        self.ran.append(query)
        return Result(query.upper())


class World:
    def __init__(self, *script: list[str | Usage | Asked | Exception], requests: int = 1) -> None:
        self.chat = StubChat(*script)
        self.run = Run()
        self.charged: list[FreeCharge] = []
        prompts = [Prompt("", (("user", f"rung {number}"),)) for number in range(requests)]
        self.answer = Answer(self.chat, prompts, self.charge, again=False, tools=self.run)

    async def charge(self, _request: Prompt) -> FreeCharge:
        self.charged.append(FreeCharge())
        return self.charged[-1]

    async def shown(self) -> list[str]:
        return [snapshot async for snapshot in self.answer.snapshots()]

    def results(self, request: int = -1) -> list[list[str]]:
        return [[result.text for result in each.results] for each in self.chat.prompts[request].rounds]


async def test_the_text_goes_on_after_a_call() -> None:
    """Text before and after tools is one growing answer; each round is a request of its own, and all are counted."""
    world = World(
        ["Let me ", "look.", Usage(input=1), asks("a", "b")], [Usage(input=10), asks("c")], ["\nIt is", " 5.", Usage(5)]
    )
    shown = await world.shown()
    assert shown == ["Let me ", "Let me look.", "Let me look.\n\nIt is", "Let me look.\n\nIt is 5."]
    assert (world.answer.text, world.answer.failure) == (shown[-1], None)
    assert world.results() == [["A", "B"], ["C"]]
    assert world.answer.used == {"look": 3}
    assert len(world.charged) == 3
    assert world.answer.usage.input == 16


async def test_a_broken_stream_repeats_its_round_alone() -> None:
    """What has run isn't run again in this answer, and nothing is shown twice."""
    world = World([asks("a")], ["It ", ChatError("cut")], ["It is 5."])
    assert await world.shown() == ["It ", "It is 5."]
    assert world.run.ran == ["a"]
    assert [len(prompt.rounds) for prompt in world.chat.prompts] == [0, 1, 1]


async def test_a_stream_cut_amid_a_call_is_asked_again() -> None:
    """A call of which only a part arrived is never run."""
    world = World(["Let me look.", ChatError("cut")], ["Let me look.", asks("a")], ["Five."])
    assert await world.shown() == ["Let me look.", "Let me look.\n\nFive."]
    assert world.run.ran == ["a"]


async def test_rounds_are_bounded_and_the_last_one_says_so() -> None:
    """After the sixth round no call is run any more; the model was told so with the results, and its text stands."""
    script: list[list[str | Usage | Asked | Exception]] = [[asks(str(number))] for number in range(ROUNDS)]
    world = World(*script, ["All I know.", asks("more")])
    assert (await world.shown())[-1] == "All I know."
    assert len(world.run.ran) == ROUNDS
    assert [LAST in texts[-1] for texts in world.results()] == [False] * (ROUNDS - 1) + [True]


async def test_the_calls_of_one_turn_are_bounded() -> None:
    """Of too many calls at once the first are run, and each of the others is answered."""
    world = World([asks(*map(str, range(CALLS + 2)))], ["Done."])
    await world.shown()
    assert len(world.run.ran) == CALLS
    assert world.results()[0][-2:] == [TOO_MANY.text] * 2


async def test_an_overload_amid_rounds_keeps_what_is_shown() -> None:
    """A busy service after a call ends this attempt; nothing is run twice for it."""
    world = World(["Let me look.", asks("a")], [ChatOverloaded("429")])
    shown = await world.shown()
    assert shown[-1] == f"Let me look.\n\n{ChatOverloaded.sentence}"
    assert isinstance(world.answer.failure, ChatOverloaded)
    assert world.run.ran == ["a"]


async def test_a_limit_reached_amid_rounds_is_said() -> None:
    """Each round is charged before it is sent; where nothing more may be spent, what is there stays, and it is said."""
    world = World(["Let me look.", asks("a")])
    limit, free = LimitReached(person=True, seconds=60), world.charge

    async def charge(request: Prompt) -> FreeCharge:
        if request.rounds:
            raise limit
        return await free(request)

    world.answer = Answer(world.chat, [Prompt("", ())], charge, again=False, tools=world.run)
    assert (await world.shown())[-1] == f"Let me look.\n\n{LimitReached.sentence}"
    assert world.answer.failure is limit


async def test_results_that_are_refused_are_left_out() -> None:
    """A refusal after a call may be about its result: it is asked again without, before anything else is left out."""
    world = World([asks("a")], [ChatRefused("refused")], ["Fine."], requests=2)
    assert (await world.shown())[-1] == "Fine."
    assert world.results() == [[WITHHELD.text]]
    assert [prompt.messages[0][1] for prompt in world.chat.prompts] == ["rung 0"] * 3


async def test_calls_without_tools_are_ignored() -> None:
    """An answer that offers none takes the text alone."""
    world = World(["Text.", asks("a")])
    world.answer = Answer(world.chat, [Prompt("", ())], world.charge, again=False)
    assert await world.shown() == ["Text."]


async def test_a_tool_that_fails_says_so_and_is_logged_without_its_input(caplog: pytest.LogCaptureFixture) -> None:
    """Slow, broken, unknown or unreadable: an error in plain words, logged by the tool's name alone."""

    async def run(box: Toolbox, arguments: Mapping[str, Any]) -> Result:
        if arguments["query"] == "secret slow":
            await asyncio.Event().wait()
        raise ValueError(arguments["query"])

    made: Any = None
    box = Toolbox(
        Workshop(made, made, seconds=0.01), made, made, {"look": Kit(Tool("look", "", {}), run)}, event_id="e1"
    )
    with caplog.at_level(logging.INFO):
        for call, result in (
            (Call("1", "look", {"query": "secret slow"}), LATE),
            (Call("1", "look", {"query": "secret"}), FAILED),
            (Call("1", "look", None), UNREADABLE),
            (Call("1", "secret", {}), UNKNOWN),
        ):
            assert await box.run(call) == result
    assert "tool look" in caplog.text
    assert "secret" not in caplog.text
    assert replace(FAILED).failed
