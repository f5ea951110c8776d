"""What is logged, as a child process writes it to standard error: never what people say."""

import subprocess
import sys
from pathlib import Path

import pytest

from bot import logs
from bot.config import SettingsError

ROOT = Path(__file__).parent.parent
CANARY = "the canary sings at noon"

LIBRARIES = (
    *("discord", "discord.gateway", "discord.ext.tasks", "slack_bolt", "slack_bolt.AsyncApp", "slack.py:AsyncApp"),
    *("slack_sdk.socket_mode.aiohttp", "anthropic", "anthropic._base_client", "httpx", "httpx2", "httpcore.http11"),
    *(
        "httpcore2",
        "mem0",
        "mem0.memory.main",
        "sqlalchemy.engine.Engine",
        "sqlalchemy.pool",
        "psycopg",
        "psycopg.pool",
    ),
    *("aiohttp.server", "asyncio", "urllib3.connectionpool", "openai", "py.warnings", "root", "somebody.elses"),
)

BEGIN = """
import asyncio, logging, sys, threading, warnings
from pathlib import Path
from bot import logs
CANARY = " ".join(["the", "canary", "sings", "at", "noon"])
def ours(source):
    "Run lines as if they stood in a module of the bot."
    exec(compile(source, str(Path(logs.__file__).with_name("imagined.py")), "exec"), globals())
"""


