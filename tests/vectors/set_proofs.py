"""Vectors of set proofs: a shard's receipt on the word of the head log (sets.md, 3)."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors.hashing import Json, b64, b64u, encode, inclusion, root
from tests.vectors.log import Log, signature_line
from tests.vectors.signing import Ed25519
from tests.vectors.story import ruleset_2
from tests.vectors.told_sets import EAST, WEST, add, commit, place

SIZE, ENTRY = 9, 4
"""Of the shard's tree that is committed; the entry whose receipt is shown."""


class Shard(Log):
    """A log of a name and key of its own, with documents and index-heads."""

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.origin, self.note_key = origin, Ed25519(origin)
        self.operator("ledger.opened", origin=origin, ruleset=1)
        self.register("bank.example", ["holder"], Ed25519("bank"))
        while len(self.entries) < SIZE + 3:
            self.tick()
            self.head()

    def checkpoint(self, size: int | None = None, *, cosign: bool = False, lie: bytes | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        text = f"{self.origin}\n{size}\n{b64(lie or root(self.hashes[:size]))}\n".encode()
        return text + b"\n" + signature_line(self.origin, 1, self.note_key, self.note_key.sign(text))

    def root_at(self, size: int) -> str:
        return b64u(root(self.hashes[:size]))


def set_proofs() -> Json:
    east, west = Shard(EAST), Shard(WEST)
    log = ruleset_2(13)
    log.until = None
    log.tick()
    add(log, EAST)
    add(log, WEST)
    other_document = place(log, "bank.example", EAST)
    heads = [{"origin": one.origin, "root": one.root_at(SIZE), "size": SIZE} for one in (east, west)]
    document = commit(log, *heads)
    other_chain = commit(log, *heads, chain="operator:set")
    lying = commit(log, {"origin": EAST, "root": west.root_at(SIZE + 1), "size": SIZE + 1})
    log.head()

    def proof(
        index: int = document, entry: int = ENTRY, size: int = SIZE, cosign: bool = False, **changes: Any
    ) -> Json:
        path = [b64u(item) for item in inclusion(entry, east.hashes[:size])]
        made = {"leaf": log.entries[index].decode(), "path": path, "proof": log.proof(index, cosign=cosign), "v": 1}
        return {**made, **changes}

    leaf, text = log.entries[document].decode(), log.proof(document)
    receipt = east.receipt(ENTRY)
    stolen = json.loads(json.dumps(receipt))
    line = signature_line(EAST, 1, Ed25519("stranger"), Ed25519("stranger").sign(b"x")).decode()
    stolen["proof"] = receipt["proof"].rpartition("\n\n")[0] + "\n\n" + line
    whole, part = (b64(root(east.hashes[:size])) for size in (len(east.entries), SIZE))
    moved = {**receipt, "proof": receipt["proof"].replace(whole, part)}
    again = text.split("\n")
    again[2] = again[3]

    rows: list[tuple[str, Json, Json, str, int, str]] = [
        ("an entry below a committed head", receipt, proof(), "policy", 0, "VALID"),
        ("the first entry of the shard", east.receipt(0), proof(entry=0), "policy", 0, "VALID"),
        ("the last entry below the head", east.receipt(SIZE - 1), proof(entry=SIZE - 1), "policy", 0, "VALID"),
        ("a head log below the quorum", receipt, proof(), "quorum", 3, "VALID_UNWITNESSED"),
        ("a head log that is witnessed", receipt, proof(cosign=True), "quorum", 0, "VALID"),
        (
            "a shard whose own signature is wrong, and that the policy does not name",
            stolen,
            proof(),
            "policy",
            0,
            "VALID",
        ),
        ("a shard that the policy names", receipt, proof(), "with-a-shard", 0, "VALID"),
        (
            "a shard that the policy names, and whose signature is wrong",
            stolen,
            proof(),
            "with-a-shard",
            1,
            "BAD_SIGNATURE",
        ),
        ("a head log that the policy does not name", receipt, proof(), "other-key", 1, "BAD_SIGNATURE"),
        ("a proof that is none", receipt, proof(proof="index 1\n"), "policy", 1, "BAD_ENCODING"),
        (
            "a proof with extra data",
            receipt,
            proof(proof=text.replace("@v1\n", "@v1\nextra AAAA\n")),
            "policy",
            1,
            "BAD_ENCODING",
        ),
        ("a leaf in another spelling", receipt, proof(leaf=leaf.replace(",", ", ", 1)), "policy", 1, "BAD_ENCODING"),
        ("a leaf that commits to nothing", receipt, proof(index=other_document), "policy", 1, "BAD_ENCODING"),
        ("a commitment in another chain", receipt, proof(index=other_chain), "policy", 1, "BAD_ENCODING"),
        ("the place of another leaf", receipt, proof(proof=log.proof(lying)), "policy", 1, "BAD_PROOF"),
        ("a leaf that is not in the log", receipt, proof(leaf=leaf.replace(":9}", ":8}")), "policy", 1, "BAD_PROOF"),
        (
            "a path of the head log that leads elsewhere",
            receipt,
            proof(proof="\n".join(again)),
            "policy",
            1,
            "BAD_PROOF",
        ),
        (
            "an entry that is not below the head",
            east.receipt(SIZE),
            proof(entry=SIZE, size=SIZE + 1),
            "policy",
            1,
            "BAD_PROOF",
        ),
        ("a receipt of another shard", west.receipt(ENTRY + 1), proof(), "policy", 1, "BAD_PROOF"),
        ("a path of another entry", receipt, proof(entry=ENTRY + 1), "policy", 1, "BAD_PROOF"),
        ("a path that is too short", receipt, proof(path=proof()["path"][:-1]), "policy", 1, "BAD_PROOF"),
        ("a head of another tree", receipt, proof(index=lying, size=SIZE + 1), "policy", 1, "BAD_PROOF"),
        ("a receipt that does not lead to its own root", moved, proof(), "policy", 1, "BAD_PROOF"),
        ("a hash of a path that is short", receipt, proof(path=["AAAA"]), "policy", 1, "BAD_ENCODING"),
        ("a path of 64 hashes", receipt, proof(path=[b64u(bytes(32))] * 64), "policy", 1, "BAD_ENCODING"),
        ("a member too many", receipt, proof(more=1), "policy", 1, "BAD_ENCODING"),
        ("another version", receipt, proof(v=2), "policy", 2, ""),
        ("a version that is no number", receipt, proof(v="1"), "policy", 1, "BAD_ENCODING"),
    ]
    return {
        "about": "Receipts of a shard with a set proof beside them (sets.md, 3).",
        "cases": [
            {
                "code": code,
                "exit": status,
                "name": name,
                "policy": policy,
                "receipt": encode(shown).decode(),
                "set_proof": encode(beside).decode(),
            }
            for name, shown, beside, policy, status, code in rows
        ],
    }


FILES = {"set-proofs": set_proofs}
