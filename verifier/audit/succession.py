"""From one key of a log to the next (docs/spec/log.md, «The log's keys»): who knows an older key is led to the newer one by
the log itself, and a checkpoint is held against what the log says of its keys."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from verifier.bytes.archive import Archive, Unreadable
from verifier.bytes.encoding import MAX_LEAF, Object, decode_json, encode_base64, get_bytes, get_integer
from verifier.bytes.growing_tree import WIDTH
from verifier.bytes.merkle import hash_leaf
from verifier.crypto.backend import Backend
from verifier.crypto.keys import Ed25519Key
from verifier.errors import CannotCheck, Code, Defect, NotFound, Place, Refuted, refuted
from verifier.records.leaf import parse_leaf
from verifier.rules.findings import Findings
from verifier.rules.log_keys import MEMBERS, Handover, LogKeys
from verifier.rules.succeeding import Successor, Vouches, Words, successors
from verifier.tlog.checkpoint import Checkpoint, parse_checkpoint
from verifier.tlog.note import ED25519, NoteKey, parse_note, parse_vkey, verify_note
from verifier.tlog.policy import PolicyHead
from verifier.tlog.source import Source
from verifier.tlog.tiles import MAX_BUNDLE, TileReader, tile_path
from verifier.tlog.trust import Trust

MARK = b'"log.key_'
LEADS_NOWHERE = (
    "signed by a key of the log's name that your policy does not list, and the log leads there from none that it lists: if "
    "the operator changed the key, get the verifier key by another way, and add its line to the policy beside the old one"
)
MAX_KEYS = 4_000_000
"""Bytes of what a log hands out about its keys."""


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
        further, _ = led_from(BundleTiles(archive), note, trust, backend, _in_entries, refusal)
    return further.verify(note, backend), further


Documents = Callable[[Source, TileReader], Iterator[tuple[int, Object]]]
"""The documents about the log's keys with their index, each proved to be an entry of the tree that the reader reads."""


def led_from(
    source: Source, note: bytes, trust: Trust, backend: Backend, documents: Documents, refusal: Refuted
) -> tuple[Trust, list[Successor]]:
    """What the reader trusts, with the keys to which this log leads from those. What is read here proves nothing yet of the
    checkpoint `note`, whose signature was refused by `refusal`; a bundle is read again by its audit, which tells all that is
    wrong with it.

    Raises Refuted: `refusal` where the log leads to no key, saying which unknown key of the log's name signed, if one did;
    KEY_COMPROMISED where that is because somebody else may have the reader's key.
    """
    try:
        text = parse_note(note).text
        checkpoint = parse_checkpoint(text)
        reader = TileReader(source, checkpoint.size, checkpoint.root)
        words = Words()
        for index, document in documents(source, reader):
            words.read(document, index)
        found = successors(_keys_of(trust, checkpoint.origin), words, _by_tiles(checkpoint.origin, reader, backend))
    except Refuted as wrong:
        if wrong.defect.code is Code.KEY_COMPROMISED:
            raise
        raise _told(refusal, note, trust, f" ({wrong.defect.sentence})") from None
    except (CannotCheck, NotFound) as missing:
        raise _told(refusal, note, trust, f" ({missing})") from None
    if not found:
        raise _told(refusal, note, trust, "")
    more = [note_key(checkpoint.origin, one.key) for one in found]
    intervals = {**trust.intervals, **{key.vkey: (one.first, None) for key, one in zip(more, found, strict=True)}}
    policy = replace(trust.policy, logs=(*trust.policy.logs, *more))
    return replace(trust, policy=policy, intervals=intervals), found


def _keys_of(trust: Trust, origin: str) -> list[bytes]:
    return [
        key.key.raw
        for key in trust.policy.logs
        if key.kind == ED25519 and key.name == origin and isinstance(key.key, Ed25519Key)
    ]


def _told(refusal: Refuted, note: bytes, trust: Trust, why: str) -> Refuted:
    """The refusal of a checkpoint, with what is to be done if the log changed its key. It stays a refusal."""
    names = {key.name for key in trust.policy.logs}
    try:
        strangers = [line for line in parse_note(note).lines if line.name in names]
    except Refuted:
        strangers = []
    if not strangers or all(line.key_id in {key.key_id for key in trust.policy.logs} for line in strangers):
        return refusal
    found = ", ".join(f"{line.name}+{line.key_id.hex()}" for line in strangers)
    return refuted(refusal.defect.code, LEADS_NOWHERE, expected=", ".join(sorted(names)), found=f"{found}{why}")


