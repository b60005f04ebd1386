"""Honest bundles of any size for timing the audit, written as a stream: signed in worker processes, linked in this one.

Every entry is what a ledger would record: consents with their authorisations, and signed accesses under them, each with
its own `jti`, opening and signature. `signed=False` leaves the evidence out (commitments to nothing), for the tree alone.
"""

from __future__ import annotations

import gzip
import hmac
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import IO

from tests.verifier.forge import (
    ORIGIN,
    RECIPIENT,
    Signer,
    World,
    b64u,
    chain_of,
    encode,
    leaf_hash,
    node,
    sha,
    tile_name,
    tree,
    write,
)

PER_CONSENT = 30
BLOCK = 2_048
STEP_MS = 20
KEEP = 30 * 86_400
"""What the terms of `World.grant` let a recipient keep, in seconds."""
TAG = b"consent-ledger/v1/commitment\0"
Made = tuple[bytes, bytes, bytes, bytes]
"""Chain, commitment, opening, evidence."""


def make(count: int, root: Path, *, signed: bool = True) -> None:
    """A bundle of `count` entries in `root`/bundle, and `root`/policy."""
    world = World(1).open()
    consents = [world.grant() for _ in range(max(1, count // PER_CONSENT // 3))]
    basis = [world.consents[consent]["basis"] for consent in consents]
    out = _Writer(root / "bundle", signed)
    for index, entry in enumerate(world.entries):
        out.add(entry, world.line(index) if signed and index in world.evidence else b"")
    first, time = len(world.entries), world.time
    world.hashes = out.hashes
    starts = range(first, count, BLOCK)
    with ProcessPoolExecutor() as pool:
        blocks: Iterator[list[Made]] = (
            pool.map(_sign, ((at, min(BLOCK, count - at), first, time, consents, basis) for at in starts))
            if signed
            else (_pretend(at, min(BLOCK, count - at), consents) for at in starts)
        )
        for block in blocks:
            for chain, commitment, opening, evidence in block:
                index = len(out.hashes)
                seq, head = world.chains[chain]
                entry = (
                    b'{"chain":"%b","commitment":"%b","index":%d,"kind":"consent","prev":"%b","prev_in_chain":"%b","seq":%d,'
                    b'"time":%d,"v":1}'
                    % (
                        _text(chain),
                        _text(commitment),
                        index,
                        _text(out.hashes[-1]),
                        _text(head),
                        seq + 1,
                        time + STEP_MS * (index - first),
                    )
                )
                line = b""
                if signed:
                    line = encode({"evidence": evidence.decode(), "index": index, "opening": b64u(opening)}) + b"\n"
                out.add(entry, line)
                world.chains[chain] = (seq + 1, out.hashes[-1])
    top = out.finish()
    level = "full" if signed else "none"
    manifest = {
        "created": time,
        "evidence": level,
        "format": "consent-ledger-bundle/1",
        "origin": ORIGIN,
        "size": count,
        "v": 1,
    }
    policy = world.policy()
    write(
        {"manifest.json": encode(manifest), "checkpoint": world.checkpoint(count, root=top), "policy": policy.encode()},
        out.root,
    )
    (root / "policy").write_text(policy)


def _text(raw: bytes) -> bytes:
    return b64u(raw).encode()


def _sign(task: tuple[int, int, int, int, list[str], list[int]]) -> list[Made]:
    """The accesses number `at` and following, in turn one under each consent."""
    at, count, first, begun, consents, basis = task
    signer = Signer(f"{RECIPIENT}.1", RECIPIENT)
    made = []
    for index in range(at, at + count):
        used, which = divmod(index - first, len(consents))
        payload = {
            "accounts": [],
            "act": "access.request",
            "aud": ORIGIN,
            "consent_id": consents[which],
            "customer_present": False,
            "from": 0,
            "iat": (begun + STEP_MS * (index - first)) // 1000,
            "interaction_id": b64u(os.urandom(12)),
            "iss": RECIPIENT,
            "jti": b64u(os.urandom(16)),
            "permissions": ["ReadBalances"],
            "purpose": "AIS",
            "request_digest": b64u(os.urandom(32)),
            "to": 0,
            "v": 1,
        }
        outcome = {
            "basis": basis[which],
            "consent_version": 1,
            "decision": "allow",
            "reasons": [],
            "ruleset": 2,
            "used_today": used,
            "obligations": {
                "directions": ["credit"],
                "from": 0,
                "keep_until": (begun + STEP_MS * (index - first)) // 1000 + KEEP,
                "masks": [
                    "beneficiary-account",
                    "pan",
                    "party-identity",
                    "scheduled-payment-account",
                    "standing-order-account",
                    "statement-amount",
                ],
                "to": 0,
            },
        }
        body = encode({"act": "access.request", "outcome": outcome, "statements": [signer.sign(payload)], "v": 1})
        opening = os.urandom(32)
        made.append((chain_of(consents[which]), hmac.digest(opening, TAG + sha(body), "sha256"), opening, body))
    return made


def _pretend(at: int, count: int, consents: list[str]) -> list[Made]:
    return [(chain_of(consents[index % len(consents)]), os.urandom(32), b"", b"") for index in range(at, at + count)]


class _Writer:
    """The files of a bundle, entry by entry."""

    def __init__(self, root: Path, signed: bool) -> None:
        self.root, self.signed = root, signed
        self.hashes: list[bytes] = []
        self._bundle: list[bytes] = []
        self._shard: IO[bytes] | None = None

    def add(self, entry: bytes, line: bytes) -> None:
        """The next entry and its evidence line."""
        if len(self.hashes) % 65_536 == 0 and self.signed:
            self._end_shard()
            name = tile_name(0, len(self.hashes) // 65_536, 256).replace("tile/0/", "evidence/") + ".jsonl.gz"
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            self._shard = gzip.open(self.root / name, "wb", 1)
        if self._shard is not None:
            self._shard.write(line)
        self._bundle.append(len(entry).to_bytes(2) + entry)
        self.hashes.append(leaf_hash(entry))
        if len(self._bundle) == 256:
            self._end_bundle()

    def _end_bundle(self) -> None:
        n = (len(self.hashes) - 1) // 256
        write({tile_name("entries", n, len(self._bundle)): b"".join(self._bundle)}, self.root)
        self._bundle = []

    def _end_shard(self) -> None:
        if self._shard is not None:
            self._shard.close()

    def finish(self) -> bytes:
        """Write the rest and every tile; the root."""
        self._end_shard()
        if self._bundle:
            self._end_bundle()
        row, level = self.hashes, 0
        while row:
            above = []
            for n in range(0, len(row), 256):
                part = row[n : n + 256]
                write({tile_name(level, n // 256, len(part)): b"".join(part)}, self.root)
                if len(part) == 256:
                    above.append(tree(part))
            row, level = above, level + 1
        return _root(self.hashes)


def _root(row: list[bytes]) -> bytes:
    """MTH level by level: an odd node at the right edge rises as it is (RFC 6962)."""
    while len(row) > 1:
        paired = [node(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        row = paired + ([row[-1]] if len(row) % 2 else [])
    return row[0]
