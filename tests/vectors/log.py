"""A log as docs/spec/leaves.md, log.md and bundles.md describe it, written down by hand: it decides nothing and checks nothing.

Whoever appends an entry says what stands in it, its outcome too. So it writes an honest log and a lying one alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

from tests.vectors.hashing import (
    Json,
    b64,
    b64u,
    chain_of,
    commitment,
    draw,
    encode,
    gzip_stored,
    inclusion,
    leaf_hash,
    map_root,
    map_steps,
    root,
)
from tests.vectors.signing import Ed25519, Key, jws, key_id

Files = dict[str, bytes]
ORIGIN = "ledger.example/vectors"
START = 1_790_000_000_000
SHARD = "evidence/000.jsonl.gz"


DECLARED = (
    "alert.",
    "assessment.",
    "attestation.",
    "case.",
    "freeze.",
    "history.",
    "incident.",
    "map.",
    "purpose.",
    "risk.",
    "tariff.",
    "usage.",
)
"""How the acts begin that stand in a participant's own chain."""
OPERATOR_CHAINS = {
    "freeze": "operator:supervision",
    "hold": "operator:supervision",
    "remit": "operator:supervision",
    "alert": "operator:risk",
    "model": "operator:risk",
    "scoring": "operator:risk",
    "report": "operator:reports",
}
"""By how a document's type begins."""


class Enough(Exception):
    """The log has as many entries as were asked for."""


