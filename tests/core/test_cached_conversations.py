"""A conversation through the real core, journal and memory: what of each request the prompt cache already holds."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from bot.model import Person, Place
from tests.fakes.claude import FakeClaude, Request, briefing, facts, is_extraction
from tests.hostile.world import embedded
from tests.makers import ANN, BOB, DM, GENERAL

ANSWER = "As I see it, " + "one thing and another, " * 20


def answers(request: Request) -> str:
    """A model that learns something from every message."""
    return facts({"text": f"Fact {len(str(request))}", "source": 1}) if is_extraction(request) else ANSWER


def unmarked(request: Request) -> list[Any]:
    """The request in the cache's order, block by block, without its marks."""
    parts = [*request.get("tools", []), *request["system"]]
    parts += [[message["role"], block] for message in request["messages"] for block in message["content"]]
    plain: list[Any] = json.loads(json.dumps(parts).replace(', "cache_control": {"type": "ephemeral"}', ""))
    return plain


@pytest.mark.parametrize(("place", "people"), [(DM, [ANN]), (GENERAL, [ANN, BOB])], ids=["alone", "in company"])
async def test_a_conversation_only_grows(tmp_path: Path, place: Place, people: list[Person]) -> None:
    """Whoever asks next, and whatever was learned between: a request begins as the last one did, up to its message."""
    async with FakeClaude(answers) as claude, embedded(tmp_path / "data", claude) as world:
        for number in range(9):
            person = people[number % len(people)]
            await world.say(f"{number}: what about this? " + "so and so " * 30, person, place, name=person.user)
            await world.learn()
        requests = claude.chats
        assert f"shown: {8 // len(people)} of {8 // len(people)}." in briefing(requests[-1])
        told = [unmarked(request) for request in requests]
        if len(people) > 1:  # from the second person on, every message says whose it is
            told = told[1:]
        for before, after in itertools.pairwise(told):
            assert after[: len(before) - 2] == before[:-2]
            assert len(after) == len(before) + 2
        taken = claude.tokens
        assert taken["cache_read"] > 2 * (taken["input"] + taken["cache_creation"])
