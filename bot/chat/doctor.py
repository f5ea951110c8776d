"""The doctor's check of Claude, or of a compatible server."""

import json
from typing import Any

import aiohttp

from bot import settings_check
from bot.checks import Finding, Unreachable, ask, miscopied, secret, trouble
from bot.config import Settings

ANTHROPIC_API = "https://api.anthropic.com"

#: A question that gets an answer in JSON only from a model that follows the schema.
_GREETING = {
    "max_tokens": 200,
    "messages": [{"role": "user", "content": "Say hello in one word."}],
    "output_config": {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"greeting": {"type": "string"}},
                "required": ["greeting"],
                "additionalProperties": False,
            },
        }
    },
}


async def check(session: aiohttp.ClientSession, settings: Settings, *, needed: bool) -> list[Finding]:
    """Check the key and both models and, on a compatible server, whether its memory model follows a JSON schema.

    `needed`: a platform is on, whose answers come from Claude.
    """
    if settings.anthropic_api_key is None:
        if needed:
            return [Finding("ANTHROPIC_API_KEY", False, "missing; a platform's answers come from Claude")]
        return [Finding("ANTHROPIC_API_KEY", True, "not set, so the terminal chat runs in notebook mode")]
    if odd := miscopied(settings, "anthropic_api_key"):
        return odd
    headers = {"x-api-key": secret(settings.anthropic_api_key), "anthropic-version": "2023-06-01"}
    base = settings.anthropic_base_url or ANTHROPIC_API
    compatible = settings.anthropic_base_url is not None
    findings = []
    for name, model in (("BOT_MODEL", settings.bot_model), ("BOT_MEMORY_MODEL", settings.bot_memory_model)):
        try:
            reply = await ask(session, "GET", f"{base}/v1/models/{model}", headers)
        except Unreachable as exc:
            where = "ANTHROPIC_BASE_URL" if compatible else "Claude"
            return [Finding(where, False, f"{exc}; check the address, the network and any proxy")]
        if reply.status in (401, 403):
            text = f"refused (HTTP {reply.status}); make a new key at console.anthropic.com"
            return [Finding("ANTHROPIC_API_KEY", False, text)]
        error = reply.body.get("error")
        kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else ("", "")
        if reply.status == 200:
            findings.append(Finding(name, True, f"{model} is there"))
        elif settings_check.is_unknown_model(reply.status, kind, message, model, compatible=compatible):
            findings.append(Finding(name, False, f"the service knows no model {model}; correct its name"))
        elif reply.status in (404, 405, 501):
            findings.append(Finding(name, True, "the service answers, but has no list of models to check it in"))
        else:
            findings.append(Finding(name, False, f"the service {trouble(reply.status)}"))
    findings.insert(0, Finding("ANTHROPIC_API_KEY", True, "accepted"))
    embedded = settings.bot_memory and settings.mem0_api_key is None
    if compatible and embedded and all(finding.ok for finding in findings):
        findings += await _schemas(session, base, headers, settings.bot_memory_model)
    return findings


async def _schemas(session: aiohttp.ClientSession, base: str, headers: dict[str, str], model: str) -> list[Finding]:
    """Whether the memory model of a compatible server follows a JSON schema."""
    name = "BOT_MEMORY_MODEL's JSON"
    try:
        reply = await ask(session, "POST", f"{base}/v1/messages", headers, {"model": model, **_GREETING})
    except Unreachable as exc:
        return [Finding(name, True, f"can't be tried: {exc}", odd=True)]
    if reply.status in (400, 422):
        text = f"the service takes no schema (HTTP {reply.status}); facts are read from its text as well as can be"
    elif reply.status != 200:
        return [Finding(name, True, f"can't be tried: the service {trouble(reply.status)}", odd=True)]
    elif _keeps_schema(reply.body):
        return [Finding(name, True, "keeps to the schema")]
    else:
        text = f"{model} ignores schemas; facts are read from its text as well as can be"
    return [Finding(name, True, text, odd=True)]


def _keeps_schema(message: dict[str, Any]) -> bool:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    try:
        value = json.loads("".join(text for text in texts if isinstance(text, str)))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and isinstance(value.get("greeting"), str)
