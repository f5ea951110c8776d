"""Memories on PostgreSQL."""
