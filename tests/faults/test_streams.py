"""Killed while Slack streams its answer: another process recognises the message and finishes it in place."""

from dataclasses import replace
from pathlib import Path

from tests.fakes.claude import Reply, Request, is_extraction, last_text
from tests.faults.memories import learned_once, left, stored
from tests.faults.world import SlackSide, World
from tests.makers import until
from tests.whole.process import BotProcess


async def test_killed_amid_a_stream(tmp_path: Path) -> None:
    """`kill -9` amid a stream: answered once and whole, in the message that streamed; learned once."""
    slack = SlackSide("team")
    async with World(slack, gap=0.05) as world:
        held = True

        async def claude(request: Request, reply: Reply) -> Reply:
            streams = "(streaming)" in last_text(request) and not is_extraction(request)
            return replace(reply, hang_after=20) if streams and held else reply

        world.model.chat = claude
        bot = await world.start(tmp_path)
        await bot.said("memory is ready")
        await world.ask(slack, "ann", "team", words=60)
        await world.answered()
        assert slack.fake.counts["chat.update"], "the process knows that edits work"
        await world.ask(slack, "ann", "team", text="(streaming)", words=60)
        await until(lambda: bool(slack.fake.counts["chat.appendStream"] and slack.fake.open_streams))
        (ts,) = slack.fake.open_streams
        bot.process.kill()
        await bot.wait()
        assert slack.fake.open_streams == [ts]
        held = False
        async with BotProcess(tmp_path, world.env):
            await world.answered()
            await until(lambda: not any(left(stored(tmp_path)).values()), 30)
        assert world.wrong() == {}
        assert world.others() == []
        assert slack.fake.open_streams == []
        assert await learned_once(world, stored(tmp_path)) == []
        (message,) = [each for each in slack.fake.messages["CTEAM"] if each["ts"] == ts]
        assert message["metadata"]["event_payload"]["done"] is True
