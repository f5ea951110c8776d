"""Answers from the web, on both platforms at the wire: what people see, and what is learned."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.claude import FakeClaude, Reply, default, is_extraction, last_text, new_messages
from tests.fakes.claude_web import Found, Look
from tests.makers import until
from tests.whole.test_files import ask, open_line, running

LAW = Found("https://example.test/law", "The new law")


@pytest.fixture(params=["discord", "slack"])
async def line(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    async with open_line(request.param) as opened:
        yield opened


async def test_sources_are_shown_and_nothing_of_the_web_is_learned(tmp_path: Path, line: Any) -> None:
    """A paused turn and its continuation are one answer; of it all, only the asker's own words are learned from."""
    turns = [Reply("Let me see.", looks=(Look("law", (LAW,)),), stop_reason="pause_turn")]
    turns.append(Reply("Quokkas are protected now."))

    def answer(request: dict[str, Any]) -> Reply | str:
        if is_extraction(request):
            return default(request)
        return turns.pop(0) if turns else "You are welcome."

    async with FakeClaude(answer) as claude, running(tmp_path, claude, line, BOT_WEB_SEARCH="true") as bot:
        line.ends = ")"
        shown = await ask(bot, line, "I look after quokkas. Is there a new law?", {})
        assert "Let me see.\n\nQuokkas are protected now." in shown
        assert "The new law" in shown
        assert LAW.url in shown
        await until(lambda: bool(claude.extractions), 40)
        ((_, said, answered),) = new_messages(last_text(claude.extractions[0]))
        assert (said, answered) == ("I look after quokkas. Is there a new law?", "")
        line.ends = "."
        await ask(bot, line, "Thank you.", {})
        assert "Quokkas are protected now." in str(claude.chats[-1]["messages"][1])
