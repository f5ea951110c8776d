"""The commands as views that every platform can show: about the caller alone, for the caller alone."""

from bot.commands.commands import Commands
from bot.commands.words import CANCELLED, EMPTY, GONE, STALE, UNAVAILABLE, kept

__all__ = ["CANCELLED", "EMPTY", "GONE", "STALE", "UNAVAILABLE", "Commands", "kept"]
