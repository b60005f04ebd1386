"""Every parser of bytes that strangers hand over, and an honest input of each kind."""

from __future__ import annotations

from collections.abc import Callable

from tests.verifier.making import BACKEND, Signer, checkpoint_note
from tests.verifier.trees import inclusion_path, root_of
from verifier.bytes import cbor, merkle, patricia
from verifier.bytes.encoding import decode_json
from verifier.crypto.keys import parse_cose_key, parse_spki
from verifier.records.statement import parse_envelope
from verifier.tlog import cose, ct
from verifier.tlog.checkpoint import parse_checkpoint
from verifier.tlog.evidence import check_evidence, encode_evidence, judge
from verifier.tlog.head import open_head
from verifier.tlog.note import parse_note, parse_vkey
from verifier.tlog.policy import parse_policy
from verifier.tlog.proof import Proof, parse_proof
from verifier.tlog.tiles import parse_tile_path, split_entries
from verifier.tlog.trust import parse_trust
from verifier.tlog.witness import decide, parse_request

LOG, W1 = Signer("ledger.example/test"), Signer("w1.example", 4)
LEAVES = [merkle.hash_leaf(bytes([n])) for n in range(7)]
NOTE = checkpoint_note(LOG, LEAVES, W1)
POLICY_TEXT = f"log {LOG.vkey}\nwitness one {W1.vkey}\nquorum one\n".encode()
POLICY = parse_policy(POLICY_TEXT)
PROOF = Proof(3, tuple(inclusion_path(3, LEAVES)), NOTE).text()


def evidence() -> bytes:
    other = checkpoint_note(LOG, LEAVES[::-1], W1)
    a, b = (open_head(data, [LOG.key], BACKEND) for data in (NOTE, other))
    return encode_evidence(judge(a, b), 1, ["here"])


def receipt(protected: str = "a2012719018b01") -> bytes:
    """A COSE receipt of our own making: EdDSA, index 3 of 7."""

    def bstr(raw: bytes) -> bytes:
        return cbor.encode_head(2, len(raw)) + raw

    header = bytes.fromhex(protected)
    path = inclusion_path(3, LEAVES)
    inner = b"\x83\x07\x03" + cbor.encode_head(4, len(path)) + b"".join(map(bstr, path))
    signed = b"\x84\x6aSignature1" + bstr(header) + b"\x40" + bstr(root_of(LEAVES))
    unprotected = b"\xa1\x19\x01\x8c\xa1\x20\x81" + bstr(inner)
    return b"\xd2\x84" + bstr(header) + unprotected + b"\xf6" + bstr(LOG.private.sign(signed))


EVIDENCE, RECEIPT = evidence(), receipt()
PARSERS: dict[str, Callable[[bytes], object]] = {
    "note": parse_note,
    "checkpoint": parse_checkpoint,
    "policy": parse_policy,
    "trust": parse_trust,
    "proof": parse_proof,
    "cbor": cbor.decode_cbor,
    "receipt": cose.parse_receipt,
    "ct": lambda d: ct.split_leaves(d, 256),
    "ct leaf": ct.hash_tile_leaf,
    "bundle": split_entries,
    "statement": parse_envelope,
    "cose key": parse_cose_key,
    "spki": parse_spki,
    "request": parse_request,
    "json": lambda d: decode_json(d, 10_000),
    "evidence": lambda d: check_evidence(d, BACKEND, [LOG.key]),
    "vkey": lambda d: parse_vkey(d.decode("latin-1")),
    "path": lambda d: parse_tile_path(d.decode("latin-1")),
    "map": lambda d: patricia.verify_absent(b"\0" * 32, b"\1" * 32, d),
    "witness": lambda d: decide({LOG.name: LOG.key}, None, d, BACKEND),
}


GENUINE = [
    NOTE,
    NOTE.partition(b"\n\n")[0] + b"\n",
    POLICY_TEXT,
    PROOF,
    EVIDENCE,
    RECEIPT,
    LOG.vkey.encode(),
    b"old 0\n\n" + NOTE,
    b"tile/0/x001/067.p/7",
    b'{"a":[1,"b"]}',
]
