"""Hosted mem0."""
