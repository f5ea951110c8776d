"""The settings: one line for whatever is wrong, and no secret in it."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import settings_check
from bot.app import PLATFORMS
from bot.config import Settings, SettingsError, load
from bot.core.platforms import require_platforms

ROOT = Path(__file__).parent.parent
SECRET = "sk-canary-0123456789"
CLAUDE = {"ANTHROPIC_API_KEY": SECRET}


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No setting in the environment, and a working folder without a `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def start(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> Settings:
    """The settings of `python -m bot` with these variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = load()
    require_platforms(settings, PLATFORMS)
    settings.persona()
    return settings


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({}, ["DISCORD_TOKEN", "SLACK_BOT_TOKEN"]),
        (CLAUDE, ["DISCORD_TOKEN", "SLACK_BOT_TOKEN"]),
        ({"DISCORD_TOKEN": SECRET}, ["ANTHROPIC_API_KEY"]),
        ({"SLACK_BOT_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET}, ["ANTHROPIC_API_KEY"]),
        ({**CLAUDE, "SLACK_BOT_TOKEN": SECRET}, ["SLACK_APP_TOKEN"]),
        ({**CLAUDE, "SLACK_APP_TOKEN": SECRET}, ["SLACK_BOT_TOKEN"]),
        ({**CLAUDE, "SLACK_SIGNING_SECRET": SECRET}, ["SLACK_BOT_TOKEN"]),
        ({**CLAUDE, "DISCORD_TOKEN": SECRET, "SLACK_APP_TOKEN": SECRET}, ["SLACK_BOT_TOKEN"]),
        ({**CLAUDE, "DISCORD_TOKEN": "", "SLACK_BOT_TOKEN": ""}, ["DISCORD_TOKEN", "SLACK_BOT_TOKEN"]),
    ],
)
def test_a_missing_setting_is_one_line(empty: pytest.MonkeyPatch, variables: dict[str, str], names: list[str]) -> None:
    """What is missing for a platform is said in one line that names the variable."""
    with pytest.raises(SettingsError) as raised:
        start(empty, variables)
    message = str(raised.value)
    assert "\n" not in message
    assert all(name in message for name in names)
    assert SECRET not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_BASE_URL", SECRET),
        ("DISCORD_API_BASE", f"ftp://{SECRET}"),
        ("SLACK_API_BASE", SECRET),
        ("MEM0_HOST", SECRET),
        ("PORT", SECRET),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("BOT_MEMORY", SECRET),
        ("BOT_MEMORY_TOKENS", "-1"),
        ("BOT_MEMORY_TOKENS", SECRET),
        ("BOT_MESSAGES_PER_MINUTE", "-1"),
        ("BOT_TIMEZONE", SECRET),
        ("BOT_TIMEZONE", "Europe"),
        ("BOT_TIMEZONE", "/etc/localtime"),
        ("BOT_TIMEZONE", "UTC+2"),
        ("BOT_TURNS", "1.5"),
        ("BOT_TURNS_TTL_HOURS", "soon"),
        ("BOT_PERSONA", f"{SECRET}.txt"),
    ],
)
def test_a_wrong_setting_is_one_line(empty: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value that can't be is answered by one line that begins with the variable and doesn't repeat the value."""
    with pytest.raises(SettingsError) as raised:
        start(empty, {**CLAUDE, "DISCORD_TOKEN": "t", name: value})
    message = str(raised.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    assert SECRET not in message


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_persona_that_is_no_text_is_refused(empty: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    """An empty persona file, or one that is not UTF-8, ends the start in one line."""
    (tmp_path / "persona.txt").write_bytes(content)
    with pytest.raises(SettingsError, match=r"\ABOT_PERSONA: .*\Z"):
        start(empty, {**CLAUDE, "DISCORD_TOKEN": "t", "BOT_PERSONA": "persona.txt"})


@pytest.mark.parametrize(
    "variables",
    [
        {"DISCORD_TOKEN": "t"},
        {"SLACK_BOT_TOKEN": "t", "SLACK_APP_TOKEN": "t"},
        {"SLACK_BOT_TOKEN": "t", "SLACK_SIGNING_SECRET": "t"},
    ],
)
def test_a_platform_needs_no_more_than_its_tokens_and_claudes_key(
    empty: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Each way of running a platform starts with its own settings and Claude's key alone."""
    assert start(empty, {**CLAUDE, **variables}).anthropic_api_key is not None


def test_an_empty_variable_is_unset(empty: pytest.MonkeyPatch) -> None:
    """Every variable may be empty, as in a copied `.env.example`, and counts as unset."""
    for name in Settings.model_fields:
        empty.setenv(name.upper(), "")
    assert load() == Settings.model_construct()


def test_the_env_file_is_read_and_the_environment_wins(empty: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings come from `.env` in the working folder; what the environment says goes before it."""
    (tmp_path / ".env").write_text("BOT_MODEL=from-file\nBOT_TURNS=7\nUNKNOWN=1\nDISCORD_TOKEN=\n", encoding="utf-8")
    empty.setenv("BOT_MODEL", "from-environment")
    settings = load()
    assert (settings.bot_model, settings.bot_turns, settings.discord_token is not None) == (
        "from-environment",
        7,
        False,
    )


def test_an_env_file_that_is_no_text_is_one_line(empty: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `.env` in another encoding ends the start in one line."""
    (tmp_path / ".env").write_bytes(b"BOT_MODEL=caf\xe9\n")
    with pytest.raises(SettingsError, match=r"\A\.env: .*\Z"):
        load()


def test_secrets_are_masked_in_every_printed_form(empty: pytest.MonkeyPatch) -> None:
    """No printed or dumped form of the settings holds a key, a token, or the database's password."""
    secrets = [name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert {"anthropic_api_key", "discord_token", "slack_bot_token", "mem0_api_key", "database_url"} <= set(secrets)
    for name in secrets:
        empty.setenv(name.upper(), SECRET)
    settings = load()
    for printed in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in printed


def test_the_example_names_every_setting_with_a_line_about_it() -> None:
    """`.env.example` has each setting, commented out or empty, under a line that says what it does."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    named: dict[str, str] = {}
    for before, line in zip(["", *lines], lines, strict=False):
        name, equals, _ = line.removeprefix("#").partition("=")
        if equals and name.isupper():
            named[name] = before
    assert set(named) == {name.upper() for name in Settings.model_fields}
    assert all(before.startswith("# ") and len(before) > 12 for before in named.values())


def test_the_document_lists_every_setting_with_its_default() -> None:
    """The tables of docs/configuration.md have each setting once, with its default and a meaning."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| `")]
    documented = {cells[0].strip("`").lower(): cells[1:] for cells in rows if len(cells) == 3}
    assert len(documented) == sum(len(cells) == 3 for cells in rows)
    assert set(documented) == set(Settings.model_fields)
    for name, (default, meaning) in documented.items():
        value = Settings.model_fields[name].default
        shown = str(value).lower() if isinstance(value, bool) else value
        assert default == ("" if value is None else f"`{shown}`"), name
        assert len(meaning) > 12, name


@pytest.mark.parametrize(
    "prices", ["my-model", "my-model=1", "=1/2", "my-model=1/2 other=1/2", "my-model=a/b", "a=nan/1", "a=-1/2"]
)
def test_malformed_prices_are_one_line(monkeypatch: pytest.MonkeyPatch, prices: str) -> None:
    """The line names the variable and the form that it takes."""
    monkeypatch.setenv("BOT_PRICES", prices)
    with pytest.raises(SettingsError, match=r"^BOT_PRICES: must be model=input/output"):
        load()


def test_a_budget_in_dollars_needs_prices() -> None:
    """A budget that can't bound a model ends the start, and names what would mend it; one in tokens needs none."""
    priced = {"anthropic_api_key": SecretStr("k"), "bot_budget_usd_per_day": 5}

    def settings(**given: object) -> Settings:
        return Settings(_env_file=None, **given)  # type: ignore[call-arg,arg-type]

    settings_check.require_prices(settings(**priced))
    unpriced = {**priced, "bot_model": "my-model"}
    with pytest.raises(
        SettingsError, match=r"^BOT_BUDGET_USD_PER_DAY: no price .* my-model; set BOT_PRICES or BOT_BUD"
    ):
        settings_check.require_prices(settings(**unpriced))
    settings_check.require_prices(settings(**unpriced, bot_budget_tokens_per_day=1000))
    settings_check.require_prices(settings(**unpriced, bot_prices="my-model=0.2/0.8"))
    settings_check.require_prices(settings(bot_model="my-model", bot_budget_usd_per_day=5))
