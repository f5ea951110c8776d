"""Helpers for asyncio that know nothing of the bot: deadlines, batches, allowances."""
