"""What every adapter of a service does about what happened while it wasn't connected, however it goes about it."""

from collections.abc import AsyncIterator

from bot.events import MessageEvent
from tests.adapters.contract import answered
from tests.adapters.core import echo
from tests.adapters.harness import PlatformHarness
from tests.fakes.discord import until


async def known(harness: PlatformHarness, *texts: str) -> list[str]:
    """Messages of Ann's that the journal knows, the last of them as the newest."""
    seen = [await harness.earlier(text) for text in texts]
    harness.core.seen = seen[-1:]
    harness.core.recent = seen
    return [message for _, message, _ in seen]


class CatchUpContract:
    """What was written is answered, what was deleted or edited is told, and nothing else is."""

    async def test_what_was_missed_while_down_is_answered(self, harness: PlatformHarness) -> None:
        """In places spoken in before: once, oldest first, and nothing from before."""
        harness.core.seen.append(await harness.earlier("answered before"))
        missed = [await harness.unheard(text) for text in ("one", "two", "three")]
        async with harness.running():
            await answered(harness.core, 3)
        assert [event.id for event in harness.core.events] == missed
        assert [event.text for event in harness.core.events] == ["one", "two", "three"]

    async def test_what_was_missed_in_a_gap_is_answered(self, harness: PlatformHarness) -> None:
        """What is written between a lost connection and the next one is answered, once."""
        harness.core.seen.append(await harness.earlier("answered before"))
        async with harness.running():
            message = await harness.missed("still there?")
            await answered(harness.core)
            assert list(harness.answers(message).values()) == ["You said: still there?"]
        assert [event.text for event in harness.core.events] == ["still there?"]

    async def test_what_was_missed_waits_for_the_journal(self, harness: PlatformHarness) -> None:
        """What can't be recorded while the bot catches up isn't passed over: it is answered a little later."""
        harness.core.seen.append(await harness.earlier("answered before"))
        missed = [await harness.unheard(text) for text in ("one", "two")]
        harness.core.admit_failures = 1
        async with harness.running():
            await answered(harness.core, 2)
        assert [event.id for event in harness.core.events] == missed

    async def test_what_is_said_now_comes_after_what_was_missed(self, harness: PlatformHarness) -> None:
        """Who writes while the bot catches up is admitted after what was missed there."""
        await known(harness, "answered before")
        missed = [await harness.unheard(text) for text in ("one", "two", "three")]
        async with harness.running():
            now = await harness.direct("now")
            await answered(harness.core, 4)
        assert [event.id for event in harness.core.events] == [*missed, now]

    async def test_what_changed_while_down_is_told(self, harness: PlatformHarness) -> None:
        """What was deleted or edited meanwhile is told as if it were now; what is as it was isn't."""
        tea, milk, _ = await known(harness, "I like tea", "and milk", "and honey")
        await harness.delete(tea, heard=False)
        await harness.edit(milk, "and cream", heard=False)
        async with harness.running():
            await until(lambda: harness.core.deleted and harness.core.edited, "both changes")
        assert harness.core.deleted == [tea]
        assert [(event.id, event.text) for event in harness.core.edited] == [(milk, "and cream")]
        assert harness.core.events == []

    async def test_a_history_alone_is_no_proof(self, harness: PlatformHarness) -> None:
        """Of what a history leaves out, only that is told as deleted which isn't there when it is asked for alone."""
        left_out, deleted, _ = await known(harness, "still there", "deleted", "newest")
        harness.leave_out(left_out)
        await harness.delete(deleted, heard=False)
        async with harness.running():
            await until(lambda: harness.core.deleted, "the deletion")
            await harness.direct("still there?")
            await answered(harness.core)
        assert harness.core.deleted == [deleted]

    async def test_no_answer_draws_on_what_was_deleted_before(self, harness: PlatformHarness) -> None:
        """What was deleted while the bot was down is told before what was missed there is answered."""
        told_before: list[list[str]] = []

        async def watched(event: MessageEvent) -> AsyncIterator[str]:
            told_before.append(list(harness.core.deleted))
            async for snapshot in echo(event):
                yield snapshot

        harness.core.speech = watched
        _, deleted, _ = await known(harness, "one", "two", "three")
        await harness.delete(deleted, heard=False)
        await harness.unheard("What do you know?")
        async with harness.running():
            await answered(harness.core)
        assert told_before == [[deleted]]
