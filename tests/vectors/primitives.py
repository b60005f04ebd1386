"""Vectors of encodings, hashes, trees, maps and notes: what a second implementation builds first."""

from __future__ import annotations

from typing import Any

from tests.vectors import hashing as h
from tests.vectors.hashing import Json, b64u, draw, encode, sha
from tests.vectors.signed_texts import notes, policies
from tests.vectors.story import ACCOUNT, FIRST, HOLDER, OTHER_ACCOUNT, SUBJECT, ruleset_2

U = "\\u0041"


def nested(levels: int) -> str:
    return '{"a":' * (levels - 1) + "{}" + "}" * (levels - 1)


ACCEPTED = [
    ("the empty object", "{}"),
    ("names in order", '{"a":1,"b":2}'),
    ("the largest integer", '{"n":9007199254740991}'),
    ("the smallest integer", '{"n":-9007199254740991}'),
    ("booleans and null", '{"a":true,"b":false,"c":null}'),
    ("an array", '{"a":[1,[],{}]}'),
    ("beyond ASCII", '{"t":"账户 — é 😀"}'),
    ("quotes and a backslash", '{"t":"\\"\\\\"}'),
    ("a slash is not escaped", '{"t":"/"}'),
    ("a line separator stands as it is", '{"t":"\u2028"}'),
    ("eight levels", nested(8)),
    ("names with digits and underscores", '{"_a1":1}'),
]
REFUSED = [
    ("nothing", ""),
    ("an array", "[]"),
    ("null", "null"),
    ("a number", "1"),
    ("white space before", " {}"),
    ("a newline behind", "{}\n"),
    ("white space between", '{"a": 1}'),
    ("names out of order", '{"b":2,"a":1}'),
    ("a name twice", '{"a":1,"a":1}'),
    ("a name twice, once escaped", '{"a":1,"' + U.replace("41", "61") + '":1}'),
    ("a fraction", '{"n":1.0}'),
    ("an exponent", '{"n":1e2}'),
    ("minus zero", '{"n":-0}'),
    ("a leading zero", '{"n":01}'),
    ("a plus", '{"n":+1}'),
    ("2^53", '{"n":9007199254740992}'),
    ("minus 2^53", '{"n":-9007199254740992}'),
    ("NaN", '{"n":NaN}'),
    ("Infinity", '{"n":Infinity}'),
    ("an escaped letter", '{"t":"' + U + '"}'),
    ("an escaped slash", '{"t":"\\/"}'),
    ("an escaped newline: a control character", '{"t":"\\n"}'),
    ("an escaped control character", '{"t":"\\u0001"}'),
    ("a raw control character", '{"t":"\x01"}'),
    ("U+007F", '{"t":"\x7f"}'),
    ("U+0085", '{"t":"\x85"}'),
    ("a lone surrogate", '{"t":"\\ud800"}'),
    ("a name with a capital", '{"A":1}'),
    ("a name that begins with a digit", '{"1a":1}'),
    ("a name with a hyphen", '{"a-b":1}'),
    ("an empty name", '{"":1}'),
    ("a final comma", '{"a":1,}'),
    ("a comment", '{"a":1/**/}'),
    ("single quotes", "{'a':1}"),
    ("nine levels", nested(9)),
    ("nine levels of arrays", '{"a":' + "[" * 8 + "]" * 8 + "}"),
    ("cut off", '{"a":1'),
    ("two objects", "{}{}"),
]
REFUSED_BYTES = [
    ("a byte-order mark", b"\xef\xbb\xbf{}"),
    ("not UTF-8", b'{"t":"\xff"}'),
    ("an overlong encoding", b'{"t":"\xc1\x81"}'),
    ("a surrogate as UTF-8", b'{"t":"\xed\xa0\x80"}'),
    ("UTF-16", '{"a":1}'.encode("utf-16-le")),
    ("a NUL behind", b"{}\0"),
]


def cl_json() -> Json:
    cases = [{"accept": True, "hex": text.encode().hex(), "name": name} for name, text in ACCEPTED]
    cases += [{"accept": False, "hex": text.encode().hex(), "name": name} for name, text in REFUSED]
    cases += [{"accept": False, "hex": data.hex(), "name": name} for name, data in REFUSED_BYTES]
    return {"about": "CL-JSON (encoding.md): are these bytes accepted?", "cases": cases}


