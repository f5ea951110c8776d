"""Runs the composed bot: the event loop, signals, supervision of the platforms, and a timely shutdown."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bot.app import App, build_adapters, open_app
from bot.config import Settings
from bot.core.recovery import Recovery
from bot.events import Learned, Recalled
from bot.ports import Adapter

log = logging.getLogger(__name__)

#: Hosts kill a process 30 s after SIGTERM: answers in flight have 20 s (as in the adapters), lessons at most 5 s of
#: what then remains of 27.
ANSWERING_GRACE = 20.0
LEARNING_GRACE = 5.0
STOPPING = 27.0
#: Then the process exits, whatever still waits for an unresponsive database or disk.
LATEST = 28.0
#: Seconds between garbage collections. Reference cycles (an error and its frames, a view and its buttons) may hold
#: texts, and must not outlive their erasure for long: the thresholds alone may leave them for hours.
COLLECT_EVERY = 30.0
#: The slow imports start when the platforms listen, or after this many seconds.
HEAD_START = 3.0


def in_loop(work: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop, if available; return the exit code."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


def _on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` on every SIGTERM (from hosts) and SIGINT (Ctrl-C)."""
    if sys.platform == "win32":  # its event loops don't handle signals: Ctrl-C ends the process
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


async def chat(settings: Settings, name: str) -> int:
    """Talk in the terminal; return the exit code."""
    from adapters.terminal.adapter import TerminalAdapter

    def notify(notice: Recalled | Learned) -> None:
        terminal.notify(notice)

    async with open_app(settings, notify=notify, later=False) as app:
        # No history file: it would keep what was typed, forgotten or not.
        # In notebook mode learning is fast: finish it before reading the next line.
        notebook = settings.anthropic_api_key is None
        settled = app.learner.flush if notebook and settings.bot_memory else None
        terminal = TerminalAdapter(app, name=name, notebook=notebook, settled=settled)
        ending: list[asyncio.Future[None]] = []
        _on_stop(lambda: ending.append(asyncio.ensure_future(terminal.stop())))
        building = asyncio.create_task(app.build(), name="start")
        talking = asyncio.create_task(terminal.run(), name="terminal")
        try:
            if settings.bot_memory:
                await app.learner.resume()
            await asyncio.wait((building, talking), return_when=asyncio.FIRST_COMPLETED)
            if building.done():
                building.result()
            await talking
            await app.learner.flush()
        finally:
            for task in (building, talking):
                task.cancel()
            await asyncio.gather(building, talking, return_exceptions=True)
            await app.learner.stop(LEARNING_GRACE)
    return 0


async def serve(settings: Settings) -> int:
    """Run every platform whose settings are present until asked to stop; return the exit code."""
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if not stop.is_set():
            stop.set()
            last = threading.Timer(LATEST, _end_by_force)
            last.daemon = True
            last.start()

    _on_stop(ask_to_stop)
    async with open_app(settings) as app:
        adapters = build_adapters(settings, app)
        running = [asyncio.create_task(adapter.run(), name=adapter.name) for adapter in adapters]
        learner = app.learner if settings.bot_memory else None
        platforms = {adapter.name: adapter for adapter in adapters}
        app.learned_lines.serve(platforms)
        recovery = Recovery(app.journal.inbox, app.messages, platforms, learner)
        work = asyncio.create_task(_begin(adapters, app, recovery), name="start")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        try:
            # A platform's supervisor ends only when stopped, or if its service refuses a setting; so does the startup.
            await _first_end([stopped, *running], work)
        finally:
            log.info("stopping")
            deadline = asyncio.get_running_loop().time() + STOPPING
            work.cancel()
            stops = [
                recovery.finish(ANSWERING_GRACE),
                app.learned_lines.finish(),
                *(adapter.stop() for adapter in adapters),
            ]
            await asyncio.gather(*stops, return_exceptions=True)
            for task in (stopped, *running):
                task.cancel()
            await asyncio.gather(work, stopped, *running, return_exceptions=True)
            await app.learner.stop(min(LEARNING_GRACE, max(0.0, deadline - asyncio.get_running_loop().time())))
    log.info("stopped")
    return 0


def _end_by_force() -> None:
    log.error("shutdown timed out; open work resumes at the next start")
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


async def _begin(adapters: Sequence[Adapter], app: App, recovery: Recovery) -> None:
    """Build the slow parts once the platforms listen, then run recovery and the other background work."""
    ready = [asyncio.ensure_future(adapter.ready.wait()) for adapter in adapters]
    await asyncio.wait(ready, timeout=HEAD_START)
    for waiter in ready:
        waiter.cancel()
    await app.build()
    # A quarter of a million objects of the libraries are permanent: scanning them again would delay all answers by a
    # quarter of a second each time.
    gc.freeze()
    log.info("memory is ready")
    await asyncio.gather(recovery.run(), app.elsewhere.run(), app.eraser.run(), app.identities.run(), _collect())


async def _collect() -> None:
    """Collect garbage periodically, until cancelled."""
    await asyncio.sleep(COLLECT_EVERY)
    gc.unfreeze()  # messages in flight were frozen, too
    gc.collect()
    gc.freeze()
    while True:
        await asyncio.sleep(COLLECT_EVERY)
        gc.collect()
