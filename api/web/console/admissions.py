"""The operator's console: newcomers are invited by one person and let in by another (docs/partners.md)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.partners.invitations import OWN, admission, invited_by
from api.web.console.doors import Operator, OperatorsForm
from api.web.console.erasures import officer
from api.web.desk import Desk
from ledger.documents import ParticipantRemoved, document_of
from ledger.errors import NotFound
from ledger.participants import Participant, Registry

router = APIRouter(include_in_schema=False, prefix="/console/operator/admissions")
HERE: Final = "/console/operator/admissions"
HOURS: Final = 72


@router.get("")
def waiting(operator: Operator) -> Response:
    """Who waits to be let in, for the first time or again."""
    return _page(operator.desk, "")


def _page(desk: Desk, link: str) -> Response:
    return desk.render(
        "console/admissions.html",
        waiting=_waiting(desk.office.ledger.registry),
        invited_by=invited_by,
        me_as=officer(desk.staff),
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        hours=HOURS,
        link=link,
    )


def _waiting(registry: Registry) -> list[Participant]:
    """Newcomers, and those who suspended themselves."""
    return [
        each
        for each in registry.participants.values()
        if each.suspended and not each.removed and (invited_by(each) is not None or each.reason.startswith(OWN))
    ]


@router.post("/invite")
def invite(sent: OperatorsForm) -> Response:
    """Make an invitation; it is shown once, and kept nowhere."""
    desk, office = sent.desk, sent.desk.office
    desk.require_fresh(HERE)
    invitation = office.invitations.make(
        sent.text("participant", 63),
        sent.text("name", 200),
        [sent.text("role", 32)],
        invited_by=officer(desk.staff),
        hours=HOURS,
        now=desk.now // 1000,
        known=office.ledger.registry.participants.values(),
    )
    return _page(desk, f"{office.base_url}/join#{invitation}")


@router.post("/{participant}/admit")
def admit(sent: OperatorsForm, participant: str) -> Response:
    """Let it in: a second person, where one has invited. Raises StepUpNeeded, NotPermitted."""
    desk = sent.desk
    desk.require_fresh(HERE)
    desk.office.ledger.record_documents(admission(_one(sent, participant), officer(desk.staff)))
    return desk.redirect(HERE)


@router.post("/{participant}/refuse")
def refuse(sent: OperatorsForm, participant: str) -> Response:
    """Refuse it for good. Raises StepUpNeeded."""
    desk = sent.desk
    desk.require_fresh(HERE)
    one = _one(sent, participant)
    desk.office.ledger.record_documents(document_of(ParticipantRemoved, participant=one.id, reason="refused"))
    return desk.redirect(HERE)


def _one(sent: OperatorsForm, participant: str) -> Participant:
    for each in _waiting(sent.desk.office.ledger.registry):
        if each.id == participant:
            return each
    raise NotFound("nobody of this name waits to be let in")
