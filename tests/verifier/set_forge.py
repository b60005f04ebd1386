"""Forged sets of logs: a head log and its shards, honest or not (docs/spec/sets.md)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from nacl.signing import SigningKey

from tests.verifier.forge import Json, World, b64u, encode, named, note_line, path_of, signing_key, tree, write

HEAD, FIRST, SECOND = "ledger.example/head", "ledger.example/first", "ledger.example/second"
LATER_BANK = "second.example"


class Member(World):
    """A log of a set, of a name and a key of its own."""

    def __init__(self, origin: str, seed: int = 0) -> None:
        super().__init__(seed)
        self.origin, self.log_key = origin, signing_key(f"forge log {origin}")

    @property
    def raw_key(self) -> bytes:
        return bytes(self.log_key.verify_key)

    def opened(self) -> Member:
        self.operator({"type": "ledger.opened", "origin": self.origin, **named(self.ruleset)})
        return self

    def payload(self, iss: str, act: str, **members: Any) -> Json:
        return super().payload(iss, act, **members) | {"aud": self.origin}

    def vkey(self, key: SigningKey | None = None, name: str | None = None, kind: int = 1) -> str:
        return super().vkey(key, name or self.origin, kind)

    def checkpoint(self, size: int | None = None, *, root: bytes | None = None, cosign: bool = False) -> bytes:
        size = len(self.entries) if size is None else size
        root = tree(self.hashes[:size]) if root is None else root
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
        lines = note_line(self.origin, 1, self.log_key, self.log_key.sign(text).signature)
        if cosign:
            stamp = self.time // 1000
            signature = self.witness_key.sign(b"cosignature/v1\ntime %d\n" % stamp + text).signature
            lines += note_line("witness.example", 4, self.witness_key, stamp.to_bytes(8) + signature)
        return text + b"\n" + lines

    def files(
        self,
        level: str = "full",
        withheld: frozenset[int] = frozenset(),
        *,
        cosign: bool = False,
        size: int | None = None,
    ) -> dict[str, bytes]:
        files = super().files(level, withheld, cosign=cosign, size=size)
        manifest = json.loads(files["manifest.json"]) | {"origin": self.origin}
        return files | {"manifest.json": encode(manifest)}


class ForgedSet:
    """A head log, and two shards of one bank each; the first has consents and accesses."""

    def __init__(self, accesses: int = 2) -> None:
        self.head = Member(HEAD, 1).opened()
        first = Member(FIRST, 2)
        first.open(FIRST)
        second = Member(SECOND, 3).opened()
        second.register(LATER_BANK, ["holder"])
        self.first, self.second = first, second
        for shard, holder in ((first, "bank.example"), (second, LATER_BANK)):
            self.add(shard)
            self.place(holder, shard.origin)
        consent = first.grant()
        for _ in range(accesses):
            first.access(consent)

    def document(self, kind: str, **members: Any) -> int:
        """A document of the head log, in its chain."""
        chain = "operator:heads" if kind == "heads.committed" else "operator:set"
        return self.head.operator({"v": 2, "type": kind, **members}, chain)

    def add(self, shard: Member, **lies: Any) -> int:
        return self.document("shard.added", **{"origin": shard.origin, "key": b64u(shard.raw_key), **lies})

    def place(self, holder: str, origin: str) -> int:
        return self.document("holder.placed", holder=holder, origin=origin)

    def commit(self, *shards: Member) -> int:
        """Commit to the present heads of these shards, of all if none is named."""
        return self.commit_to(*(head_of(shard) for shard in shards or (self.first, self.second)))

    def commit_to(self, *heads: Json) -> int:
        return self.document("heads.committed", heads=list(heads))

    def write(self, folder: Path, *, quorum: bool = False, cosign: bool = False) -> Path:
        """The set under `set`, and the head log's policy beside it."""
        place = folder / "set"
        write(self.head.files(cosign=cosign), place / "heads")
        for shard in (self.first, self.second):
            write(shard.files(), place / "shards" / shard.origin.rpartition("/")[2])
        (folder / "policy").write_text(self.head.policy(quorum))
        return place


def head_of(shard: Member, size: int | None = None, **lies: Any) -> Json:
    """A head as a `heads.committed` names it, by default that of all entries."""
    size = len(shard.entries) if size is None else size
    return {"origin": shard.origin, "root": b64u(tree(shard.hashes[:size])), "size": size, **lies}


def set_proof(forged: ForgedSet, document: int, shard: Member, entry: int, size: int, *, cosign: bool = False) -> Json:
    """That the head log commits, in this document, to a tree of `size` entries of the shard, and to this entry in it."""
    return {
        "v": 1,
        "leaf": forged.head.entries[document].decode(),
        "path": [b64u(item) for item in path_of(entry, shard.hashes[:size])],
        "proof": forged.head.proof(document, cosign).decode(),
    }
