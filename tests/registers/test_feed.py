"""A register's feed brings the log's participants into line: once, and no further than the register may."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api.registers.cdr import read_feed
from api.registers.plan import SUSPENDED_BY_REGISTER, FeedPlan, RegisterEntry, RegisterStatus, plan_feed
from ledger.documents import parse_document
from ledger.errors import InvalidInput
from ledger.participants import Registry
from tests.conformance import files
from tests.registers.feeds import HOLDER, PRODUCT, feed
from tests.world import ORIGIN, Node, about


def listed(path: Path, **statuses: int) -> dict[str, RegisterEntry]:
    path.write_bytes(feed(**statuses))
    return {one.id: one for one in read_feed(path)}


def after(registry: Registry, plan: FeedPlan) -> Registry:
    for document in plan.documents:
        registry = registry.after(parse_document(document), registry.size)
    return registry


def kinds(plan: FeedPlan) -> list[tuple[str, str]]:
    return [(str(document["type"]), str(document["participant"])) for document in plan.documents]


@pytest.fixture
def empty() -> Registry:
    opened: Mapping[str, Any] = {"type": "ledger.opened", "v": 1, "origin": ORIGIN, "ruleset": 2}
    return Registry().after(parse_document(opened), 0)


def test_holders_are_brands_and_recipients_are_software_products(tmp_path: Path) -> None:
    found = listed(tmp_path / "feed")
    assert found[HOLDER] == RegisterEntry(HOLDER, "Bank", "holder", RegisterStatus.ACTIVE)
    assert found[PRODUCT] == RegisterEntry(PRODUCT, "App (Fin)", "recipient", RegisterStatus.ACTIVE)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("statuses", "who", "standing"),
    [
        ({"brand": 2}, HOLDER, RegisterStatus.SUSPENDED),
        ({"brand": 3}, HOLDER, RegisterStatus.REMOVED),
        ({"entity": 2}, HOLDER, RegisterStatus.REMOVED),
        ({"participation": 2}, HOLDER, RegisterStatus.REMOVED),
        ({"participation": 3}, HOLDER, RegisterStatus.SUSPENDED),
        ({"participation": 4}, HOLDER, RegisterStatus.REMOVED),
        ({"participation": 5}, HOLDER, RegisterStatus.REMOVED),
        ({"participation": 6}, HOLDER, RegisterStatus.SUSPENDED),
        ({"participation": 3, "brand": 3}, HOLDER, RegisterStatus.REMOVED),
        ({"product": 2}, PRODUCT, RegisterStatus.SUSPENDED),
        ({"product": 3}, PRODUCT, RegisterStatus.REMOVED),
        ({"recipient_brand": 2}, PRODUCT, RegisterStatus.SUSPENDED),
    ],
)
def test_the_worst_status_of_all_a_participant_belongs_to_counts(
    tmp_path: Path, statuses: dict[str, int], who: str, standing: RegisterStatus
) -> None:
    assert listed(tmp_path / "feed", **statuses)[who].standing is standing


@pytest.mark.parametrize("statuses", [{"brand": 9}, {"participation": 7}, {"entity": 0}])
def test_a_status_that_nobody_knows_is_refused(tmp_path: Path, statuses: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        listed(tmp_path / "feed", **statuses)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"legalEntities":[{}]}', b"\xff", b"[" * 100_000])
def test_a_file_that_is_not_a_register_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "feed"
    path.write_bytes(content)
    with pytest.raises(InvalidInput):
        read_feed(path)


def test_a_participants_life_in_the_register_is_followed_once(tmp_path: Path, empty: Registry) -> None:
    registry = empty
    for statuses, wanted in (
        ({}, [("participant.registered", HOLDER), ("participant.registered", PRODUCT)]),
        ({"brand": 2}, [("participant.suspended", HOLDER)]),
        ({}, [("participant.reinstated", HOLDER)]),
        ({"product": 3}, [("participant.removed", PRODUCT)]),
    ):
        plan = plan_feed(listed(tmp_path / "feed", **statuses).values(), registry)
        assert kinds(plan) == wanted
        registry = after(registry, plan)
        assert not plan_feed(listed(tmp_path / "feed", **statuses).values(), registry).documents
    back = plan_feed(listed(tmp_path / "feed").values(), registry)
    assert back.documents == ()
    assert [note.split(":")[0] for note in back.notes] == [PRODUCT]


def test_a_participant_that_starts_out_suspended_or_removed(tmp_path: Path, empty: Registry) -> None:
    plan = plan_feed(listed(tmp_path / "feed", brand=2, product=3).values(), empty)
    assert kinds(plan) == [("participant.registered", HOLDER), ("participant.suspended", HOLDER)]


def test_a_register_does_not_end_a_suspension_by_the_operator(tmp_path: Path, empty: Registry) -> None:
    registry = after(empty, plan_feed(listed(tmp_path / "feed").values(), empty))
    registry = registry.after(parse_document(about("participant.suspended", HOLDER, reason="audit")), registry.size)
    plan = plan_feed(listed(tmp_path / "feed").values(), registry)
    assert (plan.documents, len(plan.notes)) == ((), 1)
    assert registry.participant(HOLDER).reason != SUSPENDED_BY_REGISTER


def test_participants_outside_the_register_are_left_alone(tmp_path: Path, empty: Registry) -> None:
    registry = after(empty, plan_feed(listed(tmp_path / "feed").values(), empty))
    assert plan_feed([], registry) == FeedPlan((), ())
    with pytest.raises(InvalidInput):
        plan_feed([RegisterEntry("x1", "X", "holder", RegisterStatus.ACTIVE)] * 2, registry)


@pytest.mark.parametrize("standing", [RegisterStatus.SUSPENDED, RegisterStatus.REMOVED])
def test_a_change_of_status_denies_the_very_next_access(node: Node, standing: RegisterStatus) -> None:
    consent_id = node.grant()
    plan = plan_feed([RegisterEntry(node.bank.id, "Bank", "holder", standing)], node.ledger.registry)
    node.ledger.record_documents(*plan.documents)
    reasons = node.access(consent_id).outcome.reasons  # type: ignore[union-attr]
    assert reasons == ("CONSENT_TERMINATED" if standing is RegisterStatus.REMOVED else "PARTICIPANT_SUSPENDED",)


@pytest.mark.conformance
def test_published_registers_are_taken_whole(empty: Registry) -> None:
    for path in files("data/**/*.json", shape=lambda path: b'"legalEntities"' in path.read_bytes()):
        found = read_feed(path)
        registry = after(empty, plan_feed(found, empty))
        known = {one.id: (one.roles, one.suspended) for one in registry.participants.values()}
        assert known == {
            one.id: ((one.role,), one.standing is RegisterStatus.SUSPENDED)
            for one in found
            if one.standing is not RegisterStatus.REMOVED
        }
        assert {one.role for one in found} == {"holder", "recipient"}
        assert not plan_feed(found, registry).documents
