"""What two officers of the operator do together: one asks, another one puts it on record (docs/consoles.md)."""

from __future__ import annotations

from typing import Any

from api.web.console.erasures import officer
from api.web.desk import Desk
from api.web.papers import OfficersOrder
from api.web.waiting import record_soon
from ledger.errors import IllegalTransition, NotPermitted
from ledger.planning.commands import RecordDocuments


def both_officers(desk: Desk, known: OfficersOrder) -> tuple[str, str]:
    """Who asked and who is at the desk now, sorted as `approved_by` wants it. Raises NotPermitted if it is one person."""
    who = officer(desk.staff)
    if who == known.asked_by:
        raise NotPermitted("you have asked for this yourself: a second person puts it on record")
    first, second = sorted((known.asked_by, who))
    return first, second


def put_on_record(desk: Desk, known: OfficersOrder, document: dict[str, Any]) -> None:
    """Record the document of an order, and keep its entry with the order. Raises InvalidInput, Refused."""
    [recorded] = record_soon(desk.office.ledger, RecordDocuments((document,)))
    desk.office.store.papers.answer(known, state="done", index=recorded.index)


def withdraw_order(desk: Desk, known: OfficersOrder) -> None:
    """Nobody puts it on record any more. Raises IllegalTransition if somebody has answered it."""
    if not desk.office.store.papers.answer(known, state="withdrawn"):
        raise IllegalTransition("somebody else answered this order in the meantime: load the page again")
