"""What the operator chains register: keys, participants, purposes (docs/spec/leaves.md)."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bytes.encoding import Object
from verifier.crypto.keys import PublicKey


@dataclass(slots=True)
class Key:
    """A key and the indexes between which it was in force: [added, revoked)."""

    kid: str
    owner: str
    use: str
    jwk: Object
    key: PublicKey
    added: int
    revoked: int | None = None


@dataclass(slots=True)
class Participant:
    """One registered participant as of the last document folded."""

    name: str
    roles: frozenset[str]
    suspended: bool = False
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Purpose:
    """A purpose as the log defines it; 0 = no limit."""

    permissions: frozenset[str]
    max_days: int
    max_frequency_per_day: int
    max_history_days: int
    max_retention_days: int
