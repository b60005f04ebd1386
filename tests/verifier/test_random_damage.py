"""Random histories and random damage: honest logs are VALID, every change of one byte is found, at its place."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.verifier.cases import Files, honest
from tests.verifier.forge import OTHER, RECIPIENT, World, write
from verifier.audit.bundle import Audit, Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.errors import CannotCheck, Code
from verifier.tlog.trust import parse_trust


def audit(files: Files, policy: str, root: Path) -> Audit:
    write(files, root)
    auditor = Auditor(open_archive(root), parse_trust(policy.encode()), Options(jobs=1))
    try:
        return auditor.run()
    finally:
        auditor.close()


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
    found = audit(world.files(), world.policy(), tmp_path_factory.mktemp("honest"))  # type: ignore[attr-defined]
    assert [str(defect) for defect in found.findings.defects] == []
    assert found.verdict is Code.VALID


def damage(dice: random.Random, files: Files, world: World) -> tuple[str, int | None]:
    """Change one byte of one file (inside the compression of evidence); its name and the entry it belongs to."""
    name = dice.choice([name for name in files if name != "policy"])
    plain = name.endswith(".gz")
    content = bytearray(gzip.decompress(files[name]) if plain else files[name])
    at = dice.randrange(len(content))
    if name == "manifest.json":  # when it was made is nobody's signed word: any number is a number
        at = content.index(b"evidence") + at % (len(content) - content.index(b"evidence"))
    content[at] ^= 1 << dice.randrange(8)
    files[name] = gzip.compress(bytes(content), 1) if plain else bytes(content)
    if name.startswith("tile/entries/"):
        index = 256 * int(name.split("/")[2].split(".")[0])
        for entry in world.entries[index : index + 256]:
            at -= 2 + len(entry)
            if at < 0:
                return name, index
            index += 1
    if name.startswith("tile/0/"):
        return name, 256 * int(name.split("/")[2].split(".")[0]) + at // 32
    if plain:
        return name, sorted(world.evidence)[bytes(content[:at]).count(b"\n")] if content[at] != 10 else None
    return name, None


def check_damage(seed: int, root: Path) -> None:
    """One random change is refuted, at the entry or in the file where it was made."""
    dice = random.Random(seed)
    files, world = honest()
    files = dict(files)
    name, index = damage(dice, files, world)
    try:
        found = audit(files, world.policy(), root).findings
    except CannotCheck:  # a format it does not know: exit status 2, never 0
        assert name == "manifest.json"
        return
    assert found.count, (seed, name)
    places = {defect.place.index for defect in found.defects} | {defect.place.file for defect in found.defects}
    assert name in places or (index is not None and index in places), (seed, name, index, found.defects[:4])


def test_every_changed_byte_is_found_where_it_is(tmp_path: Path) -> None:
    for seed in range(120):
        check_damage(seed, tmp_path / str(seed))
