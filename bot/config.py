"""Settings, read once from the environment and `.env`; secrets are masked in every printed form."""

from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot import zones
from bot.prices import Prices
from bot.prices import parse as parse_prices
from bot.usage import Limits


class SettingsError(Exception):
    """A setting is missing or wrong. The message is one line that names the variable, never its value."""


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must start with http:// or https://")
    return value.rstrip("/")


def _prices(value: str) -> str:
    parse_prices(value)
    return value


def _zone(value: str) -> str:
    if zones.named(value) is None:
        raise ValueError("must be the name of a time zone, such as Europe/Lisbon or America/New_York")
    return value


def _nanodollars(usd: float | None) -> int | None:
    return None if usd is None else round(usd * 1e9)


Url = Annotated[str, AfterValidator(_http_url)]


class Settings(BaseSettings):
    """Every setting. An empty variable counts as unset; variables are named after the fields, in upper case."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: Url | None = None
    bot_model: str = "claude-sonnet-5-5"
    bot_memory_model: str = "claude-haiku-5-5"

    discord_token: SecretStr | None = None
    discord_api_base: Url = "https://discord.com/api/v10"
    discord_shard_ids: str | None = None
    discord_shard_count: int | None = Field(default=None, ge=1)
    discord_requests_per_second: int = Field(default=50, ge=1)
    discord_guilds: str | None = None
    discord_message_content: bool = False

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_base: Url = "https://slack.com/api"
    slack_channels: str | None = None
    port: int = Field(default=3000, ge=1, le=65535)

    mem0_api_key: SecretStr | None = None
    mem0_host: Url = "https://api.mem0.ai"
    database_url: SecretStr | None = None

    bot_data_dir: Path = Path("data")
    bot_persona: Path | None = None
    bot_embedder: str = "wordllama"
    openai_api_key: SecretStr | None = None
    openai_base_url: Url | None = None
    ollama_host: str | None = None
    bot_memory: bool = True
    bot_memory_notice: Literal["line", "off"] = "line"
    bot_memory_tokens: int = Field(default=1000, ge=0, le=100_000)
    bot_people: str | None = None
    bot_timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    bot_messages_per_minute: int = Field(default=10, ge=0)
    bot_turns: int = Field(default=20, ge=0, le=1000)
    bot_turns_ttl_hours: float = Field(default=24, ge=0)
    bot_web_search: bool = False
    bot_context_messages: int = Field(default=20, ge=0, le=100)
    bot_catch_up_hours: float = Field(default=24, ge=0, le=24 * 14)
    bot_seen_days: float = Field(default=14, ge=1, le=366)
    bot_erase_grace_hours: float = Field(default=72, ge=0)
    bot_usage_days: float = Field(default=90, ge=1, le=3660)
    bot_budget_usd_per_day: float | None = Field(default=None, ge=0)
    bot_budget_usd_per_person_per_day: float | None = Field(default=None, ge=0)
    bot_budget_tokens_per_day: int | None = Field(default=None, ge=0)
    bot_budget_tokens_per_person_per_day: int | None = Field(default=None, ge=0)
    bot_prices: Annotated[str, AfterValidator(_prices)] | None = None
    bot_concurrent_answers: int = Field(default=64, ge=1, le=10_000)
    bot_log_level: str = "INFO"

    @property
    def limits(self) -> Limits:
        """What may be spent in a day."""
        return Limits(
            _nanodollars(self.bot_budget_usd_per_day),
            self.bot_budget_tokens_per_day,
            _nanodollars(self.bot_budget_usd_per_person_per_day),
            self.bot_budget_tokens_per_person_per_day,
        )

    @property
    def zone(self) -> tzinfo:
        """The time zone of people whose platform doesn't tell theirs."""
        return zones.named(self.bot_timezone) or UTC

    @property
    def prices(self) -> Prices:
        """The prices of the models that are known."""
        return Prices(parse_prices(self.bot_prices or ""))

    def persona(self) -> str | None:
        """The text of BOT_PERSONA's file; None for the built-in persona. Raises SettingsError."""
        if self.bot_persona is None:
            return None
        try:
            text = self.bot_persona.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"BOT_PERSONA: the file can't be read as UTF-8 text ({type(exc).__name__})") from exc
        if not text:
            raise SettingsError("BOT_PERSONA: the file is empty")
        return text


def load() -> Settings:
    """Read the settings. Raises SettingsError for the first that is wrong."""
    try:
        return Settings()
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f".env: the file can't be read as UTF-8 text ({type(exc).__name__})") from None
    except ValidationError as exc:
        first = exc.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        # A validator's message never includes the value: a secret pasted into the wrong variable isn't printed.
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None
