"""From one key of a log to the next (docs/spec/log.md, «The log's keys»): who knows an older key is led to the newer one by
the log itself, and a checkpoint is held against what the log says of its keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import Object, encode_base64
from verifier.bytes.growing_tree import WIDTH
from verifier.crypto.backend import Backend
from verifier.crypto.keys import Ed25519Key
from verifier.errors import CannotCheck, Code, Defect, NotFound, Place, Refuted, refuted
from verifier.records.leaf import parse_leaf
from verifier.rules.findings import Findings
from verifier.rules.log_keys import MEMBERS, Handover, LogKeys
from verifier.tlog.checkpoint import Checkpoint, parse_checkpoint
from verifier.tlog.note import ED25519, NoteKey, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import PolicyHead
from verifier.tlog.tiles import MAX_BUNDLE, TileReader, tile_path
from verifier.tlog.trust import Trust

MARK = b'"log.key_'


class BundleTiles:
    """The tiles of a bundle as a log's source: a file that cannot be read is a defect of it."""

    def __init__(self, archive: Archive) -> None:
        self._archive, self.name = archive, archive.name

    def read(self, path: str, limit: int) -> bytes:
        """See source.Source."""
        try:
            return self._archive.read(path, limit)
        except Unreadable as error:
            raise refuted(Code.BAD_ENCODING, str(error)) from None


def verify_head(archive: Archive, note: bytes, trust: Trust, backend: Backend) -> tuple[PolicyHead, Trust]:
    """Verify a bundle's checkpoint: by a log key of the reader's, or by one to which the log leads from such a key; with
    what the reader trusts from here on. Raises Refuted."""
    try:
        return trust.verify(note, backend), trust
    except Refuted as refusal:
        if refusal.defect.code is not Code.BAD_SIGNATURE:
            raise
        further = _led_from(archive, note, trust, backend)
        if further is None:
            raise
    return further.verify(note, backend), further


def _led_from(archive: Archive, note: bytes, trust: Trust, backend: Backend) -> Trust | None:
    """What the reader trusts, with the keys to which this log leads; None if it leads to none. What is read here is read
    again by the audit, which tells what is wrong with it."""
    try:
        checkpoint = parse_checkpoint(parse_note(note).text)
        tiles = BundleTiles(archive)
        reader = TileReader(tiles, checkpoint.size, checkpoint.root)
        known = LogKeys()
        for index, document in _documents(tiles, reader):
            if document.get("v") == 2 and document.keys() == MEMBERS[str(document["type"])] | {"type", "v"}:
                _fold(known, document, index)
        return _extended(trust, known, checkpoint, reader, backend)
    except (Refuted, CannotCheck, NotFound):
        return None


def _extended(
    trust: Trust, known: LogKeys, checkpoint: Checkpoint, reader: TileReader, backend: Backend
) -> Trust | None:
    trusted = {
        key.key.raw
        for key in trust.policy.logs
        if key.kind == ED25519 and key.name == checkpoint.origin and isinstance(key.key, Ed25519Key)
    }
    found: list[NoteKey] = []
    intervals = dict(trust.intervals)
    for handover in known.handovers:
        if handover.key in trusted and _holds(handover, checkpoint.origin, reader, backend):
            for index, key, previous in known.added:
                if index < handover.index and previous == handover.key and key not in trusted:
                    trusted.add(key)
                    found.append(_note_key(checkpoint.origin, key))
                    intervals[found[-1].vkey] = (index + 1, None)
    if not found:
        return None
    return replace(trust, policy=replace(trust.policy, logs=(*trust.policy.logs, *found)), intervals=intervals)


