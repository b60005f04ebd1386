"""What a partner does for itself: comes in by an invitation, changes its keys, suspends itself (docs/partners.md)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.wire import read_shape
from api.node.admission import STATEMENT, CallerHere, NodeHere, serve, token
from api.partners.invitations import OWN, Joining, ProvedKey, joining_documents, proved_key
from api.routes.participants import Why, record_change
from ledger.documents import KeyRevoked, ParticipantSuspended, document_of
from ledger.errors import IllegalTransition, NotFound

router = APIRouter()
OWN_AFFAIRS: Final = token("partners:write")
_PROBLEMS: Final = (
    "bad-request",
    "invalid-input",
    "bad-signature",
    "conflict",
    "not-found",
    "too-large",
    "unsupported-media-type",
    "unavailable",
)


@serve(
    router,
    "POST",
    "/partners/join",
    access=STATEMENT,
    tag="partners",
    summary="Come in by an invitation",
    request_body=body("Joining"),
    answers={201: answer("Registered, and suspended until a second person lets it in", schema="Change")},
    problems=(*_PROBLEMS, "not-permitted"),
)
async def post_join(request: Request, node: NodeHere) -> Response:
    """The invitation is used up by this: the participant, its keys and its first suspension are recorded together or not at
    all. Each key comes with a proof of possession: a JWS of type `key-proof+jwt` by that key over `aud` (this log's origin),
    `kid`, `participant`, `use`."""
    said = await read_shape(request, Joining)
    ledger = node.ledger
    invitation = node.invitations.read(said.invitation, ledger.clock.now() // 1000)
    documents = joining_documents(invitation, said.keys, ledger.origin)
    return await record_change(request, node, invitation.participant, *documents)


@serve(
    router,
    "POST",
    "/partners/keys",
    access=OWN_AFFAIRS,
    tag="partners",
    summary="Add a key of one's own",
    request_body=body("ProvedKey"),
    answers={201: answer("Added", schema="Change")},
    problems=_PROBLEMS,
)
async def post_own_key(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """To rotate: add the new key with its proof, sign with it, then revoke the old one. A key id is never used twice."""
    key = await read_shape(request, ProvedKey)
    return await record_change(request, node, caller.id, proved_key(caller.id, key, node.ledger.origin))


@serve(
    router,
    "DELETE",
    "/partners/keys/{kid}",
    access=OWN_AFFAIRS,
    tag="partners",
    summary="Revoke a key of one's own",
    answers={201: answer("Revoked", schema="Change")},
    problems=(*_PROBLEMS, "illegal-transition"),
)
async def delete_own_key(
    kid: str,
    request: Request,
    node: NodeHere,
    caller: CallerHere,
    reason: Annotated[str, Query(max_length=64, description="A code")] = "superseded",
) -> Response:
    """It signs nothing above this entry. The last key of its use is not revoked here: whoever has none cannot come back by
    itself; suspend yourself, or ask the operator."""
    keys = [key for key in node.ledger.registry.keys.values() if key.participant == caller.id]
    found = next((key for key in keys if key.kid == kid), None)
    if found is None:
        raise NotFound(f"{caller.id!r} has no key {kid!r}", member="kid")
    if not any(key.use == found.use and key.revoked_at is None and key.kid != kid for key in keys):
        raise IllegalTransition(
            f"{kid!r} is the last key for its use ({found.use}): add another one first", member="kid"
        )
    document = document_of(KeyRevoked, participant=caller.id, kid=kid, reason=reason)
    return await record_change(request, node, caller.id, document)


@serve(
    router,
    "POST",
    "/partners/suspension",
    access=OWN_AFFAIRS,
    tag="partners",
    summary="Suspend oneself",
    request_body=body("Why", {"reason": "key-lost"}),
    answers={201: answer("Suspended", schema="Change")},
    problems=(*_PROBLEMS, "illegal-transition"),
)
async def post_own_suspension(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """From here on all accesses of its consents are denied, and it may only reduce sharing. The operator lets it in again."""
    why = await read_shape(request, Why)
    document = document_of(ParticipantSuspended, participant=caller.id, reason=f"{OWN}{why.reason}")
    return await record_change(request, node, caller.id, document)
