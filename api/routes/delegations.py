"""Delegations, and what was signed under them: for principals, who give and end them, and for their technology providers
(docs/partners.md, «Technology providers»)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Struct
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.wire import Reply, read_shape
from api.node.admission import CallerHere, NodeHere, serve
from api.routes.joining import OWN_AFFAIRS
from api.routes.participants import record_change
from api.routes.partners import PRIVATE, READ
from api.routes.receipts import RECEIPTS_READ
from ledger.documents import DelegationEnded, DelegationGranted, document_of
from ledger.entries.acts import ACTS
from ledger.entries.evidence import AccessOutcome
from ledger.errors import InvalidInput, NotFound
from ledger.participants import Delegation, Registry
from ledger.queries.overview import OverviewQueries
from ledger.queries.signed import SignedEntry, SignedQueries, SoughtEntries

router = APIRouter()
PAGE: Final = 200
_WATCHERS: Final = ("auditor", "regulator")
_PROBLEMS: Final = (
    "bad-request",
    "invalid-input",
    "not-found",
    "illegal-transition",
    "too-large",
    "unsupported-media-type",
    "unavailable",
)


class DelegationReply(Struct, frozen=True):
    """What `participant` delegated to `delegate`: these acts, from the entry `granted_at` until `ended_at` (null: not ended).
    `in_force`: the delegate may sign them now; a removed participant ends a delegation without an entry of its own."""

    participant: str
    delegate: str
    acts: tuple[str, ...]
    granted_at: int
    ended_at: int | None
    reason: str
    in_force: bool


class DelegationsReply(Struct, frozen=True):
    """Delegations that were ever given, in their order."""

    delegations: list[DelegationReply]


class SignedReply(Struct, frozen=True):
    """An entry that the caller signed. `time` in milliseconds; `decision` is null for everything but an access."""

    index: int
    time: int
    act: str
    on_behalf_of: str | None
    consent_id: str | None
    decision: str | None
    reasons: tuple[str, ...]


class SignedActsReply(Struct, frozen=True):
    """Entries that the caller signed, newest first, among those with `low` ≤ index < `high`."""

    acts: list[SignedReply]
    low: int
    high: int


class Delegating(Struct, frozen=True, forbid_unknown_fields=True):
    """What a participant lets a technology provider sign for it."""

    delegate: str
    acts: list[str]


@serve(
    router,
    "GET",
    "/partners/delegations",
    access=READ,
    tag="partners",
    summary="Delegations to technology providers",
    answers={200: answer("Given or received by the caller; regulators and auditors: all", schema="Delegations")},
)
def get_delegations(node: NodeHere, caller: CallerHere) -> Response:
    """Who may sign which acts for whom, and could before. A principal sees what it gave, a provider what it was given."""
    registry = node.ledger.registry
    watches = any(registry.has_role(caller.id, role) for role in _WATCHERS)
    found = registry.delegated if watches else registry.delegations_of(caller.id)
    reply = DelegationsReply([_delegation_reply(one, registry) for one in found])
    return Reply(200, msgspec.json.encode(reply), headers=(PRIVATE,)).response()


@serve(
    router,
    "POST",
    "/partners/delegations",
    access=OWN_AFFAIRS,
    tag="partners",
    summary="Let a technology provider sign for oneself",
    request_body=body("Delegating", {"delegate": "signing-house", "acts": ["consent.revoke", "consent.suspend"]}),
    answers={201: answer("Recorded", schema="Change")},
    problems=_PROBLEMS,
)
async def post_delegation(request: Request, node: NodeHere, caller: CallerHere) -> Response:
    """From this entry on the provider may sign these acts, and no others, with `on_behalf_of`. It replaces what was delegated
    to the same provider before."""
    wish = await read_shape(request, Delegating)
    acts = tuple(sorted(set(wish.acts)))
    document = document_of(DelegationGranted, participant=caller.id, delegate=wish.delegate, acts=acts)
    return await record_change(request, node, caller.id, document)


@serve(
    router,
    "DELETE",
    "/partners/delegations/{delegate}",
    access=OWN_AFFAIRS,
    tag="partners",
    summary="End a delegation of one's own",
    answers={201: answer("Ended", schema="Change")},
    problems=_PROBLEMS,
)
async def delete_delegation(
    delegate: str,
    request: Request,
    node: NodeHere,
    caller: CallerHere,
    reason: Annotated[str, Query(max_length=64, description="A code")] = "over",
) -> Response:
    """Nothing above this entry is signed under it."""
    if (caller.id, delegate) not in node.ledger.registry.delegations:
        raise NotFound(f"{caller.id!r} has delegated nothing to {delegate!r} that is in force", member="delegate")
    document = document_of(DelegationEnded, participant=caller.id, delegate=delegate, reason=reason)
    return await record_change(request, node, caller.id, document)


@serve(
    router,
    "GET",
    "/partners/acts",
    access=RECEIPTS_READ,
    tag="partners",
    summary="What the caller signed, for itself and for others",
    answers={200: answer("A page, newest first; the header `Link` leads to the next", schema="SignedActs")},
    problems=("bad-request", "invalid-input"),
)
def get_signed_acts(
    node: NodeHere,
    caller: CallerHere,
    on_behalf_of: Annotated[str | None, Query(max_length=63, description="Only those for this participant")] = None,
    act: Annotated[str | None, Query(max_length=64, description="Only those of this act")] = None,
    refused: Annotated[bool, Query(description="Only accesses that were denied")] = False,
    since: Annotated[int | None, Query(ge=0, le=2**43, description="Recorded at this time (s) or later")] = None,
    until: Annotated[int | None, Query(ge=0, le=2**43, description="Recorded before this time (s)")] = None,
    before: Annotated[
        int | None, Query(ge=0, le=2**53 - 1, description="Continue below this entry, from `Link`")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE, description="Entries that a page looks into")] = 50,
) -> Response:
    """A page looks through a bounded part of the log, so it can be short or empty although there is a next one. Nobody sees
    what another participant signed; receipts of these entries are at `/receipts/{index}`."""
    if act is not None and act not in ACTS:
        raise InvalidInput(f"{act!r} is not an act that a participant can sign", member="act")
    ledger = node.ledger
    overview = OverviewQueries(ledger.store)
    sought = SoughtEntries(
        principal=on_behalf_of,
        act=act,
        refused=refused,
        since=None if since is None else overview.first_at(since * 1000),
        until=None if until is None else overview.first_at(until * 1000),
    )
    page = SignedQueries(ledger.store, ledger.keystore).signed(caller.id, sought, before=before, limit=limit)
    headers: tuple[tuple[str, str], ...] = (PRIVATE,)
    if page.older is not None:
        chosen = {"on_behalf_of": on_behalf_of, "act": act, "since": since, "until": until}
        only = "".join(f"&{name}={value}" for name, value in chosen.items() if value is not None)
        only += "&refused=true" if refused else ""
        headers = (("link", f'</partners/acts?before={page.older}&limit={limit}{only}>; rel="next"'), PRIVATE)
    reply = SignedActsReply(list(_signed_replies(page.rows, caller.id)), page.low, page.high)
    return Reply(200, msgspec.json.encode(reply), headers=headers).response()


def _signed_replies(rows: Iterable[SignedEntry], viewer: str) -> Iterable[SignedReply]:
    for one in rows:
        access = one.outcome if isinstance(one.outcome, AccessOutcome) else None
        yield SignedReply(
            one.index,
            one.time,
            one.act,
            None if one.principal == viewer else one.principal,
            one.consent_id,
            None if access is None else access.decision,
            () if access is None else access.reasons,
        )


def _delegation_reply(one: Delegation, registry: Registry) -> DelegationReply:
    said = one.participant, one.delegate, one.acts, one.granted_at, one.ended_at, one.reason
    return DelegationReply(*said, registry.is_in_force(one))
