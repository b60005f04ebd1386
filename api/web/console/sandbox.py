"""The console of holders and recipients: code to begin with, and a sandbox to run it against (docs/sandbox.md)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.doors import Partner, PartnerDesk, PartnersForm, partner_of
from api.web.console.samples import samples
from api.web.sandboxes import Sandbox, SandboxService
from ledger.errors import NotFound, Unavailable

router = APIRouter(include_in_schema=False, prefix="/console/partner/sandbox")
HERE: Final = "/console/partner/sandbox"


@router.get("")
def show(partner: Partner) -> Response:
    """Code filled in with what this log knows of the partner, and its sandbox if one is open."""
    service = partner.desk.office.sandboxes
    found: Sandbox | None = None
    reached = True
    if service is not None:
        try:
            found = service.of(partner.id)
        except Unavailable:
            reached = False
    return partner.desk.render(
        "console/sandbox.html",
        partner=partner,
        samples=samples(partner),
        has_service=service is not None,
        reached=reached,
        found=found,
    )


@router.post("/open")
def open_one(sent: PartnersForm) -> Response:
    """Open a sandbox for the partner. Raises NotFound, Unavailable, Refused."""
    partner = partner_of(sent.desk)
    _service(partner).open(partner.id, partner.participant.name, partner.side)
    return sent.desk.redirect(HERE)


@router.post("/reset")
def reset(sent: PartnersForm) -> Response:
    """Put another log in its place. Raises NotFound, Unavailable, Refused."""
    partner = partner_of(sent.desk)
    _service(partner).reset(partner.id)
    return sent.desk.redirect(HERE)


def _service(partner: PartnerDesk) -> SandboxService:
    found = partner.desk.office.sandboxes
    if found is None:
        raise NotFound("this ledger opens no sandboxes")
    return found
