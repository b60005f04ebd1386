"""Cases that one authority hands to another: said by the one, signed for by the other, each in the log (docs/consoles.md,
«Evidence for a case»)."""

from __future__ import annotations

import io
import re
import zipfile
from base64 import urlsafe_b64encode
from typing import Final

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.web.console.cases import own_case, page_of_bundles, page_of_case
from api.web.console.doors import Place, Regulator, RegulatorsForm
from api.web.console.scoping import members_of, scope_of
from api.web.declaring import declare
from api.web.desk import Desk
from api.web.forms import Sent
from api.web.inbox import new_number
from ledger.entries.fields import Code
from ledger.errors import BadStatement, InvalidInput, NotFound, NotPermitted, Refused
from ledger.handovers import CaseHandover
from ledger.receipts import receipt_bytes

router = APIRouter(include_in_schema=False, prefix="/console/audit")
HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@router.post("/cases/{index}/hand")
def hand_over(sent: RegulatorsForm, index: Place) -> Response:
    """Put on record that the file of a case goes to another authority. Raises StepUpNeeded, NotFound, Unconfirmed."""
    desk, here = sent.desk, f"/console/audit/cases/{index}"
    desk.require_fresh(here)
    found = own_case(desk, index)
    try:
        declare(
            desk,
            "case.hand_over",
            basis=_code(sent, "basis"),
            disclosure=index,
            handover_id=sent.text("handover_id", 64).strip() or f"handover-{new_number().lower()}",
            pack_hash=_hash(sent),
            scope=members_of(scope_of(sent)),
            to=sent.text("to", 64).strip(),
        )
    except (InvalidInput, Refused, NotPermitted, BadStatement) as error:
        return page_of_case(desk, found, error)
    return desk.redirect(here)


@router.post("/handovers/{index}/receive")
def receive(sent: RegulatorsForm, index: Place) -> Response:
    """Sign for a case that was handed to this authority. Raises StepUpNeeded, NotFound, Unconfirmed."""
    desk = sent.desk
    desk.require_fresh("/console/audit/bundles")
    if _of(desk, index).says.to != desk.staff.participant:
        raise NotFound("nobody has handed you such a case")
    try:
        declare(desk, "case.receive", handover=index, pack_hash=_hash(sent))
    except (InvalidInput, Refused, NotPermitted, BadStatement) as error:
        return page_of_bundles(desk, error)
    return desk.redirect("/console/audit/bundles")


@router.get("/handovers/{index}/receipts")
def receipts(regulator: Regulator, index: Place) -> Response:
    """The receipts of the hand-over and of the signature for it, which either authority checks offline."""
    desk = regulator.desk
    known = _of(desk, index)
    entries = [place for place in (known.index, known.received_at) if place is not None]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for recorded in desk.office.ledger.records.recorded(entries):
            archive.writestr(f"{recorded.act.replace('.', '-')}-{recorded.index}.json", receipt_bytes(recorded))
    headers = {"content-disposition": f'attachment; filename="handover-{index}.zip"'}
    return desk.keep(Response(stream.getvalue(), media_type="application/zip", headers=headers))


def _of(desk: Desk, index: int) -> CaseHandover:
    """A hand-over by or to the visitor's authority. Raises NotFound."""
    known = desk.office.ledger.registry.handovers.handed.get(index)
    if known is None or desk.staff.participant not in (known.author, known.says.to):
        raise NotFound("there is no such hand-over by or to you")
    return known


def _code(sent: Sent, name: str) -> str:
    try:
        return msgspec.convert(sent.text(name, 64).strip(), Code)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{name} does not read: {error}", member=name) from None


def _hash(sent: Sent) -> str:
    """The file's SHA-256 as `sha256sum` prints it, as a statement spells it. Raises InvalidInput."""
    text = sent.text("sha256", 80).strip().lower()
    if not HEX.fullmatch(text):
        raise InvalidInput("the SHA-256 of the file is 64 hexadecimal digits, as sha256sum prints it", member="sha256")
    return urlsafe_b64encode(bytes.fromhex(text)).decode().rstrip("=")
