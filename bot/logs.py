"""Logging to standard error, one line a record, that can't hold what people say.

What our own lines log is ids and error types, by rule. What a library logs may be anything: a request body, SQL with
its parameters, the text of an exception. So a record's origin decides. Ours is written as it is; a library's is let
through from WARNING on, with its message only where that stands in the library's source, and of its arguments only the
numbers.
Exceptions, from anywhere, are written as types and places, never with their messages.
"""

import linecache
import logging
import re
import sys
import sysconfig
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from bot.config import SettingsError

if TYPE_CHECKING:
    from threading import ExceptHookArgs

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

#: Loggers that are spared the work of building records which the handler would drop anyway.
_NOISY = (
    *("discord", "slack_bolt", "slack_sdk", "anthropic", "openai", "mem0", "wordllama", "qdrant_client", "posthog"),
    *("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "urllib3", "asyncio", "prompt_toolkit"),
    *("sqlalchemy", "alembic", "psycopg"),
)

_ROOT = Path(__file__).resolve().parent.parent
_OURS = tuple(f"{_ROOT / package}/" for package in ("bot", "adapters"))
_LIBRARIES = tuple({f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Attributes by which errors say what happened in a number: an errno, an HTTP status, a gateway's close code.
_NUMBERS = ("errno", "status_code", "status", "code")
_MIN_TEMPLATE = 12
_MAX_DEPTH = 4
#: Seconds in which a warning that is repeated word for word is only counted, and how many such lines are known at once.
REPEATS = 60.0
DISTINCT = 1000


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) and not filename.startswith(_LIBRARIES)


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if _is_ours(filename) else "/".join(path.parts[-2:])


def _frames(trace: TracebackType | None) -> Iterator[str]:
    """The places an exception went through, innermost first: where it was raised, then our own lines."""
    places: list[tuple[str, int, str]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    for index, (filename, line, function) in enumerate(reversed(places)):
        if index == 0 or _is_ours(filename):
            yield f"{_short(filename)}:{line} {function}"


def describe(error: BaseException, depth: int = 0) -> str:
    """An exception as types and places, causes included, on one line; nothing of its message."""
    kind = _named(error)
    numbers = [
        f"{name}={value}"
        for name in _NUMBERS
        if isinstance(value := getattr(error, name, None), int) and not isinstance(value, bool)
    ]
    text = kind + (f"({', '.join(numbers)})" if numbers else "")
    if places := " < ".join(_frames(error.__traceback__)):
        text += f" at {places}"
    if depth == _MAX_DEPTH:
        return text
    if isinstance(error, BaseExceptionGroup):
        text += " [" + "; ".join(describe(inner, depth + 1) for inner in error.exceptions[:_MAX_DEPTH]) + "]"
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}; from {describe(cause, depth + 1)}" if cause is not None else text


def _named(error: BaseException) -> str:
    """An exception by its type; the bot's own with its message, which by rule holds no text from outside."""
    kind = type(error).__name__
    ours = type(error).__module__.partition(".")[0] in ("bot", "adapters")
    return f"{kind}: {error}" if ours and str(error) else kind


def _harmless(value: object) -> object:
    """An argument of one of our own records: an exception is named, not quoted."""
    return _named(value) if isinstance(value, BaseException) else value


def _own_message(record: logging.LogRecord) -> str:
    args: Any = record.args
    if isinstance(args, tuple):
        args = tuple(_harmless(value) for value in args)
    message = _harmless(record.msg)
    return str(message) % args if args else str(message)


def _library_message(record: logging.LogRecord) -> str:
    """A library's message: its template where that is a literal of the library's source, else its place."""
    place = f"{_short(record.pathname)}:{record.lineno}"
    if not (isinstance(record.msg, str) and len(record.msg) >= _MIN_TEMPLATE):
        return f"message withheld, logged at {place}"
    source = "".join(linecache.getlines(record.pathname)) if record.pathname.startswith(_LIBRARIES) else ""
    if not any(f"{quote}{record.msg}{quote}" in source for quote in "'\""):
        return f"message withheld, logged at {place}"
    args = record.args if isinstance(record.args, tuple) else ()
    try:
        return record.msg % tuple(value if isinstance(value, int | float) else "…" for value in args)
    except (TypeError, ValueError):
        return record.msg


def _text(record: logging.LogRecord) -> str:
    """A record on one line, without its time."""
    message = _own_message(record) if _is_ours(record.pathname) else _library_message(record)
    if record.exc_info and record.exc_info[1] is not None:
        message += f": {describe(record.exc_info[1])}"
    line = f"{record.levelname} {record.name}: {message}"
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), line)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")


