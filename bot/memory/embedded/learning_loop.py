"""A thread with its own event loop, on which mem0's `add` runs, so that it never delays a recall.

mem0 passes each of its synchronous steps to `asyncio.to_thread`, that is, to the loop's default executor. With a thread
pool, every lesson would cost a dozen hops between threads, and block a thread for the seconds that an extraction takes.
Here the steps run inline, one after another (each takes a fraction of a millisecond), except a slow embedder's; and the
extraction is a future, which blocks no thread.
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


class InlineExecutor(ThreadPoolExecutor):
    """An executor that runs calls in the loop's own thread, or in a pool if `is_slow` says so.

    If a call returns a future, `submit` returns that future.
    """

    def __init__(self, is_slow: Callable[[object], bool]) -> None:
        super().__init__(THREADS, thread_name_prefix="learning")
        self._is_slow = is_slow

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run or queue a call. `asyncio.to_thread` wraps functions as `partial(context.run, function, …)`."""
        called = fn.args[0] if isinstance(fn, partial) and fn.args else fn
        if self._is_slow(getattr(called, "__self__", None)):
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        try:
            result = fn(*args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - an executor passes every exception to whoever awaits the call
            future.set_exception(exc)
            return future
        if isinstance(result, Future):
            return result
        future.set_result(result)
        return future


class LearningLoop:
    """The thread and its loop. Call `run` from any other event loop, `close` once at the end."""

    def __init__(self, is_slow: Callable[[object], bool] = lambda owner: False) -> None:
        self._loop = _new_event_loop()
        self._executor = InlineExecutor(is_slow)
        self._loop.set_default_executor(self._executor)
        self._thread = threading.Thread(target=self._loop.run_forever, name="learning", daemon=True)
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the learning loop and return its result. Cancelling this cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def close(self) -> None:
        """Cancel what still runs, then stop the thread. Don't use the loop afterwards."""
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
    except ImportError:  # not available on Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
