"""What a place must promise to be published to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

CHECKPOINT: Final = "checkpoint"
"""The one file that is replaced; all others never change."""


class PublicPlace(Protocol):
    """Where files are published. Paths are relative, with forward slashes."""

    def alone(self) -> AbstractContextManager[None]:
        """A context in which no other publisher of this machine works here. Raises Conflict when one does."""

    def checkpoint(self) -> str | None:
        """The published checkpoint; None in a new place."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that never changes; false when it is there already. Raises Corrupt when it has other bytes."""

    def commit(self, note: str) -> None:
        """Make all created files durable, then replace the checkpoint that `checkpoint` gave.

        Raises Conflict when another publisher has replaced it since.
        """

    def partials(self, tile: str | None) -> list[str]:
        """The partial tiles beside this full one; of all tiles for None."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; those that are gone already do not matter."""
