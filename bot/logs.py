"""Logging to standard error, one line per record, that can't contain what people say.

Our own records contain ids and error types, by rule. A library's may contain anything: a request body, SQL with its
parameters, an exception's text. So a record's origin decides: ours are written as they are; a library's only from
WARNING on, with its message only if that is a literal in the library's source, and with only the numbers among its
arguments. Exceptions, from anywhere, are written as types and places, never with their messages.
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

#: Loggers set to WARNING, to save the work of building records that the handler would drop anyway.
_NOISY = (
    *("discord", "slack_bolt", "slack_sdk", "anthropic", "openai", "mem0", "wordllama", "qdrant_client", "posthog"),
    *("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "urllib3", "asyncio", "prompt_toolkit"),
    *("sqlalchemy", "alembic", "psycopg"),
)

_ROOT = Path(__file__).resolve().parent.parent
_OURS = tuple(f"{_ROOT / package}/" for package in ("bot", "adapters"))
_LIBRARIES = tuple({f"{sysconfig.get_path(name)}/" for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
#: Attributes of errors that hold numeric codes: an errno, an HTTP status, a gateway's close code.
_NUMBERS = ("errno", "status_code", "status", "code")
_MIN_TEMPLATE = 12
_MAX_DEPTH = 4
#: Seconds during which repeats of a warning are only counted, and how many distinct warnings are tracked.
REPEATS = 60.0
DISTINCT = 1000


def _is_ours(filename: str) -> bool:
    return filename.startswith(_OURS) and not filename.startswith(_LIBRARIES)


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(_ROOT)) if _is_ours(filename) else "/".join(path.parts[-2:])


def _frames(trace: TracebackType | None) -> Iterator[str]:
    """The places that an exception passed through, innermost first: where it was raised, then our own lines."""
    places: list[tuple[str, int, str]] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append((code.co_filename, trace.tb_lineno, code.co_name))
        trace = trace.tb_next
    for index, (filename, line, function) in enumerate(reversed(places)):
        if index == 0 or _is_ours(filename):
            yield f"{_short(filename)}:{line} {function}"


def describe(error: BaseException, depth: int = 0) -> str:
    """An exception as types and places, with its causes, on one line, without its message."""
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
    """An exception's type; the bot's own also with its message, which by rule contains no text from outside."""
    kind = type(error).__name__
    ours = type(error).__module__.partition(".")[0] in ("bot", "adapters")
    return f"{kind}: {error}" if ours and str(error) else kind


def _harmless(value: object) -> object:
    """An argument of one of our own records, with exceptions named, not quoted."""
    return _named(value) if isinstance(value, BaseException) else value


def _own_message(record: logging.LogRecord) -> str:
    args: Any = record.args
    if isinstance(args, tuple):
        args = tuple(_harmless(value) for value in args)
    message = _harmless(record.msg)
    return str(message) % args if args else str(message)


def _library_message(record: logging.LogRecord) -> str:
    """A library's message: its template if that is a literal in the library's source, else its place."""
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
    """A record on one line, without the time."""
    message = _own_message(record) if _is_ours(record.pathname) else _library_message(record)
    if record.exc_info and record.exc_info[1] is not None:
        message += f": {describe(record.exc_info[1])}"
    line = f"{record.levelname} {record.name}: {message}"
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), line)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")


class _Handler(logging.StreamHandler[Any]):
    """Writes to the current `sys.stderr`, so that a prompt on the screen can keep its line.

    A repeated warning is written once in REPEATS seconds and otherwise counted: a full disk or a service that is down
    must not fill the log.
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
            self._report_repeats(record.created, REPEATS)
            if record.levelno < logging.WARNING or not self._is_repeat(text, record.created):
                self._write(f"{_stamp(record.created)} {text}")
        except Exception:  # noqa: BLE001 - like logging's own handlers: logging must not break what it reports on
            self.handleError(record)

    def close(self) -> None:
        """Write the remaining counts when logging closes its handlers at exit."""
        with suppress(OSError, ValueError):  # standard error itself may be gone
            self._report_repeats(time.time(), 0.0)
        super().close()

    def _is_repeat(self, text: str, now: float) -> bool:
        since, count = self._repeats.get(text, (now, -1))
        self._repeats[text] = (since, count + 1)
        return count >= 0

    def _report_repeats(self, now: float, age: float) -> None:
        """Write the counts of lines older than `age` seconds, and of the oldest if there are too many."""
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
        # logging's own prints the record's message and arguments.
        error = sys.exc_info()[0]
        try:
            sys.stderr.write(f"a log record of {record.name} was lost ({error.__name__ if error else 'unknown'})\n")
        except (OSError, ValueError, AttributeError):
            return  # standard error itself is gone


_log = logging.getLogger(__name__)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """Log a Python warning as category and place: some warnings quote values."""
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
    """Log to standard error from `level` on, replacing all existing handlers.

    Raises SettingsError if BOT_LOG_LEVEL isn't one of Python's level names.
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
