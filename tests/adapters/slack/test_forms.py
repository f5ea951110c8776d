"""Messages on Slack in every form: whoever addresses the bot is answered, or told what can't be read."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.common.unread import HELLO, NOTHING, unreadable
from tests.adapters.slack.core import ScriptedCore
from tests.fakes.slack import BOT, TEAM, FakeSlack
from tests.makers import names

ANN, BEN = "U0ANN", "U0BEN"
GENERAL, SECRET = "C0GENERAL", "G0SECRET0"
FILE = {"id": "F1", "name": "plan.pdf", "mode": "hosted", "filetype": "pdf"}
CLIP = {"id": "F2", "name": "audio_message.m4a", "mode": "hosted", "filetype": "m4a", "subtype": "slack_audio"}
SNIPPET = {"id": "F3", "name": "Untitled", "mode": "snippet", "filetype": "text", "lines": 2, "lines_more": 0}
SHARE = {
    "is_share": True,
    "is_msg_unfurl": True,
    "author_id": BEN,
    "author_name": "Ben",
    "channel_id": SECRET,
    "ts": "1.1",
    "text": "We leave &lt;at&gt; nine, <@U0BEN>",
    "fallback": "[May 3rd] Ben: We leave",
}


def rich(*elements: dict[str, Any]) -> list[dict[str, Any]]:
    """Blocks as Slack's own editor makes them."""
    section = {"type": "rich_text_section", "elements": list(elements)}
    return [{"type": "rich_text", "block_id": "b", "elements": [section]}]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack with two people."""
    async with FakeSlack() as slack:
        slack.add_user(ANN, "Ann")
        slack.add_user(BEN, "Ben")
        slack.add_channel("C0INC", "incidents")
        slack.usergroups["S0OPS"] = "ops"
        yield slack


@pytest.mark.usefixtures("bot")
class TestForms:
    """A direct message without text."""

    @pytest.mark.parametrize(
        ("extra", "text", "files", "notice"),
        [
            ({}, "", (), NOTHING),
            ({"files": [FILE], "subtype": "file_share"}, "", ("plan.pdf",), ""),
            ({"files": [CLIP], "subtype": "file_share"}, "", ("audio_message.m4a",), unreadable("voice messages")),
            ({"files": [SNIPPET | {"preview": "a < b\nc"}], "subtype": "file_share"}, "a < b\nc", (), ""),
            (
                {"files": [SNIPPET | {"preview": "a", "lines_more": 7}], "subtype": "file_share"},
                "a",
                ("Untitled",),
                "",
            ),
            (
                {
                    "blocks": rich(
                        {"type": "text", "text": "ask <@U0BEN> & "},
                        {"type": "user", "user_id": BEN},
                        {"type": "text", "text": " in "},
                        {"type": "channel", "channel_id": "C0INC"},
                        {"type": "emoji", "name": "wave"},
                        {"type": "link", "url": "https://x.y/a", "text": "there"},
                    )
                },
                "ask <@U0BEN> & @Ben in #incidents:wave:there (https://x.y/a)",
                (),
                "",
            ),
            (
                {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "one &amp; *two*"}}, {"type": "x"}]},
                "one & *two*",
                (),
                "",
            ),
        ],
        ids=["nothing", "file", "voice", "snippet", "long snippet", "rich text", "section"],
    )
    async def test_alone(
        self,
        slack: FakeSlack,
        core: ScriptedCore,
        extra: dict[str, Any],
        text: str,
        files: tuple[str, ...],
        notice: str,
    ) -> None:
        """What it shows is read or named; of what can't be read one sentence says so."""
        await slack.dm(ANN, "", **extra)
        await slack.answer(slack.dm_channel(ANN))
        (event,) = core.events
        assert (event.text, names(event), event.notice) == (text, files, notice)

    @pytest.mark.parametrize(
        "extra",
        [
            {"attachments": [{"is_share": True, "fields": [7]}]},
            {"attachments": [{"is_share": True, "message_blocks": ["x"]}], "blocks": "none"},
            {"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": ["x"]}]}]},
            {"blocks": [None, {"type": "table", "rows": [[{"type": "raw_text", "text": None}], 3]}]},
            {"edited": {"ts": "never"}},
            {"edited": ["x"]},
        ],
        ids=["fields", "message blocks", "elements", "table", "edited at no time", "edited somehow"],
    )
    async def test_what_is_not_as_documented(self, slack: FakeSlack, core: ScriptedCore, extra: dict[str, Any]) -> None:
        """Where a part can't be understood, the rest of the message is answered all the same."""
        await slack.dm(ANN, "hello", **extra)
        await slack.dm(ANN, "", **extra)
        await slack.wait(lambda: len(core.events) == 2)
        assert sorted(event.text for event in core.events) == ["", "hello"]

    async def test_me_message(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """What somebody says of themselves by /me is said as well."""
        await slack.dm(ANN, "waves", subtype="me_message")
        await slack.answer(slack.dm_channel(ANN))
        assert core.events[0].text == "waves"

    async def test_forwarded(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A forwarded message is read apart from the person's own words, with its author."""
        await slack.dm(ANN, "", attachments=[SHARE])
        await slack.wait(lambda: core.events)
        await slack.dm(ANN, "what does he mean?", attachments=[SHARE | {"text": "", "files": [FILE]}])
        await slack.wait(lambda: len(core.events) == 2)
        first, second = core.events
        assert (first.text, first.forwarded, first.notice) == ("", ("Ben: We leave <at> nine, @Ben",), "")
        assert (second.text, second.forwarded) == (
            "what does he mean?",
            ("Ben: [May 3rd] Ben: We leave\n(A file: plan.pdf)",),
        )

    async def test_a_links_preview_is_not_read(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """What Slack adds to a link is no part of the message, unless there is nothing else."""
        preview = {"title": "A page", "text": "says this", "from_url": "https://x.y"}
        await slack.dm(ANN, "<https://x.y>", attachments=[preview])
        await slack.wait(lambda: core.events)
        await slack.dm(ANN, "", attachments=[preview])
        await slack.wait(lambda: len(core.events) == 2)
        assert [event.forwarded for event in core.events] == [(), ("A page\nsays this",)]

    async def test_bare_mention(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A mention alone is told, once, how to talk to the bot."""
        ts = await slack.mention(GENERAL, ANN, "")
        await slack.answer(GENERAL, ts)
        await slack.acknowledged()
        assert [event.notice for event in core.events] == [HELLO]

    async def test_a_mention_in_blocks_alone(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A mention counts wherever it stands."""
        blocks = rich({"type": "user", "user_id": BOT}, {"type": "text", "text": " hello"})
        ts = await slack.say(GENERAL, ANN, "", blocks=blocks)
        assert await slack.answer(GENERAL, ts) == "You said: hello"

    async def test_a_follow_up_without_text_is_let_pass(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """In a thread, what holds nothing and addresses nobody is blank: the core lets it pass."""
        ts = await slack.mention(GENERAL, ANN, "hello")
        await slack.answer(GENERAL, ts)
        await slack.say(GENERAL, ANN, "", ts)
        await slack.wait(lambda: len(core.events) == 2)
        assert core.events[1].blank


@pytest.mark.usefixtures("bot")
class TestEdits:
    """A mention that was added by an edit."""

    async def test_it_is_answered_once(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """The message becomes one for the bot, and a later edit is an edit."""
        ts = await slack.say(GENERAL, ANN, "what's the capital of Peru?")
        await slack.edit(GENERAL, ts, text=f"<@{BOT}> what's the capital of Peru?")
        assert await slack.answer(GENERAL, ts) == "You said: what's the capital of Peru?"
        await slack.edit(GENERAL, ts, text=f"<@{BOT}> and of Chile?")
        await slack.wait(lambda: core.edited)
        await slack.acknowledged()
        assert ([event.text for event in core.events], len(slack.answers(GENERAL, ts))) == (
            ["what's the capital of Peru?"],
            1,
        )
        await slack.say(GENERAL, ANN, "go on", ts)
        assert await slack.answer(GENERAL, ts, lambda text: "go on" in text) == "You said: go on"

    async def test_a_command_is_run(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Where the edit makes it a command, that is run once."""
        ts = await slack.say(GENERAL, ANN, "memories")
        await slack.edit(GENERAL, ts, text=f"<@{BOT}> memories")
        await slack.whispered(ANN)
        await slack.acknowledged()
        assert [command.name for command in core.commands] == ["memories"]
        assert core.events == []


@pytest.mark.usefixtures("bot")
class TestNames:
    """What tokens stand for, as far as the writer may know it."""

    TEXT = (
        "in <#C0INC> <#G0SECRET0> <#C0GENERAL> <#G0SECRET0|> with <!subteam^S0OPS> "
        "on <!date^1764237600^{date}|Thursday>"
    )

    async def test_a_member(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Public channels and groups go by their names, a private channel does not; dates are in the writer's zone."""
        slack.zones[ANN] = {"tz": "Europe/Lisbon"}
        await slack.mention(GENERAL, ANN, self.TEXT)
        await slack.wait(lambda: core.events)
        read = "in #incidents #channel #general #channel with @ops on 2025-11-27 10:00+00:00 (Thursday)"
        assert core.events[0].text == read

    async def test_a_guest(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Who may not see all public channels is told the name of the one that they write in alone."""
        slack.guests.add(ANN)
        await slack.mention(GENERAL, ANN, self.TEXT)
        await slack.wait(lambda: core.events)
        assert core.events[0].text.startswith("in #channel #channel #channel #channel with @group on")

    async def test_the_place_itself(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Where somebody writes they see the name of, be it private."""
        await slack.mention(SECRET, ANN, "what is <#G0SECRET0> for, and <#C0INC>?")
        await slack.wait(lambda: core.events)
        assert core.events[0].text == "what is #secret for, and #incidents?"

    async def test_groups_are_not_known_without_the_scope(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """An app that was made from an older manifest may not ask for the groups: they have no name then."""
        slack.usergroups.clear()
        for _ in range(3):
            await slack.mention(GENERAL, ANN, "ask <!subteam^S0OPS>")
        await slack.wait(lambda: len(core.events) == 3)
        assert {event.text for event in core.events} == {"ask @group"}
        assert slack.counts["usergroups.list"] == 1


@pytest.mark.usefixtures("bot")
class TestThreads:
    """What a message in a thread is about."""

    async def test_it_names_the_message_above(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A thread in a direct message says which message it was opened under."""
        channel = slack.dm_channel(ANN)
        await slack.dm(ANN, "one")
        await slack.answer(channel)
        answer = slack.answers(channel)[0]["ts"]
        await slack.dm(ANN, "why?", thread_ts=answer)
        await slack.wait(lambda: len(core.events) == 2)
        assert [event.reply_to for event in core.events] == [None, f"slack:{TEAM}:{channel}:{answer}"]
