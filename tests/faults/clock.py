"""A wall clock that a test sets, for a process of its own."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("clock.c")


def build(folder: Path) -> Path:
    """The library to start a process with (`LD_PRELOAD`): its clock is ahead by the seconds in the file `CLOCK_FILE`.

    Skips the test where there is no C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("setting a process's clock takes a C compiler")
    built = folder / "clock.so"
    made = subprocess.run([compiler, "-shared", "-fPIC", "-o", built, SOURCE, "-ldl"], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("setting a process's clock takes Linux and its C headers")
    return built
