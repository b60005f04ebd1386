"""Shared by the routes of all standards: the body's bytes, the caller's own statement, who must be asked."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Path, Request

from api.http.refusals import InsufficientScope
from api.http.wire import header, read_body
from api.node.admission import CallerHere, NodeHere, token
from api.office.facts import NOTE_LIMIT
from api.office.office import Office
from api.tokens.bearer import Caller
from ledger.errors import NotFound

CONSENTS_READ: Final = token("consents:read")
CONSENTS_WRITE: Final = token("consents:write")
STATEMENT_HEADER: Final = "Consent-Statement"
"""Carries the caller's own signed statement, which is recorded in place of the gateway's (docs/guard.md has it too)."""
HOLDER_PATH: Final = "/holders/{holder}"


def _office(node: NodeHere) -> Office:
    if node.office is None:
        raise NotFound("no standard is served here")
    return node.office


def _statement(request: Request) -> str | None:
    return header(request.scope, STATEMENT_HEADER.lower().encode())


async def _body(request: Request) -> bytes:
    return await read_body(request.scope, request.receive, NOTE_LIMIT)


def _recipient(node: NodeHere, caller: CallerHere) -> str:
    return require_recipient(node, caller)


def require_recipient(node: NodeHere, caller: Caller) -> str:
    """The caller's id, who must be a recipient: holders have the native routes. Raises InsufficientScope."""
    known = node.ledger.registry.participants.get(caller.id)
    if known is None or "recipient" not in known.roles:
        raise InsufficientScope("only recipients use an outward standard")
    return caller.id


HolderHere = Annotated[str, Path(description="Participant id of the holder", min_length=2, max_length=63)]
OfficeHere = Annotated[Office, Depends(_office)]
StatementHere = Annotated[str | None, Depends(_statement)]
RecipientHere = Annotated[str, Depends(_recipient)]
BodyHere = Annotated[bytes, Depends(_body)]
