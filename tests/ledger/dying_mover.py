"""Moves all bodies and dies by SIGKILL at one step: `python -m tests.ledger.dying_mover STEP CONFIG`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from ledger.assembly import NodeConfig, open_ledger
from ledger.publish.directory import PublicDirectory
from ledger.publish.places import fetching_from
from ledger.storage import moving

_STEP, _CONFIG = sys.argv[1:]
_PATHS: Final = ("log_key_file", "kek_file", "highwater_file")


def _at(step: str) -> None:
    if step == _STEP:
        os.kill(os.getpid(), signal.SIGKILL)


class _DyingPlace(PublicDirectory):
    def create(self, path: str, content: bytes) -> bool:
        made = super().create(path, content)
        _at("written")
        return made

    def settle(self) -> None:
        super().settle()
        _at("settled")


def _dying_swap(*arguments: Any) -> None:
    _SWAP(*arguments)
    _at("swapped")


_SWAP = moving._swap  # the step between the last statement and the commit has no other edge
moving._swap = _dying_swap

said: dict[str, Any] = msgspec.json.decode(_CONFIG)
names = ("database_url", "keystore_url", "bodies_at")
config = NodeConfig(**{name: said[name] for name in names}, **{name: Path(said[name]) for name in _PATHS})
ledger = open_ledger(config)
where = config.bodies_at
moving.move_bodies(ledger.store, ledger.keystore, _DyingPlace(Path(where)), fetching_from(where), 1_000_000)
_at("committed")
