"""Slack: who is answered, where, and how often."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.model import Audience, Person
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault, would_ping
from tests.makers import names

ANN, BEN = "U0ANN", "U0BEN"
GENERAL, SECRET = "C0GENERAL", "G0SECRET0"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A Slack with two people."""
    async with FakeSlack() as slack:
        slack.add_user(ANN, "Ann")
        slack.add_user(BEN, "Ben")
        yield slack


@pytest.mark.usefixtures("bot")
class TestAnswers:
    """What is meant for the bot is answered once, where it was said."""

    async def test_dm(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A direct message is answered at its top level, and the core is told who, where and when."""
        ts = await slack.dm(ANN, "I like &lt;b&gt; &amp; tea")
        channel = slack.dm_channel(ANN)
        assert await slack.answer(channel) == "You said: I like &lt;b&gt; &amp; tea"
        (event,) = core.events
        assert event.id == f"slack:{TEAM}:{channel}:{ts}"
        assert event.person == Person("slack", TEAM, ANN)
        assert (event.text, event.name) == ("I like <b> & tea", "Ann")
        assert (event.place.audience, event.place.thread, event.place.workspace) == (Audience.PRIVATE, None, TEAM)
        assert event.at.timestamp() == pytest.approx(float(ts), abs=1e-3)
        assert event.link == f"https://fake.slack.com/archives/{channel}/p{ts.replace('.', '')}"

    async def test_dm_thread(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A thread in a direct message is a conversation of its own, answered in it."""
        root = await slack.dm(ANN, "one")
        await slack.dm(ANN, "two", thread_ts=root)
        assert await slack.answer(slack.dm_channel(ANN), root) == "You said: two"
        assert core.events[-1].place.thread == root

    async def test_mention_arrives_twice(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A mention is answered once, in its thread, though Slack delivers it twice: both copies have one id."""
        ts = await slack.mention(GENERAL, ANN, "hello")
        assert await slack.answer(GENERAL, ts) == "You said: hello"
        await slack.acknowledged()
        await slack.wait(lambda: len(core.copies) == 2)
        assert core.copies == [f"slack:{TEAM}:{GENERAL}:{ts}"] * 2
        assert len(slack.answers(GENERAL, ts)) == 1
        assert slack.answers(GENERAL) == []
        place = core.events[0].place
        assert (place.audience, place.thread, place.name) == (Audience.PUBLIC, ts, "#general")

    async def test_follow_up(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """In a thread where the bot answers, a message needs no mention; one to somebody else is let pass."""
        ts = await slack.mention(GENERAL, ANN, "hello")
        await slack.answer(GENERAL, ts)
        await slack.say(GENERAL, ANN, f"<@{BEN}> what do you think?", ts)
        await slack.say(GENERAL, ANN, "and now?", ts)
        assert await slack.answer(GENERAL, ts, lambda text: "now" in text) == "You said: and now?"
        assert [event.text for event in core.events] == ["hello", "and now?"]
        assert slack.counts["conversations.replies"] == 0

    async def test_it_keeps_quiet_among_people(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Once somebody else writes in the thread, mentions alone are for it; until they are silent after the next."""
        ts = await slack.mention(GENERAL, ANN, "hello")
        await slack.answer(GENERAL, ts)
        await slack.say(GENERAL, BEN, "let me think", ts)
        await slack.say(GENERAL, ANN, "take your time", ts)
        await slack.mention(GENERAL, BEN, "is that so?", ts)
        await slack.answer(GENERAL, ts, lambda text: "so?" in text)
        await slack.say(GENERAL, ANN, "I doubt it", ts)
        await slack.say(GENERAL, BEN, "I don't", ts)
        await slack.mention(GENERAL, BEN, "explain", ts)
        await slack.answer(GENERAL, ts, lambda text: "explain" in text)
        await slack.say(GENERAL, BEN, "and further?", ts)
        await slack.answer(GENERAL, ts, lambda text: "further" in text)
        assert [event.text for event in core.events] == ["hello", "is that so?", "explain", "and further?"]
        assert slack.counts["conversations.replies"] == 0

    async def test_not_for_the_bot(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Talk among people, other bots, edits, notices and the bot's own messages are acknowledged and let pass."""
        root = await slack.say(GENERAL, ANN, "lunch?")
        await slack.say(GENERAL, BEN, "yes", root)
        await slack.say(GENERAL, ANN, f"<@{BOT}> beep", bot_id="B0OTHER")
        await slack.say(GENERAL, ANN, f"<@{BOT}> joined", subtype="channel_join")
        await slack.say(GENERAL, ANN, f"<@{BOT}> hidden", hidden=True)
        await slack.dm(BOT, "to myself")
        await slack.event(
            {"type": "message", "subtype": "message_changed", "channel": slack.dm_channel(ANN), "ts": slack.next_ts()}
        )
        await slack.event({"type": "reaction_added", "user": ANN, "item": {}})
        await slack.event({"type": "message", "channel": GENERAL, "user": ANN})  # no ts
        await slack.dm(ANN, "last")
        await slack.answer(slack.dm_channel(ANN))
        await slack.acknowledged()
        assert [event.text for event in core.events] == ["last"]

    async def test_thread_of_others_is_asked_once(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Whether a thread is the bot's is asked of Slack once, not for each message in it."""
        root = await slack.say(GENERAL, ANN, "lunch?")
        for text in ("yes", "no", "maybe"):
            await slack.say(GENERAL, BEN, text, root)
        await slack.dm(ANN, "last")
        await slack.answer(slack.dm_channel(ANN))
        assert slack.counts["conversations.replies"] == 1
        assert [event.text for event in core.events] == ["last"]

    async def test_tokens(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Mentions, channels and links are read as people see them, and an escaped bracket stays one."""
        await slack.mention(
            GENERAL,
            ANN,
            f"ask <@{BEN}> in <#C1|random> <!here> <https://x.y/a|the page> <http://x.y|x.y> &lt;@U0ANN&gt; &amp;lt;",
        )
        await slack.wait(lambda: core.events)
        assert core.events[0].text == ("ask @Ben in #random @here the page (https://x.y/a) x.y <@U0ANN> &lt;")

    @pytest.mark.parametrize(
        ("text", "extra", "expected"),
        [
            ("", {}, ""),
            ("  \n\t ", {}, ""),
            ("x" * 40_000, {}, "x" * 40_000),
            ("a\x00b", {}, "ab"),
            ("a\ud800b", {}, "a?b"),
            ("\u202eabc\u200f", {}, "\u202eabc\u200f"),
            (f"<@{BOT}>", {}, ""),
            (f"<@{BOT}|memory>: hi <@{BOT}>", {}, "hi"),
            ("", {"files": [{"name": "plan.pdf"}, {"id": "F1"}], "subtype": "file_share"}, ""),
            ("<>", {}, "<>"),
            ("<@>", {}, "@"),
        ],
        ids=[
            "empty",
            "blank",
            "long",
            "null",
            "surrogate",
            "rtl",
            "mention",
            "mentions",
            "file",
            "empty token",
            "bare at",
        ],
    )
    async def test_odd_input(
        self, slack: FakeSlack, core: ScriptedCore, text: str, extra: dict[str, Any], expected: str
    ) -> None:
        """Whatever is written reaches the core as text that can be stored, and the next message is answered."""
        core.reply = lambda event: event.text or "nothing"
        await slack.dm(ANN, text, **extra)
        await slack.wait(lambda: core.events)
        assert core.events[0].text == expected
        if "files" in extra:
            assert names(core.events[0]) == ("plan.pdf", "file")
        await slack.dm(ANN, "next")
        assert await slack.answer(slack.dm_channel(ANN), until=lambda said: said == "next")
        assert core.failures == []

    async def test_no_ping(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Nothing that an answer says can ping, in text, in code or spelled as entities."""
        core.reply = lambda event: (
            "<!channel> <!here|x> <@U0BEN> <#C0GENERAL> @channel <!subteam^S1> &lt;!here&gt;\n`<!channel>` <https://e.x|bank>\n"
            "```\n<!everyone> <@U0BEN> #include <stdio.h>\n```"
        )
        ts = await slack.mention(GENERAL, ANN, "ping all")
        await slack.answer(GENERAL, ts)
        (message,) = slack.answers(GENERAL, ts)
        assert would_ping(message) == []
        block = message["blocks"][0]["text"]
        assert "<stdio.h>" in block
        assert "<https:" not in block
        call = next(args for method, args in slack.calls if method == "chat.postMessage")
        assert (call["link_names"], call["unfurl_links"], call["unfurl_media"]) == (False, False, False)

    async def test_names_never_delay(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A name that Slack is slow to tell is the user's id, and the answer goes out."""
        slack.fail("users.info", Fault(delay=30))
        await slack.dm(ANN, "hi")
        assert await slack.answer(slack.dm_channel(ANN))
        assert core.events[0].name == ANN


@pytest.mark.usefixtures("bot")
class TestPlaces:
    """Who can read a place is told as narrowly as it is."""

    async def test_team_of_the_body(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A channel's workspace is the body's; whoever writes is one person, whatever workspace they are named with."""
        await slack.say(GENERAL, ANN, f"<@{BOT}> one", body={"team_id": "T0OTHER"})
        await slack.say(GENERAL, ANN, f"<@{BOT}> two", user_team="T0THEIRS")
        await slack.say(GENERAL, ANN, f"<@{BOT}> three", body={"team_id": None})
        await slack.wait(lambda: len(core.events) == 3)
        seen = {event.text: event.place.workspace for event in core.events}
        assert seen == {"one": "T0OTHER", "two": TEAM, "three": TEAM}
        assert {event.person for event in core.events} == {Person("slack", TEAM, ANN)}

    @pytest.mark.parametrize(
        ("signs", "audience"),
        [
            ({}, Audience.PUBLIC),
            ({"is_private": True}, Audience.MEMBERS),
            ({"is_ext_shared": True}, Audience.MEMBERS),
            ({"is_org_shared": True}, Audience.MEMBERS),
            ({"is_pending_ext_shared": True}, Audience.MEMBERS),
            ({"is_mpim": True, "is_private": True}, Audience.MEMBERS),
        ],
    )
    async def test_audience(
        self, slack: FakeSlack, core: ScriptedCore, signs: dict[str, bool], audience: Audience
    ) -> None:
        """Only a channel that everybody in the workspace, and nobody else, can read is public."""
        slack.add_channel("C0NEW", "new", **signs)
        await slack.mention("C0NEW", ANN, "hi")
        await slack.wait(lambda: core.events)
        assert core.events[0].place.audience is audience

    async def test_unknown_is_the_narrowest(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A channel that Slack won't describe counts as closed."""
        slack.fail("conversations.info", Fault(error="missing_scope"))
        await slack.mention(GENERAL, ANN, "hi")
        await slack.wait(lambda: core.events)
        assert core.events[0].place.audience is Audience.MEMBERS

    async def test_asked_once(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Channels and people are asked about once, not for each message."""
        for number in range(5):
            await slack.mention(GENERAL, ANN, str(number))
        await slack.wait(lambda: len(core.events) == 5)
        assert slack.counts["conversations.info"] == 1
        assert slack.counts["users.info"] == 1


@pytest.mark.parametrize("between", [True, False])
async def test_after_a_restart_slack_shows_who_writes_in_a_thread(slack: FakeSlack, between: bool) -> None:
    """It is as quiet among people as before."""
    async with running(SlackAdapter(settings(slack), ScriptedCore())):
        ts = await slack.mention(GENERAL, ANN, "hello")
        await slack.answer(GENERAL, ts)
        if between:
            await slack.say(GENERAL, BEN, "hm", ts)
    again = ScriptedCore()
    async with running(SlackAdapter(settings(slack), again)):
        await slack.say(GENERAL, ANN, "still there?", ts)
        await slack.dm(ANN, "last")
        await slack.answer(slack.dm_channel(ANN))
        await slack.wait(lambda: len(again.events) == (1 if between else 2))
    assert sorted(event.text for event in again.events) == (["last"] if between else ["last", "still there?"])


async def test_follow_up_after_restart(slack: FakeSlack) -> None:
    """A thread that the bot answered in before its restart is still the bot's."""
    async with running(SlackAdapter(settings(slack), ScriptedCore())):
        ts = await slack.mention(GENERAL, ANN, "hello")
        await slack.answer(GENERAL, ts)
    again = ScriptedCore()
    async with running(SlackAdapter(settings(slack), again)):
        await slack.say(GENERAL, ANN, "still there?", ts)
        assert await slack.answer(GENERAL, ts, lambda text: "still" in text) == "You said: still there?"
    assert slack.counts["conversations.replies"] == 2  # whether the bot has written there, and who else
