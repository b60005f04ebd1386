"""Legs at the door: what no honest party could sign is refused by name; what two parties see differently is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select

from ledger.assembly import open_ledger
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.canonical import b64u, unb64u
from ledger.errors import ImpossibleLeg, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import Recorded
from ledger.storage.tables import access_legs
from tests.api.service import Service, running_service
from tests.ledger.meddling import unguarded
from tests.world import ConsentInWorld, Party, Submission, World, node_config, running_world
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.tlog.trust import parse_trust


class Scene:
    """A bank, its recipient, two consents; an allowed access, a denied one, and one of the other consent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bank, self.app = world.holder(), world.recipient()
        self.consent, self.other = world.active_consent(self.app, self.bank), world.active_consent(self.app, self.bank)
        [self.allowed] = world.record(self.app.access(self.consent))
        [self.denied] = world.record(self.app.access(self.consent, permissions=["ReadPAN"]))
        [self.elsewhere] = world.record(self.app.access(self.other))

    @property
    def size(self) -> int:
        return self.world.ledger.tree.size()

    def both(self, **members: Any) -> tuple[Submission, Submission]:
        """Release and receipt of the allowed access; members that are given replace the right ones."""
        return (
            self.bank.leg("release", self.consent, self.allowed, **members),
            self.app.leg("receive", self.consent, self.allowed, **members),
        )


@pytest.fixture
def scene(engine_url: str, tmp_path: Path) -> Iterator[Scene]:
    with running_world(engine_url, tmp_path) as world:
        yield Scene(world)


def _interaction(access: Recorded) -> str:
    statement = json.loads(access.evidence or b"")["statements"][0]
    return str(json.loads(unb64u(statement.split(".")[1]))["interaction_id"])


