"""Time zones by name."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot import zones

ROOT = Path(__file__).parents[1]


def test_a_zone_by_its_name() -> None:
    """An IANA name is a zone with that name; UTC is plain UTC, which has no need of one."""
    assert zones.named("America/New_York") == ZoneInfo("America/New_York")
    assert zones.name_of(zones.named("America/New_York")) == "America/New_York"
    assert zones.named("UTC") is UTC
    assert zones.name_of(UTC) is None


@pytest.mark.parametrize(
    "name",
    ["", " ", "America", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 9999, "Ü", "UTC+2"],
)
def test_what_is_no_zone(name: str) -> None:
    """Whatever a platform calls a zone: None where it isn't one, and no file elsewhere is read."""
    assert zones.named(name) is None


def test_zones_are_known_without_the_systems_database() -> None:
    """A slim container image has none: then the package's is used."""
    code = "from bot import zones; print(zones.named('Europe/Lisbon'), zones.named('US/Eastern'))"
    run = [sys.executable, "-c", code]
    said = subprocess.run(run, env={"PYTHONTZPATH": ""}, cwd=ROOT, capture_output=True, check=True, text=True)
    assert said.stdout.split() == ["Europe/Lisbon", "US/Eastern"]


def test_a_label_for_readers() -> None:
    """The name, or else the abbreviation."""
    at = datetime(2026, 11, 28, 1, 30, tzinfo=UTC)
    assert zones.label(at) == "UTC"
    assert zones.label(at.astimezone(ZoneInfo("Asia/Tokyo"))) == "Asia/Tokyo"
