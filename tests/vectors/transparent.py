"""Vectors of transparent statements: what cose.md says, written a second time, and every way in which one is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.vectors.hashing import Json, b64, encode, inclusion, root
from tests.vectors.log import ORIGIN, Log, vkey
from tests.vectors.signing import Ed25519
from tests.vectors.story import FIRST, SECOND, ruleset_2
from tests.vectors.story_3 import ruleset_3

ALG, TYPE, KID, CLAIMS, RECEIPTS, VDS, VDP = 1, 3, 4, 15, 394, 395, 396
LEAF = "application/vnd.consent-ledger.leaf+json"
ACCESS = 13
"""An access of `ruleset_2`."""
Members = dict[Any, Any]


class Raw(NamedTuple):
    """CBOR that is written as it stands."""

    bytes: bytes


def head(major: int, number: int) -> bytes:
    """The shortest one."""
    if number < 24:
        return bytes([major << 5 | number])
    width = next(width for width in (1, 2, 4, 8) if number < 1 << 8 * width)
    return bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width)


def cbor(item: Any) -> bytes:
    """Members of a map in the order in which they come."""
    match item:
        case Raw():
            return item.bytes
        case None:
            return b"\xf6"
        case int():
            return head(0, item) if item >= 0 else head(1, -1 - item)
        case bytes():
            return head(2, len(item)) + item
        case str():
            return head(3, len(item.encode())) + item.encode()
        case list():
            return head(4, len(item)) + b"".join(map(cbor, item))
        case dict():
            return head(5, len(item)) + b"".join(cbor(part) for pair in item.items() for part in pair)
    raise TypeError(item)


class Making:
    """A transparent statement of one entry, with whatever a row changes before it is signed, or after."""

    def __init__(self, log: Log, index: int, *, disclose: bool = True) -> None:
        self.log, self.index = log, index
        self.leaf, self.key, self.inner_key = log.entries[index], log.note_key, log.note_key
        hashes = log.hashes
        self.proof: list[Any] = [len(hashes), index, inclusion(index, hashes)]
        self.root = root(hashes)
        self.protected: Members = {**self.common(), TYPE: LEAF}
        self.inner_protected: Members = {**self.common(), VDS: 1}
        self.inner_unprotected: Members = {}
        self.unprotected: Members = {}
        if disclose and index in log.bodies:
            self.unprotected = dict(zip(("opening", "evidence"), reversed(log.bodies[index]), strict=True))
        self.after: Callable[[bytes], bytes] = bytes

    def common(self, origin: str = ORIGIN, key: Ed25519 | None = None, sub: str | None = None) -> Members:
        """The headers that statement and receipt have in common."""
        kid = "+".join(vkey(ORIGIN, 1, key or self.log.note_key).split("+", 2)[:2]).encode()
        return {ALG: -8, KID: kid, CLAIMS: {1: origin, 2: f"entry/{self.index}" if sub is None else sub}}

    def receipt(self) -> bytes:
        """The COSE receipt within."""
        beside = {VDP: {-1: [cbor(self.proof)]}, **self.inner_unprotected}
        return sign1(self.inner_key, self.inner_protected, beside, self.root, None)

    def written(self) -> bytes:
        """All of it."""
        beside = {RECEIPTS: [self.receipt()], **self.unprotected}
        return self.after(sign1(self.key, self.protected, beside, self.leaf, self.leaf))


def sign1(key: Ed25519, protected: Mapping[Any, Any], unprotected: Members, signed: bytes, shown: Any) -> bytes:
    """A tagged COSE_Sign1; headers sorted as RFC 8949 sorts them, what lies beside them as it comes."""
    headers = cbor(dict(sorted(protected.items(), key=lambda pair: cbor(pair[0]))))
    signature = key.sign(cbor(["Signature1", headers, b"", signed]))
    return b"\xd2" + cbor([headers, unprotected, shown, signature])


def _accepted() -> Iterator[tuple[str, Log, int, bool]]:
    log, later = ruleset_2(), ruleset_3()
    yield "an access", log, ACCESS, True
    yield "an access, undisclosed", log, ACCESS, False
    yield "an operator's document", log, 0, True
    yield "an index-head", log, 19, True
    yield "an item of a batch", log, 17, True
    yield "an authorisation with a passkey", log, 11, True
    yield "an expiry", log, 31, True
    yield "ruleset 3: a declaration", later, min(later.bodies), True


def _bent(change: Callable[[Making], None], log: Log | None = None, index: int = ACCESS) -> bytes:
    making = Making(log or ruleset_2(), index)
    change(making)
    return making.written()


def _put(**members: Any) -> Callable[[Making], None]:
    def change(making: Making) -> None:
        for name, value in members.items():
            setattr(making, name, value)

    return change


def _merge(name: str, members: Members, *, without: Any = None) -> Callable[[Making], None]:
    def change(making: Making) -> None:
        merged = {**getattr(making, name), **members}
        merged.pop(without, None)
        setattr(making, name, merged)

    return change


def _proof(at: int, how: Callable[[Any], Any]) -> Callable[[Making], None]:
    def change(making: Making) -> None:
        making.proof[at] = how(making.proof[at])

    return change


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _inside(old: bytes, new: bytes) -> Callable[[Making], None]:
    """A change after signing, which keeps the length."""
    assert len(old) == len(new)

    def after(data: bytes) -> bytes:
        assert data.count(old) == 1
        return data.replace(old, new)

    return _put(after=after)


def _form() -> Iterator[tuple[str, Callable[[Making], None]]]:
    """What is no transparent statement at all."""
    yield "no tag", _put(after=lambda data: data[1:])
    yield "another tag", _put(after=lambda data: b"\xd1" + data[1:])
    yield "three parts", _put(after=lambda data: b"\xd2\x83" + data[2:-66])
    yield "a byte behind it", _put(after=lambda data: data + b"\0")
    yield "a byte too few", _put(after=lambda data: data[:-1])
    yield "JSON", _put(after=lambda _: b"{}")
    yield "an array of indefinite length", _put(after=lambda data: b"\xd2\x9f" + data[2:] + b"\xff")
    yield "a length that is not in its shortest form", _put(after=lambda data: b"\xd2\x98\x04" + data[2:])
    yield "another content type", _merge("protected", {TYPE: "application/json"})
    yield "no content type", _merge("protected", {}, without=TYPE)
    yield "a protected header more", _merge("protected", {5: b""})
    yield "a critical header", _merge("protected", {2: [KID]})
    yield "headers that are no map", _put(after=lambda data: data.replace(b"\xa4\x01\x27\x03", b"\x84\x01\x27\x03", 1))
    yield "an unprotected header more", _merge("unprotected", {"more": 1})
    yield "a header twice", _merge("unprotected", {Raw(b"\x68evidence"): b""})
    yield "a map key that is no number and no text", _merge("unprotected", {b"more": 1})
    yield "evidence without its opening", _merge("unprotected", {}, without="opening")
    yield "an opening of 31 bytes", _merge("unprotected", {"opening": bytes(31)})
    yield "evidence as a text", _merge("unprotected", {"evidence": "{}"})
    yield "a float beside the receipts", _merge("unprotected", {"evidence": Raw(b"\xf9\x3c\x00")})
    yield "an empty payload", _put(leaf=b"")
    yield "a payload that is too long", _put(leaf=b" " * 1_025)
    yield "no receipt", lambda one: one.unprotected.update({RECEIPTS: []})
    yield "two receipts", lambda one: one.unprotected.update({RECEIPTS: [one.receipt()] * 2})
    yield "a receipt that is no byte string", lambda one: one.unprotected.update({RECEIPTS: ["receipt"]})
    yield "a receipt with its payload", lambda one: one.unprotected.update({RECEIPTS: [_attached(one)]})
    yield "a receipt with a protected header more", _merge("inner_protected", {5: b""})
    yield "a receipt with an unprotected header more", _merge("inner_unprotected", {"more": 1})
    yield "a receipt of another tree", _merge("inner_protected", {VDS: 2})
    yield "a receipt that names no tree", _merge("inner_protected", {}, without=VDS)
    yield "no proof", _merge("inner_unprotected", {VDP: {}})
    yield "a proof that is no byte string", lambda one: one.inner_unprotected.update({VDP: {-1: [one.proof]}})
    yield "two proofs", lambda one: one.inner_unprotected.update({VDP: {-1: [cbor(one.proof)] * 2}})
    yield (
        "a proof of consistency beside",
        lambda one: one.inner_unprotected.update({VDP: {-1: [cbor(one.proof)], -2: [cbor([1, 2, []])]}}),
    )
    yield "a proof of an unknown kind", lambda one: one.inner_unprotected.update({VDP: {-3: [cbor(one.proof)]}})
    yield "a hash of 31 bytes", _proof(2, lambda path: [path[0][:31], *path[1:]])
    yield "a path of 65 hashes", _proof(2, lambda _: [bytes(32)] * 65)
    yield "a size below 0", _proof(0, lambda _: -1)
    yield "a size of 2^63", _proof(0, lambda _: 2**63)
    yield "an index that is true", _proof(1, lambda _: Raw(b"\xf5"))


def _attached(making: Making) -> bytes:
    beside = {VDP: {-1: [cbor(making.proof)]}}
    return sign1(making.key, making.inner_protected, beside, making.root, making.root)


def _claims() -> Iterator[tuple[str, str, Callable[[Making], None]]]:
    """What is of the form, and does not hold."""
    stranger = Ed25519("stranger")
    yield "an index beyond the tree", "BAD_PROOF", _put(proof=[13, 13, []])
    yield "a path that is too short", "BAD_PROOF", _proof(2, lambda path: path[:-1])
    yield "another hash in the path", "BAD_SIGNATURE", _proof(2, lambda path: [bytes(32), *path[1:]])
    yield "signed by another key", "BAD_SIGNATURE", _put(key=stranger)
    yield "a receipt that another key signed", "BAD_SIGNATURE", _put(inner_key=stranger)
    yield "another signature", "BAD_SIGNATURE", _put(after=_flip_last)
    yield "another algorithm", "BAD_SIGNATURE", _merge("protected", {ALG: -7})
    yield "another algorithm of the receipt", "BAD_SIGNATURE", _merge("inner_protected", {ALG: -7})
    yield "another kid", "BAD_SIGNATURE", _merge("protected", {KID: b"ledger.example/vectors+00000000"})
    yield "another kid of the receipt", "BAD_SIGNATURE", _merge("inner_protected", {KID: b""})
    yield "another issuer", "BAD_SIGNATURE", lambda one: one.protected.update(one.common("ledger.example/other"))
    yield "a receipt of another issuer", "BAD_SIGNATURE", lambda one: one.inner_protected.update(one.common("other"))
    yield "claims that are no map", "BAD_PROOF", _merge("protected", {CLAIMS: ORIGIN})
    yield "another subject", "BAD_PROOF", lambda one: one.protected.update(one.common(sub="entry/12"))
    yield "a root that is not of the leaf", "BAD_SIGNATURE", _put(root=bytes(32))
    yield (
        "a leaf that is not in the log",
        "BAD_SIGNATURE",
        lambda one: setattr(one, "leaf", one.leaf.replace(b'000,"v"', b'001,"v"')),
    )
    yield "another opening", "BAD_COMMITMENT", _merge("unprotected", {"opening": bytes(32)})
    yield "another decision", "BAD_COMMITMENT", _inside(b'"used_today":0', b'"used_today":1')


def _logs() -> Iterator[tuple[str, str, int, bytes]]:
    """What the log itself put wrongly: the receipt holds, and what it is of does not."""

    def of(change: Callable[[Log], object]) -> bytes:
        bent = ruleset_2(ACCESS)
        bent.until = None
        change(bent.tick())
        return Making(bent, ACCESS).written()

    def access(log: Any, *more: Any, **changes: Any) -> None:
        log.access(FIRST, log.allow(11), *more, **changes)

    blank = ruleset_2(ACCESS)
    honest = ruleset_2().entries[ACCESS]
    blank.entries.append(honest.replace(b":", b": ", 1))
    yield "a leaf in another spelling", "BAD_ENCODING", 1, Making(blank, ACCESS).written()
    yield "a leaf of another version", "", 2, of(lambda log: access(log, {"lie": {"v": 2}}))
    yield (
        "an access in another consent's chain",
        "BAD_CHAIN",
        1,
        of(lambda log: access(log, {"chain": ("consent", SECOND)})),
    )
    yield "a statement too early", "TIME_INVALID", 1, of(lambda log: access(log, iat=log.time // 1000 - 301))
    yield "a statement for another log", "BAD_SIGNATURE", 1, of(lambda log: access(log, aud="ledger.example/other"))
    document = Making(ruleset_2(), 0)
    document.unprotected = {"opening": bytes(32), "evidence": b"{}"}
    yield "a document with evidence", "BAD_ENCODING", 1, document.written()


def transparent() -> Json:
    rows: list[Json] = []

    def add(name: str, data: bytes, exit: int = 0, code: str = "VALID", policy: str = "policy", **more: str) -> None:
        rows.append({"code": code, "exit": exit, "name": name, "policy": policy, "statement": b64(data), **more})

    for name, log, index, disclose in _accepted():
        receipt = encode(log.receipt(index, disclose=disclose)).decode()
        add(name, Making(log, index, disclose=disclose).written(), receipt=receipt)
    plain = _bent(_put())
    add("what lies beside the headers in another order", _bent(_turned))
    add("under a policy that names two keys of the log", plain, policy="both-keys")
    add("under a policy that asks for witnesses", plain, 3, "VALID_UNWITNESSED", "quorum")
    for policy, name, code in (
        ("other-key", "under a policy that does not name the key", "BAD_SIGNATURE"),
        ("newer-key", "under a policy that names another key of the log", "BAD_SIGNATURE"),
        ("retired", "under a key that has an end", "POLICY_REJECTED"),
        ("compromised", "under a key that is compromised", "POLICY_REJECTED"),
        ("compromised-quorum", "under a key that is compromised, with a quorum", "POLICY_REJECTED"),
    ):
        add(name, plain, 1, code, policy)
    second = Making(ruleset_2(), ACCESS)
    second.inner_key = Ed25519("log-2")
    second.inner_protected |= second.common(key=second.inner_key)
    add("a receipt under another key of the policy", second.written(), 1, "BAD_SIGNATURE", "both-keys")
    for name, change in _form():
        add(name, _bent(change), 1, "BAD_ENCODING")
    for name, code, change in _claims():
        add(name, _bent(change), 1, code)
    for name, code, status, data in _logs():
        add(name, data, status, code)
    return {
        "about": "Transparent statements with COSE receipts in them (cose.md): `statement` is base64, `receipt` the receipt file "
        "that it was made of. No participants' keys are given.",
        "cases": rows,
    }


def _turned(making: Making) -> None:
    making.unprotected = dict(reversed([(RECEIPTS, [making.receipt()]), *making.unprotected.items()]))
    making.written = lambda: sign1(  # type: ignore[method-assign]
        making.key, making.protected, making.unprotected, making.leaf, making.leaf
    )


FILES = {"transparent": transparent}
