"""The page that an invitation leads to. Keys are made in the newcomer's browser; no private key ever leaves it."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Anyone

router = APIRouter(include_in_schema=False)


@router.get("/join")
def join(desk: Anyone) -> Response:
    """The invitation stands behind the address's #, so that no server's log has it."""
    ledger = desk.office.ledger
    return desk.render("join.html", vkey=ledger.vkey.format(), base_url=desk.office.base_url)
