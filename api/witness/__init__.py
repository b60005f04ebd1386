"""Witnesses: asking others to cosign our checkpoints, and being a witness for another log (docs/witnesses.md)."""
