"""Consents: their terms, state and transitions (docs/spec/consents.md). Pure functions only."""
