"""Slack, by Bolt."""