def base64s() -> Json:
    url = [
        ("nothing", "", ""),
        ("one byte", "AA", "00"),
        ("two bytes", "__8", "ffff"),
        ("three bytes", "-_-_", "fbffbf"),
        ("padding", "AA==", None),
        ("the other alphabet", "++/8", None),
        ("last bits not zero", "AB", None),
        ("a length that cannot be", "A", None),
        ("white space", "AA ", None),
        ("a newline", "AA\n", None),
    ]
    plain = [
        ("nothing", "", ""),
        ("one byte", "AA==", "00"),
        ("two bytes", "//8=", "ffff"),
        ("three bytes", "+/+/", "fbffbf"),
        ("no padding", "AA", None),
        ("the other alphabet", "__8=", None),
        ("last bits not zero", "AB==", None),
        ("padding too long", "AAAA====", None),
        ("white space", "AA== ", None),
        ("padding within", "AA==AA==", None),
    ]
    rows = [
        {"alphabet": alphabet, "name": name, "text": text}
        | ({"accept": False} if raw is None else {"accept": True, "hex": raw})
        for alphabet, table in (("base64url", url), ("base64", plain))
        for name, text, raw in table
    ]
    return {"about": "b64u and b64 (encoding.md): decode, encode, compare.", "cases": rows}


def derivations() -> Json:
    """Every hash under a tag, and what goes in."""
    log, opening = ruleset_2(), draw("opening")
    terms = log.terms()
    names = [FIRST, f"subject:{HOLDER}:{SUBJECT}", "operator:ledger", f"operator:participant:{HOLDER}"]
    gesture = ruleset_2(13).gesture(FIRST)
    findings = [{"access": 13, "finding": "receipt-missing"}, {"access": 16, "finding": "rows-differ"}]
    request: dict[str, Any] = {
        "body": b64u(sha(b"")),
        "holder": HOLDER,
        "method": "GET",
        "path": "/accounts/1/transactions",
        "query": [["from", "2026-01-01"], ["to", "2026-02-01"]],
    }
    evidence = log.bodies[13][0]
    return {
        "about": "Hashes and key derivations (encoding.md, leaves.md, log.md, passkeys.md, reconciliation.md, guard.md).",
        "accounts": [
            {"accounts": accounts, "hash": b64u(h.accounts_hash(accounts))}
            for accounts in ([ACCOUNT, OTHER_ACCOUNT], [])
        ],
        "chains": [{"chain": b64u(h.chain_of(name)), "name": name} for name in names],
        "challenges": [
            {
                "challenge": b64u(h.tagged("challenge", h.unb64u(gesture["nonce"]), encode(gesture["signed"]))),
                "nonce": gesture["nonce"],
                "signed": encode(gesture["signed"]).decode(),
            }
        ],
        "commitments": [
            {"commitment": b64u(h.commitment(body, opening)), "evidence": body.decode(), "opening": b64u(opening)}
            for body in (b"{}", evidence)
        ],
        "findings": [{"findings": some, "hash": b64u(h.findings_hash(some))} for some in ([], findings)],
        "leaves": [
            {"hash": b64u(h.leaf_hash(entry)), "leaf": entry.decode()}
            for entry in (log.entries[0], log.entries[13], log.entries[19])
        ],
        "nodes": [
            {"hash": sha(b"").hex(), "of": "the empty tree, the empty map"},
            {"hash": h.node_hash(bytes(32), bytes(32)).hex(), "left": bytes(32).hex(), "right": bytes(32).hex()},
        ],
        "requests": [{"digest": b64u(h.tagged("request", encode(request))), "request": request}],
        "terms": [
            {"hash": b64u(h.terms_hash(one)), "terms": encode(one).decode()}
            for one in (terms, log.terms(filters=[{"field": "amount", "op": "le", "value": "100.00"}], utc_offset=480))
        ],
    }


