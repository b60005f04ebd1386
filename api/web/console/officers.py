"""What two officers of the operator do together: one asks, another one puts it on record (docs/consoles.md)."""

from __future__ import annotations

from typing import Any

from api.web.console.erasures import officer
from api.web.desk import Desk
from api.web.inbox import new_number
from api.web.papers import OfficersOrder, OrderKind
from api.web.waiting import record_soon
from ledger.errors import IllegalTransition, NotFound, NotPermitted
from ledger.planning.commands import RecordDocuments


def asked(desk: Desk, kind: OrderKind, members: dict[str, Any], *, seconds: int = 0, touches: int = 0) -> OfficersOrder:
    """An order by whoever is at the desk, now."""
    return OfficersOrder(
        id=new_number(),
        kind=kind,
        members=members,
        seconds=seconds,
        asked_by=officer(desk.staff),
        made_at=desk.now,
        touches=touches,
    )


def waiting_order(desk: Desk, number: str, kinds: str) -> OfficersOrder:
    """An order of these kinds (such as `freeze.`) that nobody has answered yet. Raises NotFound, IllegalTransition."""
    known = desk.office.store.papers.order(number[:32])
    if known is None or not known.kind.startswith(kinds):
        raise NotFound("there is no such order")
    if known.state != "asked":
        raise IllegalTransition("this order has been answered")
    return known


def both_officers(desk: Desk, known: OfficersOrder) -> tuple[str, str]:
    """The officer who asked and the one at the desk now, sorted for `approved_by`. Raises NotPermitted if it is one person."""
    who = officer(desk.staff)
    if who == known.asked_by:
        raise NotPermitted("you have asked for this yourself: a second person puts it on record")
    first, second = sorted((known.asked_by, who))
    return first, second


def put_on_record(desk: Desk, known: OfficersOrder, *documents: dict[str, Any]) -> None:
    """Record what an order says, all at once, and keep the last entry with the order. Raises InvalidInput, Refused."""
    recorded = record_soon(desk.office.ledger, RecordDocuments(documents))
    desk.office.store.papers.answer(known, state="done", index=recorded[-1].index)


def withdraw_order(desk: Desk, known: OfficersOrder) -> None:
    """Nobody puts it on record any more. Raises IllegalTransition if somebody has answered it."""
    if not desk.office.store.papers.answer(known, state="withdrawn"):
        raise IllegalTransition("somebody else answered this order in the meantime: load the page again")
