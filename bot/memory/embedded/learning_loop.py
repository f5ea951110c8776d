"""A thread with an event loop of its own, on which mem0's `add` runs: recall never waits behind it.

mem0 hands each of its synchronous steps to `asyncio.to_thread`, that is to the loop's default executor. With a pool of
threads, every lesson would cost a dozen hops between threads, and hold a thread for the seconds that an extraction
takes. Here the steps run on the spot, one after another (each takes a fraction of a millisecond), except those of a
slow embedder; and the extraction is a future, for which nothing but the loop waits.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

Result = TypeVar("Result")

#: Threads for the calls of a slow embedder.
THREADS = 16


class OnTheSpot(ThreadPoolExecutor):
    """An executor that runs what it is given in the loop's own thread, or in a pool where `is_slow` says so.

    A call that returns a future is answered by that future.
    """

    def __init__(self, is_slow: Callable[[object], bool]) -> None:
        super().__init__(THREADS, thread_name_prefix="learning")
        self._is_slow = is_slow

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run, or queue. `asyncio.to_thread` wraps its function as `partial(context.run, function, …)`."""
        called = fn.args[0] if isinstance(fn, partial) and fn.args else fn
        if self._is_slow(getattr(called, "__self__", None)):
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        try:
            result = fn(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - an executor hands every exception to who waits for the call
            future.set_exception(exc)
            return future
        if isinstance(result, Future):
            return result
        future.set_result(result)
        return future


class LearningLoop:
    """The thread. `run` is called on any other event loop, `close` once at the end."""

    def __init__(self, is_slow: Callable[[object], bool] = lambda owner: False) -> None:
        self._loop = _new_event_loop()
        self._executor = OnTheSpot(is_slow)
        self._loop.set_default_executor(self._executor)
        self._thread = threading.Thread(target=self._loop.run_forever, name="learning", daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the learning loop and return its result. Cancelling cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def close(self) -> None:
        """Cancel what still runs, then end the thread. Not to be used afterwards."""
        if self._thread.is_alive():
            await self.run(_cancel_others())
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
