"""Outward standards: thin adapters over the ledger's use cases (docs/standards.md).

An adapter reads a request as its standard words it, lets the `Office` record what it comes to, and words the answer. It knows
nothing of storage, keys or statements; the office knows nothing of any standard.
"""
