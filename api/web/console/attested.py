"""The operator's console: attestations are approved, and conformance runs certified, by two officers (docs/partners.md)."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Operator, OperatorsForm
from api.web.console.erasures import officer
from api.web.console.officers import asked, both_officers, put_on_record, waiting_order, withdraw_order
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.papers import OfficersOrder
from ledger.documents import document_of
from ledger.errors import IllegalTransition, InvalidInput, LedgerError, NotFound, Refused, Unavailable
from ledger.orders import AttestationApproved, ConformanceCertified

router = APIRouter(include_in_schema=False, prefix="/console/operator/attestations")
HERE: Final = "/console/operator/attestations"
APPROVED: Final = "attestation.approved"
CERTIFIED: Final = "conformance.certified"


@router.get("")
def overview(operator: Operator) -> Response:
    """What partners attest of themselves, and what waits for a second officer."""
    return _page(operator.desk)


@router.post("/approval")
def approval(sent: OperatorsForm) -> Response:
    """Ask a second officer to approve an attestation. Raises StepUpNeeded, NotFound."""
    desk = sent.desk
    desk.require_fresh(HERE)
    index = sent.text("attestation", 16)
    for one in desk.office.ledger.registry.partners.attestations.values():
        if str(one.index) == index and one.counts(desk.now):
            members = {"attestation": one.index, "participant": one.author}
            desk.office.store.papers.ask(asked(desk, "attestation.approved", members))
            return desk.redirect(HERE)
    raise NotFound("there is no such attestation that counts")


@router.post("/run")
def run(sent: OperatorsForm) -> Response:
    """Ask a second officer to certify the run of a partner's software in its sandbox. Raises StepUpNeeded."""
    desk = sent.desk
    desk.require_fresh(HERE)
    try:
        members = _run_of(sent)
    except (InvalidInput, Refused, Unavailable) as error:
        return _page(desk, error)
    desk.office.store.papers.ask(asked(desk, "conformance.certified", members))
    return desk.redirect(HERE)


@router.post("/orders/{number}/approve")
def approve(sent: OperatorsForm, number: str) -> Response:
    """The second officer puts it on record. Raises StepUpNeeded, NotPermitted, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh(HERE)
    known = _waiting(desk, number)
    officers = both_officers(desk, known)
    try:
        put_on_record(desk, known, _document(known, officers))
    except (InvalidInput, Refused) as error:
        return _page(desk, error)
    return desk.redirect(HERE)


@router.post("/orders/{number}/withdraw")
def withdraw(sent: OperatorsForm, number: str) -> Response:
    """Nobody puts it on record any more. Raises NotFound, IllegalTransition."""
    withdraw_order(sent.desk, _waiting(sent.desk, number))
    return sent.desk.redirect(HERE)


def _document(known: OfficersOrder, officers: tuple[str, str]) -> dict[str, Any]:
    if known.kind == APPROVED:
        return document_of(AttestationApproved, approved_by=officers, **known.members)
    return document_of(ConformanceCertified, approved_by=officers, **known.members)


def _waiting(desk: Desk, number: str) -> OfficersOrder:
    known = desk.office.store.papers.order(number[:32])
    return waiting_order(desk, number, CERTIFIED if known is not None and known.kind == CERTIFIED else APPROVED)


def _run_of(sent: Sent) -> dict[str, Any]:
    """The document's members, as the sandbox service tells of the run: nobody types a result."""
    office, participant = sent.desk.office, sent.text("participant", 63)
    if office.sandboxes is None:
        raise NotFound("this ledger opens no sandboxes: certify with «consent-ledger attestation certify»")
    office.ledger.registry.participant(participant)
    found = office.sandboxes.of(participant)
    report = None if found is None else found.report
    if report is None or report.participant != participant:
        raise NotFound(f"{participant} has made no conformance run in its sandbox")
    if not report.ended:
        raise IllegalTransition(f"the run of {participant} has not ended: {report.behaviours} behaviours are asked for")
    return {
        "log_hash": report.log_hash,
        "participant": participant,
        "passed": report.passed,
        "suite": report.suite,
        "suite_version": report.suite_version,
        "total": report.behaviours,
    }


def _page(desk: Desk, error: LedgerError | None = None) -> Response:
    partners = desk.office.ledger.registry.partners
    orders = [one for one in desk.office.store.papers.orders() if one.state == "asked"]
    waiting = [one for one in orders if one.kind in (APPROVED, CERTIFIED)]
    in_work = {one.members["attestation"] for one in waiting if one.kind == APPROVED}
    return desk.render(
        "console/attested.html",
        200 if error is None else 409,
        given=[one for one in partners.attestations.values() if one.counts(desk.now) and one.approved_at is None],
        certificates=[one for found in partners.certificates.values() for one in found][::-1],
        waiting=waiting,
        in_work=in_work,
        me_as=officer(desk.staff),
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
        has_service=desk.office.sandboxes is not None,
        problem="" if error is None else error.detail,
    )
