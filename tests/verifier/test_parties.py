"""An audit lists who could sign: whether a key or a delegation is its participant's own, only that participant can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.verifier import later_cases
from tests.verifier.forge import HOLDER, PROVIDER, RECIPIENT, Signer, write
from tests.verifier.states import operator, registry
from verifier.cli import main
from verifier.telling.parties import key_words, parties


def test_the_report_and_the_lines_name_every_key_and_every_delegation_in_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = later_cases.honest_of_2()
    write(world.files(), tmp_path / "bundle")
    (tmp_path / "policy").write_text(world.policy())
    page = tmp_path / "report.html"
    arguments = ["bundle", str(tmp_path / "bundle"), "--policy", str(tmp_path / "policy"), "--jobs", "1"]
    assert main([*arguments, "--json", "--report", str(page)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {event["id"]: event for event in events if event["event"] == "participant"}
    assert {HOLDER, RECIPIENT, PROVIDER} <= told.keys()
    assert all(party["keys"] and all(key["added_at"] > 0 for key in party["keys"]) for party in told.values())
    holders = {one["delegate"]: one["acts"] for one in told[HOLDER]["delegates"]}
    assert holders == {PROVIDER: ["consent.authorise", "subject.consent"]}
    assert told[RECIPIENT]["delegates"] == []  # it was ended
    shown = page.read_text()
    for party in told.values():
        assert all(key["kid"] in shown for key in party["keys"])
    assert "consent.authorise, subject.consent" in shown


def test_each_participant_has_its_own_keys_with_the_entries_that_made_and_ended_them() -> None:
    def key(participant: str, kid: str) -> dict[str, Any]:
        jwk = Signer(kid, participant).jwk
        return operator("key.added", participant=participant, kid=kid, alg="EdDSA", use="statement", jwk=jwk)

    documents = (
        key(HOLDER, "older"),
        key(RECIPIENT, "another"),
        operator("key.revoked", participant=HOLDER, kid="older", reason="lost"),
        key(HOLDER, "newer"),
    )
    known = registry(*documents)
    first = len(known.history) - len(documents)
    told = {party.id: key_words(party, "en") for party in parties(known)}
    assert told[HOLDER] == [
        f"older (EdDSA, statement), since entry {first}, until entry {first + 2}",
        f"newer (EdDSA, statement), since entry {first + 3}",
    ]
    assert told[RECIPIENT] == [f"another (EdDSA, statement), since entry {first + 1}"]
    assert [keys for who, keys in told.items() if who not in {HOLDER, RECIPIENT}] == [[], []]
