"""Explains entries to their parties: which rule, why, on which facts, and what would have to change (docs/api.md)."""
