"""People's rights on PostgreSQL: journal, memory and commands together."""

import json
from dataclasses import replace
from pathlib import Path

from tests.harness import ANN, ANN_ON_DISCORD, DISCORD_DM, BotHarness, opened
from tests.memory.vectors.test_postgres_store import heap

CANARY = "zebrafinch"


async def test_forgotten_means_gone_from_every_page(postgres_url: str, tmp_path: Path) -> None:
    """Told, learned, edited, linked, waiting and in hand, then forgotten: no page, answer or export holds it."""
    async with opened(tmp_path, url=postgres_url) as harness:
        await harness.tell(f"My bird is a {CANARY}.")
        event = await harness.tell(f"The {CANARY} is blue.", ANN_ON_DISCORD, DISCORD_DM)
        code = (await harness.run("link")).code
        await harness.press(await harness.run("link", code, person=ANN_ON_DISCORD), "Join", ANN_ON_DISCORD)
        memory = (await harness.memory.list(ANN.key))[0]
        await harness.memory.edit(ANN.key, memory.id, f"Zoe is a {CANARY}", event.at)
        await harness.hear(f"The {CANARY} sings.")
        waiting = await harness.journal.outbox.claim(ANN.key, "private")
        open_ = replace(event, id="discord:99", text=f"Is my {CANARY} pretty?")
        conversation = await harness.journal.inbox.admit(open_)
        assert conversation is not None
        assert CANARY.encode() in heap(postgres_url)
        await harness.press(await harness.run("forget"), "Forget everything")
        assert await harness.memory.learn(waiting) == 0
        await harness.answer(open_, conversation, f"Your {CANARY} is.")
        await harness.learn()
        assert CANARY.encode() not in heap(postgres_url)
        assert CANARY not in json.dumps(await harness.rights.export(ANN.key))
    assert CANARY.encode() not in heap(postgres_url)


async def test_platforms_are_followed(postgres_url: str, tmp_path: Path) -> None:
    """Deleted, edited and removed: what is kept follows, as on SQLite."""

    async def left(harness: BotHarness) -> list[str]:
        return [*await harness.known(), *await harness.known(ANN_ON_DISCORD)]

    async with opened(tmp_path, url=postgres_url) as harness:
        first = await harness.tell("I like tea.")
        second = await harness.tell("My bird is a finch.")
        await harness.tell("I ski.", ANN_ON_DISCORD, DISCORD_DM)
        await harness.changes.on_deleted([first.id])
        await harness.changes.on_edited(replace(second, text="My bird is a wren."))
        await harness.learn()
        assert await left(harness) == ["My bird is a wren.", "I ski."]
        await harness.changes.on_removed("slack", "T1")
        harness.clock.now += 3700
        await harness.eraser.tick()
        assert await left(harness) == ["I ski."]