def taught(trust: Trust, keys: LogKeys, origin: str) -> Trust:
    """What a reader trusts who has verified a log that says this of its keys: each of them, for the sizes at which it was in
    force. Bounds that the reader brought along stay."""
    known = {key.vkey for key in trust.policy.logs}
    intervals, compromised = dict(trust.intervals), dict(trust.compromised)
    more: list[NoteKey] = []
    for raw, span in keys.spans.items():
        key = _note_key(origin, raw)
        intervals.setdefault(key.vkey, (span.first, span.last))
        if span.compromised is not None:
            compromised.setdefault(key.vkey, span.compromised)
        if key.vkey not in known:
            more.append(key)
    policy = replace(trust.policy, logs=(*trust.policy.logs, *more))
    return replace(trust, policy=policy, intervals=intervals, compromised=compromised)


def _documents(tiles: BundleTiles, reader: TileReader) -> Iterator[tuple[int, Object]]:
    """The documents about the log's keys, authenticated by the tiles, in order."""
    for n in range(-(-reader.size // WIDTH)):
        width = min(WIDTH, reader.size - n * WIDTH)
        if MARK not in tiles.read(tile_path("entries", n, width), MAX_BUNDLE):
            continue
        for position, entry in enumerate(reader.bundle(n), n * WIDTH):
            leaf = parse_leaf(entry) if MARK in entry else None
            if leaf is not None and leaf.kind == "operator" and (leaf.document or {}).get("type") in MEMBERS:
                yield position, leaf.document or {}


def _fold(known: LogKeys, document: Object, index: int) -> None:
    try:
        known.fold(document, index)
    except Refuted:
        return  # it says nothing; the audit tells


def _holds(handover: Handover, origin: str, reader: TileReader, backend: Backend) -> bool:
    text = Checkpoint(origin, handover.index, reader.range_root(0, handover.index)).body()
    try:
        backend.verify(Ed25519Key(handover.key), text, handover.signature)
    except Refuted:
        return False
    return True


def _note_key(origin: str, raw: bytes) -> NoteKey:
    data = bytes([ED25519]) + raw
    identity = hashlib.sha256(origin.encode("utf-8") + b"\n" + data).digest()[:4]
    return parse_vkey(f"{origin}+{identity.hex()}+{encode_base64(data)}")


def check_log_keys(
    archive: Archive,
    keys: LogKeys,
    head: PolicyHead | None,
    tree: tuple[str, int, bytes],
    findings: Findings,
    backend: Backend,
) -> None:
    """At the end: handovers are signed, and the checkpoint by a key in force. `tree`: origin, size and root of the entries."""
    origin, size, root = tree
    # Step 9.11.
    for handover in keys.handovers:
        try:
            reader = TileReader(BundleTiles(archive), size, root)
            holds = _holds(handover, origin, reader, backend)
        except (Refuted, CannotCheck, NotFound):
            findings.unchecked["handovers of the log's keys over damaged tiles"] += 1
            continue
        findings.checked["handovers of the log's keys"] += 1
        if not holds:
            findings.add(
                Defect(
                    Code.BAD_SIGNATURE,
                    "the key that ends did not sign the tree below its end",
                    Place(handover.index, field="document.signature"),
                    f"a signature of {handover.key.hex()}",
                    handover.signature.hex(),
                )
            )
    # Step 9.12.
    if head is not None and keys.spans:
        _check_signer(head, keys, origin, findings, backend)


def _check_signer(head: PolicyHead, keys: LogKeys, origin: str, findings: Findings, backend: Backend) -> None:
    present = [_note_key(origin, key) for key in keys.in_force(head.head.size)]
    try:
        verify_note(parse_note(head.head.note), present, backend)
    except Refuted:
        known = {_note_key(origin, key).vkey: span for key, span in keys.spans.items()}
        spans = [known[signed.key.vkey] for signed in head.head.log if signed.key.vkey in known]
        stolen = any(span.compromised is not None and head.head.size >= span.compromised for span in spans)
        findings.add(
            Defect(
                Code.KEY_COMPROMISED if stolen else Code.POLICY_REJECTED,
                "the checkpoint is signed by no key that the log has in force at its size",
                Place(file="checkpoint"),
                ", ".join(key.vkey for key in present),
                ", ".join(signed.key.vkey for signed in head.head.log),
            )
        )
