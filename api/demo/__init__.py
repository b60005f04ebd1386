"""`consent-ledger demo`: a whole small world of open banking on this machine, from consent to audit (README.md)."""

from __future__ import annotations

from pathlib import Path

from api.demo.play import play
from api.demo.words import Language


def run(*, once: bool, customers: int, directory: Path | None, language: Language = "en", shards: int = 0) -> int:
    """Play the demo; the exit status: 0 when everything was as it must be, else 1.

    `once`: end after the closing table instead of staying up. `customers`: how many consent. `directory`: a new or empty folder
    in which everything is kept, but for private keys of participants, which exist in memory only; default: a temporary folder,
    removed at the end. `language`: of what it says on the terminal. `shards`: show so many logs as one instead (docs/sets.md).
    """
    return play(once=once, customers=customers, directory=directory, language=language, shards=shards)
