"""People's rights on PostgreSQL: journal, memory and commands together."""

import json
from dataclasses import replace
from pathlib import Path

from tests.house import ANN, ANN_ON_DISCORD, DISCORD_DM, BotHarness, opened
from tests.memory.vectors.test_postgres_store import heap

CANARY = "zebrafinch"


async def test_forgotten_means_gone_from_every_page(postgres_url: str, tmp_path: Path) -> None:
    """Told, learned, edited, linked, waiting and in hand, then forgotten: no page, answer or export holds it."""
    async with opened(tmp_path, url=postgres_url) as house:
        await house.tell(f"My bird is a {CANARY}.")
        event = await house.tell(f"The {CANARY} is blue.", ANN_ON_DISCORD, DISCORD_DM)
        code = (await house.run("link")).code
        await house.press(await house.run("link", code, person=ANN_ON_DISCORD), "Join", ANN_ON_DISCORD)
        memory = (await house.memory.list(ANN.key))[0]
        await house.memory.edit(ANN.key, memory.id, f"Zoe is a {CANARY}", event.at)
        await house.hear(f"The {CANARY} sings.")
        waiting = await house.journal.outbox.claim(ANN.key, "private")
        open_ = replace(event, id="discord:99", text=f"Is my {CANARY} pretty?")
        conversation = await house.journal.inbox.admit(open_)
        assert conversation is not None
        assert CANARY.encode() in heap(postgres_url)
        await house.press(await house.run("forget"), "Forget everything")
        assert await house.memory.learn(waiting) == 0
        await house.answer(open_, conversation, f"Your {CANARY} is.")
        await house.learn()
        assert CANARY.encode() not in heap(postgres_url)
        assert CANARY not in json.dumps(await house.rights.export(ANN.key))
    assert CANARY.encode() not in heap(postgres_url)


async def test_platforms_are_followed(postgres_url: str, tmp_path: Path) -> None:
    """Deleted, edited and removed: what is kept follows, as on SQLite."""

    async def left(house: BotHarness) -> list[str]:
        return [*await house.known(), *await house.known(ANN_ON_DISCORD)]

    async with opened(tmp_path, url=postgres_url) as house:
        first = await house.tell("I like tea.")
        second = await house.tell("My bird is a finch.")
        await house.tell("I ski.", ANN_ON_DISCORD, DISCORD_DM)
        await house.changes.on_deleted([first.id])
        await house.changes.on_edited(replace(second, text="My bird is a wren."))
        await house.learn()
        assert await left(house) == ["My bird is a wren.", "I ski."]
        await house.changes.on_removed("slack", "T1")
        house.clock.now += 3700
        await house.eraser.tick()
        assert await left(house) == ["I ski."]
