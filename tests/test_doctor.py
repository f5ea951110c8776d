"""The doctor, against small services on loopback."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from adapters.slack.doctor import SCOPES as SLACK_SCOPES
from bot.app import PLATFORMS
from bot.checks import Finding
from bot.config import Settings
from bot.doctor import Counts, examine, run
from bot.usage import Usage, UsageRow
from tests.fakes.claude import FakeClaude

GOOD = "good-token"
BAD = "bad-canary-token"
SCOPES = ",".join(sorted(SLACK_SCOPES))


class Services:
    """Anthropic, Discord, Slack and mem0 on one loopback server, each taking the one good token."""

    def __init__(self) -> None:
        self.flags: int | None = 1 << 19
        self.scopes = SCOPES
        self.models: set[str] = {"claude-sonnet-5-5", "claude-haiku-5-5"}
        self.status = 200
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/anthropic/v1/models/{model}", self.model),
                web.get("/discord/users/@me", self.discord),
                web.get("/discord/applications/@me", self.discord),
                web.post("/slack/{method}", self.slack),
                web.get("/mem0/v1/ping/", self.ping),
            ]
        )
        return app

    async def model(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.Response(status=self.status, text="<html>")
        if request.headers.get("x-api-key") != GOOD or "anthropic-version" not in request.headers:
            return web.json_response({"type": "error", "error": {"type": "authentication_error"}}, status=401)
        model = request.match_info["model"]
        if model not in self.models:
            error = {"type": "not_found_error", "message": f"model: {model}"}
            return web.json_response({"type": "error", "error": error}, status=404)
        return web.json_response({"type": "model", "id": model})

    async def discord(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bot {GOOD}":
            return web.json_response({"message": "401: Unauthorized", "code": 0}, status=401)
        if not request.headers["User-Agent"].startswith("DiscordBot ("):
            return web.json_response({"message": "internal network error"}, status=403)
        if "applications" in request.path:
            return web.json_response({"id": "1", "flags": self.flags})
        return web.json_response({"id": "1", "username": "remem\x1b[31mbrall"})

    async def slack(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {GOOD}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if request.match_info["method"] == "apps.connections.open":
            return web.json_response({"ok": True, "url": "wss://example.org"})
        headers = {"x-oauth-scopes": self.scopes}
        return web.json_response({"ok": True, "user": "remembrall", "team": "Acme"}, headers=headers)

    async def ping(self, request: web.Request) -> web.Response:
        good = request.headers.get("Authorization") == f"Token {GOOD}"
        return web.json_response({"status": "ok"} if good else {"detail": "no"}, status=200 if good else 401)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    """The services, listening."""
    services = Services()
    runner = web.AppRunner(services.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    services.url = f"http://{host}:{port}"
    yield services
    await runner.cleanup()


def settings(services: Services, folder: Path, **changes: Any) -> Settings:
    """Settings for all services, with the good token, as `changes` say otherwise."""
    good = SecretStr(GOOD)
    values: dict[str, Any] = {
        "anthropic_api_key": good,
        "anthropic_base_url": f"{services.url}/anthropic",
        "discord_token": good,
        "discord_api_base": f"{services.url}/discord",
        "slack_bot_token": good,
        "slack_app_token": good,
        "slack_api_base": f"{services.url}/slack",
        "mem0_api_key": good,
        "mem0_host": f"{services.url}/mem0",
        "bot_data_dir": folder / "data",
    }
    return Settings.model_construct(**{**values, **changes})


async def check(settings: Settings) -> tuple[int, list[str]]:
    """The exit code and the lines that are printed."""
    out = io.StringIO()
    code = await run(settings, PLATFORMS, out=out)
    assert BAD not in out.getvalue()
    assert GOOD not in out.getvalue()
    return code, out.getvalue().splitlines()


async def test_all_well(services: Services, tmp_path: Path) -> None:
    """With every setting right, each line is ticked, says as whom it was let in, and the exit code is 0."""
    code, lines = await check(settings(services, tmp_path))
    assert code == 0
    assert all(line.startswith("✓ ") for line in lines)
    assert "✓ DISCORD_TOKEN: accepted, as remem[31mbrall" in lines
    assert "✓ SLACK_BOT_TOKEN: accepted, as remembrall in Acme" in lines
    assert "✓ BOT_MODEL: claude-sonnet-5-5 is there" in lines
    assert any(line.startswith("✓ Discord's message content intent: on, but not asked for") for line in lines)
    assert "✓ MEM0_API_KEY: accepted" in lines


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("anthropic_api_key", "✗ ANTHROPIC_API_KEY: refused (HTTP 401)"),
        ("discord_token", "✗ DISCORD_TOKEN: refused; reset it"),
        ("slack_bot_token", "✗ SLACK_BOT_TOKEN: refused (invalid_auth); install the app"),
        ("slack_app_token", "✗ SLACK_APP_TOKEN: refused (invalid_auth); make an app-level token"),
        ("mem0_api_key", "✗ MEM0_API_KEY: refused (HTTP 401)"),
    ],
)
@pytest.mark.parametrize("token", [BAD, f"{BAD}\nX-Other: 1"])
async def test_a_refused_token(services: Services, tmp_path: Path, name: str, says: str, token: str) -> None:
    """A token that its service refuses is one crossed line about it, with what to do; the others are still checked."""
    code, lines = await check(settings(services, tmp_path, **{name: SecretStr(token)}))
    crossed = [line for line in lines if line.startswith("✗")]
    assert code == 2
    assert len(crossed) == 1
    assert crossed[0].startswith(says if token == BAD else f"✗ {name.upper()}: holds white space")


async def test_services_that_are_not_there(services: Services, tmp_path: Path) -> None:
    """Addresses where nobody listens are named, each by its setting."""
    nobody = "http://127.0.0.1:1"
    code, lines = await check(
        settings(
            services,
            tmp_path,
            anthropic_base_url=nobody,
            discord_api_base=nobody,
            slack_api_base=nobody,
            mem0_host=nobody,
            database_url=SecretStr(f"postgres://ann:{BAD}@127.0.0.1:1/bot"),
        )
    )
    assert code == 2
    for name in ("ANTHROPIC_BASE_URL", "DISCORD_API_BASE", "SLACK_API_BASE", "MEM0_HOST", "DATABASE_URL"):
        assert any(line.startswith(f"✗ {name}: can't be reached (") for line in lines), name


@pytest.mark.parametrize("url", [BAD, f"mysql://{BAD}@h/x", "postgresql://[::1/x"])
async def test_a_malformed_database_url(services: Services, tmp_path: Path, url: str) -> None:
    """A DATABASE_URL that is none is told apart from a server that is away."""
    code, lines = await check(settings(services, tmp_path, database_url=SecretStr(url)))
    assert code == 2
    assert any(line.startswith("✗ DATABASE_URL: malformed; it reads postgresql://") for line in lines)


async def test_an_unknown_model(services: Services, tmp_path: Path) -> None:
    """A model that the service doesn't know is named with its setting."""
    _, lines = await check(settings(services, tmp_path, bot_memory_model="claude-9"))
    assert "✗ BOT_MEMORY_MODEL: the service knows no model claude-9; correct its name" in lines


