"""Participants and their keys: public to read, written by the operator. Every change is an entry of the log."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Meta, Struct
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.submission import EntryReply, entry_reply
from api.http.wire import Reply, read_shape, visit_of
from api.node.admission import PUBLIC, NodeHere, serve, token
from api.node.node import Node
from ledger.documents import (
    KeyRevoked,
    ParticipantReinstated,
    ParticipantSuspended,
    document_of,
    key_added,
    registration,
)
from ledger.lookalikes import require_unmistakable
from ledger.participants import Participant, Registry

router = APIRouter()
WRITE: Final = token("participants:write")
_PROBLEMS: Final = ("bad-request", "invalid-input", "not-found", "conflict", "too-large", "unsupported-media-type")


class KeyReply(Struct, frozen=True):
    """A public key. It holds for statements between the two indexes."""

    kid: str
    alg: str
    use: str
    jwk: dict[str, str]
    added_at: int
    revoked_at: int | None


class ParticipantReply(Struct, frozen=True):
    """A participant and all keys it ever had."""

    participant: str
    name: str
    roles: tuple[str, ...]
    suspended: bool
    removed: bool
    registered_at: int
    keys: list[KeyReply]


class ParticipantsReply(Struct, frozen=True):
    """All participants."""

    participants: list[ParticipantReply]


class ChangeReply(Struct, frozen=True):
    """A participant after a change, and the entries that recorded it."""

    participant: ParticipantReply
    entries: list[EntryReply]


class NewKey(Struct, frozen=True, forbid_unknown_fields=True):
    """A public key to register: for statements, or for token requests (`client`)."""

    kid: str
    alg: str
    use: str
    jwk: dict[str, str]


class NewParticipant(Struct, frozen=True, forbid_unknown_fields=True):
    """A participant to register, with its first keys."""

    participant: str
    name: str
    roles: list[str]
    keys: Annotated[list[NewKey], Meta(max_length=10)] = []
    confirm_likeness: bool = False
    """That it is meant although its id or name looks like a registered one's."""


class Why(Struct, frozen=True, forbid_unknown_fields=True):
    """The reason of a change, a code."""

    reason: str


def participant_reply(registry: Registry, participant: Participant) -> ParticipantReply:
    """A participant with its keys, in the order of their registration."""
    keys = sorted(
        (key for key in registry.keys.values() if key.participant == participant.id), key=lambda key: key.added_at
    )
    return ParticipantReply(
        participant.id,
        participant.name,
        participant.roles,
        participant.suspended,
        participant.removed,
        participant.registered_at,
        [KeyReply(key.kid, key.alg, key.use, dict(key.jwk), key.added_at, key.revoked_at) for key in keys],
    )


@serve(
    router,
    "GET",
    "/participants",
    access=PUBLIC,
    tag="participants",
    summary="All participants",
    answers={200: answer("Participants with their keys", schema="Participants")},
)
async def get_participants(node: NodeHere) -> Response:
    """Who may sign, with which keys, and since which entry. The same stands in the log's operator entries."""
    registry = node.ledger.registry
    found = sorted(registry.participants.values(), key=lambda participant: participant.registered_at)
    reply = ParticipantsReply([participant_reply(registry, participant) for participant in found])
    return Reply(200, msgspec.json.encode(reply)).response()


@serve(
    router,
    "GET",
    "/participants/{participant}",
    access=PUBLIC,
    tag="participants",
    summary="One participant",
    answers={200: answer("The participant with its keys", schema="Participant")},
    problems=("not-found",),
)
async def get_participant(participant: str, node: NodeHere) -> Response:
    """Keys are listed for ever, with the entries that added and revoked them."""
    registry = node.ledger.registry
    reply = participant_reply(registry, registry.participant(participant))
    return Reply(200, msgspec.json.encode(reply)).response()


