"""The quick reader of accesses at each of its edges: it takes what the strict reader takes, but never more, byte by byte."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.verifier.forge import ORIGIN, RECIPIENT, START, World, encode, leaf_hash, path_of, tree
from tests.verifier.quick import Row, compare, quick, row_of_entry, strict
from tests.verifier.quick import keys as known_keys
from verifier.bytes.encoding import MAX_EVIDENCE, MAX_ITEM, MAX_STATEMENT, decode_base64url, encode_base64url
from verifier.crypto.backend import select
from verifier.records.commitment import commit
from verifier.records.disclosure import Reader
from verifier.records.facts import Found
from verifier.records.reasons import ASSERTED
from verifier.records.usual_access import QuickReader


def without_one_byte(text: bytes) -> Iterator[bytes]:
    for at in range(len(text)):
        yield text[:at] + text[at + 1 :]


def same_as_strict(rows: Iterable[Row], fine: Row) -> None:
    """What the quick reader takes of these the strict one takes too; it does take `fine`."""
    reader = Reader(ORIGIN, select(None), known_keys())
    read = QuickReader(ORIGIN, reader.backend, True, reader._signer).read
    assert read(*fine) is not None
    for row in rows:
        facts = read(*row)
        assert facts is None or strict(row) == Found(facts, []), row[-1]


def committed(made: World, index: int, body: bytes) -> Row:
    """The row of an entry whose evidence is this text; its commitment fits."""
    kind, chain, _, time, _ = row_of_entry(made, index)
    opening = made.evidence[index][1]
    line = encode({"evidence": body.decode("utf-8", "replace"), "index": index, "opening": encode_base64url(opening)})
    return kind, chain, encode_base64url(commit(opening, body)).encode(), time, line


def adorned(made: World) -> list[int]:
    """Accesses with everything that an access can have."""
    filters = [
        {"field": "amount", "op": "ge", "value": "10.00 GBP?"},
        {"field": "currency", "op": "eq", "value": "GBP"},
    ]
    consent = made.grant(filters=filters, history_to=made.time // 1000)
    relayed = {"relayed": True, "asserted": ["TOKEN_EXPIRED", "ACCOUNT_CLOSED"], "accounts": ["a" * 22, "b" * 22]}
    return [
        made.access(consent, permissions=["ReadAccountsBasic", "ReadBalances"], customer_present=True),
        made.access(consent, behalf="other.example", word=("RATE_LIMITED",), **relayed),
        *made.batch([consent, consent, consent], behalf="other.example")[1:],
    ]


def test_evidence_that_lacks_any_one_byte_is_not_read_quickly() -> None:
    made = World(8).open()
    for index in adorned(made):
        body = made.evidence[index][0]
        assert committed(made, index, body) == row_of_entry(made, index)
        less = (committed(made, index, text) for text in without_one_byte(body))
        more = (
            committed(made, index, body[:at] + byte + body[at:]) for at in range(len(body)) for byte in (b"\\", b'"')
        )
        same_as_strict((*less, *more), row_of_entry(made, index))


def test_a_damaged_line_is_not_read_quickly() -> None:
    made = World(8).open()
    for index in adorned(made):
        kind, chain, commitment, time, line = row = row_of_entry(made, index)
        same_as_strict(((kind, chain, commitment, time, less) for less in without_one_byte(line)), row)
        same_as_strict([(kind, chain, b"A" * 43, time, line)], row)
        # A backslash whose quote is left out, under a commitment to the text without either.
        opening, begin, end = made.evidence[index][1], line.index(b'":"') + 3, line.rindex(b'","index"')
        escaped = line[begin:end]
        for at in (at for at in range(len(escaped)) if escaped[at : at + 2] == b'\\"'):
            less = escaped[: at + 1] + escaped[at + 2 :]
            fitting = encode_base64url(commit(opening, less.translate(None, b"\\"))).encode()
            assert quick((kind, chain, fitting, time, line[:begin] + less + line[end:])) is None
        body = made.evidence[index][0]
        member = body.index(b'"obligations":') + len(b'"obligations":')
        value = json.loads(body)["outcome"]["obligations"]
        assert body[member:].startswith(encode(value))
        assert not compare(committed(made, index, body[:member] + body[member + len(encode(value)) :]))


def resigned(made: World, index: int, payload: bytes, item: dict[str, Any] | None = None) -> Row:
    """The same evidence about another payload, which its participant signed."""
    evidence = json.loads(made.evidence[index][0])
    signed = evidence["statements"][0].split(".")[0] + "." + encode_base64url(payload)
    signature = encode_base64url(made.signers[RECIPIENT].key.sign(signed.encode()).signature)
    evidence["statements"] = [f"{signed}.{signature}"]
    return committed(made, index, encode(evidence | ({} if item is None else {"item": item})))


def test_a_signed_payload_that_lacks_any_one_byte_is_not_read_quickly() -> None:
    made = World(8).open()
    for index in adorned(made)[:3]:
        text = json.loads(made.evidence[index][0])["statements"][0].split(".")[1]
        payload = decode_base64url(text)
        same_as_strict(
            (resigned(made, index, less) for less in without_one_byte(payload)), resigned(made, index, payload)
        )


def batched(made: World, index: int, body: bytes, count: int = 1, **changes: Any) -> Row:
    """A batch of `count`, of which the first item is this one."""
    hashes = [leaf_hash(body), *(leaf_hash(at.to_bytes(2)) for at in range(1, count))]
    payload = made.payload(RECIPIENT, "access.batch", items_count=count, items_root=encode_base64url(tree(hashes)))
    path = [encode_base64url(part) for part in path_of(0, hashes)]
    item = {"body": body.decode("utf-8", "replace"), "path": path, "position": 0, **changes}
    return resigned(made, index, encode(payload), item)


def test_an_item_that_lacks_any_one_byte_is_not_read_quickly() -> None:
    made = World(8).open()
    index = adorned(made)[-1]
    body = json.loads(made.evidence[index][0])["item"]["body"].encode()
    same_as_strict((batched(made, index, less) for less in without_one_byte(body)), batched(made, index, body))
    for count in (1_000, 1_001):
        assert (quick(batched(made, index, body, count)) is not None) is (count == 1_000)
    same_as_strict(
        [batched(made, index, body, 1_001), batched(made, index, body, 2, position=1)], batched(made, index, body, 2)
    )
    for length in (MAX_ITEM, MAX_ITEM + 1):
        accounts = [f"{number:03}" + "r" * 61 for number in range(100)]
        codes = [f"c{number:02}" + "c" * 20 for number in range(30)]
        long = json.loads(body) | {"accounts": accounts, "permissions": codes}
        missing = length - len(encode(long))
        long["permissions"] = [code + "c" * (missing // 30 + (at < missing % 30)) for at, code in enumerate(codes)]
        assert len(encode(long)) == length
        assert compare(batched(made, index, encode(long))) is (length == MAX_ITEM)


def test_unusual_accesses_are_left_to_the_strict_reader() -> None:
    made = World(8).open()
    consent = made.grant()
    index = made.access(consent)
    kind, chain, commitment, time, line = row_of_entry(made, index)
    for late, fine in ((-300_001, False), (-300_000, True), (300_000, True), (300_001, False)):
        assert (quick((kind, chain, commitment, time + late, line)) is not None) is fine
    assert not compare(("subject", chain, commitment, time, line))
    assert not compare((kind, b"A" * 43, commitment, time, line))
    evidence = json.loads(made.evidence[index][0])
    for length, fine in ((MAX_EVIDENCE, True), (MAX_EVIDENCE + 1, False), (2 * MAX_EVIDENCE, False)):
        evidence["outcome"] |= {"reasons": ["A"]}
        short = len(committed(made, index, encode(evidence))[-1])
        evidence["outcome"] |= {"reasons": ["A" * (1 + length - short)]}
        row = committed(made, index, encode(evidence))
        assert len(row[-1]) == length
        assert compare(row) is fine


def spelled(made: World, index: int, text: str, signature: str = "") -> Row:
    """The same evidence with this text for the payload, signed by its participant unless a signature is given."""
    evidence = json.loads(made.evidence[index][0])
    signed = evidence["statements"][0].split(".")[0] + "." + text
    right = encode_base64url(made.signers[RECIPIENT].key.sign(signed.encode()).signature)
    evidence["statements"] = [f"{signed}.{signature or right}"]
    return committed(made, index, encode(evidence))


def test_base64_has_one_spelling_in_both_readers() -> None:
    made = World(8).open()
    consent = made.grant()
    for purpose in ("A", "AI", "AIS"):
        index = made.access(consent, purpose=purpose)
        _, text, signature = json.loads(made.evidence[index][0])["statements"][0].split(".")
        others = [text[:-1] + last for last in "AEIMQUYcgkosw048BRhx_-"] + [text + "A", text + "AA", text[:-1]]
        same_as_strict((spelled(made, index, other) for other in others), row_of_entry(made, index))
        tails = {signature, *(signature[:-1] + last for last in "AQgwBCDE"), signature + "A", signature[:-1], "A" * 86}
        same_as_strict((spelled(made, index, text, tail) for tail in tails), spelled(made, index, text))
        assert [tail for tail in tails if quick(spelled(made, index, text, tail)) is not None] == [signature]


def test_a_statement_has_its_form_and_length_even_if_its_signature_is_not_asked() -> None:
    made = World(8).open()
    index = made.access(made.grant())
    header, text, _ = json.loads(made.evidence[index][0])["statements"][0].split(".")
    reader = Reader(ORIGIN, select(None), known_keys(), signatures=False)
    read = QuickReader(ORIGIN, reader.backend, False, reader._signer).read
    reader._quick.read = lambda *_: None  # type: ignore[method-assign]
    rest = MAX_STATEMENT - len(f"{header}.{text}.")
    for length in (85, 86, *range(rest - 4, rest + 5)):
        row = spelled(made, index, text, "A" * length)
        facts = read(*row)
        found = reader.read(*row)
        fine = length <= rest and length % 4 != 1
        assert (facts is not None) is (found.facts is not None) is fine
        assert not fine or found == Found(facts, [])


EDGES: dict[str, list[Any]] = {
    "accounts": [
        [],
        ["r" * 22],
        ["r" * 64],
        ["r" * 65],
        ["r" * 21],
        [f"{n:03}" + "r" * 19 for n in range(100)],
        [f"{n:03}" + "r" * 19 for n in range(101)],
    ],
    "permissions": [["a"], ["c" * 64], ["c" * 65], [f"c{n:02}" for n in range(64)], [f"c{n:02}" for n in range(65)]],
    "purpose": ["c" * 64, "c" * 65],
    "interaction_id": ["i" * 8, "i" * 7, "i" * 64, "i" * 65],
    "request_digest": ["A" * 42, "A" * 43, "A" * 44, "A" * 42 + "B"],
    "from": [10**15 - 1, 10**15, 2**53],
    "asserted": [[*ASSERTED][:8], [*ASSERTED][:9]],
    "jti": ["A" * 22, "A" * 21 + "B", "A" * 21, "A" * 23],
    "iat": [START // 1000 - 301, START // 1000 - 300, START // 1000 + 300, START // 1000 + 301],
    "iss": [RECIPIENT, "p" * 63, "p" * 64],
    "v": [1, 2],
}


@pytest.mark.parametrize("member", EDGES)
def test_members_of_accesses_are_bounded_in_both_readers_alike(member: str) -> None:
    made = World(8).open()
    consent = made.grant()
    relayed = {"relayed": True} if member == "asserted" else {}
    index = made.access(consent, **relayed)
    payload = json.loads(decode_base64url(json.loads(made.evidence[index][0])["statements"][0].split(".")[1]))
    taken = 0
    for value in EDGES[member]:
        row = resigned(made, index, encode(payload | {member: value}))
        found = strict(row)
        fine = found.facts is not None and not found.defects
        large = member == "from" and value == 10**15  # left to the strict reader
        assert compare(row) is (fine and not large), value
        taken += fine
    assert 0 < taken < len(EDGES[member])
