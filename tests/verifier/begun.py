"""A log of ruleset 3 that has begun, and an alert in it."""

from __future__ import annotations

from tests.verifier.scored import Scored


def begun() -> Scored:
    world = Scored(3)
    world.begun()
    return world


def alerted(world: Scored) -> int:
    """An alert about the recipient, by rule `refused`: it asked for what there is not."""
    world.score()
    for _ in range(50):
        world.access(world.consent_id())
    [index] = world.raise_due()
    world.score(0)
    return index
