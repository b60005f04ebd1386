"""Where a partner is told of events: its address, set, switched off, taken back and tried (docs/events.md)."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from api.events.endpoints import Endpoints, EndpointTest
from api.web.console.doors import Partner, PartnerDesk, PartnersForm, partner_of
from ledger.errors import InvalidInput, NotFound

router = APIRouter(include_in_schema=False, prefix="/console/partner/endpoint")
HERE: Final = "/console/partner/endpoint"
URL_LIMIT: Final = 2_048
SENT: Final = 10
"""Deliveries that the page shows; the page of deliveries has more."""
TRIED: Final = 20
"""Attempts that it shows: the last ones."""


@router.get("")
def show(partner: Partner) -> Response:
    """The address, a form to change it, a button to try it, what was sent last, and each try. Raises NotFound."""
    return _page(partner)


@router.post("")
def put(sent: PartnersForm) -> Response:
    """Set the address; what waits is sent there at once. Raises StepUpNeeded, Unavailable."""
    desk = sent.desk
    desk.require_fresh(HERE)
    partner, url = partner_of(desk), sent.text("url", URL_LIMIT + 1).strip()
    try:
        _endpoints(partner).put(partner.id, url, enabled=bool(sent.text("enabled", 4)))
    except InvalidInput as error:
        return _page(partner, refused=error.detail, typed=url)
    return desk.redirect(HERE)


@router.post("/forget")
def forget(sent: PartnersForm) -> Response:
    """Take the address back: from now on events are fetched. Raises StepUpNeeded, Unavailable."""
    sent.desk.require_fresh(HERE)
    partner = partner_of(sent.desk)
    _endpoints(partner).forget(partner.id)
    return sent.desk.redirect(HERE)


@router.post("/test")
async def test(sent: PartnersForm) -> Response:
    """Send one token about nothing, and show how that ended. Raises NotFound, Conflict."""
    partner = partner_of(sent.desk)
    tried = await _endpoints(partner).test(partner.id)
    return await run_in_threadpool(partial(_page, partner, tried=tried))


def _endpoints(partner: PartnerDesk) -> Endpoints:
    found = partner.desk.office.endpoints
    if found is None:
        raise NotFound("this place sends no events")
    return found


def _page(partner: PartnerDesk, *, refused: str = "", typed: str = "", tried: EndpointTest | None = None) -> Response:
    desk, endpoints = partner.desk, _endpoints(partner)
    return desk.render(
        "console/endpoint.html",
        409 if refused else 200,
        partner=partner,
        endpoint=endpoints.of(partner.id),
        sent=endpoints.queries.latest_of(partner.id, SENT),
        attempts=endpoints.queries.attempts_of(partner.id, TRIED),
        refused=refused,
        typed=typed,
        tried=tried,
        limit=URL_LIMIT,
        fresh=desk.session is not None and desk.session.is_fresh(desk.now),
    )