class Log:
    """`until`: the number of entries at which `Enough` is raised instead of appending. `keys`: participant → kid and key."""

    def __init__(self, label: str, until: int | None = None) -> None:
        self.label, self.until, self.time = label, until, START
        self.note_key = Ed25519("log")
        self.later_keys: tuple[Ed25519, ...] = ()
        self.signers: tuple[Ed25519, ...] = ()
        """Of checkpoints, if it is not the first key alone."""
        self.entries: list[bytes] = []
        self.bodies: dict[int, tuple[bytes, bytes]] = {}
        self.chains: dict[bytes, list[int]] = {}
        self.keys: dict[str, tuple[str, Key]] = {}
        self.drawn = 0

    @property
    def hashes(self) -> list[bytes]:
        return [leaf_hash(entry) for entry in self.entries]

    def fresh(self, length: int) -> bytes:
        """Bytes that nobody drew before in this log."""
        self.drawn += 1
        return draw(f"{self.label} {self.drawn}", length)

    def tick(self, ms: int = 1_000) -> Self:
        self.time += ms
        return self

    # --- leaves -------------------------------------------------------------------------------------------

    def append(self, leaf: Json, lie: Json | bytes | None = None) -> int:
        """`lie`: members that are set at the end, or all bytes of the entry."""
        if len(self.entries) == self.until:
            raise Enough
        index = len(self.entries)
        prev = leaf_hash(self.entries[-1]) if self.entries else bytes(32)
        leaf = {**leaf, "index": index, "prev": b64u(prev), "time": self.time, "v": 1}
        self.entries.append(lie if isinstance(lie, bytes) else encode({**leaf, **(lie or {})}))
        return index

    def chained(self, kind: str, name: str, members: Json, lie: Json | bytes | None = None) -> int:
        chain = chain_of(name)
        mine = self.chains.setdefault(chain, [])
        head = leaf_hash(self.entries[mine[-1]]) if mine else bytes(32)
        links = {"chain": b64u(chain), "kind": kind, "prev_in_chain": b64u(head), "seq": len(mine)}
        index = self.append({**links, **members}, lie)
        mine.append(index)
        return index

    def operator(
        self, kind: str, *, chain: str = "", lie: Json | bytes | None = None, v: int = 1, **members: Any
    ) -> int:
        """An operator document of type `kind`."""
        participant = members.get("participant")
        own = OPERATOR_CHAINS.get(
            kind.partition(".")[0],
            "operator:ledger" if participant is None or kind == "disclosure" else f"operator:participant:{participant}",
        )
        return self.chained("operator", chain or own, {"document": {"type": kind, "v": v, **members}}, lie)

    def map(self) -> dict[bytes, bytes]:
        hashes = self.hashes
        return {chain: len(mine).to_bytes(8) + hashes[mine[-1]] for chain, mine in self.chains.items() if mine}

    def head(self, lie: Json | bytes | None = None) -> int:
        members = {"kind": "index-head", "map_root": b64u(map_root(self.map())), "map_size": len(self.entries)}
        return self.append(members, lie)

    def record(self, kind: str, name: str, evidence: Json | bytes, lie: Json | bytes | None = None) -> int:
        """An entry of a consent's or a customer's chain."""
        body = evidence if isinstance(evidence, bytes) else encode({"v": 1, **evidence})
        opening = draw(f"{self.label} opening {len(self.entries)}")
        index = self.chained(kind, name, {"commitment": b64u(commitment(body, opening))}, lie)
        self.bodies[index] = (body, opening)
        return index

    # --- statements ---------------------------------------------------------------------------------------

    def register(self, participant: str, roles: list[str], key: Key, *, kid: str = "", use: str = "statement") -> int:
        name = participant.split(".", maxsplit=1)[0].capitalize()
        self.operator("participant.registered", participant=participant, name=name, roles=roles)
        return self.add_key(participant, key, kid or f"{participant}.1", use)

    def add_key(self, participant: str, key: Key, kid: str, use: str = "statement", **changes: Any) -> int:
        self.keys[participant] = (kid, key)
        members = {"participant": participant, "kid": kid, "alg": key.alg, "use": use, "jwk": key.jwk, **changes}
        return self.operator("key.added", **members)

    def payload(self, iss: str, act: str, **members: Any) -> Json:
        jti = b64u(self.fresh(16))
        return {"act": act, "aud": ORIGIN, "iat": self.time // 1000, "iss": iss, "jti": jti, "v": 1, **members}

    def sign(self, payload: Json) -> str:
        kid, key = self.keys[payload["iss"]]
        return jws(key, kid, encode(payload))

    def say(
        self,
        iss: str,
        act: str,
        outcome: Json | None = None,
        *,
        signed: str | Callable[[Json], str] | None = None,
        beside: Json | None = None,
        chain: tuple[str, str] | None = None,
        lie: Json | bytes | None = None,
        also: Json | None = None,
        **members: Any,
    ) -> int:
        """A statement and its entry. `signed`: another JWS than the honest one; `beside`: members set in the evidence;
        `chain`: another kind and chain name than its own; `also`: members whose names are arguments here."""
        payload = self.payload(iss, act, **members) | (also or {})
        word = signed(payload) if callable(signed) else signed or self.sign(payload)
        evidence: Json = {"act": act, "statements": [word]}
        if outcome is not None:
            evidence["outcome"] = outcome
        party = payload.get("on_behalf_of", iss)
        if act.startswith("subject."):
            own = "subject", f"subject:{party}:{payload['subject']}"
        elif act == "history.sheet":
            own = "subject", f"history:{party}:{payload['sheet']['subject']}"
        elif act.startswith(DECLARED):
            own = "participant", f"participant:{party}"
        else:
            own = "consent", payload["consent_id"]
        kind, name = chain or own
        return self.record(kind, name, {**evidence, **(beside or {})}, lie)

    # --- what is handed out ---------------------------------------------------------------------------------

    @property
    def vkey(self) -> str:
        return vkey(ORIGIN, 1, self.note_key)

    def policy(self, *, quorum: bool = False) -> str:
        witness = vkey("witness.example", 4, Ed25519("witness"))
        logs = "".join(f"log {vkey(ORIGIN, 1, key)}\n" for key in (self.note_key, *self.later_keys))
        return f"{logs}witness w {witness}\nquorum {'w' if quorum else 'none'}\n"

    def checkpoint(self, size: int | None = None, *, cosign: bool = False, lie: bytes | None = None) -> bytes:
        """`lie`: another root."""
        size = len(self.entries) if size is None else size
        top = lie or root(self.hashes[:size])
        text = f"{ORIGIN}\n{size}\n{b64(top)}\n".encode()
        lines = b"".join(signature_line(ORIGIN, 1, key, key.sign(text)) for key in self.signers or (self.note_key,))
        if cosign:
            stamp, key = self.time // 1000, Ed25519("witness")
            blob = stamp.to_bytes(8) + key.sign(b"cosignature/v1\ntime %d\n" % stamp + text)
            lines += signature_line("witness.example", 4, key, blob)
        return text + b"\n" + lines

    def proof(self, index: int, *, cosign: bool = False) -> str:
        path = "".join(b64(item) + "\n" for item in inclusion(index, self.hashes))
        return f"c2sp.org/tlog-proof@v1\nindex {index}\n{path}\n" + self.checkpoint(cosign=cosign).decode()

    def receipt(self, index: int, *, disclose: bool = True, cosign: bool = False) -> Json:
        members: Json = {"leaf": self.entries[index].decode(), "proof": self.proof(index, cosign=cosign), "v": 1}
        if disclose and index in self.bodies:
            body, opening = self.bodies[index]
            members |= {"evidence": body.decode(), "opening": b64u(opening)}
        return members

    def completeness(self, name: str, index_head: int) -> Json:
        """The completeness file of a chain, up to the index-head."""
        before = Log(self.label)
        before.entries = self.entries[:index_head]
        before.chains = {chain: [i for i in mine if i < index_head] for chain, mine in self.chains.items()}
        pairs, chain = before.map(), chain_of(name)
        mine = before.chains[chain]
        return {
            "chain": b64u(chain),
            "count": len(mine),
            "index_head": encode(self.receipt(index_head)).decode(),
            "last": b64u(leaf_hash(self.entries[mine[-1]])),
            "leaves": [self.entries[index].decode() for index in mine],
            "map_proof": b64u(map_steps(pairs, chain)),
            "v": 1,
        }

    def line(self, index: int) -> bytes:
        body, opening = self.bodies[index]
        return encode({"evidence": body.decode(), "index": index, "opening": b64u(opening)}) + b"\n"

    def files(self, level: str = "full", gone: frozenset[int] = frozenset(), *, cosign: bool = False) -> Files:
        """A bundle, of fewer than 65,536 entries. `gone`: entries without a line of evidence."""
        size = len(self.entries)
        names = {"created": self.time, "evidence": level, "format": "consent-ledger-bundle/1", "origin": ORIGIN}
        lines = b"".join(self.line(index) for index in sorted(self.bodies) if index not in gone)
        files = {
            "manifest.json": encode({**names, "size": size, "v": 1}),
            "checkpoint": self.checkpoint(cosign=cosign),
            "policy": self.policy().encode(),
        }
        files |= {f"tile/{path}": content for path, content in hash_tiles(self.hashes)}
        for n in range(0, size, 256):
            files[f"tile/entries/{numbered(n // 256, min(size - n, 256))}"] = entry_bundle(self.entries[n : n + 256])
        if lines and level != "none":
            files[SHARD] = gzip_stored(lines)
        return files


def numbered(n: int, width: int) -> str:
    """The name of tile `n` of a level, as C2SP tlog-tiles spells it."""
    name = f"{n % 1000:03d}"
    while n := n // 1000:
        name = f"x{n % 1000:03d}/{name}"
    return name if width == 256 else f"{name}.p/{width}"


def hash_tiles(hashes: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """All hash tiles of a tree: `<level>/<name>` and content. A hash of a level is the root of a full tile below it."""
    level = 0
    while hashes:
        for at in range(0, len(hashes), 256):
            part = hashes[at : at + 256]
            yield f"{level}/{numbered(at // 256, len(part))}", b"".join(part)
        hashes = [root(hashes[at : at + 256]) for at in range(0, len(hashes) - 255, 256)]
        level += 1


def entry_bundle(entries: list[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def vkey(name: str, kind: int, key: Ed25519) -> str:
    data = bytes([kind]) + key.public
    return f"{name}+{key_id(name, data).hex()}+{b64(data)}"


def signature_line(name: str, kind: int, key: Ed25519, blob: bytes) -> bytes:
    return f"\u2014 {name} {b64(key_id(name, bytes([kind]) + key.public) + blob)}\n".encode()
