"""Registers of participants that others keep, read into operator documents (docs/operating.md, «A register's feed»)."""
