"""Outward standards: thin adapters over the ledger's use cases (docs/standards)."""
