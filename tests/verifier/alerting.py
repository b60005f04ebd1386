"""Accesses that come close to what a rule or the model alerts about, in a forged log."""

from __future__ import annotations

from typing import Any

from tests.verifier.forge import DAY, b64u, encode, sha
from tests.verifier.scored import HOUR, Scored

NOON = 12 * HOUR


def begun(**terms: Any) -> tuple[Scored, str]:
    """At the beginning of an hour at noon, with a consent in force, scoring."""
    world = Scored(5).begun()
    world.tick(DAY - world.time % DAY + NOON)
    consent = world.grant(**terms)
    world.score()
    return world, consent


def many(world: Scored, consent: str, count: int, gap: int = 1, **item: Any) -> None:
    for _ in range(count):
        world.access(consent, **{"customer_present": True, **item})
        world.tick(gap)


def rate(world: Scored, consent: str, less: int) -> None:
    many(world, consent, 50 - less)


def legs(world: Scored, consent: str, rows: list[int], receive: int | None = None) -> None:
    for number in rows:
        interaction = b64u(world.random.randbytes(9))
        basis = world.access(consent, customer_present=True, interaction_id=interaction)
        world.leg("access.release", consent, basis, interaction, rows=number)
        if receive is not None:
            world.leg("access.receive", consent, basis, interaction, rows=receive)


def rows(world: Scored, consent: str, less: int) -> None:
    legs(world, consent, [100] * 20 + [1000 - less])


def legs_differ(world: Scored, consent: str, less: int) -> None:
    legs(world, consent, [7, 8, 9], 7 + less)
    if less:
        legs(world, consent, [8], 8)


def model(threshold: int = 500, **changes: Any) -> dict[str, Any]:
    """One tree: more than 90 unattended ones are strange (a short path)."""
    tree = [[1, 91, 1, 2], [9_000], [1_000]]
    scale = [8_000] * 400 + [1_000] * 600
    return {"features": 8, "scale": scale, "threshold": threshold, "trees": [tree], "v": 1, **changes}


def activated(world: Scored, made: dict[str, Any], name: str = "m1") -> bytes:
    data = encode(made)
    world.model = (name, made)
    members = {"hash": b64u(sha(data)), "card_hash": b64u(bytes(32)), "from_index": 0, "to_index": 0}
    world.document("model.activated", model=name, **members)
    return data