IMPOSSIBLE: dict[str, Callable[[Scene], dict[str, Any]]] = {
    "under a denied access": lambda s: {"basis": s.denied.index, "interaction_id": _interaction(s.denied)},
    "under an access of another consent": lambda s: {
        "basis": s.elsewhere.index,
        "interaction_id": _interaction(s.elsewhere),
    },
    "of another interaction": lambda _: {"interaction_id": "another-interaction"},
    "of the interaction of another access": lambda s: {"interaction_id": _interaction(s.denied)},
    "under the next entry, that is not there yet": lambda s: {"basis": s.size},
    "under an entry far ahead": lambda _: {"basis": 2**53 - 1},
    "under the consent's authorisation": lambda s: {"basis": s.allowed.index - 5},
    "under an operator's document": lambda _: {"basis": 0},
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_a_leg_that_its_access_cannot_have_is_refused_and_named(scene: Scene, kind: str) -> None:
    members = IMPOSSIBLE[kind](scene)
    size = scene.size
    for leg in scene.both(**members):
        with pytest.raises(ImpossibleLeg) as refused:
            scene.world.record(leg)
        named = "interaction_id" if set(members) == {"interaction_id"} else "basis"
        assert refused.value.member == named
        assert f"entry {members.get('basis', scene.allowed.index)}" in refused.value.detail
    assert scene.size == size


def test_an_access_has_one_release_and_one_receipt(scene: Scene) -> None:
    first, second = scene.both(), scene.both()
    for leg in first:
        scene.world.record(leg)
    size = scene.size
    for leg in (*second, *scene.both(rows=9)):
        with pytest.raises(ImpossibleLeg, match="recorded already"):
            scene.world.record(leg)
    for leg in first:  # the very same statement is a repeat, not a second leg
        [again] = scene.world.record(leg)
        assert again.repeated
    assert scene.size == size


def test_of_two_legs_in_one_commit_one_is_recorded(scene: Scene) -> None:
    ledger = scene.world.ledger
    tries = [scene.both()[0] for _ in range(20)]
    futures = [ledger.submit_soon(ledger.prepare(one.statement)) for one in tries]
    refused = [error for future in futures if (error := future.exception()) is not None]
    assert len(refused) == len(tries) - 1
    assert all(isinstance(error, ImpossibleLeg) for error in refused)


def test_each_item_of_a_batch_has_its_own_legs(scene: Scene) -> None:
    items = [scene.app.item(scene.consent) for _ in range(3)]
    recorded = scene.world.record(scene.app.batch(items))
    for item, access in zip(items, recorded, strict=True):
        right, wrong = item["interaction_id"], next(one["interaction_id"] for one in items if one is not item)
        said = {"basis": access.index, "bytes": 1, "rows": 1, "digest": b64u(bytes(32))}
        said["consent_id"] = scene.consent.consent_id
        with pytest.raises(ImpossibleLeg):
            scene.world.ledger.record(scene.bank.sign("access.release", **said, interaction_id=wrong))
        scene.world.ledger.record(scene.bank.sign("access.release", **said, interaction_id=right))


def test_the_other_party_and_a_stranger_sign_no_leg(scene: Scene) -> None:
    stranger, rival = scene.world.recipient("tpp-2"), scene.world.holder("bank-b")
    legs: list[tuple[str, Party, type[LedgerError]]] = [
        ("release", scene.app, NotPermitted),
        ("receive", scene.bank, NotPermitted),
        ("receive", stranger, NotFound),
        ("release", rival, NotFound),
    ]
    for leg, who, refusal in legs:
        with pytest.raises(refusal):
            scene.world.record(who.leg(leg, scene.consent, scene.allowed))


def test_no_refused_leg_and_no_difference_between_two_parties_spoils_an_audit(scene: Scene, tmp_path: Path) -> None:
    """What a participant does can not make a defect of the log (SECURITY.md)."""
    release, _ = scene.both(rows=3)
    _, receipt = scene.both(rows=4, bytes=1, digest=b64u(b"x" * 32))
    scene.world.record(release)
    scene.world.record(receipt)
    for members in [make(scene) for make in IMPOSSIBLE.values()]:
        for leg in scene.both(**members):
            with pytest.raises(ImpossibleLeg):
                scene.world.record(leg)
    bundle, ledger = tmp_path / "bundle", scene.world.ledger
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full())
    trust = parse_trust((bundle / "policy").read_bytes())
    with closing(Auditor(open_archive(bundle), trust, Options(jobs=1))) as auditor:
        audit = auditor.run()
    assert [str(defect) for defect in audit.findings.defects] == []


def test_an_older_logs_legs_are_found_when_its_node_starts_anew(engine_url: str, tmp_path: Path) -> None:
    """A log from before there was a table of legs: what it holds is known again, so that no second leg is let in."""
    with running_world(engine_url, tmp_path) as world:
        scene = Scene(world)
        for leg in scene.both():
            world.record(leg)
        with unguarded(engine_url) as connection:
            before = {tuple(row) for row in connection.execute(select(access_legs))}
            connection.execute(delete(access_legs))
            connection.execute(
                insert(access_legs).values(basis=-1, act="from", idx=scene.size)
            )  # as migration 0008 leaves it
    ledger = open_ledger(node_config(engine_url, tmp_path))
    ledger.start()
    try:
        with ledger.store.read() as connection:
            rows = {tuple(row) for row in connection.execute(select(access_legs).where(access_legs.c.basis >= 0))}
        assert rows == before
        for leg in scene.both():
            with pytest.raises(ImpossibleLeg, match="recorded already"):
                ledger.record(leg.statement)
    finally:
        ledger.stop()


def test_over_http_the_problem_names_what_was_refused(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "state") as service:
        scene = Scene(service.world)
        answer = _denied(service, scene.consent, scene)
        assert answer["type"].endswith("/errors/impossible-leg")
        assert (answer["status"], answer["member"]) == (409, "basis")
        assert str(scene.denied.index) in answer["detail"]
        assert service.http.get("/errors/impossible-leg").status_code == 200


def _denied(service: Service, consent: ConsentInWorld, scene: Scene) -> dict[str, Any]:
    refused: dict[str, Any] = service.post(scene.bank.leg("release", consent, scene.denied)).json()
    return refused
