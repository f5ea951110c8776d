"""Commands, buttons and forms whose answer Discord refuses: shown in another form, or logged with id and reason."""

import pytest

from bot.events import CommandEvent, PressEvent, SubmitEvent
from bot.views import Button, File, Item, View
from tests.adapters.core import StubCore
from tests.adapters.discord.support import running
from tests.fakes.discord import FakeDiscord, Interaction, until

MEMORIES = View(
    "What I remember",
    (Item(1, "Likes tea", link="https://discord.com/channels/1/2/3"),),
    buttons=(Button("Forget", "forget"),),
    footer="Only you see this.",
)


def memories(event: CommandEvent | PressEvent | SubmitEvent) -> View:
    return MEMORIES


def said(asked: Interaction) -> list[str]:
    """What the caller is told beside the answer itself."""
    return [str(body.get("content") or "") for body in asked.followups]


@pytest.mark.parametrize("code", [10062, 40060])
async def test_what_cant_be_answered_any_more_is_logged(
    fake: FakeDiscord, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """An interaction that came too late, or that another process answers, is not run, and nothing more is tried."""
    fake.refuses["callback"] = (404 if code == 10062 else 400, code)
    core = StubCore(view=memories)
    async with running(fake, core):
        asked = await fake.slash("Ana", "memories")
        line = f"discord: interaction {asked.id} expired: HTTP"
        await until(lambda: any(line in record.getMessage() for record in caplog.records), "the line")
        assert core.commands == []
        assert sum("/callback" in path for _, path, _ in fake.requests) == 1
        assert not any(record.levelname == "ERROR" for record in caplog.records)


@pytest.mark.parametrize("code", [50027, 10015])
async def test_a_token_that_has_run_out_is_logged(
    fake: FakeDiscord, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """After a quarter of an hour nothing can be shown: the log names interaction and reason, and no more is sent."""
    fake.refuses |= {"edit original": (401 if code == 50027 else 404, code), "follow up": (404, code)}
    async with running(fake, StubCore(view=memories)):
        asked = await fake.slash("Ana", "memories")
        line = f"discord: interaction {asked.id} expired: HTTP"
        await until(lambda: any(line in record.getMessage() for record in caplog.records), "the line")
        assert sum("/webhooks/" in path for _, path, _ in fake.requests) == 1


@pytest.mark.parametrize("code", [50035, 240000, 999999])
async def test_a_view_that_is_refused_is_shown_as_text(fake: FakeDiscord, code: int) -> None:
    """The caller alone reads what it says, without buttons and links."""
    fake.refuses["edit original"] = (400, code)
    async with running(fake, StubCore(view=memories)):
        asked = await fake.slash("Ana", "memories")
        await until(lambda: asked.followups, "the text")
        assert "Likes tea" in said(asked)[0]
        assert "https://" not in said(asked)[0]
        assert asked.followups[0]["flags"] & 64


async def test_a_view_whose_message_was_dismissed_comes_again(fake: FakeDiscord) -> None:
    """Who has dismissed the message before its answer came gets the answer with its buttons."""
    fake.refuses["edit original"] = (404, 10008)
    async with running(fake, StubCore(view=memories)):
        asked = await fake.slash("Ana", "memories")
        await until(lambda: asked.followups, "the view")
        assert "Forget" in str(asked.followups[0]["components"])
        assert asked.followups[0]["flags"] & 64


async def test_a_view_that_is_refused_in_every_form_is_owned_up_to(fake: FakeDiscord) -> None:
    """Where AutoMod blocks its words too, one sentence says so."""
    fake.refuses["edit original"] = (400, 200000)
    fake.filters["Likes tea"] = (400, 200000)
    async with running(fake, StubCore(view=memories)):
        asked = await fake.slash("Ana", "memories")
        await until(lambda: asked.followups, "the sentence")
        assert said(asked) == ["This server's AutoMod blocked my answer."]


@pytest.mark.parametrize(("status", "code"), [(413, 40005), (400, 50045), (403, 50013)])
async def test_a_file_that_is_refused_is_said(fake: FakeDiscord, status: int, code: int) -> None:
    """Too large, or not allowed here: the view is shown, and one sentence says where the file may be had."""
    fake.refuses["file"] = (status, code)
    core = StubCore(view=lambda event: View("Your data", file=File("data.json", b"{}")))
    async with running(fake, core):
        asked = await fake.slash("Ana", "memories")
        await until(lambda: len(said(asked)) == 1, "the sentence")
        assert asked.content == "Your data"
        assert "ask me for it in a direct message" in said(asked)[0]
