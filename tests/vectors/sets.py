"""Vectors of sets: a head log and its shards, handed out together (sets.md, 4)."""

from __future__ import annotations

from typing import Any

from tests.vectors.hashing import Json, b64, b64u, encode, root
from tests.vectors.log import ORIGIN, Files, Log, signature_line, vkey
from tests.vectors.signing import Ed25519
from tests.vectors.story import Story, ruleset_1
from tests.vectors.told_sets import EAST, NORTH, WEST, add, commit, place

BANKS = {EAST: "bank.example", WEST: "west-bank.example", NORTH: "north-bank.example"}
SIZE = 7
"""Of each shard; its bank is registered at entry 1."""
BANK = 1


class ShardLog(Log):
    """A log of a name and key of its own, in which one bank is registered. `key`: another one than its own."""

    def __init__(self, origin: str, size: int = SIZE, *, key: str = "", bank: str = "") -> None:
        super().__init__(origin)
        self.origin, self.note_key = origin, Ed25519(key or origin)
        self.operator("ledger.opened", origin=origin, ruleset=1)
        self.register(bank or BANKS[origin], ["holder"], Ed25519(f"bank of {origin}"))
        while len(self.entries) < size:
            self.tick()
            self.head()

    @property
    def vkey(self) -> str:
        return vkey(self.origin, 1, self.note_key)

    def policy(self, *, quorum: bool = False) -> str:
        return f"log {self.vkey}\nquorum none\n"

    def checkpoint(self, size: int | None = None, *, cosign: bool = False, lie: bytes | None = None) -> bytes:
        size = len(self.entries) if size is None else size
        text = f"{self.origin}\n{size}\n{b64(lie or root(self.hashes[:size]))}\n".encode()
        return text + b"\n" + signature_line(self.origin, 1, self.note_key, self.note_key.sign(text))

    def files(self, level: str = "full", gone: frozenset[int] = frozenset(), *, cosign: bool = False) -> Files:
        names = {"created": self.time, "evidence": level, "format": "consent-ledger-bundle/1", "origin": self.origin}
        manifest = encode({**names, "size": len(self.entries), "v": 1})
        return super().files(level, gone, cosign=cosign) | {"manifest.json": manifest}

    def told(self, size: int = SIZE, **lies: Any) -> Json:
        """Its head, as a `heads.committed` names it."""
        return {"origin": self.origin, "root": b64u(root(self.hashes[:size])), "size": size, **lies}


def head_log(*heads: Json, placed: dict[str, str] | None = None) -> Story:
    """A log of one commitment, the last entry but one; the shards are added and the banks placed before, east first."""
    log = Story(1)
    log.operator("ledger.opened", origin=ORIGIN, ruleset=1)
    for origin in (EAST, WEST):
        add(log, origin)
    for holder, origin in (placed or {BANKS[one]: one for one in (EAST, WEST)}).items():
        place(log, holder, origin)
    commit(log, *heads)
    log.tick().head()
    return log


def sets() -> Json:
    east, west = ShardLog(EAST), ShardLog(WEST)
    longer, shorter = ShardLog(EAST, SIZE + 2), ShardLog(EAST, SIZE - 1)
    honest = head_log(east.told(), west.told())
    committed = honest.entries.index(next(one for one in honest.entries if b"heads.committed" in one))
    changed = east.files()
    [tile] = [name for name in changed if name.startswith("tile/entries/")]
    changed[tile] = changed[tile].replace(b'"name":"Bank"', b'"name":"Bonk"')
    bundles: dict[str, Files] = {
        "heads": honest.files(),
        "heads, witnessed": honest.files(cosign=True),
        "heads that commit another root": head_log(east.told(), west.told(root=east.told()["root"])).files(),
        "heads that place a bank elsewhere": head_log(
            east.told(), west.told(), placed={BANKS[EAST]: WEST, BANKS[WEST]: WEST}
        ).files(),
        "heads that place a bank nowhere": head_log(east.told(), west.told(), placed={BANKS[EAST]: EAST}).files(),
        "a log without shards": ruleset_1(1).files(),
        "east": east.files(),
        "east, longer": longer.files(),
        "east, shorter": shorter.files(),
        "east, signed by another key": ShardLog(EAST, key="stranger").files(),
        "east, a letter changed": changed,
        "west": west.files(),
        "north": ShardLog(NORTH).files(),
    }
    rows: list[Json] = []

    def case(name: str, *told: tuple[str, str, int | str], **more: Any) -> None:
        """`told`: code, log (none: a name in `shards`) and place of each defect, the headline first."""
        defects = [{"code": code, "log": log, "index" if isinstance(at, int) else "file": at} for code, log, at in told]
        code = told[0][0] if told else "VALID"
        rows.append(
            {
                "code": code,
                "defects": defects,
                "exit": 1 if told else 0,
                "heads": "heads",
                "name": name,
                "policy": "policy",
                "shards": {"1": "east", "2": "west"},
                "unchecked": False,
                **more,
            }
        )

    case("two shards, and the head log that vouches for them")
    case("names in shards say nothing", shards={"west": "east", "east": "west"})
    case("a head log that is witnessed", heads="heads, witnessed", policy="quorum")
    case("a head log below the quorum", policy="quorum", exit=3, code="VALID_UNWITNESSED")
    case(
        "entries that the head log has not committed to",
        shards={"1": "east, longer", "2": "west"},
        unchecked=True,
    )
    case(
        "a shard that is smaller than was committed",
        ("ROLLBACK", EAST, "checkpoint"),
        shards={"1": "east, shorter", "2": "west"},
        unchecked=True,
    )
    case(
        "another root than the shard's own",
        ("EQUIVOCATION", ORIGIN, committed),
        heads="heads that commit another root",
    )
    case(
        "a letter changed in an entry of a shard",
        ("BAD_PROOF", EAST, BANK),
        ("BAD_PROOF", EAST, "checkpoint"),
        shards={"1": "east, a letter changed", "2": "west"},
        unchecked=True,
    )
    case(
        "a bank that is registered in another shard than its own",
        ("CONSENT_INVALID", EAST, BANK),
        heads="heads that place a bank elsewhere",
    )
    case(
        "a bank that is registered and not placed",
        ("CONSENT_INVALID", WEST, BANK),
        heads="heads that place a bank nowhere",
    )
    case(
        "a shard that is signed by another key than it opened with",
        ("BAD_SIGNATURE", EAST, "checkpoint"),
        shards={"1": "east, signed by another key", "2": "west"},
        unchecked=True,
    )
    case(
        "a log that is no shard",
        ("BAD_ENCODING", "", "shards/3"),
        shards={"1": "east", "2": "west", "3": "north"},
    )
    case(
        "a second bundle of a shard",
        ("BAD_ENCODING", "", "shards/3"),
        shards={"1": "east", "2": "west", "3": "east, longer"},
    )
    case("a shard without a bundle", shards={"1": "east"}, exit=2, code="")
    case("a log that is no head log", heads="a log without shards", shards={}, exit=2, code="")
    return {
        "about": "Sets of logs, handed out whole (sets.md, 4).",
        "bundles": {name: {path: b64(content) for path, content in files.items()} for name, files in bundles.items()},
        "cases": rows,
    }


FILES = {"sets": sets}
