"""Checks of the settings that need no library: tokens in the wrong place, misspelt names, an unknown model."""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from bot.config import Settings, SettingsError

WORDLLAMA = "wordllama"
#: Embedders that an extra of the same name installs; each is a Python package.
EXTRAS = ("fastembed", "openai", "ollama")

_TOKENS = ("anthropic_api_key", "discord_token", "slack_bot_token", "slack_app_token", "slack_signing_secret")
_SECRETS = (*_TOKENS, "mem0_api_key", "openai_api_key")
#: The characters of a token, and of a variable's name.
_SIGNS = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Z0-9_]{1,80}")
#: What secrets look like, and the variables that take them.
_SHAPES = (
    (re.compile(r"xoxb-"), "a Slack bot token (xoxb-…)", ("slack_bot_token",)),
    (re.compile(r"xapp-"), "a Slack app-level token (xapp-…)", ("slack_app_token",)),
    (re.compile(r"xox[a-z]-|xoxe\."), "another kind of Slack token than the bot's (xoxb-…)", ()),
    (re.compile(r"sk-ant-"), "an Anthropic API key (sk-ant-…)", ("anthropic_api_key",)),
    (re.compile(r"sk-proj-"), "an OpenAI API key (sk-proj-…)", ("openai_api_key",)),
    (re.compile(r"m0-[A-Za-z0-9]{20,}\Z"), "a mem0 API key (m0-…)", ("mem0_api_key",)),
    (re.compile(r"[\w-]{23,30}\.[\w-]{6,7}\.[\w-]{25,50}\Z"), "a Discord bot token", ("discord_token",)),
    (re.compile(r"[0-9a-f]{32}\Z"), "a Slack signing secret", ("slack_signing_secret",)),
    (re.compile(r"[0-9a-f]{64}\Z"), "a Discord application's public key", ()),
    (re.compile(r"[0-9]{17,20}\Z"), "a Discord application's id", ()),
    (re.compile(r"[a-z][a-z0-9+]{0,30}://"), "an address", ()),
)
#: Other programs' and libraries' variables that resemble ours.
_OTHERS = frozenset(
    {
        *("MEM0_TELEMETRY", "MEM0_TELEMETRY_SAMPLE_RATE", "MEM0_DIR", "MEM0_CLIENT_STACK", "MEM0_APPLICATION"),
        *("MEM0_SOURCE", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_LOG", "ANTHROPIC_MODEL", "ANTHROPIC_PROFILE"),
        *("ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_WORKSPACE_ID", "OPENAI_API_BASE", "OPENAI_ORG_ID"),
        *("OPENAI_PROJECT_ID", "OPENAI_LOG", "OLLAMA_MODELS"),
    }
)
#: Prefixes that can only be meant for this bot.
_OURS = ("BOT_", "DISCORD_", "SLACK_", "MEM0_")
#: How similar a name must be to one of ours: with such a prefix, with the SDK's, and with any other.
_ALIKE_OURS, _ALIKE_SDK, _ALIKE = 0.75, 0.8, 0.87
#: Other programs' names for the same setting.
_ALIASES = {"CLAUDE_API_KEY": "ANTHROPIC_API_KEY"}
#: Shorter names resemble too many others.
_MIN_LENGTH = 8


def require_tokens(settings: Settings) -> None:
    """Raise SettingsError, with one line, for the first secret that can't belong in its variable."""
    for name in _SECRETS:
        value: SecretStr | None = getattr(settings, name)
        if value is not None and (wrong := problem(name, value.get_secret_value())):
            raise SettingsError(f"{name.upper()}: {wrong}")


def problem(name: str, value: str) -> str:
    """Why a secret can't belong in its variable; empty if it can."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return "is in quotation marks; leave them out"
    if not _SIGNS.fullmatch(value):
        return "holds white space or signs that no token has; copy it again"
    for shape, what, variables in _SHAPES:
        if shape.match(value):
            if name in variables:
                return ""
            where = f"; that belongs into {variables[0].upper()}" if variables else ""
            return f"this looks like {what}{where}"
    return ""


def require_embedder(settings: Settings) -> None:
    """Raise SettingsError, with one line, if BOT_EMBEDDER can't be used. Imports nothing."""
    if settings.bot_memory and settings.mem0_api_key is None:
        embedder_named(settings.bot_embedder)
        if settings.bot_embedder.startswith("openai:") and settings.openai_api_key is None:
            raise SettingsError("OPENAI_API_KEY: missing (BOT_EMBEDDER is openai:…, which needs it)")


def require_prices(settings: Settings) -> None:
    """Raise SettingsError, with one line, if a budget in dollars can't bound a model because it has no price."""
    budgets = {
        "BOT_BUDGET_USD_PER_DAY": (settings.bot_budget_usd_per_day, settings.bot_budget_tokens_per_day),
        "BOT_BUDGET_USD_PER_PERSON_PER_DAY": (
            settings.bot_budget_usd_per_person_per_day,
            settings.bot_budget_tokens_per_person_per_day,
        ),
    }
    if settings.anthropic_api_key is None or not (missing := unpriced(settings)):
        return
    for name, (usd, tokens) in budgets.items():
        if usd is not None and tokens is None:
            instead = name.replace("_USD_", "_TOKENS_")
            raise SettingsError(f"{name}: no price is known for {' and '.join(missing)}; set BOT_PRICES or {instead}")


def unpriced(settings: Settings) -> list[str]:
    """The models in use whose price isn't known."""
    learns = settings.bot_memory and settings.mem0_api_key is None
    models = dict.fromkeys([settings.bot_model, *([settings.bot_memory_model] if learns else [])])
    return [model for model in models if settings.prices.of(model) is None]


def embedder_named(spec: str) -> tuple[str, str]:
    """BOT_EMBEDDER as (provider, model), with no model for the bundled one; raises SettingsError with one line."""
    if spec == WORDLLAMA:
        return spec, ""
    provider, _, model = spec.partition(":")
    if provider not in EXTRAS or not model.strip():
        kinds = ", ".join(f"{name}:<model>" for name in EXTRAS[:-1])
        raise SettingsError(f"BOT_EMBEDDER: must be {WORDLLAMA}, {kinds} or {EXTRAS[-1]}:<model>, with a model's name")
    if importlib.util.find_spec(provider) is None:
        raise SettingsError(
            f"BOT_EMBEDDER: the Python package {provider} is not installed; run: uv sync --extra {provider}"
        )
    return provider, model


def unknown(variables: Iterable[str]) -> list[str]:
    """The names that aren't settings but seem to be meant for one, each with the closest setting."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name.upper() for name in variables}
    misspelt = []
    for name in sorted(given - known - _OTHERS):
        if not _NAME.fullmatch(name):
            continue
        ours = name.startswith(_OURS)
        # Without our prefix, a setting that is also given can't be the one that was meant.
        meant = _nearest(name, known if ours else known - given, ours=ours)
        if meant:
            misspelt.append(f"{name} (did you mean {meant}?)")
        elif ours:
            misspelt.append(name)
    return misspelt


def _nearest(name: str, settings: Set[str], *, ours: bool) -> str:
    """The setting that this name resembles most; empty if it resembles none."""
    if _ALIASES.get(name) in settings:
        return _ALIASES[name]
    if len(name) < _MIN_LENGTH and not ours:
        return ""
    alike = _ALIKE_OURS if ours else _ALIKE_SDK if name.startswith("ANTHROPIC_") else _ALIKE
    return next(iter(difflib.get_close_matches(name, sorted(settings), 1, alike)), "")


def named(environment: Mapping[str, str] | None = None, file: Path = Path(".env")) -> list[str]:
    """The names of all variables set in the environment or in `.env`; an empty one counts as unset."""
    found = {name for name, value in (os.environ if environment is None else environment).items() if value}
    if file.is_file():
        found |= {name for name, value in dotenv_values(file, encoding="utf-8").items() if value}
    return sorted(found)


def is_unknown_model(status: int, kind: object, message: object, model: str, *, compatible: bool) -> bool:
    """Whether a response to a request about a model says that there is no such model.

    A compatible server may lack the path altogether, which says nothing about the model.
    """
    if status != 404 or not compatible:
        return status == 404
    words = str(message).lower()
    return kind == "not_found_error" and model.lower() in words and "/models" not in words
