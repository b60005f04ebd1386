"""Who signs here for a participant's staff: orders of supervisors, incidents (docs/consoles.md, «Who signs»)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from api.client.signing import load_signer
from api.client.statements import StatementMaker
from api.node.remits import check_order
from api.web.desk import Desk
from api.web.waiting import record_soon
from ledger.clock import Clock
from ledger.entries.fields import ParticipantId
from ledger.errors import NotPermitted
from ledger.planning.commands import Recorded


class SignerEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A statement key that lies on this machine; the path is relative to the file's folder."""

    participant: ParticipantId
    kid: str
    key_file: str


class SignersFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"signers": [{"participant", "kid", "key_file"}]}`."""

    signers: tuple[SignerEntry, ...]


def read_signers(path: Path | None, origin: str, clock: Clock) -> Mapping[str, StatementMaker]:
    """By participant, who signs for its staff. Raises NotFound or InvalidInput for missing or unfit key files."""
    if path is None:
        return {}
    entries = msgspec.json.decode(path.read_bytes(), type=SignersFile).signers
    return {
        one.participant: StatementMaker(
            one.participant, origin, load_signer(one.kid, path.parent / one.key_file), clock
        )
        for one in entries
    }


def can_declare(desk: Desk) -> bool:
    """Whether what this visitor declares is signed here."""
    return desk.staff.participant in desk.office.declarers


def declare(desk: Desk, act: str, **members: Any) -> Recorded:
    """Sign and record a declaration of the visitor's participant. Raises NotPermitted, BadStatement, Refused, Unconfirmed."""
    maker = desk.office.declarers.get(desk.staff.participant)
    if maker is None:
        raise NotPermitted("nobody signs here for this participant: sign where the key is, and submit the statement")
    ledger = desk.office.ledger
    prepared = ledger.prepare(maker.make(act, **members).text)
    check_order(desk.office.remits, ledger.registry, prepared.statement.payload)
    [recorded] = record_soon(ledger, prepared)
    return recorded
