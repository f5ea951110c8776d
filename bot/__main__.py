"""Command line and composition root: settings -> objects -> run. The one module that knows every concrete class."""

import argparse
import asyncio
import gc
import getpass
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot import config, logs, prompt, settings_check
from bot.commands import Commands, kept
from bot.config import Settings, SettingsError
from bot.core import MemoryBot
from bot.events import Learned, Recalled
from bot.identity import Identities
from bot.journal import database_path, mark_learned, open_journal
from bot.lazy import Later, LaterChat, LaterMemory
from bot.learning import Learner
from bot.operator import Confirm, PersonCommands, confirm_on
from bot.ports import Adapter, Chat, MemoryStore, Notify
from bot.recovery import Recovery
from bot.rights import Rights, parse_person
from bot.unused import warn_of_unused

if TYPE_CHECKING:
    from bot.claude import ClaudeChat
    from bot.journal.journal import SqlJournal  # SQLAlchemy is imported with the first journal that is opened

log = logging.getLogger("bot")

#: Exit code for a wrong or missing setting.
MISCONFIGURED = 2
#: Seconds that recall may take before the answer goes out without memories.
RECALL_BUDGET = 2.0
#: Hosts kill a process 30 s after SIGTERM: answers in flight have 20 s (adapters hold to the same), lessons at most 5 s
#: of what then remains of 27.
ANSWERING_GRACE = 20.0
LEARNING_GRACE = 5.0
STOPPING = 27.0
#: Then the process ends, whatever still waits for a database or a disk that says nothing.
LATEST = 28.0
#: The collector's thresholds: the default looks through everything a dozen times while the libraries are imported.
COLLECT = (20_000, 20, 50)
#: Seconds between two collections of what is new. What holds itself (an error and its frames, a view and its buttons)
#: may hold texts, and must not outlive their being forgotten for long: by the thresholds alone it may stay for hours.
COLLECT_EVERY = 30.0
#: The slow imports begin when the platforms listen, or so many seconds after the start.
HEAD_START = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    # Until the loop handles signals itself, a stop during start-up is an orderly end: nothing has been taken in yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    gc.set_threshold(*COLLECT)
    parser = argparse.ArgumentParser(prog="python -m bot", description="A chat bot that remembers.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="run every platform whose settings are there (the default)")
    chat = commands.add_parser("chat", help="talk in the terminal")
    chat.add_argument("--as", dest="name", metavar="NAME", help="who you are (each name has memories of its own)")
    commands.add_parser("doctor", help="check each setting against its service")
    commands.add_parser("relearn", help="try again what could not be learned (doctor counts it)")
    for name, help_ in (("export", "print everything kept about a person, as JSON"), ("erase", "erase all of it")):
        command = commands.add_parser(name, help=help_)
        command.add_argument("person", metavar="PERSON", help="discord:<id>, slack:<team>:<user> or terminal:<name>")
        if name == "erase":
            command.add_argument(
                "--yes", action="store_true", help="don't ask first (nobody is asked without a terminal)"
            )
    options = parser.parse_args(arguments)
    try:
        settings = config.load()
        if options.command == "doctor":
            logs.setup("WARNING")
            return _loop(_doctor(settings))
        if options.command == "relearn":
            logs.setup("WARNING")
            return _loop(_relearn(settings))
        if options.command == "chat":
            logs.setup("WARNING")
            _look_over(settings)
            return _loop(_chat(settings, _named(options.name) if options.name else _login()))
        if options.command in ("export", "erase"):
            logs.setup("WARNING")
            asked = options.command == "erase" and not options.yes
            return _loop(_person(settings, options.command, options.person, confirm_on(sys.stdin) if asked else None))
        logs.setup(settings.bot_log_level)
        _look_over(settings)
        config.require_platforms(settings)
        return _loop(_serve(settings))
    except SettingsError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - the one line that a wrong setting ends with
        return MISCONFIGURED
    except BrokenPipeError:  # as `export … | head` does: whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 128 + signal.SIGPIPE if hasattr(signal, "SIGPIPE") else 1
    except KeyboardInterrupt:
        return 130


def _look_over(settings: Settings) -> None:
    """What is plainly wrong with the settings ends the start before anything is opened; what may be is logged."""
    if odd := settings_check.unknown(settings_check.named()):
        log.warning("these variables are no settings, and are not used: %s", ", ".join(odd))
    settings_check.require_tokens(settings)
    settings_check.require_embedder(settings)


def _named(name: str) -> str:
    """The name given by --as. One with white space would share its memories with another: mem0's user ids hold none."""
    if name.split() != [name] or not name.isprintable():
        raise SettingsError(f"--as: a name is one word, such as {'-'.join(name.split()) or 'ann'}")
    return name


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no passwd entry, as in many containers
        return "you"


def _loop(work: Coroutine[Any, Any, int]) -> int:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


async def _doctor(settings: Settings) -> int:
    from bot import doctor

    async def unlearned() -> int:
        journal = await open_journal(settings)
        try:
            return (await journal.backlog()).failed
        finally:
            await journal.close()

    return await doctor.run(settings, unlearned)


async def _relearn(settings: Settings) -> int:
    journal = await open_journal(settings)
    try:
        count = await journal.retry_learning()
    finally:
        await journal.close()
    print(f"{count} exchanges wait to be learned again; the bot takes them up when it runs")  # noqa: T201
    return 0


async def _chat(settings: Settings, name: str) -> int:
    from adapters.terminal import TerminalAdapter

    def notify(notice: Recalled | Learned) -> None:
        terminal.notify(notice)

    async with _opened(settings, notify=notify, later=False) as parts:
        # No history file: what was typed would lie on the disk as it was said, forgotten or not.
        # Notes cost nothing to take: each is there before the next line is read.
        notebook = settings.anthropic_api_key is None
        settled = parts.learner.flush if notebook and settings.bot_memory else None
        terminal = TerminalAdapter(parts.bot, name=name, notebook=notebook, settled=settled)
        ending: list[asyncio.Future[None]] = []
        _on_stop(lambda: ending.append(asyncio.ensure_future(terminal.stop())))
        building = asyncio.create_task(parts.build(), name="start")
        talking = asyncio.create_task(terminal.run(), name="terminal")
        try:
            if settings.bot_memory:
                await parts.learner.resume()
            await asyncio.wait((building, talking), return_when=asyncio.FIRST_COMPLETED)
            if building.done():
                building.result()
            await talking
            await parts.learner.flush()
        finally:
            for task in (building, talking):
                task.cancel()
            await asyncio.gather(building, talking, return_exceptions=True)
            await parts.learner.stop(LEARNING_GRACE)
    return 0


async def _person(settings: Settings, command: str, named: str, confirm: Confirm | None) -> int:
    """`export PERSON` and `erase PERSON`."""
    try:
        person = parse_person(named)
    except ValueError as exc:
        raise SettingsError(f"PERSON: {exc}") from None
    # With memory switched off what is stored is theirs all the same.
    async with _opened(settings.model_copy(update={"bot_memory": True})) as parts:
        commands = PersonCommands(parts.identities, parts.rights)
        return await (commands.export(person) if command == "export" else commands.erase(person, confirm))


def _on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` at SIGTERM (hosts) and SIGINT (Ctrl-C), as often as they come."""
    if sys.platform == "win32":  # its event loops handle no signals: there Ctrl-C ends the process
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if not stop.is_set():
            stop.set()
            last = threading.Timer(LATEST, _end_by_force)
            last.daemon = True
            last.start()

    _on_stop(ask_to_stop)
    async with _opened(settings) as parts:
        adapters = _adapters(settings, parts.bot)
        running = [asyncio.create_task(adapter.run(), name=adapter.name) for adapter in adapters]
        learner = parts.learner if settings.bot_memory else None
        recovery = Recovery(parts.journal, parts.bot, {adapter.name: adapter for adapter in adapters}, learner)
        work = asyncio.create_task(_begin(adapters, parts, recovery), name="start")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            # A platform's supervisor only ends by stopping or by a setting that its service refuses; so does the start.
            await _first_end([stopped, *running], work)
        finally:
            log.info("stopping")
            deadline = asyncio.get_running_loop().time() + STOPPING
            work.cancel()
            stops = [recovery.finish(ANSWERING_GRACE), *(adapter.stop() for adapter in adapters)]
            await asyncio.gather(*stops, return_exceptions=True)
            for task in (stopped, *running):
                task.cancel()
            await asyncio.gather(work, stopped, *running, return_exceptions=True)
            await parts.learner.stop(min(LEARNING_GRACE, max(0.0, deadline - asyncio.get_running_loop().time())))
    log.info("stopped")
    return 0


def _end_by_force() -> None:
    log.error("the stop takes too long, so it ends here; what is open is taken up at the next start")
    sys.stderr.flush()
    os._exit(1)


async def _first_end(tasks: Sequence[asyncio.Task[Any]], start: asyncio.Task[None]) -> None:
    waiting: set[asyncio.Task[Any]] = {*tasks, start}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if done != {start}:
            return


async def _begin(adapters: Sequence[Adapter], parts: "_Parts", recovery: Recovery) -> None:
    """Build the slow parts once the platforms listen, then take up what was left behind, now and later."""
    ready = [asyncio.ensure_future(adapter.ready.wait()) for adapter in adapters]
    await asyncio.wait(ready, timeout=HEAD_START)
    for waiter in ready:
        waiter.cancel()
    await parts.build()
    # A quarter of a million objects of the libraries are here to stay: looking through them again would hold
    # everybody's answers up for a quarter of a second each time.
    gc.freeze()
    log.info("memory is ready")
    await asyncio.gather(recovery.run(), parts.rights.run(), parts.identities.run(), _collect())


async def _collect() -> None:
    """Free what nobody holds any more, now and again, for ever."""
    await asyncio.sleep(COLLECT_EVERY)
    gc.unfreeze()  # messages that were in hand then were frozen too
    gc.collect()
    gc.freeze()
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        gc.collect()


def _adapters(settings: Settings, bot: MemoryBot) -> list[Adapter]:
    adapters: list[Adapter] = []
    if settings.discord_on:
        from adapters.discord import DiscordAdapter

        adapters.append(DiscordAdapter(settings, bot))
    if settings.slack_on:
        from adapters.slack import SlackAdapter

        adapters.append(SlackAdapter(settings, bot))
    return adapters


@asynccontextmanager
async def _opened(settings: Settings, *, notify: Notify | None = None, later: bool = True) -> AsyncIterator["_Parts"]:
    """Everything but the platforms, on an open journal; closed at the end."""
    persona = settings.persona() or prompt.PERSONA
    if settings.database_url is not None or settings.mem0_api_key is not None:
        await asyncio.to_thread(warn_of_unused, settings, database_path(settings))
    journal = await open_journal(settings)
    parts = _Parts(settings, journal, persona, notify, later=later)
    try:
        yield parts
    finally:
        await parts.close()
        await journal.close()


class _Parts:
    """The objects, bound together. The chat model and the memory, slow to import, are built in threads."""

    def __init__(
        self, settings: Settings, journal: "SqlJournal", persona: str, notify: Notify | None, *, later: bool
    ) -> None:
        self._chat: Later[Chat] = Later(lambda: _build_chat(settings))
        self._memory: Later[MemoryStore] = Later(lambda: _build_memory(settings, journal))
        self.chat = LaterChat(self._chat)
        self.memory = LaterMemory(self._memory, RECALL_BUDGET)
        self.journal = journal
        self.identities = Identities(journal, self.memory)
        self.learner = Learner(journal, self.memory, notify)
        self.rights = Rights(
            journal,
            self.memory,
            self.identities,
            self.learner if settings.bot_memory else None,
            grace=settings.bot_erase_grace_hours * 3600,
            edits_per_minute=settings.bot_messages_per_minute,
        )
        told = kept(settings.bot_turns_ttl_hours if settings.bot_turns else 0, hosted=settings.mem0_api_key is not None)
        self.bot = MemoryBot(
            journal,
            self.memory,
            self.chat,
            self.learner,
            Commands(journal, self.memory, self.identities, self.rights, kept=told, remember=settings.bot_memory),
            self.rights,
            persona=persona,
            # Whoever talks in the terminal spends their own money, and a script may be piped in.
            allowance=settings.bot_messages_per_minute if later else 0,
            notify=notify,
            remember=settings.bot_memory,
            later=later,
            operator=not later,
        )

    async def build(self) -> None:
        """Wait for the slow parts; raise SettingsError where a setting is wrong."""
        self._chat.start()
        self._memory.start()
        await self._chat.get()
        await self._memory.get()

    async def close(self) -> None:
        """Release what was built."""
        await self.chat.close()
        await self.memory.close()


async def _build_chat(settings: Settings) -> Chat:
    """The chat model, its key and model checked; raises SettingsError where one of them is plainly wrong."""
    if settings.anthropic_api_key is None:
        from bot.notebook import Notebook

        return Notebook()
    claude = await asyncio.to_thread(_open_claude, settings)
    try:
        await claude.check()
    except SettingsError:
        await claude.close()
        raise
    return claude


def _open_claude(settings: Settings) -> "ClaudeChat":
    """Blocks for seconds, which its SDK takes to import."""
    from bot.claude import ClaudeChat

    return ClaudeChat(settings)


async def _build_memory(settings: Settings, journal: "SqlJournal") -> MemoryStore:
    if not settings.bot_memory:
        from bot.memory.off import NoMemory

        return NoMemory()
    if settings.mem0_api_key is not None:
        from bot.memory.hosted import HostedMemory

        key = settings.mem0_api_key.get_secret_value()
        return await HostedMemory.open(key, settings.mem0_host, journal, tokens=settings.bot_memory_tokens)
    return await asyncio.to_thread(_open_embedded, settings)


def _open_embedded(settings: Settings) -> MemoryStore:
    from bot.memory.embedded import open_embedded

    return open_embedded(settings, mark_learned)


if __name__ == "__main__":
    sys.exit(main())
