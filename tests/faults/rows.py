"""A log in which every table that speaks of the log has rows, for the tests that change them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from api.checking import Findings, examine
from api.office.facts import Notes, details_hash, facts_name
from ledger.canonical import encode
from ledger.notes.keys import Cosigner
from ledger.publish.places import fetching_from, open_place
from ledger.storage.cosignatures import CosignatureStore
from ledger.storage.moving import move_bodies
from ledger.witnessing import cosign, open_cosignatures
from tests.ledger.legs import HOUR, leg
from tests.verifier.gestures import RP, Passkey
from tests.world import Node, item, record_index_head, reference

WITNESS = Cosigner("witness.example/w", bytes(range(32)))


@dataclass
class Scene:
    """A log in which every table that speaks of the log has rows."""

    node: Node
    consent: str
    revoked: str
    passkey: Passkey

    @property
    def url(self) -> str:
        return self.node.config.database_url

    def check(self) -> Findings:
        ledger = self.node.ledger
        return examine(ledger.store, ledger.keystore, ledger.vkey, witnesses=(WITNESS.vkey,))

    def move_bodies(self) -> None:
        """Those of accesses, as far as they may: see ledger/storage/moving.py."""
        ledger, where = self.node.ledger, self.node.config.bodies_at
        move_bodies(ledger.store, ledger.keystore, open_place(where), fetching_from(where), ledger.tree.size())

    def agree(self, passkey: Passkey) -> str:
        """A consent that its customer signs with a passkey."""
        consent_id = self.node.request()
        accounts = [reference("account-1")]
        gesture = encode(passkey.agree(consent_id, self.node.terms_of[consent_id], accounts)).decode()
        command = self.node.authorisation(consent_id)
        prepared = self.node.ledger.prepare(
            command.statement.text, companion=command.companion and command.companion.text, assertion=gesture
        )
        self.node.ledger.submit_and_wait(prepared)
        return consent_id

    def enrolment(self, passkey: Passkey, act: str = "subject.enrol", **changes: Any) -> str:
        now = self.node.clock.now() // 1000
        more: dict[str, Any] = {"reason": "lost"}
        if act == "subject.enrol":
            more = {"public_key": passkey.cose, "rp_id": RP, "sca": {"acr": "sca", "amr": ["otp"], "at": now}}
        members = {"credential_id": passkey.id, "subject": reference("alice"), **more, **changes}
        return self.node.bank.sign(act, **members)


def made(node: Node) -> Scene:
    scene = Scene(node, node.grant(), node.grant(), Passkey("kept"))
    node.revoke(scene.revoked)
    for passkey in (scene.passkey, lost := Passkey("lost")):
        node.ledger.record(scene.enrolment(passkey))
    scene.agree(scene.passkey)
    node.ledger.record(scene.enrolment(lost, "subject.unenrol"))
    late = node.access(scene.consent)
    leg(node, "release", late)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    leg(node, "receive", late)
    node.clock.advance(seconds=HOUR)
    node.access(scene.consent)
    node.clock.advance(seconds=HOUR)
    node.ledger.reconcile()
    node.ledger.submit_and_wait(node.batch(*(item(scene.consent) for _ in range(260))))
    record_index_head(node.ledger)
    node.access(scene.consent)
    notes = Notes(scene.url, node.ledger.keystore, node.clock)
    facts = b'{"as":"it was worded"}'
    notes.add(scene.consent, facts_name(details_hash(facts)), facts)
    notes.close()
    size, note = node.ledger.tree.size(), node.ledger.tree.checkpoint()
    lines = CosignatureStore(scene.url)
    lines.put(size, open_cosignatures(note, cosign(note, WITNESS, 1_800_000_000), [WITNESS.vkey]))
    lines.close()
    return scene
