"""The names of logs in which nothing happened to anybody (docs/spec/log.md, «Sandboxes»)."""

from __future__ import annotations

from typing import Final

SANDBOX_ORIGINS: Final = "sandbox.invalid/"
"""How the origin of every sandbox begins, and of nothing else."""


def is_sandbox(origin: str) -> bool:
    """Whether a log of this name is a sandbox."""
    return origin.startswith(SANDBOX_ORIGINS)
