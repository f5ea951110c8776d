"""Command line and composition root: settings -> objects -> run. The one module that knows every concrete class."""

import argparse
import asyncio
import getpass
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bot import config, logs, prompt
from bot.config import Settings, SettingsError
from bot.core import MemoryBot
from bot.events import Learned, Recalled
from bot.journal import mark_learned, open_journal
from bot.lazy import Later, LaterChat, LaterMemory
from bot.learning import Learner
from bot.ports import Adapter, Chat, Journal, MemoryStore

log = logging.getLogger("bot")

#: Exit code for a wrong or missing setting.
MISCONFIGURED = 2
#: Seconds that recall may take before the answer goes out without memories.
RECALL_BUDGET = 2.0
#: Hosts kill a process 30 s after SIGTERM: adapters have 20 s for answers in flight, the learner what then remains.
LEARNING_GRACE = 5.0
#: The slow imports begin when the platforms listen, or so many seconds after the start.
HEAD_START = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    # Until the loop handles signals itself, a stop during start-up is an orderly end: nothing has been taken in yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parser = argparse.ArgumentParser(prog="python -m bot", description="A chat bot that remembers.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("run", help="run every platform whose settings are there (the default)")
    chat = commands.add_parser("chat", help="talk in the terminal")
    chat.add_argument("--as", dest="name", metavar="NAME", help="who you are (each name has memories of its own)")
    commands.add_parser("doctor", help="check each setting against its service")
    options = parser.parse_args(arguments)
    try:
        settings = config.load()
        if options.command == "doctor":
            logs.setup("WARNING")
            return _loop(_doctor(settings))
        if options.command == "chat":
            logs.setup("WARNING")
            return _loop(_chat(settings, options.name or _login()))
        logs.setup(settings.bot_log_level)
        config.require_platforms(settings)
        return _loop(_serve(settings))
    except SettingsError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201 - the one line that a wrong setting ends with
        return MISCONFIGURED
    except KeyboardInterrupt:
        return 130


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


async def _chat(settings: Settings, name: str) -> int:
    from adapters.terminal import TerminalAdapter

    journal = await open_journal(settings)
    parts = _Parts(settings, journal)

    def notify(notice: Recalled | Learned) -> None:
        terminal.notify(notice)

    learner = Learner(journal, parts.memory, notify)
    bot = MemoryBot(
        journal,
        parts.memory,
        parts.chat,
        learner,
        persona=settings.persona() or prompt.PERSONA,
        notify=notify,
        remember=settings.bot_memory,
    )
    # No history file: what was typed would lie on the disk as it was said, forgotten or not.
    terminal = TerminalAdapter(bot, name=name, notebook=settings.anthropic_api_key is None)
    ending: list[asyncio.Future[None]] = []
    _on_stop(lambda: ending.append(asyncio.ensure_future(terminal.stop())))
    try:
        parts.start()
        if settings.bot_memory:
            await learner.resume()
        await terminal.run()
        await learner.flush()
    finally:
        await learner.stop(LEARNING_GRACE)
        await parts.memory.close()
        await journal.close()
    return 0


def _on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` at SIGTERM (hosts) and SIGINT (Ctrl-C), as often as they come."""
    if sys.platform == "win32":  # its event loops handle no signals: there Ctrl-C ends the process
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def _serve(settings: Settings) -> int:
    stop = asyncio.Event()
    _on_stop(stop.set)
    persona = settings.persona() or prompt.PERSONA
    journal = await open_journal(settings)
    parts = _Parts(settings, journal)
    learner = Learner(journal, parts.memory)
    bot = MemoryBot(
        journal,
        parts.memory,
        parts.chat,
        learner,
        persona=persona,
        allowance=settings.bot_messages_per_minute,
        remember=settings.bot_memory,
    )
    adapters = _adapters(settings, bot)
    running = [asyncio.create_task(adapter.run(), name=adapter.name) for adapter in adapters]
    work = asyncio.create_task(_begin(adapters, parts, learner if settings.bot_memory else None), name="start")
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        # A platform's supervisor only ends by stopping or by a setting that its service refuses; so does the start.
        await _first_end([stopped, *running], work)
    finally:
        log.info("stopping")
        await asyncio.gather(*(adapter.stop() for adapter in adapters), return_exceptions=True)
        for task in (work, stopped, *running):
            task.cancel()
        await asyncio.gather(work, stopped, *running, return_exceptions=True)
        await learner.stop(LEARNING_GRACE)
        await parts.memory.close()
        await journal.close()
        log.info("stopped")
    return 0


async def _first_end(tasks: Sequence[asyncio.Task[Any]], start: asyncio.Task[None]) -> None:
    waiting: set[asyncio.Task[Any]] = {*tasks, start}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if done != {start}:
            return


async def _begin(adapters: Sequence[Adapter], parts: "_Parts", learner: Learner | None) -> None:
    """Build the slow parts once the platforms listen, then take up what an earlier process left."""
    ready = [asyncio.ensure_future(adapter.ready.wait()) for adapter in adapters]
    await asyncio.wait(ready, timeout=HEAD_START)
    for waiter in ready:
        waiter.cancel()
    await parts.build()
    log.info("memory is ready")
    if learner is not None:
        await learner.resume()


def _adapters(settings: Settings, bot: MemoryBot) -> list[Adapter]:
    adapters: list[Adapter] = []
    if settings.discord_on:
        from adapters.discord import DiscordAdapter

        adapters.append(DiscordAdapter(settings, bot))
    if settings.slack_on:
        from adapters.slack import SlackAdapter

        adapters.append(SlackAdapter(settings, bot))
    return adapters


class _Parts:
    """The chat model and the memory, whose libraries are slow to import, built in threads."""

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._chat: Later[Chat] = Later(lambda: asyncio.to_thread(_build_chat, settings))
        self._memory: Later[MemoryStore] = Later(lambda: _build_memory(settings, journal))
        self.chat = LaterChat(self._chat)
        self.memory = LaterMemory(self._memory, RECALL_BUDGET)

    def start(self) -> None:
        """Begin to build both."""
        self._chat.start()
        self._memory.start()

    async def build(self) -> None:
        """Wait for both; raise SettingsError where a setting is wrong."""
        self.start()
        await self._chat.get()
        await self._memory.get()


def _build_chat(settings: Settings) -> Chat:
    if settings.anthropic_api_key is None:
        from bot.notebook import Notebook

        return Notebook()
    from bot.claude import ClaudeChat

    return ClaudeChat(settings)


async def _build_memory(settings: Settings, journal: Journal) -> MemoryStore:
    if not settings.bot_memory:
        from bot.memory.off import NoMemory

        return NoMemory()
    if settings.mem0_api_key is not None:
        from bot.memory.hosted import HostedMemory

        key = settings.mem0_api_key.get_secret_value()
        return await HostedMemory.open(key, settings.mem0_host, journal.learned, tokens=settings.bot_memory_tokens)
    return await asyncio.to_thread(_open_embedded, settings)


def _open_embedded(settings: Settings) -> MemoryStore:
    from bot.memory.embedded import open_embedded

    return open_embedded(settings, mark_learned)


if __name__ == "__main__":
    sys.exit(main())
