"""Telling customers what happened to their consents: by e-mail, by text message, in their bank's app (docs/notices.md)."""
