"""Time zones by their IANA names."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo


def named(name: str) -> tzinfo | None:
    """The zone of that name, from outside as it may be; None if there is none, or this machine doesn't know it."""
    if name == "UTC":
        return UTC  # needs no database
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, no name, a folder
        return None


def name_of(zone: tzinfo | None) -> str | None:
    """The IANA name of a zone; None if it is UTC, or an offset alone."""
    return zone.key if isinstance(zone, ZoneInfo) else None


def label(at: datetime) -> str:
    """How the zone of a time is called: by its IANA name or, without one, by the abbreviation in use at that time."""
    return name_of(at.tzinfo) or at.tzname() or "UTC"
