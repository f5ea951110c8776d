"""What every adapter does, whatever the platform: what a person sees there, and what the core is handed.

A test module subclasses `AdapterContract`, or `PlatformContract` where the platform is a service that many people use
and that can lose the connection, with a `harness` fixture: that platform's verbs over its fake server. What such a
platform does after it has lost the connection is `CatchUpContract`. What only one platform does stands in that
platform's own tests.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from bot.events import MessageEvent
from bot.model import Audience
from bot.ports import ClaimLost, PlatformRefused
from bot.views import Button, Foot
from tests.adapters.core import Speech, StubCore, saying, text_snapshots
from tests.adapters.harness import Harness, PlatformHarness, contract_core
from tests.fakes.discord import until

FOOT = Foot("A quiet line", (Button("Look at it", "look:1"),))


async def answered(core: StubCore, count: int = 1) -> None:
    """Wait until so many answers are shown in full."""
    await until(lambda: len(core.sent) >= count, f"{count} answers; {core.failures}")


def breaking_off(harness: PlatformHarness, words: Sequence[str]) -> Speech:
    """An answer of many words that breaks off once it is shown in several messages."""

    async def speech(event: MessageEvent) -> AsyncIterator[str]:
        for count in range(50, len(words), 50):
            yield " ".join(words[:count])
            await asyncio.sleep(0.1)
            if len(harness.answers(event.id)) > 1:
                raise ConnectionError

    return speech


class AdapterContract:
    """What holds wherever somebody talks with the bot, a terminal included."""

    async def test_a_message_is_answered(self, harness: Harness) -> None:
        """What is written to the bot alone needs no mention, is private, and is answered once."""
        async with harness.running():
            message = await harness.direct("I like tea")
            await answered(harness.core)
            assert list(harness.answers(message).values()) == ["You said: I like tea"]
        (event,) = harness.core.events
        assert (event.id, event.text, event.name) == (message, "I like tea", "Ann")
        assert event.id.startswith(f"{harness.name}:")
        assert event.person.key.startswith(f"{harness.name}:")
        assert (event.place.platform, event.place.audience) == (harness.name, Audience.PRIVATE)
        assert event.at.utcoffset() is not None

    async def test_a_long_answer_is_shown_whole(self, harness: Harness) -> None:
        """In as many messages as it takes: each within the limit, every word once and in order."""
        words = [f"word{number:04}" for number in range(1500)]
        harness.core.speech = saying("\n\n".join(" ".join(words[at : at + 50]) for at in range(0, len(words), 50)))
        async with harness.running():
            message = await harness.direct("Tell me everything")
            await answered(harness.core)
            shown = harness.answers(message)
        assert all(len(text) <= harness.limit for text in shown.values())
        assert "\n".join(shown.values()).split() == words
        assert harness.core.sent == [tuple(shown)]

    async def test_nothing_in_an_answer_pings(self, harness: Harness) -> None:
        """Whatever an answer says, at once or as it grows, nobody is disturbed by it."""
        harness.core.speech = saying(harness.loud, f"{harness.loud} and {harness.loud}")
        async with harness.running():
            await harness.direct("Ping them all")
            await answered(harness.core)
        assert harness.pings() == []

    async def test_a_command_is_answered_to_its_caller_alone(self, harness: Harness) -> None:
        """The core is told who asked for what; nobody else sees the view, or that there was a command."""
        async with harness.running():
            shown = await harness.command("forget", "tea")
        (event,) = harness.core.commands
        assert (event.name, event.argument, event.person.platform) == ("forget", "tea", harness.name)
        assert shown.private
        assert "What I remember about you" in shown.text
        assert "Likes tea" in shown.text
        assert harness.core.events == []

    async def test_a_button_acts_for_who_clicks_it(self, harness: Harness) -> None:
        """Its action comes back to the core, and the outcome takes the view's place, as private as that."""
        async with harness.running():
            shown = await harness.press(await harness.command("forget", "tea"), "Forget")
        (event,) = harness.core.presses
        assert (event.action, event.person) == ("forget:7", harness.core.commands[0].person)
        assert "Pressed forget:7" in shown.text
        assert shown.private

    async def test_a_form_is_opened_and_acted_on(self, harness: Harness) -> None:
        """It shows what stands in it; what is sent comes to the core with the form's action."""
        async with harness.running():
            opened = await harness.open_form(await harness.command("memories", ""), "Edit")
            assert opened.value == "Likes tea"
            shown = await harness.submit(opened, "Likes cocoa")
        (event,) = harness.core.submits
        assert (event.action, event.text) == ("save:7", "Likes cocoa")
        assert event.person == harness.core.commands[0].person
        assert "Now it says Likes cocoa" in shown.text
        assert shown.private

    async def test_a_line_and_buttons_stand_below_an_answer(self, harness: Harness) -> None:
        """They are added to the answer once it is whole, and its text stays what it was."""
        harness.core.foot = FOOT
        async with harness.running():
            message = await harness.direct("I like tea")
            await answered(harness.core)
            below = harness.below(message)
        assert (below.lines, below.labels) == ([FOOT.line], [FOOT.buttons[0].label])

    async def test_a_button_below_an_answer_opens_a_view(self, harness: Harness) -> None:
        """Its action comes to the core, from whoever pressed it; the view is theirs alone."""
        harness.core.foot = FOOT
        async with harness.running():
            message = await harness.direct("I like tea")
            await answered(harness.core)
            shown = await harness.press_below(message, FOOT.buttons[0].label)
        (event,) = harness.core.presses
        assert (event.action, event.person) == (FOOT.buttons[0].action, harness.core.events[0].person)
        assert "Pressed look:1" in shown.text
        assert shown.private

    async def test_a_stop_lets_an_answer_finish(self, harness: Harness) -> None:
        """What is being answered when the bot is stopped is shown whole."""
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow(event: MessageEvent) -> AsyncIterator[str]:
            begun.set()
            await go_on.wait()
            yield "The whole answer."

        harness.core.speech = slow
        async with harness.running():
            message = await harness.direct("hi")
            await begun.wait()
            asyncio.get_running_loop().call_later(0.2, go_on.set)
        assert list(harness.answers(message).values()) == ["The whole answer."]


