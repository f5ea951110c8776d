"""Asyncio helpers that know nothing of the bot: deadlines, batches, back-off, rate limits, task sets."""