@pytest.mark.parametrize(
    ("status", "mark", "says"), [(404, "✓", "has no list of models"), (529, "✗", "HTTP 529: try again later")]
)
async def test_a_service_without_models(services: Services, tmp_path: Path, status: int, mark: str, says: str) -> None:
    """A proxy without a list of models is let pass; a service in trouble is not."""
    services.status = status
    _, lines = await check(settings(services, tmp_path))
    assert any(line.startswith(f"{mark} BOT_MODEL: ") and says in line for line in lines)


async def test_missing_scopes(services: Services, tmp_path: Path) -> None:
    """Each of the manifest's scopes that Slack hasn't granted is named."""
    services.scopes = ", ".join(sorted(SLACK_SCOPES - {"users:read", "im:history", "metadata.message:read"}))
    code, lines = await check(settings(services, tmp_path))
    assert code == 2
    assert any(
        line.startswith("✗ Slack's scopes: lacks im:history, metadata.message:read, users:read;") for line in lines
    )


def test_the_scopes_are_the_manifests() -> None:
    """The doctor asks for what the manifest grants, no more and no less."""
    manifest = (Path(__file__).parent.parent / "slack-manifest.yaml").read_text(encoding="utf-8")
    granted = re.search(r"^    bot:\n((?:      - .*\n)+)", manifest, re.MULTILINE)
    assert granted is not None
    assert set(re.findall(r"- (\S+)", granted[1])) == SLACK_SCOPES