def _by_tiles(origin: str, reader: TileReader, backend: Backend) -> Vouches:
    def vouches(key: bytes, signature: bytes, index: int, size: int) -> None:
        if not index < size <= reader.size:
            raise refuted(Code.BAD_PROOF, "a key of the log ends above the tree", index=size, found=reader.size)
        text = Checkpoint(origin, size, reader.range_root(0, size)).body()
        backend.verify(Ed25519Key(key), text, signature)

    return vouches


def taught(trust: Trust, keys: LogKeys, origin: str) -> Trust:
    """What a reader trusts who has verified a log that says this of its keys: each of them, for the sizes at which it was in
    force. Bounds that the reader brought along stay."""
    known = {key.vkey for key in trust.policy.logs}
    intervals, compromised = dict(trust.intervals), dict(trust.compromised)
    more: list[NoteKey] = []
    for raw, span in keys.spans.items():
        key = note_key(origin, raw)
        intervals.setdefault(key.vkey, (span.first, span.last))
        if span.compromised is not None:
            compromised.setdefault(key.vkey, span.compromised)
        if key.vkey not in known:
            more.append(key)
    policy = replace(trust.policy, logs=(*trust.policy.logs, *more))
    return replace(trust, policy=policy, intervals=intervals, compromised=compromised)


def _in_entries(source: Source, reader: TileReader) -> Iterator[tuple[int, Object]]:
    """The documents among the entries. One that is not of its form says nothing here; the audit tells."""
    for n in range(-(-reader.size // WIDTH)):
        width = min(WIDTH, reader.size - n * WIDTH)
        if MARK not in source.read(tile_path("entries", n, width), MAX_BUNDLE):
            continue
        for position, entry in enumerate(reader.bundle(n), n * WIDTH):
            leaf = parse_leaf(entry) if MARK in entry else None
            document = (leaf and leaf.document) or {}
            if leaf is not None and leaf.kind == "operator" and document.get("type") in MEMBERS:
                with contextlib.suppress(Refuted):
                    Words().read(document, position)
                    yield position, document


def handed_out(source: Source, reader: TileReader) -> Iterator[tuple[int, Object]]:
    """The documents that the log hands out under `log/keys`, or, where it has no such file, those among its entries.
    Raises Refuted, NotFound, CannotCheck."""
    try:
        answer = decode_json(source.read("log/keys", MAX_KEYS), MAX_KEYS)
    except NotFound:
        yield from _in_entries(source, reader)
        return
    listed = answer.get("documents")
    if not isinstance(listed, list):
        raise refuted(Code.BAD_ENCODING, "no list of documents", file="log/keys")
    for one in listed:
        if not isinstance(one, dict):
            raise refuted(Code.BAD_ENCODING, "a document is no object", file="log/keys")
        index, entry = get_integer(one, "index"), get_bytes(one, "leaf", 1, MAX_LEAF)
        if reader.leaf(index) != hash_leaf(entry):
            raise refuted(Code.BAD_PROOF, "the document is not the entry of the log that it is said to be", index=index)
        yield index, document_of(entry, index)


def document_of(entry: bytes, index: int) -> Object:
    """The operator document of an entry. Raises Refuted if it has none, or another index."""
    leaf = parse_leaf(entry)
    if leaf.kind != "operator":
        raise refuted(Code.BAD_ENCODING, "the entry is no document about a key of the log", index=index)
    if leaf.number != index:
        raise refuted(Code.BAD_PROOF, "the document is not the entry of the log that it is said to be", index=index)
    return leaf.document or {}


def _holds(handover: Handover, origin: str, reader: TileReader, backend: Backend) -> bool:
    text = Checkpoint(origin, handover.index, reader.range_root(0, handover.index)).body()
    try:
        backend.verify(Ed25519Key(handover.key), text, handover.signature)
    except Refuted:
        return False
    return True


def note_key(origin: str, raw: bytes) -> NoteKey:
    """The log key of these 32 bytes, as a verifier key."""
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
    present = [note_key(origin, key) for key in keys.in_force(head.head.size)]
    try:
        verify_note(parse_note(head.head.note), present, backend)
    except Refuted:
        known = {note_key(origin, key).vkey: span for key, span in keys.spans.items()}
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
