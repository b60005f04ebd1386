"""The operator's console: the node's health, the participants. Nothing here reads evidence, and no query here could."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import AtWork, Operator
from api.web.console.health import NodeState, checks, hourly, worst
from api.web.staff import StaffRole
from ledger.notes.checkpoint import open_checkpoint
from ledger.notes.policy import Policy
from ledger.queries.witnessed import WitnessedQueries

router = APIRouter(include_in_schema=False, prefix="/console")
PARTICIPANTS: Final = 25
REFRESH_SECONDS: Final = 30
HOME_OF: Final[dict[StaffRole, str]] = {
    "auditor": "/console/audit",
    "regulator": "/console/supervision",
    "holder": "/console/partner",
    "recipient": "/console/partner",
    "operator": "/console/operator",
    "technology-provider": "/console/provider",
}


@router.get("")
def home(desk: AtWork) -> Response:
    """To the console of one's role."""
    return desk.redirect(HOME_OF[desk.staff.role])


@router.get("/operator")
def overview(operator: Operator, still: bool = False) -> Response:
    """Health first, each thing with its cause and what to do; then queue, batches, checkpoint, storage, high water.

    The page loads itself again every half minute, unless it is asked to stand `still`.
    """
    desk, ledger = operator.desk, operator.desk.office.ledger
    note = ledger.tree.checkpoint()
    checkpoint = open_checkpoint(note, ledger.vkeys)
    newest = operator.overview.leaf(checkpoint.size - 1)
    witnesses = WitnessedQueries(ledger.store, Policy()).standings()
    backup, marks = operator.premises.backup(ledger.vkeys), operator.premises.marks(ledger.vkeys, checkpoint.size)
    found = checks(
        NodeState(
            now=desk.now,
            stopped=ledger.stopped_because,
            failing=ledger.paused_because or ledger.unready_because,
            waiting=ledger.figures.waiting(),
            clock_behind=ledger.figures.clock_behind_ms,
            marks=marks,
            witnesses=witnesses,
            size=checkpoint.size,
            backup=backup,
            notices_waiting=desk.office.store.outbox.counts()["waiting"],
        )
    )
    return operator.desk.render(
        "console/operator.html",
        operator=operator,
        figures=ledger.figures,
        waiting=ledger.figures.waiting(),
        checkpoint=checkpoint,
        newest=newest,
        note=note,
        health=found,
        worst=worst(found),
        hours=hourly(operator.overview, checkpoint.size, desk.now),
        refresh=0 if still else REFRESH_SECONDS,
        stored=operator.premises.stored(),
        engine=ledger.engine_name,
        database_bytes=operator.overview.database_bytes(),
        witnesses=witnesses,
        findings=ledger.reconciliation.open_count(),
        backup=backup,
        marks=marks,
    )


@router.get("/operator/participants")
def participants(operator: Operator, after: str = "") -> Response:
    """Participants and their keys, by id."""
    registry = operator.desk.office.ledger.registry
    ids = sorted(one for one in registry.participants if one > after)
    shown = [registry.participants[one] for one in ids[:PARTICIPANTS]]
    keys = {one.id: [key for key in registry.keys.values() if key.participant == one.id] for one in shown}
    return operator.desk.render(
        "console/participants.html",
        operator=operator,
        listed=shown,
        keys=keys,
        count=len(registry.participants),
        after=after,
        more=shown[-1].id if len(ids) > PARTICIPANTS else None,
    )