class PlatformContract:
    """What holds besides on a service with channels, others in them, and a connection that can be lost."""

    async def test_an_answer_names_its_messages(self, harness: PlatformHarness) -> None:
        """The core is told the ids of the messages that hold an answer."""
        async with harness.running():
            message = await harness.direct("hi")
            await answered(harness.core)
            assert harness.core.sent == [tuple(harness.answers(message))]

    async def test_a_mention_is_answered_and_talk_is_let_pass(self, harness: PlatformHarness) -> None:
        """In a channel the bot speaks when spoken to; the mention is no part of what was said."""
        async with harness.running() as adapter:
            await harness.talk("Lunch?")
            message = await harness.mention("hello")
            await answered(harness.core)
            assert list(harness.answers(message).values()) == ["You said: hello"]
            (event,) = harness.core.events
            renewed = await adapter.renewed(event)
        assert (event.id, event.text, event.place.audience) == (message, "hello", Audience.PUBLIC)
        assert event.place.workspace
        assert renewed.given is not None
        assert renewed.given.audience is Audience.PUBLIC

    async def test_what_speaks_to_the_bot_says_so(self, harness: PlatformHarness) -> None:
        """A direct message and a mention address it; without an allow-list nobody who writes them is a stranger."""
        async with harness.running():
            await harness.direct("hi")
            await harness.mention("hello")
            await answered(harness.core, 2)
        assert [(event.addressed, event.stranger) for event in harness.core.events] == [(True, False)] * 2

    async def test_a_reply_continues_the_conversation(self, harness: PlatformHarness) -> None:
        """To reply to the bot is to speak to it, and the core is told what the reply is to."""
        async with harness.running():
            first = await harness.mention("hello")
            await answered(harness.core)
            answer = tuple(harness.answers(first))
            second = await harness.reply(first, "and again")
            await answered(harness.core, 2)
            assert list(harness.answers(second).values()) == ["You said: and again"]
        assert harness.core.events[1].id == second
        assert harness.core.events[1].reply_to in (first, *answer)

    async def test_a_message_delivered_twice_is_answered_once(self, harness: PlatformHarness) -> None:
        """Both deliveries have one id, and what isn't admitted isn't answered."""
        async with harness.running():
            message = await harness.direct("one")
            await answered(harness.core)
            await harness.repeat(message)
            await harness.mention("two")
            await answered(harness.core, 2)
            assert list(harness.answers(message).values()) == ["You said: one"]
        assert [event.text for event in harness.core.events] == ["one", "two"]

    async def test_an_edit_is_told_with_its_new_text(self, harness: PlatformHarness) -> None:
        """The core is told what the message says now, under the id that it had."""
        async with harness.running():
            message = await harness.mention("I like tea")
            await answered(harness.core)
            await harness.edit(message, "I like cocoa")
            await until(lambda: harness.core.edited, "the edit")
        assert [(event.id, event.text) for event in harness.core.edited] == [(message, "I like cocoa")]
        assert len(harness.core.sent) == 1

    async def test_a_deletion_is_told(self, harness: PlatformHarness) -> None:
        """The core is told the id that the message had."""
        async with harness.running():
            message = await harness.direct("I like tea")
            await answered(harness.core)
            await harness.delete(message)
            await until(lambda: harness.core.deleted, "the deletion")
        assert harness.core.deleted == [message]
        assert harness.core.edited == []

    async def test_an_answer_that_broke_off_is_finished_in_place(self, harness: PlatformHarness) -> None:
        """What a process showed before it died counts as not shown; the next one goes on in the same messages."""

        async def broken(event: MessageEvent) -> AsyncIterator[str]:
            for count in range(1, 200):
                yield "word " * count
                await asyncio.sleep(0.05)
                if harness.answers(event.id):
                    raise ConnectionError

        harness.core.speech = broken
        async with harness.running():
            message = await harness.direct("hi")
            await until(lambda: harness.core.failures, "the crash")
        (begun,) = harness.answers(message)
        async with harness.running(contract_core()) as adapter:
            reply = adapter.reply_handle(harness.core.events[0])
            assert await reply.found() is None
            assert await reply.stream(text_snapshots("The whole answer.")) == (begun,)
        assert harness.answers(message) == {begun: "The whole answer."}

    async def test_a_long_answer_that_broke_off_is_finished_in_place(self, harness: PlatformHarness) -> None:
        """Of several messages, those that were shown are kept, and those that are missing come after them."""
        words = [f"word{number:04}" for number in range(1500)]
        harness.core.speech = breaking_off(harness, words)
        async with harness.running():
            message = await harness.direct("Tell me everything")
            await until(lambda: harness.core.failures, "the crash")
        begun = tuple(harness.answers(message))
        async with harness.running(contract_core()) as adapter:
            reply = adapter.reply_handle(harness.core.events[0])
            assert await reply.found() is None
            ids = await reply.stream(text_snapshots(" ".join(words)))
        assert len(ids) > len(begun) > 1
        assert ids[: len(begun)] == begun
        shown = harness.answers(message)
        assert tuple(shown) == ids
        assert "\n".join(shown.values()).split() == words

    async def test_a_withdrawn_answer_is_removed(self, harness: PlatformHarness) -> None:
        """All that an earlier process has shown, in as many messages as it took; and nothing else."""
        words = [f"word{number:04}" for number in range(1500)]
        harness.core.speech = breaking_off(harness, words)
        async with harness.running():
            other = await harness.mention("hi")
            message = await harness.direct("Tell me everything")
            await until(lambda: len(harness.core.failures) > 1, "two crashes", 30)
        assert len(harness.answers(message)) > 1
        kept = harness.answers(other)
        async with harness.running(contract_core()) as adapter:
            event = next(event for event in harness.core.events if event.id == message)
            harness.limit_deletions()
            await adapter.reply_handle(event).withdraw()
            assert harness.answers(message) == {}
            await adapter.reply_handle(event).withdraw()  # there is nothing any more
        assert harness.answers(other) == kept

    async def test_an_answer_that_is_whole_is_found(self, harness: PlatformHarness) -> None:
        """Where a process died after the last request, the next one finds the answer and shows nothing more."""
        async with harness.running():
            message = await harness.direct("hi")
            await answered(harness.core)
        async with harness.running(contract_core()) as adapter:
            assert await adapter.reply_handle(harness.core.events[0]).found() == ("You said: hi", harness.core.sent[0])
        assert list(harness.answers(message).values()) == ["You said: hi"]

    async def test_what_stands_below_an_answer_is_for_its_asker(self, harness: PlatformHarness) -> None:
        """In a channel everybody sees it; whoever else presses it is told, alone, that it isn't theirs."""
        harness.core.foot = FOOT
        async with harness.running():
            message = await harness.mention("I like tea")
            await answered(harness.core)
            before = harness.answers(message)
            shown = await harness.press_anothers(message, FOOT.buttons[0].label)
            assert shown.text == "That isn't yours to open: only whoever asked can."
            assert harness.core.presses == []
            own = await harness.press_below(message, FOOT.buttons[0].label)
            assert harness.answers(message) == before
        assert shown.private
        assert own.private
        assert "Pressed look:1" in own.text

    async def test_a_line_is_added_later_by_another_process(self, harness: PlatformHarness) -> None:
        """Once, below what is there already; the answer that is found is without any of it."""
        harness.core.foot = FOOT
        async with harness.running():
            message = await harness.mention("I like tea")
            await answered(harness.core)
        (event,), (ids,) = harness.core.events, harness.core.sent
        later = Foot("Memory updated", (Button("Show", "learned:1"),))
        async with harness.running(contract_core()) as adapter:
            for _ in range(2):
                await adapter.reply_handle(event).below(ids, later)
            await adapter.reply_handle(event).below(ids, FOOT)
            again = Foot(later.line, (Button("Show more", "learned:2"),))
            await adapter.reply_handle(event).below(ids, again)
            below = harness.below(message)
            assert below.lines == [FOOT.line, later.line]
            assert below.labels == [FOOT.buttons[0].label, "Show", "Show more"]
            assert await adapter.reply_handle(event).found() == ("You said: I like tea", ids)
            await harness.press_below(message, "Show")
            await adapter.reply_handle(event).withdraw()
            assert harness.answers(message) == {}
            await adapter.reply_handle(event).below(ids, later)  # the answer is gone
        assert harness.answers(message) == {}

    async def test_a_line_stands_below_the_last_message(self, harness: PlatformHarness) -> None:
        """Of an answer of several messages, and of one that grew."""
        words = [f"word{number:04}" for number in range(1500)]
        harness.core.foot = FOOT
        harness.core.speech = saying("word0000", " ".join(words))
        async with harness.running():
            message = await harness.mention("Tell me everything")
            await answered(harness.core)
            (ids,), below = harness.core.sent, harness.below(message)
        assert (below.labels, below.messages) == ([FOOT.buttons[0].label], [ids[-1]])
        async with harness.running(contract_core()) as adapter:
            found = await adapter.reply_handle(harness.core.events[0]).found()
        assert found is not None
        assert (found[0].split(), found[1]) == (words, ids)

    async def test_a_line_waits_for_a_rate_limit(self, harness: PlatformHarness) -> None:
        """It is added once the platform lets it."""
        async with harness.running() as adapter:
            message = await harness.mention("I like tea")
            await answered(harness.core)
            harness.limit_edits()
            await adapter.reply_handle(harness.core.events[0]).below(harness.core.sent[0], FOOT)
        assert harness.below(message).labels == [FOOT.buttons[0].label]

    async def test_an_answer_of_another_process_is_not_shown(self, harness: PlatformHarness) -> None:
        """Once a claim is lost, nothing of the answer is shown, and the core is told why."""

        async def late(event: MessageEvent) -> AsyncIterator[str]:
            harness.core.taken.add(event.id)
            yield "Too late."

        harness.core.speech = late
        async with harness.running():
            message = await harness.direct("hi")
            await until(lambda: harness.core.failures, "the lost claim")
            assert harness.answers(message) == {}
        assert [type(failure) for failure in harness.core.failures] == [ClaimLost]

    async def test_a_refusal_for_good_is_one(self, harness: PlatformHarness) -> None:
        """Where the platform refuses an answer in every form, the core hears so, once, and nothing of it is shown."""
        harness.refuse()
        async with harness.running():
            message = await harness.mention("hi")
            await until(lambda: harness.core.failures, "the refusal")
            assert not any("You said" in text for text in harness.answers(message).values())
        assert [type(failure) for failure in harness.core.failures] == [PlatformRefused]
