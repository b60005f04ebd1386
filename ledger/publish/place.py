"""What a place must promise to be published to."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

CHECKPOINT: Final = "checkpoint"
"""What strangers are shown first: `GET /checkpoint` of a node."""
NEWEST: Final = "checkpoint.newest"
"""`GET /checkpoint/newest` of a node. In a folder, no file lies below another."""
KEYS: Final = "log/keys"
REPLACED: Final = (KEYS, NEWEST, CHECKPOINT)
"""The files that are replaced; all others never change."""


class PublicPlace(Protocol):
    """Where files are published. Paths are relative, with forward slashes."""

    def alone(self) -> AbstractContextManager[None]:
        """A context in which no other publisher of this machine works here. Raises Conflict when one does."""

    def read(self, name: str) -> bytes | None:
        """One of the files that are replaced; None where it is not there yet."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that never changes; false when it is there already. Raises Corrupt when it has other bytes."""

    def settle(self) -> None:
        """Make everything written before durable."""

    def replace(self, name: str, content: bytes) -> None:
        """Make everything written before durable, then replace the file that `read` gave.

        Raises Conflict when another publisher has replaced it since.
        """

    def partials(self, tile: str | None) -> list[str]:
        """The partial tiles beside this full one; of all tiles for None."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; those that are gone already do not matter."""
