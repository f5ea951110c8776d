"""`python -m bot doctor`: tries each setting against its service, and says in one line what to do.

Each part brings its own check. Requests only ask "who am I?", except that a compatible server's memory model is asked
for one word by schema. No line holds a secret's value.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TextIO

import aiohttp

from bot import settings_check
from bot.chat import doctor as chat
from bot.checks import Finding, miscopied
from bot.config import Settings, SettingsError
from bot.core.served import listed_people
from bot.core.usage_report import money, total_of
from bot.logs import LEVELS
from bot.memory.hosted import doctor as hosted
from bot.network import Connector
from bot.ports import Platform
from bot.storage.doctor import check_database, check_folder
from bot.usage import NEARLY, Spent, UsageRow

#: Seconds that one service may take to answer.
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Counts:
    """The journal's figures: exchanges that learning gave up on, and what was used today (UTC)."""

    unlearned: int
    today: Sequence[UsageRow]


def _local(settings: Settings, platforms: Sequence[Platform]) -> list[Finding]:
    """Findings that need no service."""
    findings = []
    for platform in platforms:
        try:
            platform.require(settings)
        except SettingsError as exc:
            findings.append(_wrong(exc))
    if not any(platform.is_wanted(settings) for platform in platforms):
        findings.append(Finding("platforms", True, "none is set; `python -m bot chat` needs none"))
    if settings.bot_log_level.strip().upper() not in LEVELS:
        findings.append(Finding("BOT_LOG_LEVEL", False, f"must be one of {', '.join(LEVELS)}"))
    if settings.bot_persona is not None:
        try:
            settings.persona()
            findings.append(Finding("BOT_PERSONA", True, "can be read"))
        except SettingsError as exc:
            findings.append(_wrong(exc))
    findings += _embedder(settings)
    findings += _served(settings, platforms)
    findings += _prices(settings)
    if unknown := settings_check.unknown(settings_check.named()):
        text = f"these are no settings, and are not used: {', '.join(unknown)}"
        findings.append(Finding("other variables", True, text, odd=True))
    findings.append(check_folder(settings))
    return findings


def _wrong(exc: SettingsError) -> Finding:
    """A setting that would end the start: its name, and what is wrong with it."""
    name, _, text = str(exc).partition(": ")
    return Finding(name, False, text)


def _embedder(settings: Settings) -> list[Finding]:
    try:
        settings_check.require_embedder(settings)
    except SettingsError as exc:
        return [_wrong(exc)]
    if settings.openai_api_key is not None and (odd := miscopied(settings, "openai_api_key")):
        return odd
    if settings.bot_embedder == settings_check.WORDLLAMA:
        return []
    return [Finding("BOT_EMBEDDER", True, "its Python package is installed; the start loads its model")]


def _served(settings: Settings, platforms: Sequence[Platform]) -> list[Finding]:
    lists = [platform.allow_list for platform in platforms if platform.allow_list]
    reads = {allowed.setting.upper(): partial(allowed.listed, settings) for allowed in lists}
    reads["BOT_PEOPLE"] = partial(listed_people, settings, platforms)
    findings = []
    for name, read in reads.items():
        try:
            if listed := read():
                findings.append(Finding(name, True, f"{len(listed)} listed; nothing else is served"))
        except SettingsError as exc:
            findings.append(_wrong(exc))
    return findings


def _prices(settings: Settings) -> list[Finding]:
    """Models without a price: an error if a budget needs it, else a remark, since the figures lack it."""
    try:
        settings_check.require_prices(settings)
    except SettingsError as exc:
        return [_wrong(exc)]
    if settings.anthropic_api_key is None or not (missing := settings_check.unpriced(settings)):
        return []
    text = f"no price is known for {' and '.join(missing)}: usage counts tokens and no dollars"
    return [Finding("BOT_PRICES", True, text, odd=True)]


async def _journal(settings: Settings, count: Callable[[], Awaitable[Counts]] | None) -> list[Finding]:
    if count is None:
        return []
    spent, unlearned = "spent today (UTC)", "exchanges that could not be learned"
    try:
        counts = await count()
    except Exception as exc:  # noqa: BLE001 - any journal may be behind it; the other findings still matter
        return [Finding(name, False, f"can't be counted ({type(exc).__name__})") for name in (spent, unlearned)]
    text, used_up = _spent(settings, total_of(counts.today))
    findings = [Finding(spent, True, text, odd=used_up)]
    if not counts.unlearned:
        return [*findings, Finding(unlearned, True, "none")]
    kept = "they are kept, and the log says why they failed: `python -m bot relearn` tries them again"
    return [*findings, Finding(unlearned, False, f"{counts.unlearned}; {kept}")]


def _spent(settings: Settings, used: UsageRow) -> tuple[str, bool]:
    """Today's usage beside its limit, and whether that is nearly used up."""
    dollars, tokens = settings.bot_budget_usd_per_day, settings.bot_budget_tokens_per_day
    of_dollars = f" of {money(dollars)}" if dollars is not None else ""
    of_tokens = f" of {tokens:,}" if tokens is not None else ""
    parts = [f"{money(used.nanodollars / 1e9)}{of_dollars}, {used.usage.tokens:,}{of_tokens} tokens"]
    if used.unpriced:
        parts.append(f"{used.unpriced:,} of {used.requests:,} requests are not in the dollars (BOT_PRICES)")
    if dollars is None and tokens is None:
        parts.append("no overall limit is set (BOT_BUDGET_USD_PER_DAY)")
    parts += _per_person(settings)
    share = settings.limits.share(Spent(used.usage.tokens, used.nanodollars), person=False)
    if share >= 1:
        parts.append("used up: people are answered again after midnight UTC")
    elif share >= NEARLY:
        parts.append("nearly used up")
    return "; ".join(parts), share >= NEARLY


def _per_person(settings: Settings) -> list[str]:
    dollars, tokens = settings.bot_budget_usd_per_person_per_day, settings.bot_budget_tokens_per_person_per_day
    limits = [money(dollars)] if dollars is not None else []
    limits += [f"{tokens:,} tokens"] if tokens is not None else []
    return [f"limit for each person: {' and '.join(limits)}"] if limits else []


async def examine(
    settings: Settings, platforms: Sequence[Platform], count: Callable[[], Awaitable[Counts]] | None = None
) -> list[Finding]:
    """Check every setting, the services concurrently; `count` asks the journal."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout, connector=Connector()) as session:
        groups = await asyncio.gather(
            asyncio.to_thread(_local, settings, platforms),
            chat.check(session, settings, needed=any(platform.is_on(settings) for platform in platforms)),
            *(
                platform.check(session, settings)
                for platform in platforms
                if platform.check and platform.is_wanted(settings)
            ),
            check_database(settings),
            hosted.check(session, settings),
            _journal(settings, count),
        )
    return [finding for group in groups for finding in group]


async def run(
    settings: Settings,
    platforms: Sequence[Platform],
    count: Callable[[], Awaitable[Counts]] | None = None,
    out: TextIO | None = None,
) -> int:
    """Examine, print a line for each finding, and return the exit code: 0 if all is well, else 2."""
    findings = await examine(settings, platforms, count)
    stream = out or sys.stdout
    encoding = stream.encoding or "utf-8"
    text = "".join(f"{finding}\n" for finding in findings)
    stream.write(text.encode(encoding, "replace").decode(encoding))
    return _exit_code(findings)


def _exit_code(findings: Sequence[Finding]) -> int:
    return 0 if all(finding.ok for finding in findings) else 2
