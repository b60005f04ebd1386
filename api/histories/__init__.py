"""Bringing a past: reads a table or a journal, and makes of it sheets under one root (docs/history.md)."""