def run(script: str, *arguments: str, code: int = 0) -> str:
    """The standard error of a child process that runs `script`; its standard output is empty."""
    child = subprocess.run(
        [sys.executable, "-c", BEGIN + script, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert child.returncode == code, child.stderr
    assert child.stdout == ""
    return child.stderr


@pytest.mark.parametrize("level", logs.LEVELS)
def test_no_librarys_record_holds_what_was_said(level: str) -> None:
    """Whatever a library logs, at whatever level, as message, argument or exception: none of it is written out."""
    written = run(
        """
logs.setup(sys.argv[1])
for name in sys.argv[2:]:
    logger = logging.getLogger(name)
    for child_level in (logging.NOTSET, logging.DEBUG):
        logger.setLevel(child_level or logger.level)
        for level in (5, 10, 20, 30, 40, 50):
            logger.log(level, CANARY)
            logger.log(level, f"Unhandled request ({CANARY})")
            logger.log(level, "body: %s", {"text": CANARY})
            logger.log(level, "body: %(text)s", {"text": CANARY})
            logger.log(level, CANARY + " %s %s", "too few")
            logger.log(level, {"text": CANARY})
            try:
                try:
                    raise KeyError(CANARY)
                except KeyError as exc:
                    exc.add_note(CANARY)
                    raise ExceptionGroup(CANARY, [ValueError(CANARY)]) from exc
            except ExceptionGroup as exc:
                logger.log(level, "failed with %s", exc, exc_info=True, stack_info=True)
                logger.log(level, exc)
""",
        level,
        *LIBRARIES,
    )
    assert CANARY not in written
    assert "canary" not in written
    assert "DEBUG" not in written
    assert " INFO " not in written
    assert "withheld" in written
    assert "ExceptionGroup" in written
    assert "from KeyError" in written


def test_what_goes_wrong_outside_any_handler_is_written_without_its_text() -> None:
    """Lost tasks, threads, warnings, finalizers and the end of the process itself: the type and place, not the text."""
    written = run(
        """
logs.setup("DEBUG")
async def lost():
    asyncio.get_running_loop().set_debug(True)
    async def fail(said):
        raise RuntimeError(said)
    task = asyncio.create_task(fail(CANARY), name=CANARY)
    await asyncio.wait([task])
    del task
    asyncio.get_running_loop().call_exception_handler({"message": CANARY, "said": CANARY})
asyncio.run(lost())
def fail():
    raise LookupError(CANARY)
thread = threading.Thread(target=fail, name=CANARY)
thread.start(); thread.join()
warnings.warn(CANARY, UserWarning)
class Final:
    def __del__(self):
        raise ArithmeticError(CANARY)
Final()
raise OSError(28, CANARY)
""",
        code=1,
    )
    assert "canary" not in written
    for kind in ("RuntimeError", "LookupError", "UserWarning", "ArithmeticError", "OSError(errno=28)"):
        assert kind in written


def test_bolts_own_log_of_a_request_holds_none_of_it() -> None:
    """Bolt quotes the whole body of a request that nothing handles; of that, only the place is written."""
    written = run(
        """
logs.setup("DEBUG")
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
async def authorize(**_):
    return AuthorizeResult(enterprise_id="E", team_id="T", bot_user_id="U", bot_id="B", bot_token="xoxb-1")
async def main():
    event = {"type": "message", "text": CANARY, "user": "U2", "channel": "C", "ts": "1.2"}
    body = {"type": "event_callback", "team_id": "T", "event": event}
    for logger in (None, logging.getLogger("adapters.slack.adapter")):
        app = AsyncApp(authorize=authorize, signing_secret="s", logger=logger, request_verification_enabled=False)
        assert (await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))).status == 404
        @app.event("message")
        async def fail(event):
            raise ValueError(event["text"])
        await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
        await asyncio.sleep(0)
asyncio.run(main())
"""
    )
    assert "canary" not in written
    assert "slack_bolt.AsyncApp: message withheld, logged at" in written
    assert "adapters.slack.adapter: message withheld, logged at" in written


def test_our_own_records_are_written_as_they_are_on_one_line() -> None:
    """What the bot's own lines log is written from the set level on; an exception among the values is only named."""
    written = run(
        """
logs.setup("info")
ours('''
log = logging.getLogger("bot.loop")
log.debug("too fine")
log.info("%s: answered in %d ms", "discord:1", 12)
log.warning("failed: %s", ValueError(CANARY))
log.warning("forged\\\\n2026-01-01 ERROR bot: line \\\\x1b[31m")
try:
    raise TimeoutError(CANARY)
except TimeoutError:
    log.exception("slack:T:C:1: no answer")
''')
"""
    )
    lines = written.splitlines()
    assert len(lines) == 4
    assert lines[0].endswith(" INFO bot.loop: discord:1: answered in 12 ms")
    assert lines[1].endswith(" WARNING bot.loop: failed: ValueError")
    assert r"forged\n2026-01-01 ERROR bot: line \x1b[31m" in lines[2]
    assert " ERROR bot.loop: slack:T:C:1: no answer: TimeoutError at bot/imagined.py:8" in lines[3]
    assert CANARY not in written


def test_the_bots_own_errors_say_why() -> None:
    """The message of an exception of ours is the reason, and holds no text by rule; a library's is left out."""
    written = run(
        """
logs.setup("info")
ours('''
from bot.ports import JournalUnavailable
log = logging.getLogger("bot.loop")
log.warning("housekeeping is retried later: %s", JournalUnavailable("OperationalError: SQLITE_FULL"))
try:
    try:
        raise ValueError(CANARY)
    except ValueError as exc:
        raise JournalUnavailable("timeout") from exc
except JournalUnavailable as exc:
    log.warning("failed: %s", logs.describe(exc))
''')
"""
    )
    first, second = written.splitlines()
    assert first.endswith("housekeeping is retried later: JournalUnavailable: OperationalError: SQLITE_FULL")
    assert "failed: JournalUnavailable: timeout at " in second
    assert "; from ValueError at " in second
    assert CANARY not in written


def test_a_librarys_literal_message_is_written_with_its_numbers() -> None:
    """A message that stands in the library's own source says what happened; of its values, only numbers are shown."""
    written = run(
        """
logs.setup("INFO")
import discord.gateway, discord.client
def record(module, message, *values):
    logging.getLogger(module.__name__).handle(
        logging.LogRecord(module.__name__, logging.WARNING, module.__file__, 1, message, values, None))
record(discord.client, "Attempting a reconnect in %.2fs", 1.5)
record(discord.client, "Ignoring exception in %s", CANARY)
record(discord.client, CANARY)
record(discord.client, "Attempting a reconnect in %.2fs", CANARY)
"""
    )
    assert "discord.client: Attempting a reconnect in 1.50s\n" in written
    assert "discord.client: Ignoring exception in …\n" in written
    assert "canary" not in written


def test_a_record_that_cant_be_written_is_named_alone() -> None:
    """A record of ours with the wrong arguments neither stops the bot nor prints them."""
    written = run(
        """
logs.setup("INFO")
ours('logging.getLogger("bot.loop").warning("%d", CANARY)')
"""
    )
    assert written == "a log record of bot.loop was lost (TypeError)\n"


def test_a_repeated_warning_is_counted_instead() -> None:
    """A full disk says so once, then how often; what differs in an id, or is no warning, is written each time."""
    written = run(
        """
logs.setup("INFO")
ours('''
log = logging.getLogger("bot.loop")
for number in range(500):
    log.warning("%s can't be written: SQLITE_FULL", "data/bot.db")
for number in range(3):
    log.warning("discord:%d: retrying", number)
    log.info("retrying")
''')
"""
    )
    lines = [line.split(" ", 1)[1] for line in written.splitlines()]
    full = "WARNING bot.loop: data/bot.db can't be written: SQLITE_FULL"
    assert lines[0] == full
    assert [line for line in lines if "discord" in line] == [
        f"WARNING bot.loop: discord:{n}: retrying" for n in range(3)
    ]
    assert lines.count("INFO bot.loop: retrying") == 3
    assert lines[-1].startswith(f"{full} (repeated 499 times since 2")
    assert len(lines) == 8


def test_repeats_are_told_every_minute() -> None:
    """While the trouble lasts, the log says so again and again; once it has passed, a later line brings the count."""
    written = run(
        """
logs.setup("INFO")
def record(at, message):
    made = logging.LogRecord("bot.loop", logging.WARNING, logs.__file__, 1, message, (), None)
    made.created = 1_750_000_000 + at
    logging.getLogger("bot.loop").handle(made)
for second in range(130):
    record(second, "full")
record(1000, "other")
"""
    )
    lines = [line.split(" ", 3)[3].split(" since")[0] for line in written.splitlines()]
    again = "full (repeated 59 times"
    assert lines == ["full", again, "full", again, "full", "full (repeated 9 times", "other"]


def test_the_log_follows_standard_error() -> None:
    """A log line goes to what standard error is at the time, so that a prompt on the screen stays whole."""
    written = run(
        """
import io
logs.setup("INFO")
real, sys.stderr = sys.stderr, io.StringIO()
ours('logging.getLogger("bot.loop").warning("elsewhere")')
sys.stderr = real
ours('logging.getLogger("bot.loop").warning("here")')
"""
    )
    assert "elsewhere" not in written
    assert written.endswith("bot.loop: here\n")


@pytest.mark.parametrize("level", ["", "LOUD", "10", "a\nb"])
def test_a_wrong_level_is_a_wrong_setting(level: str) -> None:
    """A level that Python doesn't know is refused in one line naming BOT_LOG_LEVEL."""
    with pytest.raises(SettingsError, match=r"\ABOT_LOG_LEVEL: .*\Z"):
        logs.setup(level)
