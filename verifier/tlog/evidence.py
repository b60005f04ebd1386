"""Evidence that a log signed two histories: written once, checked by anybody, offline.

    {"v":1,"kind":"same-size"|"fork","origin":...,"vkeys":[...],"note_a":...,"note_b":...,"proof":[b64...],
     "seen":ms,"sources":[...]}

Note A is the smaller tree. `same-size` needs no proof: two roots for one size. `fork`: the consistency path from A's
size within B's own tree, its seed included. If it leads to B's signed root but from another root than A's, the log
signed two histories: nobody can make such a path against an honest log, for a path that reaches B's root starts at
the root of B's first leaves. An empty `proof` of a fork is a claim that only the log's tiles can settle.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.bytes.encoding import (
    check_members,
    check_version,
    decode_base64,
    decode_json,
    encode_base64,
    get_integer,
    get_text,
    get_texts,
)
from verifier.bytes.merkle import HASH, consistency_roots
from verifier.crypto.backend import Backend
from verifier.errors import Code, refuted
from verifier.tlog.head import Head, open_head
from verifier.tlog.note import MAX_NOTE, NoteKey, parse_vkey

MAX_EVIDENCE = 4_000_000
SAME_SIZE, FORK = "same-size", "fork"


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """Two heads of one log, and the proof of misbehaviour in them. `proven`: by themselves, without the log's help."""

    kind: str
    a: Head
    b: Head
    proven: bool
    proof: tuple[bytes, ...] = ()

    @property
    def sentence(self) -> str:
        """The sentence for a reader."""
        if self.kind == SAME_SIZE:
            return f"{self.a.checkpoint.origin} signed two different trees of {self.a.size} entries"
        told = f"{self.a.checkpoint.origin} signed a tree of {self.b.size} entries that does not begin with "
        told += f"the {self.a.size} entries it signed before"
        return told if self.proven else told + " (a claim: the path that would prove it is not in the evidence)"


def judge(a: Head, b: Head, proof: Sequence[bytes] = ()) -> Misbehaviour:
    """The proof in two verified heads of one log, A not larger than B. Raises Refuted(BAD_PROOF) if they show
    nothing."""
    if a.checkpoint.origin != b.checkpoint.origin or not {s.key for s in a.log} & {s.key for s in b.log}:
        raise refuted(
            Code.BAD_PROOF,
            "the two checkpoints are not signed by one key of one log",
            expected=a.checkpoint.origin,
            found=b.checkpoint.origin,
        )
    if a.size == b.size:
        if a.root == b.root:
            raise refuted(Code.BAD_PROOF, "the two checkpoints agree: no misbehaviour", found=a.root)
        return Misbehaviour(SAME_SIZE, a, b, proven=True)
    if not 0 < a.size < b.size:
        raise refuted(Code.BAD_PROOF, "the checkpoints are not in order of size", found=(a.size, b.size))
    if not proof:
        return Misbehaviour(FORK, a, b, proven=False)
    old, new = consistency_roots(a.size, b.size, proof)
    if new != b.root:
        raise refuted(Code.BAD_PROOF, "the path is not one of the larger tree", expected=b.root, found=new)
    if old == a.root:
        raise refuted(Code.BAD_PROOF, "the larger tree begins with the smaller: no misbehaviour", found=old)
    return Misbehaviour(FORK, a, b, proven=True, proof=tuple(proof))


def encode_evidence(found: Misbehaviour, seen_ms: int, sources: Sequence[str]) -> bytes:
    """The file to keep and to show. `seen_ms`: when it was found; `sources`: where each note came from."""
    vkeys = sorted({signed.key.vkey for head in (found.a, found.b) for signed in head.log})
    return (
        json.dumps(
            {
                "v": 1,
                "kind": found.kind,
                "origin": found.a.checkpoint.origin,
                "vkeys": vkeys,
                "note_a": found.a.note.decode("utf-8"),
                "note_b": found.b.note.decode("utf-8"),
                "proof": [encode_base64(item) for item in found.proof],
                "seen": seen_ms,
                "sources": list(sources),
            },
            ensure_ascii=False,
            indent=1,
        ).encode("utf-8")
        + b"\n"
    )


def check_evidence(data: bytes, backend: Backend, log_keys: Sequence[NoteKey] = ()) -> Misbehaviour:
    """Check a saved proof of misbehaviour from scratch. With `log_keys` the checkpoints must be signed by those;
    without, the keys of the file are used, and who they belong to must be learnt elsewhere.
    Raises Refuted when the file does not show what it says, CannotCheck for a version that is not known."""
    members = decode_json(data, MAX_EVIDENCE)
    check_version(members, "the evidence")
    check_members(members, {"v", "kind", "origin", "vkeys", "note_a", "note_b", "proof", "seen", "sources"})
    get_integer(members, "seen")
    get_texts(members, "sources", 0, 16)
    kind, origin = get_text(members, "kind", 16), get_text(members, "origin", 255)
    keys = list(log_keys) or [parse_vkey(text) for text in get_texts(members, "vkeys", 1, 16)]
    proof = [decode_base64(text, HASH) for text in get_texts(members, "proof", 0, 64)]
    a, b = (
        open_head(get_text(members, name, MAX_NOTE).encode("utf-8"), keys, backend, origin=origin)
        for name in ("note_a", "note_b")
    )
    found = judge(a, b, proof)
    if found.kind != kind or (kind == SAME_SIZE and proof):
        raise refuted(Code.BAD_PROOF, "the evidence is of another kind than it says", expected=found.kind, found=kind)
    return found