def merkle() -> Json:
    leaves = [draw(f"leaf {n}", n + 1) for n in range(17)]
    hashes = [h.leaf_hash(leaf) for leaf in leaves]
    proofs: list[Json] = []

    def add(kind: str, accept: bool, name: str, path: list[bytes], **members: Any) -> None:
        proofs.append({"accept": accept, "kind": kind, "name": name, "path": [one.hex() for one in path], **members})

    for size in (1, 2, 3, 7, 8, 17):
        top = h.root(hashes[:size]).hex()
        for index in sorted({0, size // 2, size - 1}):
            path, members = (
                h.inclusion(index, hashes[:size]),
                {"index": index, "leaf": hashes[index].hex(), "root": top, "size": size},
            )
            add("inclusion", True, f"{index} of {size}", path, **members)
            add("inclusion", False, "another leaf", path, **{**members, "leaf": sha(b"x").hex()})
            add("inclusion", False, "a hash too many", [*path, bytes(32)], **members)
            add("inclusion", False, "an index beyond the tree", path, **{**members, "index": size})
            if path:
                add("inclusion", False, "a hash too few", path[:-1], **members)
                add("inclusion", False, "a hash of 31 bytes", [path[0][:31], *path[1:]], **members)
    for old, new in ((1, 2), (3, 7), (4, 8), (6, 17), (8, 8), (16, 17)):
        path = h.consistency(old, hashes[:new])
        members = {
            "new_root": h.root(hashes[:new]).hex(),
            "new_size": new,
            "old_root": h.root(hashes[:old]).hex(),
            "old_size": old,
        }
        add("consistency", True, f"{old} of {new}", path, **members)
        add("consistency", False, "another old root", path, **{**members, "old_root": sha(b"x").hex()})
        add("consistency", False, "another new root", path, **{**members, "new_root": sha(b"x").hex()})
        add("consistency", False, "a hash too many", [*path, bytes(32)], **members)
        if path:
            add("consistency", False, "a hash too few", path[:-1], **members)
    for start, end, size in ((0, 8, 17), (4, 8, 8), (8, 13, 17), (4, 6, 7), (16, 17, 17), (0, 17, 17)):
        path = h.subtree_consistency(start, end, hashes[:size])
        members = {
            "end": end,
            "root": h.root(hashes[:size]).hex(),
            "size": size,
            "start": start,
            "subtree": h.root(hashes[start:end]).hex(),
        }
        add("subtree", True, f"{start} to {end} of {size}", path, **members)
        add("subtree", False, "another subtree", path, **{**members, "subtree": sha(b"x").hex()})
        add("subtree", False, "a hash too many", [*path, bytes(32)], **members)
    for start, end in ((1, 3), (4, 9), (5, 5), (8, 18)):
        members = {"end": end, "root": h.root(hashes).hex(), "size": 17, "start": start, "subtree": sha(b"x").hex()}
        add("subtree", False, "no subtree of this tree", [], **members)
    roots = [{"root": h.root(hashes[:size]).hex(), "size": size} for size in range(18)]
    about = "RFC 6962 trees, RFC 9162 proofs, subtrees of draft-ietf-plants-merkle-tree-certs. Roots are over the first `size` leaves."
    return {"about": about, "leaves": [leaf.hex() for leaf in leaves], "proofs": proofs, "roots": roots}


def completeness_map() -> Json:
    keys = [draw(f"chain {n}") for n in range(9)]
    pairs = {key: (n + 1).to_bytes(8) + draw(f"head {n}") for n, key in enumerate(keys)}
    roots = [{"pairs": n, "root": h.map_root(dict(list(pairs.items())[:n])).hex()} for n in (0, 1, 2, 5, 9)]
    top, proofs = h.map_root(pairs).hex(), []

    def add(
        kind: str, accept: bool, name: str, key: bytes, proof: bytes, root: str = top, value: bytes | None = None
    ) -> None:
        row = {"accept": accept, "key": key.hex(), "kind": kind, "name": name, "proof": proof.hex(), "root": root}
        proofs.append(row if value is None else {**row, "value": value.hex()})

    for n, key in enumerate(keys):
        steps = h.map_steps(pairs, key)
        add("present", True, f"key {n}", key, steps, value=pairs[key])
        add("present", False, "another value", key, steps, value=bytes(40))
        add("present", False, "a byte too many", key, steps + b"\0", value=pairs[key])
        add("present", False, "a step too few", key, steps[33:], value=pairs[key])
    first = keys[0]
    longer = h.map_steps(pairs, first)
    add(
        "present",
        False,
        "a bit in a longer spelling",
        first,
        bytes([longer[0] | 0x80, 0]) + longer[1:],
        value=pairs[first],
    )
    for n in range(3):
        key = draw(f"nobody {n}")
        proof = h.map_absence(pairs, key)
        add("absent", True, f"absent {n}", key, proof)
        add(
            "absent",
            False,
            "a key that is there",
            keys[n],
            h.map_absence({k: v for k, v in pairs.items() if k != keys[n]}, keys[n]),
        )
        add("absent", False, "no proof", key, b"")
        add("absent", False, "cut off", key, proof[:-1])
    add("absent", True, "the empty map", first, b"", h.map_root({}).hex())
    add("absent", False, "the leaf of the key itself", first, bytes([32]) + first + bytes([40]) + pairs[first] + longer)
    listed = [{"key": key.hex(), "value": value.hex()} for key, value in pairs.items()]
    return {
        "about": "The completeness map (log.md). Roots are over the first `pairs` pairs.",
        "pairs": listed,
        "proofs": proofs,
        "roots": roots,
    }


FILES = {
    "base64": base64s,
    "cl-json": cl_json,
    "derivations": derivations,
    "map": completeness_map,
    "merkle": merkle,
    "notes": notes,
    "policies": policies,
}
