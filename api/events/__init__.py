"""Telling the other party of a consent: security event tokens, pushed or polled (docs/events.md)."""