@serve(
    router,
    "POST",
    "/participants",
    access=WRITE,
    tag="participants",
    summary="Register a participant",
    request_body=body("ParticipantRegistration"),
    answers={201: answer("Registered", schema="Change")},
    problems=_PROBLEMS,
)
async def post_participant(request: Request, node: NodeHere) -> Response:
    """The participant and its keys are recorded together or not at all. One whose id or name can be taken for a registered
    one's is refused unless `confirm_likeness` says that it is meant."""
    new = await read_shape(request, NewParticipant)
    if not new.confirm_likeness:
        require_unmistakable(new.participant, new.name, node.ledger.registry.participants.values())
    registered = registration(new.participant, new.name, new.roles)
    keys = [_key_document(new.participant, key) for key in new.keys]
    return await record_change(request, node, new.participant, registered, *keys)


@serve(
    router,
    "POST",
    "/participants/{participant}/keys",
    access=WRITE,
    tag="participants",
    summary="Register a key",
    request_body=body("KeyRegistration"),
    answers={201: answer("Registered", schema="Change")},
    problems=_PROBLEMS,
)
async def post_key(participant: str, request: Request, node: NodeHere) -> Response:
    """To rotate a key, add the new one, switch, then revoke the old one. A key id is never used twice."""
    return await record_change(
        request, node, participant, _key_document(participant, await read_shape(request, NewKey))
    )


@serve(
    router,
    "DELETE",
    "/participants/{participant}/keys/{kid}",
    access=WRITE,
    tag="participants",
    summary="Revoke a key",
    answers={201: answer("Revoked", schema="Change")},
    problems=(*_PROBLEMS, "illegal-transition"),
)
async def delete_key(
    participant: str,
    kid: str,
    request: Request,
    node: NodeHere,
    reason: Annotated[str, Query(max_length=64, description="A code")] = "superseded",
) -> Response:
    """It signs nothing above this entry. What it signed below stays valid; the key stays listed."""
    document = document_of(KeyRevoked, participant=participant, kid=kid, reason=reason)
    return await record_change(request, node, participant, document)


@serve(
    router,
    "POST",
    "/participants/{participant}/suspend",
    access=WRITE,
    tag="participants",
    summary="Suspend a participant",
    request_body=body("Why", {"reason": "licence-withdrawn"}),
    answers={201: answer("Suspended", schema="Change")},
    problems=(*_PROBLEMS, "illegal-transition"),
)
async def post_suspension(participant: str, request: Request, node: NodeHere) -> Response:
    """From here on it may only do what reduces sharing, and its accesses are denied."""
    why = await read_shape(request, Why)
    document = document_of(ParticipantSuspended, participant=participant, reason=why.reason)
    return await record_change(request, node, participant, document)


@serve(
    router,
    "POST",
    "/participants/{participant}/reinstate",
    access=WRITE,
    tag="participants",
    summary="End a suspension",
    request_body=body("Why", {"reason": "licence-restored"}),
    answers={201: answer("Reinstated", schema="Change")},
    problems=(*_PROBLEMS, "illegal-transition"),
)
async def post_reinstatement(participant: str, request: Request, node: NodeHere) -> Response:
    """The participant may do all that its roles allow again."""
    why = await read_shape(request, Why)
    document = document_of(ParticipantReinstated, participant=participant, reason=why.reason)
    return await record_change(request, node, participant, document)


def _key_document(participant: str, key: NewKey) -> dict[str, Any]:
    return key_added(participant, key.kid, key.alg, key.use, key.jwk)


async def record_change(request: Request, node: Node, participant: str, *documents: dict[str, Any]) -> Response:
    """Record documents, and answer with the participant as the registry then has it."""
    recorded = await run_in_threadpool(node.ledger.record_documents, *documents)
    visit_of(request.scope).index = recorded[0].index
    registry = node.ledger.registry
    reply = ChangeReply(
        participant_reply(registry, registry.participant(participant)), [entry_reply(entry) for entry in recorded]
    )
    return Reply(201, msgspec.json.encode(reply), headers=(("location", f"/participants/{participant}"),)).response()
