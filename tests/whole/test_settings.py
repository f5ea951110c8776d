"""What a wrong or missing setting ends in: one line that names the variable, and exit code 2."""

from pathlib import Path

import pytest

from tests.whole.process import BotProcess

CLAUDE = {"ANTHROPIC_API_KEY": "sk-canary"}


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ("DISCORD_TOKEN", "SLACK_BOT_TOKEN")),
        ({"DISCORD_TOKEN": ""}, ("DISCORD_TOKEN", "SLACK_BOT_TOKEN")),
        ({"DISCORD_TOKEN": "canary"}, ("ANTHROPIC_API_KEY",)),
        ({**CLAUDE, "SLACK_BOT_TOKEN": "xoxb-canary"}, ("SLACK_APP_TOKEN",)),
        ({**CLAUDE, "SLACK_APP_TOKEN": "xapp-canary"}, ("SLACK_BOT_TOKEN",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_TURNS": "canary"}, ("BOT_TURNS",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_TIMEZONE": "Europe/Canary"}, ("BOT_TIMEZONE",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_PERSONA": "/nowhere/canary"}, ("BOT_PERSONA",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_DATA_DIR": "/dev/null/canary"}, ("BOT_DATA_DIR",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "DATABASE_URL": "canary"}, ("DATABASE_URL",)),
        ({**CLAUDE, "DISCORD_TOKEN": "c", "DATABASE_URL": "postgresql://u:canary@127.0.0.1:9/x"}, ("DATABASE_URL",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_EMBEDDER": "canary"}, ("BOT_EMBEDDER",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "DISCORD_GUILDS": "canary"}, ("DISCORD_GUILDS",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "SLACK_CHANNELS": "#canary"}, ("SLACK_CHANNELS",)),
        ({**CLAUDE, "DISCORD_TOKEN": "canary", "BOT_PEOPLE": "discord:canary"}, ("BOT_PEOPLE",)),
    ],
)
async def test_a_wrong_setting_ends_the_start(tmp_path: Path, settings: dict[str, str], names: tuple[str, ...]) -> None:
    """One line names the variable and never its value; no traceback; exit code 2."""
    nowhere = {"DISCORD_API_BASE": "http://127.0.0.1:9", "SLACK_API_BASE": "http://127.0.0.1:9"}
    bot = BotProcess(tmp_path, {**nowhere, **settings})
    await bot.start()
    assert await bot.wait() == 2
    assert bot.out == []
    errors = [line for line in bot.log if line.startswith("error: ")]
    assert len(errors) == 1
    assert all(name in errors[0] for name in names)
    assert "canary" not in "\n".join(bot.log)
