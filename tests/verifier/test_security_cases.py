"""Cases of the catalogue of attacks that need a log of their own."""

from __future__ import annotations

from pathlib import Path

from tests.verifier.forge import World, b64u, chain_of, map_root
from tests.verifier.test_bundles import audit
from verifier.errors import Code
from verifier.findings import Findings
from verifier.matching import Matching


def test_c08_a_map_that_goes_back_to_an_earlier_count_is_refuted(tmp_path: Path) -> None:
    """The ledger signs a map in which a consent has fewer events than it has: to show its customer an older state."""
    world = World(5).open()
    consent = world.grant()
    chain = chain_of(consent)
    earlier = world.chains[chain]
    revocation = world.revoke(consent)
    pairs = {name: (seq + 1).to_bytes(8) + head for name, (seq, head) in (world.chains | {chain: earlier}).items()}
    world.bend = lambda leaf: leaf.update(map_root=b64u(map_root(pairs))) if leaf["kind"] == "index-head" else None
    head = world.index_head()
    found = audit(world.files(), world, tmp_path).findings
    assert [(defect.code, defect.place.index) for defect in found.defects] == [(Code.BAD_PROOF, head)]
    assert head == revocation + 1


def test_w04_a_gesture_counts_for_one_consent_only() -> None:
    matching, findings = Matching(), Findings()
    for challenge, index in ((b"a" * 32, 4), (b"b" * 32, 5), (b"a" * 32, 9)):
        matching.put_challenge(challenge, index)
    matching.finish(findings, {}, True, 0, 0)
    matching.close()
    [defect] = findings.defects
    assert (defect.code, defect.place.index, defect.found) == (Code.CONSENT_INVALID, 9, "that of entry 4")
