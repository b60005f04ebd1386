"""Nobody can agree to a request of a recipient that was suspended meanwhile, by whatever way it was asked and is answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.documents import ParticipantReinstated, ParticipantSuspended, document_of
from ledger.errors import NotPermitted
from tests.standards import berlin, uk
from tests.standards.india import ask
from tests.standards.kit import Stage, separate, stage
from tests.verdicts import audited
from verifier.errors import Code


@pytest.fixture
def played(engine_url: str, tmp_path: Path) -> Iterator[Stage]:
    with stage(engine_url, tmp_path / "state") as scene:
        yield scene


def _suspended(played: Stage, participant: str) -> None:
    document = document_of(ParticipantSuspended, participant=participant, reason="audit")
    played.service.node.ledger.record_documents(document)


def test_the_door_is_shut_while_the_recipient_is_suspended_and_open_again_after(played: Stage, tmp_path: Path) -> None:
    ledger = played.service.node.ledger
    app, bank = played.recipients["tpp-1"], played.banks["bank-a"]
    asked = {
        "native": played.world.requested_consent(app, bank, separate_consents=["provision", "sensitive"]).consent_id,
        "uk": played.call("POST", uk.V4, json=uk.asked()).json()["Data"]["ConsentId"],
        "berlin": berlin.create(played)["consentId"],
        "india": ask(played.service, app),
    }
    changed = played.authorise(played.call("POST", uk.V4, json=uk.asked()).json()["Data"]["ConsentId"])
    amended, submission = app.amend(changed, retention_days=5)
    played.world.record(submission)
    _suspended(played, "tpp-1")
    before = played.recorded
    for way, consent_id in asked.items():
        with pytest.raises(NotPermitted, match="'tpp-1' is suspended: nobody can agree"):
            played.authorise(consent_id)
        consent = played.known(consent_id)
        answer = played.service.post(bank.authorise(consent, **separate(consent, played.world)))
        said = answer.json()
        assert (answer.status_code, said["type"].rpartition("/")[2], said["member"]) == (
            403,
            "not-permitted",
            "consent_id",
        ), way
    with pytest.raises(NotPermitted):
        played.world.record(bank.authorise(amended, **separate(amended, played.world)))
    assert played.recorded == before, "nothing was recorded"
    other = played.call("POST", uk.V4, json=uk.asked(), recipient="tpp-2").json()["Data"]["ConsentId"]
    played.authorise(other)  # another recipient's
    # What only reduces sharing goes on.
    played.world.record(bank.step("reject", played.known(asked["berlin"]), by="customer"))
    ledger.record_documents(document_of(ParticipantReinstated, participant="tpp-1", reason="cleared"))
    played.authorise(asked["uk"])
    assert audited(ledger, tmp_path / "bundle").verdict is Code.VALID
