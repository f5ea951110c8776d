"""What a start looks at before it says that it listens: key, models, tokens, the embedder, and misspelt names."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.claude import OVERLOADED, UNAUTHORIZED, FakeClaude, Reply
from tests.fakes.discord import FakeDiscord
from tests.whole.process import BotProcess

DISCORD = "A" * 26 + ".Gabcde." + "b" * 38
KEY = "sk-ant-canary"


@pytest.fixture
async def claude() -> AsyncIterator[FakeClaude]:
    async with FakeClaude(key=KEY) as server:
        yield server


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    async with FakeDiscord() as server:
        yield server


def terminal(claude: FakeClaude, **more: str) -> dict[str, str]:
    """The settings of a bot in the terminal."""
    return {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": claude.url, **more}


def env(claude: FakeClaude, discord: FakeDiscord, **more: str) -> dict[str, str]:
    """The settings of a bot on Discord."""
    return terminal(claude, DISCORD_TOKEN=discord.token, DISCORD_API_BASE=discord.url) | more


async def refused(folder: Path, settings: dict[str, str], arguments: tuple[str, ...] = ()) -> str:
    """Start what can't be started; the one line that it ends with, once all else that must hold was looked at."""
    bot = BotProcess(folder, settings, arguments)
    await bot.start()
    code = await bot.talk("Hello?\n", 40) if arguments else await bot.wait(40)
    assert code == 2, bot.log
    errors = [line for line in bot.log if line.startswith("error: ")]
    assert len(errors) == 1, bot.log
    assert not any("Traceback" in line for line in bot.log)
    assert "canary" not in "\n".join(bot.log)
    return errors[0]


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"ANTHROPIC_API_KEY": "sk-ant-canary-2"}, "ANTHROPIC_API_KEY"),
        ({"BOT_MODEL": "claude-none"}, "BOT_MODEL"),
        ({"BOT_MEMORY_MODEL": "claude-none"}, "BOT_MEMORY_MODEL"),
    ],
)
async def test_what_claude_refuses_ends_the_start(
    tmp_path: Path, claude: FakeClaude, discord: FakeDiscord, wrong: dict[str, str], name: str
) -> None:
    """A key or model that the service doesn't know is one line and exit code 2, on a platform and in the terminal."""
    assert (await refused(tmp_path, env(claude, discord, **wrong))).startswith(f"error: {name}: ")
    assert (await refused(tmp_path, terminal(claude, **wrong), ("chat",))).startswith(f"error: {name}: ")
    assert claude.calls == 0


@pytest.mark.parametrize(
    ("setting", "value", "names"),
    [
        ("SLACK_BOT_TOKEN", "xapp-1-canary", "SLACK_APP_TOKEN"),
        ("SLACK_BOT_TOKEN", "xoxp-canary", "xoxb-"),
        ("SLACK_BOT_TOKEN", DISCORD, "DISCORD_TOKEN"),
        ("SLACK_APP_TOKEN", "xoxb-canary", "SLACK_BOT_TOKEN"),
        ("SLACK_APP_TOKEN", "0123456789abcdef" * 2, "SLACK_SIGNING_SECRET"),
        ("SLACK_SIGNING_SECRET", "xoxb-canary", "SLACK_BOT_TOKEN"),
        ("DISCORD_TOKEN", "xoxb-canary", "SLACK_BOT_TOKEN"),
        ("DISCORD_TOKEN", "sk-ant-canary", "ANTHROPIC_API_KEY"),
        ("DISCORD_TOKEN", "123456789012345678", "application's id"),
        ("DISCORD_TOKEN", f"Bot {DISCORD}", "white space"),
        ("DISCORD_TOKEN", f'"{DISCORD}"', "quotation marks"),
        ("ANTHROPIC_API_KEY", "xoxb-canary", "SLACK_BOT_TOKEN"),
        ("ANTHROPIC_API_KEY", DISCORD, "DISCORD_TOKEN"),
        ("MEM0_API_KEY", "sk-ant-canary", "ANTHROPIC_API_KEY"),
    ],
)
async def test_a_swapped_token_is_named(
    tmp_path: Path, claude: FakeClaude, discord: FakeDiscord, setting: str, value: str, names: str
) -> None:
    """A secret in another one's variable is named with where it belongs, before anybody is shown it."""
    line = await refused(tmp_path, env(claude, discord, **{setting: value}))
    assert line.startswith(f"error: {setting}: ")
    assert names in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("embedder", "says"),
    [
        ("foo", "must be wordllama"),
        ("fastembed:", "must be wordllama"),
        ("fastembed:BAAI/bge-small-en-v1.5", "uv sync --extra fastembed"),
        ("ollama:nomic-embed-text", "uv sync --extra ollama"),
        ("openai:text-embedding-3-small", "OPENAI_API_KEY: missing"),
    ],
)
async def test_an_embedder_that_cant_be_used_ends_the_start(
    tmp_path: Path, claude: FakeClaude, discord: FakeDiscord, embedder: str, says: str
) -> None:
    """It is told before the bot goes online, with the command that installs what is missing."""
    assert says in await refused(tmp_path, env(claude, discord, BOT_EMBEDDER=embedder))
    assert not (tmp_path / "data").exists()


