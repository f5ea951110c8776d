"""Imports mem0 on our terms: no telemetry, no files left behind, no text in logs, and without two unused libraries.

mem0 2.2.1 decides all that at import, so call `prepare` before importing any of it.
"""

import logging
import os
import shutil
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bot.storage.sqlite import make_folder

log = logging.getLogger(__name__)

#: Imported by mem0 whatever the settings, but unused by the parts that we use: posthog sends the telemetry, which is
#: off; qdrant_client is the default store, which we replace. Together 55 MB and over a second (mem0ai 2.2.1). Once mem0
#: imports them lazily, a test in tests/memory/embedded/test_embedded_env.py fails, and these lines can go.
_UNUSED = {"posthog": "Posthog", "qdrant_client": "QdrantClient"}

_lock = threading.Lock()


class NotLoaded:
    """Stands in for a class of a library that isn't loaded, and can't be instantiated."""

    def __init__(self, *_: object, **__: object) -> None:
        raise RuntimeError("this class of mem0's dependencies is not loaded in the bot")


def _withhold(record: logging.LogRecord) -> bool:
    """Remove the text from a record of mem0's, as it may contain memories. Drop anything below a warning."""
    record.msg, record.args, record.exc_info = "message withheld", (), None
    return record.levelno >= logging.WARNING


class _Redacted(logging.Handler):
    """Logs where mem0 logged something, never what."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            log.log(record.levelno, "mem0 reports trouble at %s:%d", record.module, record.lineno)


def prepare(folder: Path | None = None) -> None:
    """Import mem0, once. The files that it insists on writing go to a folder in `folder`, which is then removed.

    `folder` defaults to the system's temporary folder.
    """
    with _lock:
        if "mem0" in sys.modules:
            _silence()
            return
        if folder is not None:
            make_folder(folder)
        scratch = tempfile.mkdtemp(prefix=".mem0-", dir=folder)
        os.environ["MEM0_TELEMETRY"] = "False"
        os.environ["MEM0_DIR"] = scratch
        placed = [name for name in _UNUSED if name not in sys.modules]
        for name in placed:
            sys.modules[name] = _placeholder(name, _UNUSED[name])
        try:
            import_module("mem0.memory.main")
            spacy = import_module("mem0.utils.spacy_models")
        finally:
            for name in placed:
                del sys.modules[name]
            shutil.rmtree(scratch, ignore_errors=True)
        _silence()
        # If spaCy happens to be installed, mem0 would download a model for it.
        vars(spacy).update(_load_failed_full=True, _load_failed_lemma=True)


def _placeholder(name: str, attribute: str) -> ModuleType:
    module = ModuleType(name, "A placeholder while mem0 is imported.")
    setattr(module, attribute, type(attribute, (NotLoaded,), {}))
    return module


def _silence() -> None:
    """Keep mem0's records from every handler and, for its loaded modules, from handlers attached to them."""
    logger = logging.getLogger("mem0")
    if logger.propagate:
        logger.propagate = False
        logger.addHandler(_Redacted())
    for name in list(logging.root.manager.loggerDict):
        if name.startswith("mem0."):
            logging.getLogger(name).addFilter(_withhold)
