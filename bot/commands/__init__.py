"""Commands, answered by views that every platform can show: about the caller, and visible to the caller alone."""

from bot.commands.handler import Commands
from bot.commands.wording import CANCELLED, EMPTY, GONE, STALE, UNAVAILABLE, kept

__all__ = ["CANCELLED", "EMPTY", "GONE", "STALE", "UNAVAILABLE", "Commands", "kept"]
