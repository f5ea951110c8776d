"""Killed at random instants while people keep writing: a small storm; `python -m tests.faults.storm` is the big one."""

from pathlib import Path

import pytest

from tests.faults.storm import Plan, storm


@pytest.mark.timeout(240)
async def test_one_process_on_sqlite(tmp_path: Path) -> None:
    """After five kills every message is answered once and whole, and learned once."""
    figures = await storm(Plan(kills=5), tmp_path)
    assert figures.kills == 5
    assert figures.wrong == []


@pytest.mark.timeout(240)
async def test_two_workers_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """Two workers that are handed the same events and killed five times answer each message once, and learn it once."""
    figures = await storm(Plan(kills=5, workers=2), tmp_path, postgres_url)
    assert figures.kills == 5
    assert figures.wrong == []


@pytest.mark.timeout(240)
async def test_one_process_on_hosted_mem0(tmp_path: Path) -> None:
    """The same with the memories at hosted mem0, which has what was said in its queue at each kill."""
    figures = await storm(Plan(kills=5), tmp_path, hosted=True)
    assert figures.kills == 5
    assert figures.wrong == []
