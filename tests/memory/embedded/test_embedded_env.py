"""What importing mem0 does to the process and to the disk: nothing that shows."""

import ast
import inspect
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from bot.memory.embedded.mem0_async import BotMemory, NoHistory

ROOT = Path(__file__).resolve().parents[3]


def run(code: str, home: Path, **env: str) -> str:
    """Run code in a process of its own whose home and temporary folder are `home`; return what it prints."""
    env = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "PYTHONPATH": str(ROOT), **env}
    for name in ("MEM0_DIR", "MEM0_TELEMETRY"):
        env.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=env, cwd=home, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_bot_memory_sets_what_async_memory_sets() -> None:
    """Our class has each attribute that mem0's constructor gives it, so that a moved mem0 is noticed here."""
    source = ast.parse(textwrap.dedent(inspect.getsource(BotMemory.__mro__[1].__init__)))
    assigned = {
        target.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    }
    ours = set(vars(BotMemory(embedder=None, store=None, llm=None)))
    assert ours == assigned - {"_telemetry_vector_store"}  # that one only with telemetry on


def test_no_history_answers_every_call_that_mem0_makes() -> None:
    """Each method that `AsyncMemory` calls on its history is there, with parameters that fit."""
    source = ast.parse(textwrap.dedent(inspect.getsource(BotMemory.__mro__[1])))
    used = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "db"
    }
    assert used
    assert used <= set(dir(NoHistory))


def test_importing_mem0_leaves_no_file_and_loads_no_unused_library(tmp_path: Path) -> None:
    """Neither home, nor the temporary folder, nor the data folder holds anything of mem0's afterwards."""
    printed = run(
        """
        import json, sys
        from pathlib import Path
        from bot.memory import mem0_env
        mem0_env.prepare(Path("data"))
        from bot.memory.embedded.mem0_async import BotMemory
        BotMemory(embedder=None, store=None, llm=None)
        from mem0.memory import telemetry
        names = ("posthog", "qdrant_client", "grpc", "openai", "spacy")
        print(json.dumps([telemetry.MEM0_TELEMETRY, [name for name in names if name in sys.modules]]))
        """,
        tmp_path,
    )
    assert json.loads(printed) == [False, []]
    assert [path for path in tmp_path.rglob("*") if path.name != "data"] == []


def test_the_placeholders_still_save_memory(tmp_path: Path) -> None:
    """Without posthog and qdrant_client the import takes at least 25 MB less; where it doesn't, they can go."""
    resident = "print(int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE'))"
    slim = run(f"import os; from bot.memory.embedded import mem0_async; {resident}", tmp_path)
    whole = run(f"import os, posthog, qdrant_client; from bot.memory.embedded import mem0_async; {resident}", tmp_path)
    assert int(whole) - int(slim) > 25 * 2**20


def test_nothing_that_mem0_logs_reaches_a_handler(tmp_path: Path) -> None:
    """With the root logger at DEBUG, a record of mem0's is told by its place alone, and only from WARNING on."""
    printed = run(
        """
        import logging, sys
        logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(levelname)s %(message)s")
        from bot.memory.embedded import mem0_async
        logger = logging.getLogger("mem0.memory.main")
        logger.setLevel(logging.DEBUG)
        logger.debug("Creating memory with data='gooseberries'")
        logger.error("Error with gooseberries", exc_info=True)
        """,
        tmp_path,
    )
    assert "gooseberries" not in printed
    assert "ERROR mem0 reports trouble at <string>:" in printed
