"""Slack: who somebody is on Enterprise Grid and in shared channels, and who reads along there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.slack.adapter import SlackAdapter
from bot.events import MessageEvent
from bot.model import Audience, Person
from tests.adapters.slack.core import ScriptedCore, running, settings
from tests.fakes.slack import BOT, TEAM, FakeSlack, Fault

ANN, BEN = "U0ANN", "U0BEN"
GENERAL, SECRET, SHARED = "C0GENERAL", "G0SECRET0", "C0SHARED"
ORGANISATION, SISTER, THIRD = "E0FAKEORG", "T0SISTER1", "T0THIRD01"
ONE_PERSON = Person("slack", TEAM, ANN)


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """A workspace of an organisation with three, one channel of which is shared among them; Ann is of another one."""
    async with FakeSlack() as slack:
        slack.add_user(ANN, "Ann")
        slack.enterprise = ORGANISATION
        slack.teams[ANN] = SISTER
        slack.add_channel(SHARED, "shared", is_org_shared=True, shared_team_ids=[TEAM, SISTER, THIRD])
        yield slack


async def asked(slack: FakeSlack, core: ScriptedCore, channel: str = GENERAL, **body: Any) -> MessageEvent:
    """A mention in a channel, as the core is told of it."""
    count = len(core.events)
    await slack.mention(channel, ANN, "hello", body=body)
    await slack.wait(lambda: len(core.events) > count)
    return core.events[-1]


@pytest.mark.usefixtures("bot")
class TestOnePerson:
    """One human is one person, whatever payload names them."""

    @pytest.mark.parametrize("named", [TEAM, SISTER, THIRD, ORGANISATION])
    @pytest.mark.parametrize("sender", ["user_team", "source_team", "team"])
    async def test_messages(self, slack: FakeSlack, core: ScriptedCore, named: str, sender: str) -> None:
        """Messages, mentions and edits, by whatever workspace sender and delivery are called."""
        del slack.teams[ANN]
        ts = await slack.mention(SHARED, ANN, "hello", body={"team_id": named}, **{sender: SISTER})
        await slack.dm(ANN, "hi", **{sender: named})
        await slack.wait(lambda: len(core.events) == 2)
        await slack.edit(SHARED, ts, text=f"<@{BOT}> good day")
        await slack.wait(lambda: core.edited)
        assert {event.person for event in (*core.events, *core.edited)} == {ONE_PERSON}
        assert core.edited[0].id == core.events[0].id

    async def test_commands_clicks_and_forms(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A slash command, a command in words, a button, a form and the App Home are of the one who wrote."""
        await slack.open_home(ANN)
        home = await slack.home(ANN)
        listed = await slack.command(ANN, "memories", channel=SHARED)
        await slack.press(ANN, listed, "Forget", SHARED)
        await slack.press(ANN, {**home, "id": "V1"}, "Forget")
        form = await slack.open_form(ANN, listed_with_form(listed), "Edit", SHARED)
        await slack.submit(ANN, form, "Likes coffee")
        await slack.dm(ANN, "memories")
        await slack.wait(lambda: len(core.commands) >= 3 and core.submits)
        clicked = {event.person for event in (*core.presses, *core.opened)}
        assert {event.person for event in core.commands} == clicked == {ONE_PERSON}
        assert core.submits[0].person == ONE_PERSON
        assert len(core.presses) == 2

    async def test_a_form_that_names_no_workspace(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """An organisation's forms may come without a team: whoever fills one in is known all the same."""
        await slack.deliver("interactive", interaction(slack))
        await slack.wait(lambda: core.submits)
        assert core.submits[0].person == ONE_PERSON

    async def test_deleted_by_whoever(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A deletion finds the message though it is told with another workspace, and what an earlier version kept."""
        ts = await slack.mention(SHARED, ANN, "hello")
        await slack.wait(lambda: core.events)
        await slack.event(
            {
                "type": "message",
                "subtype": "message_deleted",
                "channel": SHARED,
                "deleted_ts": ts,
                "ts": slack.next_ts(),
            },
            team_id=THIRD,
        )
        await slack.wait(lambda: core.deleted)
        assert core.deleted == [core.events[0].id, f"slack:{THIRD}:{SHARED}:{ts}"]
        assert core.events[0].id == f"slack:{TEAM}:{SHARED}:{ts}"


async def test_what_is_caught_up_on_is_of_the_same_person(slack: FakeSlack, core: ScriptedCore) -> None:
    """What was missed, read from a history, is of the same person as what is delivered."""
    seen = slack.unheard(SHARED, ANN, "before")
    core.seen = [(f"slack:{SISTER}:{SHARED}:", f"slack:{SISTER}:{SHARED}:{seen}", datetime.now(UTC))]
    slack.unheard(SHARED, ANN, f"<@{BOT}> missed", user_team=THIRD, source_team=THIRD)
    async with running(SlackAdapter(settings(slack), core)):
        await slack.wait(lambda: core.events)
    assert [(event.text, event.person) for event in core.events] == [("missed", ONE_PERSON)]


@pytest.mark.usefixtures("bot")
class TestReaders:
    """Who reads along decides what may be recalled."""

    @pytest.mark.parametrize(
        "signs",
        [
            {"is_ext_shared": True},
            {"is_org_shared": True},
            {"is_shared": True},
            {"is_pending_ext_shared": True},
            {"pending_shared": ["T0NEXT"]},
            {"pending_connected_team_ids": ["E0NEXT"]},
            {"connected_team_ids": ["E0THEIRS"]},
            {"shared_team_ids": [TEAM, SISTER]},
            {"internal_team_ids": [TEAM, SISTER]},
            {"is_private": True, "is_ext_shared": True},
        ],
    )
    async def test_shared_beyond_the_workspace(
        self, slack: FakeSlack, core: ScriptedCore, signs: dict[str, Any]
    ) -> None:
        """Where people of another workspace read along, or are invited to, nothing of the workspace's is recalled."""
        slack.add_channel("C0NEW", "new", **signs)
        place = (await asked(slack, core, "C0NEW", team_id=SISTER)).place
        assert place.recallable == frozenset({f"members:slack:{TEAM}:C0NEW", "shared"})
        assert place.scope == f"members:slack:{TEAM}:C0NEW"

    async def test_told_by_the_event(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """An event that calls the channel shared is believed, whatever was heard of the channel before."""
        before = await asked(slack, core)
        after = await asked(slack, core, is_ext_shared_channel=True)
        assert (before.place.audience, before.place.external) == (Audience.PUBLIC, False)
        assert (after.place.audience, after.place.external) == (Audience.MEMBERS, True)

    async def test_of_one_workspace(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Channels that are one workspace's alone are as they were."""
        slack.add_channel("C0PLAIN", "plain", shared_team_ids=[TEAM], pending_shared=[])
        public = (await asked(slack, core, "C0PLAIN", team_id=TEAM)).place
        private = (await asked(slack, core, SECRET, team_id=TEAM)).place
        assert public.recallable == frozenset({f"public:slack:{TEAM}", "shared"})
        assert private.recallable == frozenset({f"public:slack:{TEAM}", f"members:slack:{TEAM}:{SECRET}", "shared"})

    async def test_of_a_sister_workspace(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """A channel of another workspace in the organisation is that workspace's: its members needn't be of ours."""
        place = (await asked(slack, core, team_id=SISTER)).place
        assert place.recallable == frozenset({f"public:slack:{SISTER}", "shared"})

    async def test_unknown(self, slack: FakeSlack, core: ScriptedCore) -> None:
        """Where Slack won't tell, others may read along."""
        slack.fail("conversations.info", Fault(error="missing_scope"))
        place = (await asked(slack, core)).place
        assert (place.audience, place.external) == (Audience.MEMBERS, True)

    @pytest.mark.parametrize(
        "told",
        [
            {"type": "channel_shared", "connected_team_id": "E0THEIRS", "channel": GENERAL},
            {"type": "shared_channel_invite_accepted", "channel": {"id": GENERAL, "is_private": False}},
            {"type": "message", "subtype": "channel_convert_to_private", "channel": GENERAL, "user": ANN, "text": ""},
        ],
    )
    async def test_told_that_it_changed(self, slack: FakeSlack, core: ScriptedCore, told: dict[str, Any]) -> None:
        """What was heard of a channel doesn't outlive the event that tells of a change."""
        assert (await asked(slack, core)).place.audience is Audience.PUBLIC
        slack.channels[GENERAL] |= {"is_ext_shared": True}
        await slack.event({**told, "ts": slack.next_ts(), "event_ts": slack.next_ts()})
        await slack.acknowledged()
        assert (await asked(slack, core)).place.external


async def test_asked_anew_where_the_answer_was_put_off(bot: SlackAdapter, slack: FakeSlack, core: ScriptedCore) -> None:
    """Who reads an answer that was put off is asked when it is given, and unknown readers are the most."""
    event = await asked(slack, core, team_id=TEAM)
    slack.channels[GENERAL] |= {"is_private": True}
    await wait_a_second()
    closed = await bot.renewed(event)
    assert closed.recallable == frozenset({f"public:slack:{TEAM}", "shared"})
    assert closed.scope == f"members:slack:{TEAM}:{GENERAL}"
    slack.channels[GENERAL] |= {"is_ext_shared": True}
    await wait_a_second()
    shared = await bot.renewed(event)
    assert (shared.recallable, shared.opened) == (frozenset({"shared"}), True)
    slack.fail("conversations.info", Fault(error="missing_scope"))
    await wait_a_second()
    assert (await bot.renewed(event)).recallable == frozenset({"shared"})


async def wait_a_second() -> None:
    """Longer than what was heard of a channel counts as heard now."""
    await asyncio.sleep(1.1)


def listed_with_form(listed: dict[str, Any]) -> dict[str, Any]:
    """The list with a button that opens a form."""
    button = {
        "type": "button",
        "action_id": "m:ask:0",
        "text": {"type": "plain_text", "text": "Edit"},
        "value": "edit:7",
    }
    return {**listed, "blocks": [{"type": "actions", "elements": [button]}]}


def interaction(slack: FakeSlack) -> dict[str, Any]:
    """A form as an organisation's app gets it, without a team."""
    view = {
        "type": "modal",
        "callback_id": "m:form",
        "team_id": None,
        "app_installed_team_id": ORGANISATION,
        "private_metadata": "",
        "state": {"values": {"text": {"text": {"type": "plain_text_input", "value": "Likes coffee"}}}},
    }
    return {
        "type": "view_submission",
        "team": None,
        "user": {"id": ANN, "username": "ann", "name": "ann", "team_id": ORGANISATION},
        "enterprise": {"id": ORGANISATION, "name": "Fake"},
        "is_enterprise_install": True,
        "trigger_id": slack.trigger(),
        "view": view,
        "response_urls": [],
    }