class _Handler(logging.StreamHandler[Any]):
    """Writes to whatever `sys.stderr` is at the time, so that a prompt on the screen can keep its line.

    A warning that is repeated word for word is written once in REPEATS seconds, then counted: a full disk or a service
    that is down must not fill the log.
    """

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._repeats: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self.addFilter(lambda record: record.levelno >= logging.WARNING or _is_ours(record.pathname))

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not sys.stderr:
            self.setStream(sys.stderr)
        try:
            text = _text(record)
            self._tell_repeats(record.created, REPEATS)
            if record.levelno < logging.WARNING or not self._is_repeat(text, record.created):
                self._write(f"{_stamp(record.created)} {text}")
        except Exception:  # noqa: BLE001 - as logging's own handlers do: no record may end what it tells of
            self.handleError(record)

    def close(self) -> None:
        """Tell what was counted and not yet told, as logging closes its handlers at the end."""
        with suppress(OSError, ValueError):  # standard error itself may be gone by then
            self._tell_repeats(time.time(), 0.0)
        super().close()

    def _is_repeat(self, text: str, now: float) -> bool:
        since, count = self._repeats.get(text, (now, -1))
        self._repeats[text] = (since, count + 1)
        return count >= 0

    def _tell_repeats(self, now: float, age: float) -> None:
        """Say how often each line came again that is `age` seconds old, or the oldest of too many."""
        while self._repeats:
            text, (since, count) = next(iter(self._repeats.items()))
            if since > now - age and len(self._repeats) < DISTINCT:
                return
            del self._repeats[text]
            if count:
                times = "once" if count == 1 else f"{count} times"
                self._write(f"{_stamp(now)} {text} (repeated {times} since {_stamp(since)})")

    def _write(self, line: str) -> None:
        self.stream.write(line + self.terminator)
        self.flush()

    def handleError(self, record: logging.LogRecord) -> None:
        # The standard one prints the record's message and arguments.
        error = sys.exc_info()[0]
        try:
            sys.stderr.write(f"a log record of {record.name} was lost ({error.__name__ if error else 'unknown'})\n")
        except (OSError, ValueError, AttributeError):
            return  # standard error itself is gone: there is nowhere left to say so


_log = logging.getLogger(__name__)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """A Python warning as its category and place: some of their texts quote values."""
    _log.warning("%s at %s:%d", category.__name__, _short(filename), lineno)


def _on_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    _log.critical("uncaught", exc_info=error.with_traceback(trace))


def _on_thread_exception(args: "ExceptHookArgs") -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _log.error("uncaught exception in a thread", exc_info=args.exc_value)


def _on_unraisable(args: Any) -> None:
    if args.exc_value is not None:
        _log.error("unraisable exception", exc_info=args.exc_value)


def setup(level: str) -> None:
    """Log to standard error from `level` on, in place of every handler set before.

    Raises SettingsError where BOT_LOG_LEVEL is none of Python's level names.
    """
    name = level.strip().upper()
    if name not in LEVELS:
        raise SettingsError(f"BOT_LOG_LEVEL: must be one of {', '.join(LEVELS)}")
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    root.addHandler(_Handler())
    root.setLevel(name)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    warnings.showwarning = _show_warning
    sys.excepthook = _on_exception
    threading.excepthook = _on_thread_exception
    sys.unraisablehook = _on_unraisable
