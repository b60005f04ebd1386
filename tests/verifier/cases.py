"""The tamper matrix: what somebody may do to a bundle, or a lying ledger sign, and what the verifier must say.

A damaged copy is made from the files of an honest bundle. A lying ledger builds a log of its own and signs it.
"""

# ruff: noqa: ARG005 - every change is shown files and world, few need both
from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.verifier.forge import (
    DAY,
    HOLDER,
    ORIGIN,
    OTHER,
    RECIPIENT,
    START,
    Forge,
    Json,
    Signer,
    World,
    b64u,
    chain_of,
    encode,
    tile_name,
)

Files = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """`index` or `file`: where the defect must be named; `case`: id in the catalogue of attacks, if it has one;
    `expected`: what the defect must say that the rules give."""

    name: str
    code: str
    make: Callable[[], tuple[Files, World]]
    index: int | None = None
    file: str | None = None
    case: str = ""
    expected: str = ""


@cache
def honest() -> tuple[Files, World]:
    """A log of a little more than one tile with every act in it."""
    world = World(7).open()
    first, second = world.grant(frequency_per_day=3), world.grant(authorisers_required=1, once=True)
    both = world.request(authorisers_required=2)
    world.authorise(both)
    world.authorise(both)
    for _ in range(4):
        world.tick()
        world.access(first)
    basis = world.access(first, customer_present=True, interaction_id="interaction-legs")
    world.leg("access.release", first, basis, "interaction-legs")
    world.leg("access.receive", first, basis, "interaction-legs")
    world.batch([first, second, both, "urn:forge:never-heard-of-it-before"])
    world.index_head()
    world.amend(both, permissions=["ReadBalances"], authorisers_required=2)
    world.authorise(both)
    world.authorise(both)
    world.end(first, "consent.pause", "PAUSED")
    world.access(first)
    world.end(first, "consent.resume", "ACTIVE")
    world.access(first, OTHER)
    world.revoke(first)
    revoked = world.access(first)
    short = world.grant(expires_at=(world.time + 2 * DAY) // 1000)
    world.tick(3 * DAY)
    world.access(short)
    world.expire(short)
    world.index_head()
    for _ in range(250):
        world.tick(50)
        world.access(both, permissions=["ReadBalances"])
    world.index_head()
    assert revoked > basis
    return world.files(), world


def damaged(change: Callable[[Files, World], None]) -> Callable[[], tuple[Files, World]]:
    def make() -> tuple[Files, World]:
        files, world = honest()
        files = dict(files)
        change(files, world)
        return files, world

    return make


def lying(tell: Callable[[World], object]) -> Callable[[], tuple[Files, World]]:
    def make() -> tuple[Files, World]:
        world = World(9).open()
        tell(world)
        return world.files(), world

    return make


# --- damage ---------------------------------------------------------------------------------------------------


def set_entry(index: int, change: Callable[[Json], None] | Callable[[bytes], bytes]) -> Callable[[Files, World], None]:
    """Change one entry in its bundle only: tiles and checkpoint stay."""

    def apply(files: Files, world: World) -> None:
        entries = list(world.entries)
        try:
            leaf = json.loads(entries[index])
            changed = change(leaf)  # type: ignore[arg-type]
            entries[index] = encode(leaf) if changed is None else changed  # type: ignore[assignment]
        except TypeError:
            entries[index] = change(entries[index])  # type: ignore[assignment,arg-type]
        set_bundle(files, entries, index // 256)

    return apply


def set_bundle(files: Files, entries: list[bytes], n: int) -> None:
    part = entries[256 * n : 256 * n + 256]
    files[tile_name("entries", n, min(256, len(entries) - 256 * n))] = b"".join(len(e).to_bytes(2) + e for e in part)


def raw_entry(index: int, change: Callable[[bytes], bytes]) -> Callable[[Files, World], None]:
    def apply(files: Files, world: World) -> None:
        entries = list(world.entries)
        entries[index] = change(entries[index])
        set_bundle(files, entries, index // 256)

    return apply


def swap(a: int, b: int) -> Callable[[Files, World], None]:
    def apply(files: Files, world: World) -> None:
        entries = list(world.entries)
        entries[a], entries[b] = entries[b], entries[a]
        set_bundle(files, entries, a // 256)

    return apply


def flip(name: str, at: int) -> Callable[[Files, World], None]:
    def apply(files: Files, world: World) -> None:
        content = bytearray(files[name])
        content[at] ^= 1
        files[name] = bytes(content)

    return apply


def lines(change: Callable[[list[bytes], World], None]) -> Callable[[Files, World], None]:
    """Change the evidence lines of shard 0."""

    def apply(files: Files, world: World) -> None:
        name = "evidence/000.jsonl.gz"
        rows = gzip.decompress(files[name]).splitlines(keepends=True)
        change(rows, world)
        files[name] = gzip.compress(b"".join(rows))

    return apply


def row_of(rows: list[bytes], index: int) -> int:
    return next(n for n, row in enumerate(rows) if json.loads(row)["index"] == index)


def edit_line(index: int, change: Callable[[Json], None]) -> Callable[[Files, World], None]:
    def apply(rows: list[bytes], world: World) -> None:
        number = row_of(rows, index)
        line = json.loads(rows[number])
        change(line)
        rows[number] = encode(line) + b"\n"

    return lines(apply)


def opening(line: Json) -> None:
    line["opening"] = b64u(bytes(32))


def body(line: Json) -> None:
    line["evidence"] = line["evidence"].replace('"allow"', '"deny"').replace('"v":1}', '"v":1 }')


def drop(index: int) -> Callable[[Files, World], None]:
    return lines(lambda rows, world: rows.__delitem__(row_of(rows, index)))


def manifest(**changes: Any) -> Callable[[Files, World], None]:
    def apply(files: Files, world: World) -> None:
        files["manifest.json"] = encode({**json.loads(files["manifest.json"]), **changes})

    return apply


def put(name: str, content: bytes) -> Callable[[Files, World], None]:
    return lambda files, world: files.__setitem__(name, content)


def remove(name: str) -> Callable[[Files, World], None]:
    return lambda files, world: files.__delitem__(name)


def checkpoint_line(change: Callable[[bytes], bytes]) -> Callable[[Files, World], None]:
    return lambda files, world: files.__setitem__("checkpoint", change(files["checkpoint"]))


def other_log(files: Files, world: World) -> None:
    stranger = Forge(1)
    stranger.log_key = Signer("stranger", "x").key
    stranger.hashes, stranger.entries = world.hashes, world.entries
    files["checkpoint"] = stranger.checkpoint()


def second_line(files: Files, world: World) -> None:
    """A line of the known key that does not verify, beside one that does (M06)."""
    good = files["checkpoint"]
    bad = world.checkpoint(root=bytes(32)).partition(b"\n\n")[2]
    files["checkpoint"] = good + bad


def cosigned_elsewhere(files: Files, world: World) -> None:
    """The witness signed another root (M11)."""
    files["checkpoint"] += world.checkpoint(root=bytes(32), cosign=True).split(b"\n")[-2] + b"\n"


# --- lies -----------------------------------------------------------------------------------------------------


def bend(at: int, change: Callable[[Json], None]) -> Callable[[World], None]:
    def hand(world: World) -> None:
        world.bend = lambda leaf: change(leaf) if leaf["index"] == at else None

    return hand


def bent(at: int, **changes: Any) -> Callable[[World], None]:
    """The ledger writes another member into leaf `at` of a plain history, and signs that."""

    def tell(world: World) -> None:
        bend(at, lambda leaf: leaf.update(changes))(world)
        consent = world.grant()
        for _ in range(6):
            world.tick()
            world.access(consent)
        world.index_head()

    return tell


def claims(outcome: Json, then: Callable[[World], object]) -> Callable[[World], None]:
    """From `then` on, the ledger's outcomes are changed."""

    def tell(world: World) -> None:
        world.override = lambda given: given.update(outcome)
        then(world)

    return tell


ALLOW = {
    "decision": "allow",
    "reasons": [],
    "obligations": {"directions": ["credit"], "from": 0, "masks": ["pan"], "to": 0},
}


def lie(prepare: Callable[[World], str], outcome: Json, iss: str = RECIPIENT, **item: Any) -> Callable[[World], None]:
    """An honest history by `prepare`, then one access whose outcome the ledger invents."""

    def tell(world: World) -> None:
        consent = prepare(world)
        world.override = lambda given: given.update(outcome)
        world.access(consent, iss, **item)
        world.override = None
        world.tick()
        world.index_head()

    return tell


def granted(**changes: Any) -> Callable[[World], str]:
    return lambda world: world.grant(**changes)


def revoked(world: World) -> str:
    consent = world.grant()
    world.revoke(consent)
    return consent


def expired(world: World) -> str:
    consent = world.grant(expires_at=world.time // 1000 + 60)
    world.tick(61_000)
    return consent


def spent(world: World) -> str:
    consent = world.grant(frequency_per_day=1)
    world.access(consent)
    return consent


def forgotten_revocation(world: World) -> None:
    """The revocation is in the log, but the ledger's state forgot it."""
    consent = world.grant()
    world.revoke(consent)
    world.consents[consent]["status"] = "ACTIVE"
    world.access(consent)


def suspended_signer(world: World) -> None:
    world.suspend(RECIPIENT)
    world.request()


def suspended_allowed(world: World) -> None:
    consent = world.grant()
    world.suspend(HOLDER)
    world.suspended.clear()
    world.access(consent)


def revoked_key(world: World) -> None:
    world.operator({"type": "key.revoked", "participant": RECIPIENT, "kid": f"{RECIPIENT}.1", "reason": "stolen"})
    world.request()


def foreign_key(world: World) -> None:
    world.signers[RECIPIENT] = Signer(f"{HOLDER}.1", HOLDER)
    world.request()


def unknown_key(world: World) -> None:
    world.signers[RECIPIENT] = Signer("never.added", RECIPIENT)
    world.request()


def later_key(world: World) -> None:
    world.signers[RECIPIENT] = Signer("late", RECIPIENT)
    world.request()
    world.add_key(RECIPIENT, "late")


def header(**changes: Any) -> Callable[[World], None]:
    def tell(world: World) -> None:
        top = {"alg": "EdDSA", "kid": f"{RECIPIENT}.1", "typ": "consent-statement+jwt", **changes}
        terms = world.terms()
        payload = world.payload(RECIPIENT, "consent.request", consent_id=world.consent_id(), terms=terms)
        world.submit(
            payload,
            {"consent_version": 1, "ruleset": 2, "status": "AWAITING"},
            jws=world.signers[RECIPIENT].sign(payload, top),
        )

    return tell


def statement(**changes: Any) -> Callable[[World], None]:
    """A consent.request whose payload is not right, signed by its participant and taken by the ledger."""

    def tell(world: World) -> None:
        payload = world.payload(RECIPIENT, "consent.request", consent_id=world.consent_id(), terms=world.terms())
        world.submit({**payload, **changes}, {"consent_version": 1, "ruleset": 2, "status": "AWAITING"})

    return tell


def bad_terms(**changes: Any) -> Callable[[World], None]:
    return lambda world: world.request(**changes) and None


def flipped_signature(world: World) -> None:
    payload = world.payload(RECIPIENT, "consent.request", consent_id=world.consent_id(), terms=world.terms())
    jws = world.signers[RECIPIENT].sign(payload)
    other = "A" if jws[-10] != "A" else "B"
    world.submit(payload, {"consent_version": 1, "ruleset": 2, "status": "AWAITING"}, jws=jws[:-10] + other + jws[-9:])


def same_jti(world: World) -> None:
    consent = world.grant()
    payload = world.payload(RECIPIENT, "access.request", **world.item(consent))
    for _ in range(2):
        world.submit(payload, world.decide(RECIPIENT, payload))


def wrong_chain(world: World) -> None:
    payload = world.payload(RECIPIENT, "consent.request", consent_id=world.consent_id(), terms=world.terms())
    world.submit(payload, {"consent_version": 1, "ruleset": 2, "status": "AWAITING"}, name=world.consent_id())


def no_companion(world: World) -> None:
    world.companion = lambda *_, **__: -1  # type: ignore[method-assign]
    world.grant()


def wrong_map(world: World) -> None:
    world.grant()
    world.bend = lambda leaf: leaf.update(map_root=b64u(bytes(32))) if leaf["kind"] == "index-head" else None
    world.index_head()
    world.bend = None
    world.index_head()


def short_map(world: World) -> None:
    world.grant()
    world.bend = lambda leaf: leaf.update(map_size=3) if leaf["kind"] == "index-head" else None
    world.index_head()


def resumed_after_end(world: World) -> None:
    consent = revoked(world)
    world.end(consent, "consent.resume", "ACTIVE")


def twice_requested(world: World) -> None:
    consent = world.grant()
    payload = world.payload(RECIPIENT, "consent.request", consent_id=consent, terms=world.terms())
    world.submit(payload, {"consent_version": 1, "ruleset": 2, "status": "AWAITING"})


def early_expiry(world: World) -> None:
    world.expire(world.grant(expires_at=world.time // 1000 + 86_400))


def other_terms_authorised(world: World) -> None:
    consent = world.request()
    world.consents[consent]["terms"] = world.terms(permissions=["ReadBalances"])
    world.authorise(consent)


def stranger_revokes(world: World) -> None:
    world.end(world.grant(), "consent.revoke", "REVOKED", iss=OTHER)


def wrong_by(world: World) -> None:
    world.end(world.grant(), "consent.revoke", "REVOKED", iss=RECIPIENT, by="court")


def wrong_status(world: World) -> None:
    consent = world.grant()
    world.override = lambda given: given.update(status="ACTIVE")
    world.revoke(consent)


def batch_position(world: World) -> None:
    first, second = world.grant(), world.grant()

    def move(index: int, evidence: Json) -> None:
        if "item" in evidence and evidence["item"]["position"] == 0:
            evidence["item"]["position"] = 1

    world.bend_evidence = move
    world.batch([first, second])


def release_alone(world: World) -> None:
    consent = world.grant()
    world.leg("access.release", consent, 12, "interaction-none")


def figures(world: World) -> None:
    consent = world.grant()
    basis = world.access(consent, interaction_id="interaction-two")
    world.leg("access.release", consent, basis, "interaction-two")
    world.leg("access.receive", consent, basis, "interaction-two", rows=2)


def registered_twice(world: World) -> None:
    world.operator({"type": "participant.registered", "participant": HOLDER, "name": "again", "roles": ["holder"]})


def small_key(world: World) -> None:
    world.operator(
        {
            "type": "key.added",
            "participant": HOLDER,
            "kid": "small",
            "alg": "EdDSA",
            "use": "statement",
            "jwk": {"crv": "Ed25519", "kty": "OKP", "x": b64u(b"\1" + bytes(31))},
        }
    )


def lone_approver(world: World) -> None:
    world.operator({"type": "erasure", "chains": [b64u(bytes(32))], "basis": "request", "approved_by": ["a1", "a1"]})


def opened_twice(world: World) -> None:
    world.operator({"type": "ledger.opened", "origin": ORIGIN, "ruleset": 2})


def unknown_document(world: World) -> None:
    world.operator({"type": "fees.raised", "amount": 3})


def removed_leaf(world: World) -> None:
    """A whole leaf is left out of a chain; the log is rebuilt and signed around the hole (C01)."""
    consent = world.grant()
    seq, head = world.chains[chain_of(consent)]
    world.access(consent)
    hole = len(world.entries) - 1
    kept = world.chains[chain_of(consent)]
    del world.entries[hole], world.hashes[hole], world.evidence[hole]
    world.chains[chain_of(consent)] = kept
    assert kept != (seq, head)
    world.access(consent)


N = 15  # entries of World.open(): 7; a grant adds 3; see the tests that name indexes
CASES = [
    # leaves and their bytes
    Case(
        "a commitment in a leaf is changed",
        "BAD_PROOF",
        damaged(set_entry(40, lambda leaf: leaf.update(commitment=b64u(bytes(32))))),
        40,
    ),
    Case(
        "a leaf has a space",
        "BAD_ENCODING",
        damaged(raw_entry(41, lambda e: e.replace(b",", b", ", 1))),
        41,
        case="E03",
    ),
    Case(
        "a leaf spells a letter as an escape",
        "BAD_ENCODING",
        damaged(raw_entry(41, lambda e: e.replace(b'"kind":"c', b'"kind":"\\u0063'))),
        41,
        case="E03",
    ),
    Case(
        "a leaf has a member twice",
        "BAD_ENCODING",
        damaged(raw_entry(42, lambda e: e.replace(b'"v":1}', b'"v":1,"v":1}'))),
        42,
        case="E01",
    ),
    Case(
        "a leaf has a float",
        "BAD_ENCODING",
        damaged(raw_entry(42, lambda e: e.replace(b'"v":1}', b'"v":1.0}'))),
        42,
        case="E02",
    ),
    Case(
        "a leaf has a number beyond 2^53",
        "BAD_ENCODING",
        damaged(raw_entry(42, lambda e: e.replace(b'"seq":', b'"seq":9007199254740992'))),
        42,
        case="E04",
    ),
    Case(
        "a leaf lacks a member",
        "BAD_ENCODING",
        damaged(set_entry(43, lambda leaf: leaf.pop("seq") and None)),
        43,
        case="E07",
    ),
    Case(
        "a leaf has an unknown member",
        "BAD_ENCODING",
        damaged(set_entry(43, lambda leaf: leaf.update(x=1))),
        43,
        case="E07",
    ),
    Case("a leaf has version 2", "BAD_ENCODING", damaged(set_entry(44, lambda leaf: leaf.update(v=2))), 44, case="E08"),
    Case(
        "a hash in a leaf has non-zero tail bits",
        "BAD_ENCODING",
        damaged(
            raw_entry(44, lambda e: e.replace(b'","index"', b'B","index"', 1).replace(b'AB","index"', b'B","index"', 1))
        ),
        44,
        case="E09",
    ),
    Case(
        "a leaf is a hundred thousand arrays deep",
        "BAD_ENCODING",
        damaged(raw_entry(45, lambda e: b"[" * 60_000)),
        45,
        case="E05",
    ),
    Case("two leaves are swapped in the bundle", "BAD_PROOF", damaged(swap(50, 51)), 50, case="C02"),
    # tiles, bundles, checkpoint
    Case("a hash in a tile is changed", "BAD_PROOF", damaged(flip("tile/0/000", 32 * 77)), 77, case="M01"),
    Case("a hash in an upper tile is changed", "BAD_PROOF", damaged(flip("tile/1/000.p/1", 3)), file="tile/1/000.p/1"),
    Case("a tile is missing", "BAD_PROOF", damaged(remove("tile/0/000")), file="tile/0/000"),
    Case(
        "a tile is cut short",
        "BAD_ENCODING",
        damaged(lambda f, w: f.update({"tile/0/000": f["tile/0/000"][:-1]})),
        file="tile/0/000",
    ),
    Case("an entry bundle is missing", "BAD_ENCODING", damaged(remove("tile/entries/000")), 0),
    Case(
        "an entry bundle is cut short",
        "BAD_ENCODING",
        damaged(lambda f, w: f.update({"tile/entries/000": f["tile/entries/000"][:-9]})),
        255,
    ),
    Case("a file that does not belong", "BAD_ENCODING", damaged(put("tile/0/007", b"x")), file="tile/0/007"),
    Case(
        "the root in the checkpoint is changed",
        "BAD_SIGNATURE",
        damaged(
            lambda f, w: f.update(
                checkpoint=w.checkpoint(root=bytes(32)).partition(b"\n\n")[0]
                + b"\n\n"
                + f["checkpoint"].partition(b"\n\n")[2]
            )
        ),
        file="checkpoint",
    ),
    Case(
        "the log signs another root",
        "BAD_PROOF",
        damaged(lambda f, w: f.update(checkpoint=w.checkpoint(root=bytes(32)))),
        file="checkpoint",
    ),
    Case(
        "the size in the checkpoint has a leading zero",
        "BAD_SIGNATURE",
        damaged(checkpoint_line(lambda note: note.replace(b"\n", b"\n0", 1))),
        file="checkpoint",
        case="M04",
    ),
    Case("the checkpoint is signed by a stranger", "BAD_SIGNATURE", damaged(other_log), file="checkpoint", case="M05"),
    Case(
        "a bad signature of the log beside a good one",
        "BAD_SIGNATURE",
        damaged(second_line),
        file="checkpoint",
        case="M06",
    ),
    Case(
        "a cosignature made over another root",
        "BAD_SIGNATURE",
        damaged(cosigned_elsewhere),
        file="checkpoint",
        case="M11",
    ),
    Case("the manifest names another size", "BAD_PROOF", damaged(manifest(size=5)), file="manifest.json"),
    Case(
        "the manifest names another origin",
        "BAD_SIGNATURE",
        damaged(manifest(origin="other.example/1")),
        file="manifest.json",
    ),
    Case("the manifest has an unknown level", "BAD_ENCODING", damaged(manifest(evidence="most")), file="manifest.json"),
    Case("the policy file is missing", "BAD_ENCODING", damaged(remove("policy")), file="policy"),
    # evidence
    Case("an opening is changed", "BAD_COMMITMENT", damaged(edit_line(40, opening)), 40),
    Case("a body is changed", "BAD_COMMITMENT", damaged(edit_line(40, body)), 40),
    Case("an evidence line is missing", "BODY_MISSING", damaged(drop(40)), 40),
    Case(
        "two evidence lines are swapped",
        "BAD_ENCODING",
        damaged(lines(lambda rows, w: rows.__setitem__(slice(10, 12), [rows[11], rows[10]]))),
        file="evidence/000.jsonl.gz",
    ),
    Case(
        "an evidence line comes twice",
        "BAD_ENCODING",
        damaged(lines(lambda rows, w: rows.insert(10, rows[10]))),
        file="evidence/000.jsonl.gz",
    ),
    Case(
        "an evidence line is of an operator leaf",
        "BAD_ENCODING",
        damaged(lines(lambda rows, w: rows.insert(0, rows[0].replace(b'"index":7', b'"index":2')))),
        2,
    ),
    Case(
        "the evidence file is cut short",
        "BAD_ENCODING",
        damaged(lambda f, w: f.update({"evidence/000.jsonl.gz": f["evidence/000.jsonl.gz"][:-2000]})),
        file="evidence/000.jsonl.gz",
    ),
    # lies about the order
    Case("a leaf names another previous leaf", "BAD_CHAIN", lying(bent(12, prev=b64u(bytes(32)))), 12),
    Case(
        "a leaf names another last leaf of its chain", "BAD_CHAIN", lying(bent(12, prev_in_chain=b64u(bytes(32)))), 12
    ),
    Case("a chain has a gap", "BAD_CHAIN", lying(bent(12, seq=9)), 12, case="C03"),
    Case("a chain repeats a number", "BAD_CHAIN", lying(bent(12, seq=1)), 12, case="C03"),
    Case("an index is skipped", "BAD_CHAIN", lying(bent(12, index=13)), 12),
    Case("a leaf is back-dated", "TIME_INVALID", lying(bent(12, time=START - DAY)), 12),
    Case("a leaf is left out of its chain", "BAD_CHAIN", lying(removed_leaf), 10, case="C01"),
    Case("a map root is invented", "BAD_PROOF", lying(wrong_map), 10, case="C06"),
    Case("an index-head covers less than it should", "INCOMPLETE", lying(short_map), 10),
    Case("an event is filed under another chain", "BAD_CHAIN", lying(wrong_chain), 7, case="C07"),
    Case("an identity is used twice", "BAD_CHAIN", lying(same_jti), 11),
    Case("an authorisation stands in no subject chain", "INCOMPLETE", lying(no_companion), 8),
    # lies about signatures
    Case("a statement with alg none", "BAD_SIGNATURE", lying(header(alg="none")), 7, case="S01"),
    Case("a statement with HS256", "BAD_SIGNATURE", lying(header(alg="HS256")), 7, case="S02"),
    Case("a key in the header", "BAD_SIGNATURE", lying(header(jwk={"kty": "OKP"})), 7, case="S03"),
    Case("crit in the header", "BAD_SIGNATURE", lying(header(crit=["b64"])), 7, case="S04"),
    Case("a key of another participant", "BAD_SIGNATURE", lying(foreign_key), 7, case="S05"),
    Case("another algorithm than registered", "BAD_SIGNATURE", lying(header(alg="ES256")), 7, case="S06"),
    Case("one character of a signature is changed", "BAD_SIGNATURE", lying(flipped_signature), 7, case="S07"),
    Case("a small-order key is registered", "BAD_SIGNATURE", lying(small_key), 7, case="S08"),
    Case("a revoked key signs", "POLICY_REJECTED", lying(revoked_key), 8, case="S09"),
    Case("a statement made for another log", "BAD_SIGNATURE", lying(statement(aud="other.example/1")), 7, case="S10"),
    Case("an access token passed off as a statement", "BAD_SIGNATURE", lying(header(typ="JWT")), 7, case="S11"),
    Case("a key that was never added", "BAD_SIGNATURE", lying(unknown_key), 7),
    Case("a key that was added later", "BAD_SIGNATURE", lying(later_key), 7),
    Case("a suspended participant signs", "POLICY_REJECTED", lying(suspended_signer), 8),
    Case("a statement is an hour old", "TIME_INVALID", lying(statement(iat=START // 1000 - 3600)), 7),
    Case("a statement has an unknown member", "BAD_ENCODING", lying(statement(note="hello")), 7),
    # lies about the rules
    Case(
        "an access without a consent is allowed",
        "CONSENT_INVALID",
        lying(lie(lambda w: "urn:forge:none-at-all-in-this-log", ALLOW)),
        7,
        case="L01",
    ),
    Case(
        "an access wider than the consent is allowed",
        "CONSENT_INVALID",
        lying(lie(granted(), ALLOW, permissions=["ReadParty"])),
        10,
        case="L02",
    ),
    Case("an access after revocation is allowed", "CONSENT_INVALID", lying(lie(revoked, ALLOW)), 11, case="L03"),
    Case("an access after expiry is allowed", "CONSENT_INVALID", lying(lie(expired, ALLOW)), 10, case="L04"),
    Case(
        "another recipient's access is allowed", "CONSENT_INVALID", lying(lie(granted(), ALLOW, OTHER)), 10, case="L05"
    ),
    Case("one access too many a day is allowed", "CONSENT_INVALID", lying(lie(spent, ALLOW)), 11),
    Case(
        "an access for another purpose is allowed", "CONSENT_INVALID", lying(lie(granted(), ALLOW, purpose="MKT")), 10
    ),
    Case(
        "an access to another account is allowed",
        "CONSENT_INVALID",
        lying(lie(granted(), ALLOW, accounts=["a" * 22])),
        10,
    ),
    Case(
        "a denial hides one of its reasons",
        "CONSENT_INVALID",
        lying(lie(revoked, {"reasons": ["CONSENT_REVOKED"]}, purpose="MKT")),
        11,
    ),
    Case(
        "a denial that the rules do not give",
        "CONSENT_INVALID",
        lying(lie(granted(), {"decision": "deny", "reasons": ["PURPOSE_MISMATCH"], "obligations": {}})),
        10,
    ),
    Case(
        "an obligation is dropped",
        "CONSENT_INVALID",
        lying(lie(granted(), {"obligations": {"directions": ["credit"], "from": 0, "masks": [], "to": 0}})),
        10,
    ),
    Case("the count of the day is wrong", "CONSENT_INVALID", lying(lie(granted(), {"used_today": 4})), 10),
    Case("a decision rests on another basis", "CONSENT_INVALID", lying(lie(granted(), {"basis": 7})), 10),
    Case("a revocation is forgotten", "CONSENT_INVALID", lying(forgotten_revocation), 11),
    Case("a suspended holder's data are given", "CONSENT_INVALID", lying(suspended_allowed), 11),
    Case("a revoked consent is resumed", "CONSENT_INVALID", lying(resumed_after_end), 11),
    Case("a consent id is used twice", "CONSENT_INVALID", lying(twice_requested), 10),
    Case("a consent expires before its time", "CONSENT_INVALID", lying(early_expiry), 10),
    Case("other terms are authorised", "CONSENT_INVALID", lying(other_terms_authorised), 8),
    Case("a stranger revokes", "CONSENT_INVALID", lying(stranger_revokes), 10),
    Case("a recipient revokes in a court's name", "CONSENT_INVALID", lying(wrong_by), 10),
    Case("a revocation leads nowhere", "CONSENT_INVALID", lying(wrong_status), 10),
    Case("terms with a wrong grade", "CONSENT_INVALID", lying(bad_terms(grade=1)), 7),
    Case("terms of an unknown holder", "CONSENT_INVALID", lying(bad_terms(holder="nobody.example")), 7),
    Case("terms that end before they begin", "CONSENT_INVALID", lying(bad_terms(expires_at=5, starts_at=9)), 7),
    Case("a batch item takes another place", "BAD_PROOF", lying(batch_position), 13),
    Case("a release without an access", "UNMATCHED", lying(release_alone), 10, case="L06"),
    # lies in operator documents
    Case("a participant is registered twice", "CONSENT_INVALID", lying(registered_twice), 7),
    Case("one person approves an erasure twice", "CONSENT_INVALID", lying(lone_approver), 7),
    Case("the log is opened twice", "CONSENT_INVALID", lying(opened_twice), 7),
    Case("an unknown operator document", "BAD_ENCODING", lying(unknown_document), 7),
]
