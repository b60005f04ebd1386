"""Changing the log's key: what is recorded of it, and the files of this machine (docs/operating.md, «Changing the log key»)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.custody.log_key import next_key_file, read_signer
from ledger.documents import LogKeyAdded, LogKeyCompromised, LogKeyRetired, document_of
from ledger.errors import Conflict, IllegalTransition, InvalidInput, NotFound
from ledger.notes.keys import VerifierKey
from ledger.notes.note import parse_note
from ledger.participants import Registry
from ledger.planning.commands import Composer, RecordComposed, Recorded
from ledger.queries.tree import visible_note


class _Retirement(Composer):
    """Writes that a key ends, with its own word for all entries below the document: the line that it signed there."""

    def __init__(self, vkey: VerifierKey) -> None:
        self._vkey = vkey

    @override
    def compose(self, connection: Any, registry: Registry, size: int, time: int) -> Sequence[Mapping[str, Any]]:
        """Raises NotFound when the newest checkpoint does not bear its line."""
        lines = parse_note(visible_note(connection, size) or "").signatures
        signed = [line.blob for line in lines if line.key_id == self._vkey.key_id]
        if not signed:
            raise NotFound(
                f"the newest checkpoint is not signed by {self._vkey.format()}: it has ended, or is another log's"
            )
        return [document_of(LogKeyRetired, key=b64u(self._vkey.public_key), signature=b64u(signed[0]))]

    @override
    def recorded(self, connection: Any, index: int) -> None:
        """Nothing else belongs to it."""


def begin_overlap(ledger: Ledger, log_key_file: Path) -> Recorded:
    """Put on record that the key beside `log_key_file` signs too, from here on. Raises NotFound when there is none, Conflict
    when an overlap is under way, InvalidInput, Unavailable."""
    file = next_key_file(log_key_file)
    if not file.exists():
        raise NotFound(f"there is no {file}: «consent-ledger key new» makes it, or «consent-ledger key rotate --new»")
    new = read_signer(file)
    new.probe()
    present = ledger.registry.log_keys.in_force or (read_signer(log_key_file).vkey.public_key,)
    if new.vkey.public_key in present:
        raise Conflict(
            f"the log signs with {new.vkey.format()} already: «consent-ledger key retire» ends the older key"
        )
    if new.vkey.name != ledger.origin:
        raise InvalidInput(f"{file} is a key of {new.vkey.name}, and this is the log {ledger.origin}")
    document = document_of(LogKeyAdded, key=b64u(new.vkey.public_key), previous=b64u(present[-1]))
    return ledger.record_documents(document)[0]


def end_overlap(ledger: Ledger, vkey: VerifierKey | None = None) -> tuple[Recorded, VerifierKey]:
    """Put on record that the older of the two keys, or `vkey`, has ended. Raises IllegalTransition outside an overlap."""
    vkeys, present = ledger.vkeys, ledger.registry.log_keys.in_force
    if len(present) < 2:
        raise IllegalTransition(
            "the log has one key in force: «consent-ledger key rotate» adds the one that is to follow it"
        )
    ended = vkey or vkeys[1]  # those in force come first, the newest before the older
    return ledger.submit_and_wait(RecordComposed(_Retirement(ended)))[0], ended


def declare_compromised(ledger: Ledger, vkey: VerifierKey, from_size: int, reason: str) -> Recorded:
    """Put on record that somebody else may have signed with a key from a size on; if it is in force, it ends."""
    return ledger.record_documents(
        document_of(LogKeyCompromised, key=b64u(vkey.public_key), from_size=from_size, reason=reason)
    )[0]


def put_in_place(ledger: Ledger, log_key_file: Path) -> Path | None:
    """Once one of the two keys has ended, give the files their names: the log key's to the one in force. Where the ended one
    lies now; None when there is nothing to do. Safe to repeat: a node reads either of the two names."""
    file, keys = next_key_file(log_key_file), ledger.registry.log_keys
    if not file.exists():
        return None
    old, new = read_signer(log_key_file).vkey, read_signer(file).vkey
    over = {one.key for one in keys.known if one.last is not None}
    if new.public_key in over:
        return file.replace(_ended(log_key_file, new))
    if old.public_key not in over or new.public_key not in keys.in_force:
        return None
    ended = _ended(log_key_file, old)
    if not ended.exists():
        ended.hardlink_to(log_key_file)  # the name goes over in one step below: there is a log key file at every moment
    file.replace(log_key_file)
    return ended


def _ended(log_key_file: Path, vkey: VerifierKey) -> Path:
    return log_key_file.with_name(f"{log_key_file.name}.ended-{vkey.key_id.hex()}")
