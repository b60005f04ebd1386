"""Bundles by the thousand, each with what must be said of it: exit status, code and place (docs/spec/verdicts.md)."""
