"""Clients that strangers made, unpatched, against a live ledger: what scripts/test-standards runs."""
