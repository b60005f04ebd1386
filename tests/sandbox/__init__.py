"""Sandboxes: logs for trying out (docs/sandbox.md)."""
