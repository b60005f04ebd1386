"""Consoles: pages for the staff of participants, for auditors and regulators, and for the operator (docs/consoles.md)."""
