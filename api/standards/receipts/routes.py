"""Receipts for people over HTTP: by suffix, or by media type."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.refusals import NotAcceptable
from api.http.wire import JSON, Reply, header
from api.node.admission import CallerHere, NodeHere, serve, token
from api.node.node import Node
from api.standards.receipts.forms import DEFAULT, FORMS, Form, receipt_for_people
from api.tokens.bearer import Caller

router = APIRouter()
CONSENTS_READ: Final = token("consents:read")
_ANSWER: Final[dict[str, Any]] = {"schema": {"type": "object"}}


@serve(
    router,
    "GET",
    "/consents/{consent_id:path}/receipt",
    access=CONSENTS_READ,
    tag="receipts",
    summary="What the customer agreed to, as a receipt to read",
    answers={
        200: {
            "description": "By `Accept`: ISO/IEC TS 27560 (also as application/json), Kantara 1.1, or JSON-LD of the "
            "Data Privacy Vocabulary",
            "content": {form.media_type: _ANSWER for form in FORMS} | {JSON: _ANSWER},
        }
    },
    problems=("not-found", "not-acceptable"),
)
def get_consent_receipt(consent_id: str, request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """For the consent's holder and recipient. Each event in it leads to its provable receipt."""
    form = _chosen(header(request.scope, b"accept") or "*/*")
    return _answer(node, caller, consent_id, form, form.media_type)


def _register(form: Form) -> None:
    def get(consent_id: str, node: NodeHere, caller: CallerHere) -> Response:
        return _answer(node, caller, consent_id, form, form.media_type)

    serve(
        router,
        "GET",
        f"/consents/{{consent_id:path}}/receipt.{form.suffix}",
        access=CONSENTS_READ,
        tag="receipts",
        summary=f"The consent's receipt: {form.title}",
        problems=("not-found",),
        description="For the consent's holder and recipient. Each event in it leads to its provable receipt.",
        operation_id=f"get_consent_receipt_{form.suffix.split('.')[0]}",
        answers={200: {"description": form.title, "content": {form.media_type: _ANSWER}}},
    )(get)


for _form in FORMS:
    _register(_form)


def _chosen(accept: str) -> Form:
    """The first form that the header names, in its order; weights are not weighed. Raises NotAcceptable."""
    for part in accept.split(","):
        wanted = part.split(";")[0].strip().lower()
        if wanted in (JSON, "application/*", "*/*"):
            return DEFAULT
        for form in FORMS:
            if form.media_type == wanted:
                return form
    raise NotAcceptable(f"there is: {', '.join(form.media_type for form in FORMS)}, {JSON}")


def _answer(node: Node, caller: Caller, consent_id: str, form: Form, media_type: str) -> Response:
    consent = node.ledger.records.consent(caller.id, consent_id)
    made = receipt_for_people(
        node.ledger,
        consent,
        form,
        contacts=node.contacts,
        base_url=node.settings.base_url,
        now=time.time_ns() // 1_000_000,
    )
    return Reply(200, msgspec.json.encode(made), media_type, (("cache-control", "no-store"),)).response()
