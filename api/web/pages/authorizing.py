"""An app sends a customer here to agree, and takes her back (RFC 6749 §4.1, RFC 9126 §4, docs/standards/berlin.md)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from api.tokens.codes import PushedRequest
from api.tokens.jwt import BadToken
from api.tokens.returns import PlainReturn
from api.web.desk import Anyone, Desk
from api.web.handover import Handover, site_of
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False)
Parameter = Annotated[str, Query(max_length=8192)]


class LinkIsOver(NotFound):
    """The address that an app sent her to is good for some seconds, and once."""


@router.get("/authorize")
def authorize(desk: Anyone, client_id: Parameter = "", request_uri: Parameter = "") -> Response:
    """The request that the app has pushed before: the customer answers it on the pages of her bank.

    Nothing else in the address counts, and no error goes back to an app that sent no good request.
    """
    handover = desk.office.handover
    if handover is None:
        raise NotFound("no app sends customers here")
    try:
        request, ticket = handover.flow.opened(client_id, request_uri, desk.now / 1000)
    except BadToken as error:
        raise LinkIsOver(f"the app's request is not good any more, please begin again in the app: {error}") from None
    return _sent_on(desk, handover, request, ticket)


@router.get("/authorize/{authorisation}")
def authorize_plainly(desk: Anyone, authorisation: str, consent: Parameter = "") -> Response:
    """An authorisation that a client has begun (Berlin Group's `scaRedirect`): the way back was kept with it, and was held
    against the client's own addresses then. Nothing in this address says where anybody goes."""
    handover = desk.office.handover
    way = None if handover is None else handover.begun(consent, authorisation)
    if handover is None or way is None:
        raise NotFound("no app has begun this, or the consent was erased")
    ticket = handover.flow.return_ticket(way, desk.now / 1000) if way.redirect_uri else ""
    return _sent_on(desk, handover, way, ticket)


def _sent_on(desk: Desk, handover: Handover, request: PushedRequest | PlainReturn, ticket: str) -> Response:
    said = urlencode({"consent": request.consent_id})
    elsewhere = handover.approve_at(request.holder)
    if elsewhere:
        joint = "&" if "?" in elsewhere else "?"
        more = "&" + urlencode({"request": ticket}) if ticket else ""
        return RedirectResponse(f"{elsewhere}{joint}{said}{more}", status_code=303)
    desk.change(ticket=ticket)
    return desk.redirect(f"/my/approve?{said}")


def goes_back_to(desk: Desk, consent_id: str) -> str:
    """The site that she goes back to when she has answered; empty if no app sent her here for this."""
    handover, session = desk.office.handover, desk.session
    if handover is None or session is None:
        return ""
    request = handover.request_of(session.ticket, consent_id, desk.now)
    return "" if request is None else site_of(request.redirect_uri)


def binding_of(desk: Desk, consent_id: str) -> str:
    """What an app that asked without a browser shows her too, so that she sees that it is the same request."""
    handover = desk.office.handover
    return "" if handover is None else handover.binding(consent_id, desk.now)


def handed_back(desk: Desk, consent_id: str, *, agreed: bool) -> Response | None:
    """A page that takes her back to the app that sent her; None if none did.

    A page and no redirect: browsers hold the answer to a form against `form-action`, wherever it leads.
    """
    handover, session = desk.office.handover, desk.session
    if handover is None or session is None:
        return None
    back = handover.way_back(session.ticket, consent_id, desk.now, agreed=agreed)
    if back is None:
        return None
    desk.change(ticket="")
    return desk.render("handback.html", back=back, agreed=agreed)
