"""The hashes of protocol v1 that bind names, terms and evidence to leaves (docs/spec/encoding.md, leaves.md)."""

from __future__ import annotations

import hashlib
import hmac

from verifier.bytes import tags
from verifier.bytes.encoding import Object, encode_canonical
from verifier.errors import Code, refuted

OPENING_BYTES = 32


def chain_of(name: str) -> bytes:
    """The 32-byte chain of a chain's name: a consent id, `subject:...` or `operator:...`."""
    return hashlib.sha256(tags.CHAIN + name.encode("utf-8")).digest()


def terms_hash(terms: Object) -> bytes:
    """The 32-byte hash that names these terms of a consent."""
    return hashlib.sha256(tags.TERMS + encode_canonical(terms)).digest()


def accounts_hash(accounts: list[str]) -> bytes:
    """The 32-byte hash of the accounts of an authorisation, in the order given."""
    return hashlib.sha256(tags.ACCOUNTS + encode_canonical({"accounts": list(accounts)})).digest()


def commit(opening: bytes, evidence: bytes) -> bytes:
    """The 32-byte commitment to `evidence`. HMAC pads short keys with zeros and hashes long ones, so that several
    openings would give one commitment: any length but 32 is refused (BAD_COMMITMENT)."""
    if len(opening) != OPENING_BYTES:
        raise refuted(Code.BAD_COMMITMENT, "the opening has a wrong length", expected=OPENING_BYTES, found=len(opening))
    return hmac.digest(opening, tags.COMMITMENT + hashlib.sha256(evidence).digest(), "sha256")


def check_commitment(commitment: bytes, opening: bytes, evidence: bytes) -> None:
    """`evidence` and `opening` give this `commitment`, else BAD_COMMITMENT."""
    found = commit(opening, evidence)
    if found != commitment:
        raise refuted(
            Code.BAD_COMMITMENT,
            "evidence and opening do not give the commitment of the leaf",
            expected=commitment,
            found=found,
        )
