"""Random histories and random damage: honest logs are VALID, every change of one byte is found, at its place."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.auditing import audit
from tests.verifier.forge import OTHER, RECIPIENT, World
from tests.verifier.random_damage import check_damage
from verifier.errors import Code

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "access", "pause", "resume", "revoke", "amend", "expire", "batch", "other", "head"]),
        st.integers(0, 5),
        st.integers(0, 90_000),
    ),
    max_size=25,
)


@settings(max_examples=40)
@given(STEPS)
def test_every_honest_history_is_valid(tmp_path_factory: object, steps: list[tuple[str, int, int]]) -> None:
    world = World(1).open()
    consents = [world.grant(expires_at=world.time // 1000 + 400, frequency_per_day=2), world.grant(once=True)]
    for act, which, seconds in steps:
        world.tick(seconds)
        consent = consents[which % len(consents)]
        status = world.status(consent)
        if act == "grant":
            consents.append(world.grant(frequency_per_day=which))
        elif act == "access":
            world.access(consent, customer_present=which > 3)
        elif act == "other":
            world.access(consent, OTHER if which % 2 else RECIPIENT, purpose="MKT", permissions=["ReadParty"])
        elif act == "batch":
            world.batch(consents[:3])
        elif act == "head":
            world.index_head()
        elif act == "pause" and status == "ACTIVE":
            world.end(consent, "consent.pause", "PAUSED")
        elif act == "resume" and status == "PAUSED":
            world.end(consent, "consent.resume", "ACTIVE")
        elif act == "revoke" and status in ("ACTIVE", "PAUSED"):
            world.revoke(consent)
        elif act == "amend" and status in ("ACTIVE", "PAUSED"):
            world.amend(consent, frequency_per_day=which)
            world.authorise(consent)
        elif act == "expire" and status == "EXPIRED" and world.consents[consent]["status"] in ("ACTIVE", "PAUSED"):
            world.expire(consent)
    found = audit(world.files(), world, tmp_path_factory.mktemp("honest"))  # type: ignore[attr-defined]
    assert [str(defect) for defect in found.findings.defects] == []
    assert found.verdict is Code.VALID


def test_every_changed_byte_is_found_where_it_is(tmp_path: Path) -> None:
    for seed in range(120):
        check_damage(seed, tmp_path / str(seed))