async def test_an_intent_that_nobody_asks_for(services: Services, tmp_path: Path) -> None:
    """The bot is at its best without the message content intent: the doctor never advises it."""
    services.flags = 0
    code, lines = await check(settings(services, tmp_path))
    assert code == 0
    assert not any("intent" in line for line in lines)


@pytest.mark.parametrize(
    ("flags", "exit_code", "says"),
    [
        (1 << 19, 0, "✓ DISCORD_MESSAGE_CONTENT: on, as in the developer portal"),
        (1 << 18, 0, "✓ DISCORD_MESSAGE_CONTENT: on, as in the developer portal"),
        (1 << 15, 2, "✗ DISCORD_MESSAGE_CONTENT: on, but not in the developer portal: "),
        (None, 0, "! DISCORD_MESSAGE_CONTENT: Discord doesn't say"),
    ],
)
async def test_an_intent_that_is_asked_for(
    services: Services, tmp_path: Path, flags: int | None, exit_code: int, says: str
) -> None:
    """The setting is compared with the portal's switch, for an approved app as for one in few servers."""
    services.flags = flags
    code, lines = await check(settings(services, tmp_path, discord_message_content=True))
    assert code == exit_code
    assert any(line.startswith(says) for line in lines)


async def test_the_data_folder_is_the_bots_alone(services: Services, tmp_path: Path) -> None:
    """A folder that the doctor makes is closed to others, as one that the bot makes is."""
    folder = tmp_path / "above" / "data"
    await check(settings(services, tmp_path, bot_data_dir=folder))
    assert [path.stat().st_mode & 0o777 for path in (folder, folder.parent)] == [0o700, 0o700]


