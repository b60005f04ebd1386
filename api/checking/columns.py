"""How each column of each table is held against the log. A test asks for a sentence on every column there is."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from ledger.canonical import unb64u
from ledger.entries.evidence import Evidence
from ledger.errors import BadEncoding, Corrupt
from ledger.storage.standing import recorded_payload

_OPERATIONAL: Final = "no: who was told of what is not part of the log, and decides nothing"

CHECKED: Final = {
    "log_head.id": "the table takes one row with this id only",
    "log_head.size": "checkpoints end there",
    "log_head.time": "the time of the last leaf",
    "log_head.last_hash": "the hash of the last leaf",
    "log_head.edge": "grown from all leaves",
    "log_head.checkpoint": "the note of the last checkpoint",
    "log_head.confirmed": "not beyond the log; a smaller one only makes the node confirm again",
    "named_key_store.id": "the table takes one row with this id only",
    "named_key_store.store_id": "no: another store's name keeps a node from starting, and leads to nothing else",
    "access_legs.basis": "the first legs in the entries",
    "access_legs.act": "the first legs in the entries",
    "access_legs.idx": "the entry that records the leg",
    "entries.idx": "the leaf's index",
    "entries.kind": "the leaf's kind",
    "entries.chain": "the leaf's chain",
    "entries.seq": "the leaf's seq",
    "entries.leaf": "the tree, and the links `prev` and `prev_in_chain`",
    "entries.leaf_hash": "the hash of the leaf",
    "entries.sealed": "the leaf's commitment, from the volume that its body was moved to, if it was",
    "entries.iss": "the statement's, unless it was erased",
    "entries.jti": "the statement's, unless it was erased",
    "entries.position": "the item's place, 0 for other statements, unless it was erased",
    "entries.payload_hash": "the statement's, unless it was erased",
    "body_volumes.digest": "the bytes of each volume that a row points to",
    "body_volumes.first": "the first row that points to the volume",
    "body_volumes.last": "the last row that points to the volume",
    "body_volumes.bodies": "the rows that point to the volume; not where all were brought back",
    "tiles.level": "made again from the leaves",
    "tiles.number": "made again from the leaves",
    "tiles.content": "made again from the leaves",
    "checkpoints.size": "the note's",
    "checkpoints.note": "its signature, and its root against the leaves",
    "map_state.id": "the table takes one row with this id only",
    "map_state.size": "the map is made again up to there",
    "map_state.root": "the map's, made again from the leaves",
    "map_state.head": "the last index-head below `size`",
    "map_state.head_time": "that leaf's time",
    "map_pages.prefix": "read from the root down, and counted",
    "map_pages.page": "read from the root down",
    "consents.chain": "every chain with a request has a row",
    "consents.recipient": "the sealed state, which is replayed",
    "consents.holder": "the sealed state, which is replayed",
    "consents.subject_chain": "the sealed state, which is replayed",
    "consents.status": "the sealed state, which is replayed",
    "consents.expires_at": "the sealed state, which is replayed",
    "consents.opened_at": "the index of the request",
    "consents.basis": "the sealed state, which is replayed",
    "consents.used_day": "the sealed state, which is replayed",
    "consents.used_today": "the sealed state, which is replayed",
    "consents.once_until": "the sealed state, which is replayed",
    "consents.sealed": "opened, replayed; the entry it rests on is in its chain",
    "credentials.digest": "every passkey that was enrolled has a row",
    "credentials.subject_chain": "the chain that enrols it",
    "credentials.enrolled_at": "the entry that enrols it",
    "credentials.unenrolled_at": "the entry that ends it",
    "credentials.sealed": "opened, and compared with the enrolment",
    "used_challenges.challenge": "every challenge in an entry has a row",
    "used_challenges.idx": "the entry that used it",
    "standard_notes.chain": "the sealed text is bound to it",
    "standard_notes.name": "the sealed text is bound to it",
    "standard_notes.sealed": "opened; the text of a request against the hash in its name",
    "standard_notes.made_at": "the sealed text is bound to it",
    "client_registrations.client": "no: the signed text names it; under another name there is no registration",
    "client_registrations.signed": "no: the token key's signature; an earlier text of the same client can be put back",
    "cosignatures.size": "the line is over this checkpoint",
    "cosignatures.witness": "the line's key",
    "cosignatures.line": "its signature, if the policy names the witness; no other line is shown",
    "cosignatures.time": "the line's",
    "reconciliation_findings.key": "the report's hash of its findings",
    "reconciliation_findings.report": "the index of a report",
    "reconciliation_findings.access": "the key's",
    "reconciliation_findings.closed_by": "a later entry",
    "seen_tokens.digest": "no: short-lived, and nothing in the log speaks of it",
    "seen_tokens.expires_at": "no: short-lived, and nothing in the log speaks of it",
    "event_cursor.id": "the table takes one row with this id only",
    "event_cursor.next_index": "not beyond the log; else it decides who is told when, and nothing more",
    "event_cursor.leased_by": _OPERATIONAL,
    "event_cursor.leased_until": _OPERATIONAL,
    "event_endpoints.participant": _OPERATIONAL,
    "event_endpoints.url": _OPERATIONAL,
    "event_endpoints.enabled": _OPERATIONAL,
    "event_endpoints.changed_at": _OPERATIONAL,
    "event_deliveries.event_id": _OPERATIONAL,
    "event_deliveries.idx": _OPERATIONAL,
    "event_deliveries.participant": _OPERATIONAL,
    "event_deliveries.kind": _OPERATIONAL,
    "event_deliveries.state": _OPERATIONAL,
    "event_deliveries.attempts": _OPERATIONAL,
    "event_deliveries.next_at": _OPERATIONAL,
    "event_deliveries.first_at": _OPERATIONAL,
    "event_deliveries.acknowledged_at": _OPERATIONAL,
    "event_deliveries.last_error": _OPERATIONAL,
    "event_attempts.participant": _OPERATIONAL,
    "event_attempts.at": _OPERATIONAL,
    "event_attempts.event_id": _OPERATIONAL,
    "event_attempts.idx": _OPERATIONAL,
    "event_attempts.kind": _OPERATIONAL,
    "event_attempts.attempt": _OPERATIONAL,
    "event_attempts.status": _OPERATIONAL,
    "event_attempts.error": _OPERATIONAL,
    "event_attempts.milliseconds": _OPERATIONAL,
}
"""By table and column: what it is compared with. «no: …» says that it is not compared, and why that is acceptable."""


def statement_columns(evidence: Evidence) -> tuple[Any, ...]:
    """(iss, jti, position, payload_hash) of the entry with this evidence. Raises Corrupt."""
    if not evidence.statements:
        return None, None, None, None
    says = recorded_payload(evidence)
    try:
        jti = unb64u(says.jti, size=16)
    except BadEncoding:
        raise Corrupt("its statement has no jti") from None
    payload = hashlib.sha256(unb64u(evidence.statements[0].split(".")[1])).digest()
    return says.iss, jti, evidence.item.position if evidence.item else 0, payload
