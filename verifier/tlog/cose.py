"""COSE receipts of inclusion and consistency (RFC 9942, verifiable data structure RFC9162_SHA256), for reading.

A receipt signs the root only. Tree size and index stand in the unprotected header: they are hints that make the path
computable, not facts; nothing here returns them as facts. What verifies is: «this leaf is in a tree whose root this
key signed».
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.bytes.cbor import Cbor, Key, Tagged, decode_cbor, encode_head
from verifier.bytes.merkle import HASH, MAX_SIZE, consistency_roots, hash_leaf, inclusion_root
from verifier.crypto.backend import Backend
from verifier.crypto.keys import Ed25519Key, P256Key
from verifier.errors import Code, Refuted, refuted

MAX_RECEIPT = 65_536
ALG, CRIT, VDS, VDP = 1, 2, 395, 396
RFC9162_SHA256 = 1
INCLUSION, CONSISTENCY = -1, -2
_UNDERSTOOD = {ALG, 4, 15, VDS}  # 4 = kid, 15 = CWT claims
_ALGORITHMS: dict[int, type[Ed25519Key | P256Key]] = {
    -7: P256Key,
    -9: P256Key,
    -8: Ed25519Key,
    -19: Ed25519Key,  # and RFC 9864's fully specified spellings
}


@dataclass(frozen=True, slots=True)
class CoseReceipt:
    """A parsed receipt, not verified. `unprotected`: labels of the headers that nobody signed. Each proof is (numbers, path):
    (size, index) or (old size, new size)."""

    protected: bytes
    headers: dict[Key, Cbor]
    unprotected: frozenset[Key]
    inclusion: tuple[tuple[int, int, tuple[bytes, ...]], ...]
    consistency: tuple[tuple[int, int, tuple[bytes, ...]], ...]
    signature: bytes

    def verify_inclusion(self, entry: bytes, key: Ed25519Key | P256Key, backend: Backend) -> bytes:
        """`entry` is a leaf under a root that `key` signed; the root. Raises Refuted(BAD_PROOF, BAD_SIGNATURE)."""
        if len(self.inclusion) != 1:
            raise refuted(Code.BAD_PROOF, "not a receipt with one inclusion proof", found=len(self.inclusion))
        size, index, path = self.inclusion[0]
        root = inclusion_root(index, size, hash_leaf(entry), path)
        self._verify_signature(root, key, backend)
        return root

    def verify_consistency(self, old_root: bytes, key: Ed25519Key | P256Key, backend: Backend) -> bytes:
        """The tree with `old_root` begins a tree whose root `key` signed; the new root. Raises as above."""
        if len(self.consistency) != 1:
            raise refuted(Code.BAD_PROOF, "not a receipt with one consistency proof", found=len(self.consistency))
        old, new, path = self.consistency[0]
        seeded = (old_root, *path) if old & (old - 1) == 0 else path
        found, root = consistency_roots(old, new, seeded)
        if found != old_root:
            raise refuted(Code.BAD_PROOF, "the proof does not lead to the old root", expected=old_root, found=found)
        self._verify_signature(root, key, backend)
        return root

    def _verify_signature(self, root: bytes, key: Ed25519Key | P256Key, backend: Backend) -> None:
        algorithm = self.headers[ALG]
        if not isinstance(algorithm, int) or not isinstance(key, _ALGORITHMS.get(algorithm, ())):
            raise refuted(
                Code.BAD_SIGNATURE,
                "the receipt names another algorithm than the key's",
                expected=key.alg,
                found=algorithm,
            )
        verify_sign1(self.protected, root, key, self.signature, backend)


def verify_sign1(
    protected: bytes, payload: bytes, key: Ed25519Key | P256Key, signature: bytes, backend: Backend
) -> None:
    """The signature of a COSE_Sign1 without external data (RFC 9052, section 4.4). Raises Refuted(BAD_SIGNATURE)."""
    backend.verify(key, b"\x84\x6aSignature1" + _bstr(protected) + _bstr(b"") + _bstr(payload), signature)


def parse_receipt(data: bytes) -> CoseReceipt:
    """Read a receipt: tag 18, four parts, detached payload. Raises Refuted(BAD_ENCODING)."""
    if len(data) > MAX_RECEIPT:
        raise _bad("the receipt is too long", f"{len(data)} bytes")
    outer = decode_cbor(data)
    parts = outer.item if isinstance(outer, Tagged) and outer.tag == 18 else None
    match parts:
        case [bytes(protected), dict(unprotected), None, bytes(signature)]:
            headers = decode_cbor(protected)
        case _:
            raise _bad("not a COSE_Sign1 with a detached payload", data)
    if not isinstance(headers, dict) or headers.get(VDS) != RFC9162_SHA256 or ALG not in headers:
        raise _bad("the protected header lacks alg, or another data structure than RFC9162_SHA256", protected)
    critical = headers.get(CRIT, [])
    if (
        not isinstance(critical, list)
        or (CRIT in headers and not critical)
        or any(not isinstance(label, int) or label not in _UNDERSTOOD or label not in headers for label in critical)
    ):
        raise _bad("a critical header that is not understood", protected)
    if not unprotected.keys().isdisjoint(headers.keys()):
        raise _bad("a header stands both protected and unprotected", protected)
    proofs = unprotected.get(VDP)
    if not isinstance(proofs, dict) or not proofs or not proofs.keys() <= {INCLUSION, CONSISTENCY}:
        raise _bad("the receipt has no proofs, or unknown ones", data)
    beside = frozenset(unprotected)
    return CoseReceipt(protected, headers, beside, _proofs(proofs, INCLUSION), _proofs(proofs, CONSISTENCY), signature)


def _proofs(proofs: dict[Key, Cbor], kind: int) -> tuple[tuple[int, int, tuple[bytes, ...]], ...]:
    if kind not in proofs:
        return ()
    wrapped = proofs[kind]
    if not isinstance(wrapped, list) or not wrapped:
        raise _bad("the proofs are not a list", kind)
    read = []
    for item in wrapped:
        match decode_cbor(item) if isinstance(item, bytes) else None:
            case [int(first), int(second), list(path)] if not isinstance(first, bool) and not isinstance(second, bool):
                hashes = tuple(h for h in path if isinstance(h, bytes) and len(h) == HASH)
            case _:
                raise _bad("not a proof of two numbers and a path", item)
        if len(hashes) != len(path) or len(hashes) > 64 or not (0 <= first <= MAX_SIZE and 0 <= second <= MAX_SIZE):
            raise _bad("a number or a path of a proof is out of bounds", item)
        read.append((first, second, hashes))
    return tuple(read)


def _bstr(raw: bytes) -> bytes:
    return encode_head(2, len(raw)) + raw


def _bad(sentence: str, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