async def test_an_intent_that_discord_refuses(tmp_path: Path, claude: FakeClaude, discord: FakeDiscord) -> None:
    """Message content that isn't switched on in the developer portal ends the start with what to do."""
    line = await refused(tmp_path, env(claude, discord, DISCORD_MESSAGE_CONTENT="true"))
    assert line.startswith("error: DISCORD_MESSAGE_CONTENT: Discord refuses the message content intent; switch ")


async def test_misspelt_variables_are_named(tmp_path: Path, claude: FakeClaude, discord: FakeDiscord) -> None:
    """One line names what is set and not used, in the environment and in `.env`, and what may have been meant."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text("SLACK_TOKEN=canary\nexport BOT_PERSONNA=canary\nPATHS=x\n")
    odd = {"BOT_MODLE": "canary", "ANTROPIC_API_KEY": "canary", "DISCORD_COLOUR": "canary", "MEM0_DIR": str(tmp_path)}
    async with BotProcess(tmp_path, env(claude, discord, **odd, ANTHROPIC_LOG="info")) as bot:
        await bot.said("discord: listening")
    (line,) = [line for line in bot.log if "unknown settings" in line]
    assert "WARNING" in line
    assert line.endswith(
        ": BOT_MODLE (did you mean BOT_MODEL?), BOT_PERSONNA (did you mean BOT_PERSONA?), DISCORD_COLOUR, "
        "SLACK_TOKEN (did you mean SLACK_BOT_TOKEN?)"
    )
    assert "canary" not in "\n".join(bot.log)


@pytest.mark.parametrize("fault", ["gone", OVERLOADED, Reply("", status=404, error="")], ids=["gone", "529", "404"])
async def test_a_service_that_cant_be_asked_is_no_wrong_setting(
    tmp_path: Path, claude: FakeClaude, discord: FakeDiscord, fault: Reply | str
) -> None:
    """Out of reach, overloaded, or without a list of models: the bot starts, and answers once it can."""
    port = int(claude.url.rpartition(":")[2])
    if isinstance(fault, Reply):
        claude.script.extend([fault] * 2)
    else:
        await claude.stop()
    async with BotProcess(tmp_path, env(claude, discord)) as bot:
        await bot.said("memory is ready", 60)
        claude.script.clear()
        if not isinstance(fault, Reply):
            assert any("could not be reached" in line for line in bot.log)
            await claude.start(port)
        assert "Hello" in await discord.answer_to(await discord.dm("ann", "Hello"), within=60)


async def test_a_key_that_is_revoked_is_told(tmp_path: Path, claude: FakeClaude) -> None:
    """In the terminal the reason stands in the answer; the log has kind and status, and nothing that was said."""
    claude.handler = lambda request: UNAUTHORIZED
    bot = BotProcess(tmp_path, terminal(claude), ("chat",))
    await bot.start()
    assert await bot.talk("I love gooseberries.\n") == 0
    assert "Claude refuses ANTHROPIC_API_KEY (HTTP 401, authentication_error)." in "\n".join(bot.out)
    assert any("WARNING" in line and "HTTP 401, authentication_error" in line for line in bot.log)
    assert not any("gooseberries" in line for line in bot.log)
