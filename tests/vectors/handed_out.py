"""Vectors of files that are handed out: receipts, completeness files, packs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.vectors import hashing as h
from tests.vectors.acts import partners
from tests.vectors.hashing import Json, b64u, draw, encode
from tests.vectors.log import ORIGIN, Log
from tests.vectors.signing import Ed25519
from tests.vectors.story import FIRST, HOLDER, RECIPIENT, SECOND, THIRD, ruleset_2
from tests.vectors.story_3 import ruleset_3


def receipts() -> Json:
    log, rows = ruleset_2(), []

    def add(name: str, text: str | Json, exit: int = 0, code: str = "VALID", policy: str = "policy") -> None:
        rows.append(
            {
                "code": code,
                "exit": exit,
                "name": name,
                "policy": policy,
                "receipt": text if isinstance(text, str) else encode(text).decode(),
            }
        )

    whole, closed, operator = log.receipt(13), log.receipt(13, disclose=False), log.receipt(0)
    add("an access", whole)
    add("an access, undisclosed", closed)
    add("an operator's document", operator)
    add("an index-head", log.receipt(19))
    add("an item of a batch", log.receipt(17))
    add("an authorisation with a passkey", log.receipt(11))
    add("an expiry", log.receipt(31))
    add("witnessed", log.receipt(13, cosign=True), policy="quorum")
    add("under a policy that names two keys of the log", whole, policy="both-keys")
    add("under a key that is compromised", whole, 1, "KEY_COMPROMISED", "compromised")
    add("under a key that is compromised, witnessed", log.receipt(13, cosign=True), policy="compromised-quorum")
    add("not witnessed", whole, 3, "VALID_UNWITNESSED", "quorum")
    add("another spelling of the file", json.dumps(dict(reversed(whole.items())), indent=1))
    add("another version", {**whole, "v": 2}, 2, "")
    add("version 0", {**whole, "v": 0}, 1, "BAD_ENCODING")
    add("one member more", {**whole, "more": 1}, 1, "BAD_ENCODING")
    add("evidence without its opening", {n: v for n, v in whole.items() if n != "opening"}, 1, "BAD_ENCODING")
    add("a name twice", encode(whole).decode()[:-1] + ',"v":1}', 1, "BAD_ENCODING")
    add("not JSON", "a receipt", 1, "BAD_ENCODING")
    add("another opening", {**whole, "opening": b64u(bytes(32))}, 1, "BAD_COMMITMENT")
    add(
        "another decision",
        {**whole, "evidence": whole["evidence"].replace('"used_today":0', '"used_today":1')},
        1,
        "BAD_COMMITMENT",
    )
    add("another time in the leaf", {**whole, "leaf": whole["leaf"].replace('000,"v"', '001,"v"')}, 1, "BAD_PROOF")
    add("white space in the leaf", {**whole, "leaf": whole["leaf"].replace(":", ": ", 1)}, 1, "BAD_ENCODING")
    add(
        "another index in the proof", {**whole, "proof": whole["proof"].replace("index 13", "index 12")}, 1, "BAD_PROOF"
    )
    add("another entry's proof", {**whole, "proof": log.proof(16)}, 1, "BAD_PROOF")
    add(
        "another log's key",
        {**whole, "proof": whole["proof"].replace(log.checkpoint().decode(), _checkpoint(log, "stranger"))},
        1,
        "BAD_SIGNATURE",
    )
    add(
        "an extra line",
        {**whole, "proof": whole["proof"].replace("\nindex", "\nextra AA==\nindex", 1)},
        1,
        "BAD_ENCODING",
    )
    add("a document with evidence", {**operator, "evidence": "{}", "opening": b64u(bytes(32))}, 1, "BAD_ENCODING")
    bent = ruleset_2(13)
    bent.until = None
    bent.tick().access(FIRST, bent.allow(11), {"chain": ("consent", SECOND)})
    add("an access in another consent's chain", bent.receipt(13), 1, "BAD_CHAIN")
    late = ruleset_2(13)
    late.until = None
    late.tick().access(FIRST, late.allow(11), iat=late.time // 1000 - 301)
    add("a statement too early", late.receipt(13), 1, "TIME_INVALID")
    for name, code, changes in (("for another log", "BAD_SIGNATURE", {"aud": "ledger.example/other"}),):
        bent = ruleset_2(13)
        bent.until = None
        bent.tick().access(FIRST, bent.allow(11), **changes)
        add(f"a statement {name}", bent.receipt(13), 1, code)
    for row in _of_ruleset_3():
        add(*row)
    bent = ruleset_2(13)
    bent.until = None
    bent.tick().batch([bent.item(FIRST)], [bent.allow(11)], path=[b64u(bytes(32))])
    add("an item of another batch", bent.receipt(13), 1, "BAD_PROOF")
    return {
        "about": "Receipts (receipts.md). `code` is the headline; empty if the exit status is 2. No participants' keys are given.",
        "cases": rows,
    }


def _of_ruleset_3() -> Iterator[tuple[str, Json, int, str]]:
    """The first entry of each act, of each kind of leaf and document; and declarations that are none."""
    seen: set[str] = set()
    for log in (ruleset_3(), partners()):
        for index, entry in enumerate(log.entries):
            leaf = json.loads(entry)
            body, _ = log.bodies.get(index, (None, None))
            name = json.loads(body)["act"] if body else leaf.get("document", {}).get("type", leaf["kind"])
            if name not in seen:
                seen.add(name)
                yield f"ruleset 3: {name}", log.receipt(index), 0, "VALID"
    act: Json = {"incident_id": "i-1", "reason": "over", "text_hash": b64u(bytes(32))}
    for name, code, changes in (
        ("in the chain of another", "BAD_CHAIN", {"chain": ("participant", f"participant:{RECIPIENT}")}),
        ("in a consent's chain", "BAD_CHAIN", {"chain": ("consent", FIRST)}),
        ("with an outcome", "BAD_ENCODING", {"outcome": {"consent_version": 1, "ruleset": 3, "status": "ACTIVE"}}),
        ("of another act than its evidence", "CONSENT_INVALID", {"beside": {"act": "incident.update"}}),
        ("with a member more", "BAD_ENCODING", {"severity": 1}),
        ("too early", "TIME_INVALID", {"iat": 1}),
    ):
        bent = ruleset_3(13)
        bent.until = None
        bent.tick().say(HOLDER, "incident.close", **act, **changes)
        yield f"a declaration {name}", bent.receipt(13), 1, code


def _checkpoint(log: Log, key: str) -> str:
    other = Log(log.label)
    other.entries, other.note_key = log.entries, Ed25519(key)
    return other.checkpoint().decode()


def completeness() -> Json:
    log, rows = ruleset_2(), []
    good = log.completeness(FIRST, 38)

    def add(name: str, members: Json, exit: int = 0, code: str = "VALID", shown: list[Json] | None = None) -> None:
        row = {"code": code, "exit": exit, "file": encode(members).decode(), "name": name, "policy": "policy"}
        rows.append(row if shown is None else {**row, "shown": [encode(one).decode() for one in shown]})

    nobody = draw("nobody")
    before = Log("b")
    before.entries, before.chains = log.entries[:38], {c: [i for i in m if i < 38] for c, m in log.chains.items()}
    pairs = before.map()
    none = {
        "chain": b64u(nobody),
        "count": 0,
        "index_head": good["index_head"],
        "leaves": [],
        "map_proof": b64u(h.map_absence(pairs, nobody)),
        "v": 1,
    }
    add("a consent's chain", good)
    add("an erased consent's chain", log.completeness(THIRD, 38))
    add("a chain that nobody knows", none)
    add("an earlier head", log.completeness(FIRST, 19))
    add("the rest from receipts", {**good, "leaves": good["leaves"][2:]}, shown=[log.receipt(10), log.receipt(11)])
    add("a leaf is missing", {**good, "leaves": good["leaves"][1:]}, 1, "INCOMPLETE")
    add("a leaf within is missing", {**good, "leaves": [*good["leaves"][:3], *good["leaves"][4:]]}, 1, "INCOMPLETE")
    add("another count", {**good, "count": good["count"] - 1}, 1, "INCOMPLETE")
    add("another last leaf", {**good, "last": b64u(bytes(32))}, 1, "INCOMPLETE")
    add("another chain", {**good, "chain": b64u(h.chain_of(SECOND))}, 1, "INCOMPLETE")
    add("a chain said to be empty", {**none, "chain": good["chain"]}, 1, "INCOMPLETE")
    add(
        "a head that is none", {**good, "index_head": encode(log.receipt(13, disclose=False)).decode()}, 1, "INCOMPLETE"
    )
    add("another version", {**good, "v": 2}, 2, "")
    add("one member more", {**good, "more": 1}, 1, "BAD_ENCODING")
    return {
        "about": "Completeness files (receipts.md, «Complete»). `shown`: receipts shown beside the file.",
        "cases": rows,
    }


def packs() -> Json:
    """A pack of the first consent, whole, in part and changed; `files` are texts."""
    log = ruleset_2()
    pack_id, chosen = draw("pack"), log.chains[h.chain_of(FIRST)]
    values = [encode(log.receipt(index)) for index in chosen]
    salts = [draw(f"salt {index}") for index in chosen]
    names = [f"entry/{index}" for index in chosen]
    leaves = [
        h.pack_leaf(pack_id, salt, name.encode(), value) for salt, name, value in zip(salts, names, values, strict=True)
    ]
    size, top = len(log.entries), h.pack_commitment(leaves)
    log.tick().operator("pack.issued", commitment=b64u(top), items_count=len(leaves), scope="customer")
    head: Json = {
        "commitment": b64u(top),
        "created": log.time,
        "format": "consent-ledger-pack/1",
        "items_count": len(leaves),
        "origin": ORIGIN,
        "pack_id": b64u(pack_id),
        "scope": "customer",
        "size": size,
        "v": 1,
    }
    files = {"pack.json": encode(head).decode(), "pack.receipt.json": encode(log.receipt(size)).decode()}
    for n, (salt, name, value) in enumerate(zip(salts, names, values, strict=True)):
        item = {
            "name": name,
            "path": h.pack_path(leaves, n),
            "position": n,
            "salt": b64u(salt),
            "value": value.decode(),
        }
        files[f"items/{n:06d}.json"] = encode(item).decode()
    first = "items/000000.json"

    def item(**changes: Any) -> str:
        return encode({**json.loads(files[first]), **changes}).decode()

    def with_head(**changes: Any) -> Json:
        return {**files, "pack.json": encode({**head, **changes}).decode()}

    path = json.loads(files[first])["path"]
    rows: list[tuple[str, Json, int, str]] = [
        ("whole", files, 0, "VALID"),
        ("two items", {name: text for name, text in files.items() if name[-6] < "2" or name[0] == "p"}, 0, "VALID"),
        ("no item", {name: files[name] for name in ("pack.json", "pack.receipt.json")}, 0, "VALID"),
        ("another salt", {**files, first: item(salt=b64u(bytes(32)))}, 1, "BAD_PROOF"),
        ("another position", {**files, first: item(position=1)}, 1, "BAD_ENCODING"),
        ("another name", {**files, first: item(name="entry/9")}, 1, "BAD_PROOF"),
        (
            "a sibling on the other side",
            {**files, first: item(path=[{"left": path[0]["right"]}, *path[1:]])},
            1,
            "BAD_PROOF",
        ),
        ("a sibling too few", {**files, first: item(path=path[:-1])}, 1, "BAD_PROOF"),
        (
            "hex in upper case",
            {**files, first: item(path=[{"right": path[0]["right"].upper()}, *path[1:]])},
            1,
            "BAD_ENCODING",
        ),
        ("one member more in an item", {**files, first: item(more=1)}, 1, "BAD_ENCODING"),
        ("another value", {**files, first: item(value=files["items/000001.json"])}, 1, "BAD_PROOF"),
        ("another commitment", with_head(commitment=b64u(bytes(32))), 1, "BAD_PROOF"),
        ("another count", with_head(items_count=len(leaves) + 1), 1, "BAD_PROOF"),
        ("another scope", with_head(scope="period"), 1, "BAD_PROOF"),
        ("another format", with_head(format="consent-ledger-pack/2"), 2, ""),
        ("another version", with_head(v=2), 2, ""),
        ("no head", {name: text for name, text in files.items() if name != "pack.json"}, 2, ""),
        ("no receipt", {name: text for name, text in files.items() if name != "pack.receipt.json"}, 2, ""),
        ("a file too many", {**files, "readme.txt": "hello"}, 1, "BAD_ENCODING"),
        (
            "a receipt of another document",
            {**files, "pack.receipt.json": encode(log.receipt(0)).decode()},
            1,
            "BAD_PROOF",
        ),
    ]
    base, cases = rows[0][1], []
    for name, some, status, code in rows:
        changed = {key: text for key, text in some.items() if base.get(key) != text}
        removed = sorted(set(base) - set(some))
        cases.append({"change": changed, "code": code, "exit": status, "name": name, "remove": removed})
    return {
        "about": "Packs (packs.md): `files` with `change` set and `remove` left out. `leaves` and `commitment` are those of the pack's tree.",
        "cases": cases,
        "commitment": b64u(top),
        "files": base,
        "leaves": [leaf.hex() for leaf in leaves],
        "policy": "policy",
    }


FILES = {"completeness": completeness, "packs": packs, "receipts": receipts}
