"""The command line."""

import argparse
import gc
import getpass
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot import config, logs, runner, settings_check
from bot.app import PLATFORMS, open_app
from bot.config import Settings, SettingsError
from bot.core.platforms import account_forms, parse_person, require_platforms
from bot.core.served import Served
from bot.core.usage_report import BREAKDOWNS, Period, print_usage
from bot.journal import open_journal
from bot.privacy.operator import Confirm, PersonCommands, confirm_on
from bot.runner import in_loop

if TYPE_CHECKING:
    from bot.journal.journal import SqlJournal

log = logging.getLogger(__name__)

#: Exit code for a wrong or missing setting.
MISCONFIGURED = 2
#: The garbage collector's thresholds: the defaults make it scan everything a dozen times during the imports.
COLLECT = (20_000, 20, 50)
#: The days that `usage` reports unless told otherwise, and the most.
DAYS, MOST_DAYS = 30, 3660


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    # Until the loop handles signals itself, stopping during startup is safe: nothing has been admitted yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.set_threshold(*COLLECT)
    parser = argparse.ArgumentParser(prog="python -m bot", description="A chat bot that remembers.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="run every platform whose settings are there (the default)")
    chat = commands.add_parser("chat", help="talk in the terminal")
    chat.add_argument("--as", dest="name", metavar="NAME", help="who you are (each name has memories of its own)")
    commands.add_parser("doctor", help="check each setting against its service")
    commands.add_parser("relearn", help="try again what could not be learned (doctor counts it)")
    usage = commands.add_parser("usage", help="print what requests to the models took and cost")
    usage.add_argument(
        "--days", type=_days, default=DAYS, metavar="N", help=f"the last N days, today (UTC) included (default: {DAYS})"
    )
    usage.add_argument(
        "--by", choices=BREAKDOWNS, default=BREAKDOWNS[0], help=f"one line for each (default: {BREAKDOWNS[0]})"
    )
    usage.add_argument("--json", action="store_true", help="a list of objects in place of the table")
    for name, help_ in (("export", "print everything kept about a person, as JSON"), ("erase", "erase all of it")):
        command = commands.add_parser(name, help=help_)
        command.add_argument("person", metavar="PERSON", help=account_forms(PLATFORMS))
        if name == "erase":
            command.add_argument(
                "--yes", action="store_true", help="don't ask first (nobody is asked without a terminal)"
            )
    options = parser.parse_args(arguments)
    try:
        settings = config.load()
        if options.command == "doctor":
            logs.setup("WARNING")
            return in_loop(_doctor(settings))
        if options.command == "relearn":
            logs.setup("WARNING")
            return in_loop(_relearn(settings))
        if options.command == "usage":
            logs.setup("WARNING")
            return in_loop(_usage(settings, options.days, options.by, as_json=options.json))
        if options.command == "chat":
            logs.setup("WARNING")
            _look_over(settings)
            return in_loop(runner.chat(settings, _named(options.name) if options.name else _login()))
        if options.command in ("export", "erase"):
            logs.setup("WARNING")
            asked = options.command == "erase" and not options.yes
            return in_loop(_person(settings, options.command, options.person, confirm_on(sys.stdin) if asked else None))
        logs.setup(settings.bot_log_level)
        _look_over(settings)
        require_platforms(settings, PLATFORMS)
        return in_loop(runner.serve(settings))
    except SettingsError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - the one line that a wrong setting ends with
        return MISCONFIGURED
    except BrokenPipeError:  # the reader has read enough, as in `export … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at exit
        return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except KeyboardInterrupt:
        return 130


def _look_over(settings: Settings) -> None:
    """Raise SettingsError for settings that are plainly wrong, before anything is opened; log those that may be."""
    if odd := settings_check.unknown(settings_check.named()):
        log.warning("unknown settings ignored: %s", ", ".join(odd))
    settings_check.require_tokens(settings)
    settings_check.require_embedder(settings)
    Served.of(settings, PLATFORMS)
    settings_check.require_prices(settings)
    if settings.anthropic_api_key is not None and (missing := settings_check.unpriced(settings)):
        log.warning("no price is known for %s: usage counts tokens and no dollars", " and ".join(missing))


def _named(name: str) -> str:
    """The name given by --as. mem0's user ids have no white space: a name with any could share another's memories."""
    if name.split() != [name] or not name.isprintable():
        raise SettingsError(f"--as: a name is one word, such as {'-'.join(name.split()) or 'ann'}")
    return name


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no passwd entry, as in many containers
        return "you"


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"a number of days from 1 to {MOST_DAYS}")
    return int(text)


@asynccontextmanager
async def _journal(settings: Settings) -> "AsyncIterator[SqlJournal]":
    """The journal without the bot, closed at the end."""
    journal = await open_journal(settings)
    try:
        yield journal
    finally:
        await journal.close()


async def _doctor(settings: Settings) -> int:
    from bot import doctor

    async def count() -> doctor.Counts:
        async with _journal(settings) as journal:
            today = await journal.ledger.report(datetime.now(UTC).date(), "day")
            return doctor.Counts((await journal.backlog()).failed, today)

    return await doctor.run(settings, PLATFORMS, count)


async def _relearn(settings: Settings) -> int:
    async with _journal(settings) as journal:
        count = await journal.outbox.retry_failed()
    print(f"{count} exchanges wait to be learned again; the bot takes them up when it runs")  # noqa: T201
    return 0


async def _usage(settings: Settings, days: int, by: str, *, as_json: bool) -> int:
    async with _journal(settings) as journal:
        period = Period(datetime.now(UTC).date(), days, settings.bot_usage_days)
        return await print_usage(journal.ledger, period, by, as_json=as_json)


async def _person(settings: Settings, command: str, named: str, confirm: Confirm | None) -> int:
    """`export PERSON` and `erase PERSON`."""
    try:
        person = parse_person(named, PLATFORMS)
    except ValueError as exc:
        raise SettingsError(f"PERSON: {exc}") from None
    # Even with memory switched off, what is stored is theirs.
    async with open_app(settings.model_copy(update={"bot_memory": True})) as app:
        commands = PersonCommands(app.identities, app.rights)
        return await (commands.export(person) if command == "export" else commands.erase(person, confirm))