async def test_nothing_set_is_the_terminals_notebook(services: Services, tmp_path: Path) -> None:
    """With no setting at all, all is well for the terminal chat, and the lines say so."""
    code, lines = await check(Settings.model_construct(bot_data_dir=tmp_path / "new" / "data"))
    assert code == 0
    assert any("notebook mode" in line for line in lines)
    assert "✓ platforms: none is set; `python -m bot chat` needs none" in lines
    assert "✓ BOT_DATA_DIR: can be written" in lines


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"anthropic_api_key": None}, "✗ ANTHROPIC_API_KEY: missing"),
        ({"slack_app_token": None}, "✗ SLACK_APP_TOKEN: missing"),
        ({"slack_bot_token": None}, "✗ SLACK_BOT_TOKEN: missing"),
        ({"bot_log_level": "LOUD"}, "✗ BOT_LOG_LEVEL: must be one of"),
        ({"discord_guilds": "12, home"}, "✗ DISCORD_GUILDS: must be server ids such as"),
        ({"slack_channels": "general"}, "✗ SLACK_CHANNELS: must be channel ids such as"),
        (
            {"bot_people": "discord:7 ann"},
            "✗ BOT_PEOPLE: must be accounts, each as discord:<id> or slack:<team>:",
        ),
        ({"bot_persona": Path("nowhere.txt")}, "✗ BOT_PERSONA: the file can't be read"),
        ({"bot_data_dir": Path("/dev/null/data")}, "✗ BOT_DATA_DIR: can't be written (Not a directory)"),
    ],
)
async def test_what_is_missing_or_wrong(services: Services, tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    """A missing half of a pair, a wrong level, file or folder: one crossed line that names it."""
    code, lines = await check(settings(services, tmp_path, **changes))
    assert code == 2
    assert sum(line.startswith(says) for line in lines) == 1


async def test_allow_lists_are_counted(services: Services, tmp_path: Path) -> None:
    """How many each lists is said; one that restricts nothing isn't mentioned."""
    lists = {"discord_guilds": "12, 13", "bot_people": "discord:7"}
    code, lines = await check(settings(services, tmp_path, **lists))
    assert code == 0
    assert "✓ DISCORD_GUILDS: 2 listed; nothing else is served" in lines
    assert "✓ BOT_PEOPLE: 1 listed; nothing else is served" in lines
    assert not any("SLACK_CHANNELS" in line for line in lines)


async def test_a_signing_secret_cant_be_tried(services: Services, tmp_path: Path) -> None:
    """Slack over HTTP: the secret is only shown right by Slack's own first request, and the line says so."""
    http = settings(services, tmp_path, slack_app_token=None, slack_signing_secret=SecretStr(GOOD))
    code, lines = await check(http)
    assert code == 0
    assert any(line.startswith("✓ SLACK_SIGNING_SECRET: set; Slack's first request") for line in lines)


async def test_exchanges_that_could_not_be_learned_are_counted(services: Services, tmp_path: Path) -> None:
    """What learning gave up on is reported as a number; a journal that fails doesn't take the other lines along."""

    async def none() -> Counts:
        return Counts(0, [])

    async def three() -> Counts:
        return Counts(3, [])

    async def broken() -> Counts:
        raise ConnectionError(BAD)

    given = Settings.model_construct(bot_data_dir=tmp_path)
    name = "exchanges that could not be learned"
    assert (await examine(given, PLATFORMS, none))[-1] == Finding(name, True, "none")
    assert (await examine(given, PLATFORMS, three))[-1] == Finding(
        name, False, "3; they are kept, and the log says why they failed: `python -m bot relearn` tries them again"
    )
    assert (await examine(given, PLATFORMS, broken))[-1] == Finding(name, False, "can't be counted (ConnectionError)")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "✓ {}: $1.23, 410,000 tokens; no overall limit is set (BOT_BUDGET_USD_PER_DAY)"),
        ({"bot_budget_usd_per_day": 5.0}, "✓ {}: $1.23 of $5.00, 410,000 tokens"),
        ({"bot_budget_tokens_per_day": 10**6}, "✓ {}: $1.23, 410,000 of 1,000,000 tokens"),
        (
            {"bot_budget_usd_per_person_per_day": 0.125, "bot_budget_tokens_per_person_per_day": 20_000},
            "✓ {}: $1.23, 410,000 tokens; no overall limit is set (BOT_BUDGET_USD_PER_DAY);"
            " limit for each person: $0.1250 and 20,000 tokens",
        ),
        ({"bot_budget_usd_per_day": 1.5}, "! {}: $1.23 of $1.50, 410,000 tokens; nearly used up"),
        (
            {"bot_budget_usd_per_day": 5.0, "bot_budget_tokens_per_day": 400_000},
            "! {}: $1.23 of $5.00, 410,000 of 400,000 tokens; used up: people are answered again after midnight UTC",
        ),
        (
            {"bot_budget_usd_per_day": 0.0},
            "! {}: $1.23 of $0.00, 410,000 tokens; used up: people are answered again after midnight UTC",
        ),
    ],
)
async def test_what_was_spent_today_beside_its_limits(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    """Today's dollars and tokens, and what they may be; a limit (nearly) used up is pointed out, and is no error."""

    async def count() -> Counts:
        return Counts(0, [UsageRow("2026-11-28", 40, 0, Usage(300_000, 80_000, 20_000, 10_000), 1_234_000_000)])

    given = Settings.model_construct(bot_data_dir=tmp_path, **changes)
    found = (await examine(given, PLATFORMS, count))[-2]
    assert (str(found), found.ok) == (says.format("spent today (UTC)"), True)


async def test_todays_dollars_leave_out_what_has_no_price(tmp_path: Path) -> None:
    """Otherwise a bot on a model without a price would seem to cost nothing; and less than a cent is shown as that."""

    async def count() -> Counts:
        return Counts(0, [UsageRow("2026-11-28", 40, 3, Usage(input=1000), 4_200_000)])

    given = Settings.model_construct(bot_data_dir=tmp_path, bot_budget_usd_per_day=5.0)
    assert (await examine(given, PLATFORMS, count))[-2].text == (
        "$0.0042 of $5.00, 1,000 tokens; 3 of 40 requests are not in the dollars (BOT_PRICES)"
    )


@pytest.mark.parametrize(
    ("answer", "unknown", "line"),
    [
        ('{"greeting": "Hello"}', set(), "✓ BOT_MEMORY_MODEL's JSON: keeps to the schema"),
        ("Hello!", set(), "! BOT_MEMORY_MODEL's JSON: claude-haiku-5-5 ignores schemas"),
        ('```json\n{"greeting": "Hello"}\n```', set(), "! BOT_MEMORY_MODEL's JSON: claude-haiku-5-5 ignores schemas"),
        ("[" * 100_000, set(), "! BOT_MEMORY_MODEL's JSON: claude-haiku-5-5 ignores schemas"),
        ("", {"output_config"}, "! BOT_MEMORY_MODEL's JSON: the service takes no schema (HTTP 400)"),
    ],
    ids=["keeps", "ignores", "wraps", "nests", "refuses"],
)
async def test_a_model_that_ignores_schemas(tmp_path: Path, answer: str, unknown: set[str], line: str) -> None:
    """A compatible server's memory model is tried: one that ignores the schema is told, and is no error."""
    async with FakeClaude(lambda request: answer, key=GOOD) as claude:
        claude.unknown = unknown
        values: dict[str, Any] = {"anthropic_api_key": SecretStr(GOOD), "anthropic_base_url": claude.url}
        code, lines = await check(Settings.model_construct(bot_data_dir=tmp_path / "data", **values))
    assert code == 0
    assert next(printed for printed in lines if "JSON" in printed).startswith(line)
    assert claude.calls == 1


async def test_a_token_in_the_wrong_place_is_shown_to_nobody(services: Services, tmp_path: Path) -> None:
    """A token that belongs elsewhere is named with its place, and isn't tried."""
    swapped = settings(services, tmp_path, slack_bot_token=SecretStr("xapp-1"), slack_app_token=SecretStr("xoxb-1"))
    code, lines = await check(swapped)
    assert code == 2
    assert (
        "✗ SLACK_BOT_TOKEN: this looks like a Slack app-level token (xapp-…); that belongs into SLACK_APP_TOKEN"
        in lines
    )
    assert "✗ SLACK_APP_TOKEN: this looks like a Slack bot token (xoxb-…); that belongs into SLACK_BOT_TOKEN" in lines


async def test_an_embedder_that_cant_be_used(services: Services, tmp_path: Path) -> None:
    """A BOT_EMBEDDER that is none, or whose package is missing, is a crossed line."""
    for embedder, says in (("foo", "must be wordllama"), ("fastembed:x", "uv sync --extra fastembed")):
        _, lines = await check(settings(services, tmp_path, mem0_api_key=None, bot_embedder=embedder))
        assert any(line.startswith("✗ BOT_EMBEDDER: ") and says in line for line in lines)


async def test_variables_that_are_no_settings(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt variable is named with what may have been meant, and is no error."""
    monkeypatch.setenv("SLACK_TOKEN", BAD)
    code, lines = await check(settings(services, tmp_path))
    assert code == 0
    assert any(line.startswith("! other variables: ") and "did you mean SLACK_BOT_TOKEN?" in line for line in lines)
