"""Logs of the forge replayed without a bundle around them, with parts of them missing if a test says so."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from typing import Any

from tests.verifier.forge import (
    ORIGIN,
    RECIPIENT,
    Signer,
    World,
)
from tests.verifier.making import BACKEND
from verifier.audit.log_order import Links
from verifier.crypto.keys import parse_jwk
from verifier.errors import Code
from verifier.records.disclosure import Reader
from verifier.records.leaf import parse_leaf
from verifier.rules.alerts import ReadModel
from verifier.rules.chain_store import Shelf
from verifier.rules.findings import Findings
from verifier.rules.replay import Replay
from verifier.tlog.trust import parse_trust

HOUR = 3_600_000
LOST_KEY = "statements whose key may stand in an entry that could not be read"


BAD, CHAIN = Code.CONSENT_INVALID, Code.BAD_CHAIN


def replayed(
    world: World,
    *,
    withheld: Collection[int] = (),
    lost: Collection[int] = (),
    full: bool = False,
    origin: str = ORIGIN,
    trust: str = "",
    times: Callable[[int], int | None] | None = None,
    model: ReadModel = lambda _: None,
) -> Findings:
    """`withheld`: entries without their evidence; `lost`: entries that cannot be read."""
    findings, shelf = Findings(), Shelf()
    links, leaves = Links(findings, shelf), [parse_leaf(entry) for entry in world.entries]
    keys = {}
    for at, leaf in enumerate(leaves):
        if at not in lost and leaf.document and leaf.document["type"] == "key.added":
            keys[str(leaf.document["kid"])] = parse_jwk(leaf.document["jwk"])  # type: ignore[arg-type]
    reader = Reader(ORIGIN, BACKEND, keys)
    policy = parse_trust((trust or world.policy()).encode())
    replay = Replay(origin, findings, shelf, full, policy, BACKEND, times or (lambda index: leaves[index].time), model)
    replay.breaks, replay.others = links.breaks, links.others
    with closing(replay.matching):
        for at, (entry, leaf) in enumerate(zip(world.entries, leaves, strict=True)):
            if at in lost:
                links.skip(at, world.hashes[at])
                replay.lose(at)
                continue
            links.add(at, entry, world.hashes[at])
            shown = None if at in withheld or at not in world.evidence else world.line(at)[:-1]
            replay.add(at, leaf, shown and reader.read(leaf.kind, leaf.chain, leaf.commitment, leaf.time, shown))
        replay.finish()
    return findings


def told(findings: Findings) -> list[tuple[Code, int | None, str | None]]:
    return [(defect.code, defect.place.index, defect.place.field) for defect in findings.defects]


def begun(**terms: Any) -> tuple[World, str]:
    """A consent in force at entries 7 to 9."""
    world = World(5).open()
    return world, world.grant(**terms)


def asked(world: World, consent: str, signer: Signer, **changes: Any) -> int:
    """An access of the recipient, signed with any key."""
    payload = world.payload(RECIPIENT, "access.request", **world.item(consent), **changes)
    return world.submit(payload, world.decide(RECIPIENT, payload), jws=signer.sign(payload))
