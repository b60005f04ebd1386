"""Reading consents: one's own only; what belongs to others is not found."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Query
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from api.http.describing import answer
from api.http.submission import EntryReply, entry_reply
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve, token
from ledger.canonical import b64u
from ledger.consent.state import Consent, Status
from ledger.entries.leaf import parse_leaf
from ledger.entries.terms import Terms
from ledger.participants import Registry
from ledger.queries.completeness import MEDIA_TYPE, completeness_bytes

router = APIRouter()
CONSENTS_READ: Final = token("consents:read")
PAGE: Final = 100

Limit = Annotated[int, Query(ge=1, le=PAGE, description="Entries of a page")]
After = Annotated[int, Query(ge=-1, le=2**53 - 1, description="Continue after this key, from the `next` link")]


class PendingReply(Struct, frozen=True):
    """A version that waits for the customer beside the one in force."""

    version: int
    terms: Terms
    terms_hash: str
    authorised_by: int
    """How many customers have agreed to it so far."""
    accounts: tuple[str, ...]


class ConsentReply(Struct, frozen=True):
    """A consent as it is now."""

    consent_id: str
    status: str
    """The status that holds now: a consent whose time is over is EXPIRED, whether or not an entry says so yet."""
    version: int
    holder: str
    recipient: str
    terms: Terms
    terms_hash: str
    starts_at: int
    expires_at: int
    accounts: tuple[str, ...]
    """Those that are shared."""
    waiting: tuple[str, ...]
    """Joint accounts that another person must give before they are shared."""
    withdrawn: tuple[str, ...]
    """Accounts that were taken out of the version in force."""
    separate_consents: tuple[str, ...]
    """Kinds of separate consent that were given and not withdrawn."""
    reauthenticate_by: int | None
    """When (s) the holder must have authenticated the customer again; None: the terms set no limit."""
    reconfirm_by: int | None
    """When (s) the customer must have confirmed to the recipient again."""
    subject: str | None
    """The customer's pseudonym, made for this recipient."""
    authorised_by: int
    pending: PendingReply | None
    basis: int
    """Index of the entry that led to this state."""
    used_today: int
    """Allowed accesses without the customer present on the present day (UTC's, or that of the terms' offset).
    From ruleset 3 on: of the account and resource that was read most, in the present period of the terms."""


class ConsentsReply(Struct, frozen=True):
    """A page of consents."""

    consents: list[ConsentReply]


class HistoryReply(Struct, frozen=True):
    """A page of a consent's entries."""

    entries: list[EntryReply]


def consent_reply(consent: Consent, now: int, registry: Registry) -> ConsentReply:
    """A consent at `now` (milliseconds), under the ruleset and with the removals of the registry."""
    pending = consent.pending
    terms = consent.terms
    return ConsentReply(
        consent_id=consent.consent_id,
        status=consent.status_at(now, registry.removed).value,
        version=consent.version,
        holder=terms.holder,
        recipient=terms.recipient,
        terms=terms,
        terms_hash=b64u(terms.hash()),
        starts_at=terms.starts_at,
        expires_at=terms.expires_at,
        accounts=consent.accounts,
        waiting=consent.waiting,
        withdrawn=consent.withdrawn,
        separate_consents=consent.separate,
        reauthenticate_by=_due(consent.authenticated_at, terms.reauthenticate_days),
        reconfirm_by=_due(consent.confirmed_at, terms.reconfirm_days),
        subject=consent.subject or None,
        authorised_by=len(consent.authorisers),
        pending=None
        if pending is None
        else PendingReply(
            consent.version + 1, pending.terms, b64u(pending.terms.hash()), len(pending.authorisers), pending.accounts
        ),
        basis=consent.basis,
        used_today=consent.used_at(now, registry.ruleset),
    )


def _due(since: int, days: int | UnsetType) -> int | None:
    return None if days is UNSET or not since else since + days * 86_400


@serve(
    router,
    "GET",
    "/consents",
    access=CONSENTS_READ,
    tag="consents",
    summary="One's own consents",
    answers={200: answer("A page, oldest first; the header `Link` leads to the next", schema="Consents")},
    problems=("bad-request",),
)
def get_consents(
    node: NodeHere,
    caller: CallerHere,
    status: Annotated[Status | None, Query(description="Only those with this status now")] = None,
    after: After = -1,
    limit: Limit = 50,
) -> Response:
    """Consents in which the caller is holder or recipient. With `status`, a page may hold fewer than `limit`, even none:
    go on as long as there is a `next` link."""
    now = _now()
    removed = node.ledger.registry.removed
    derived = status in (Status.EXPIRED, Status.CONSUMED) or (status is Status.TERMINATED and removed)
    stored = None if status is None or derived else status.value
    found = node.ledger.records.consents(caller.id, status=stored, after=after, limit=limit)
    kept = [consent for _, consent in found if status is None or consent.status_at(now, removed) == status]
    reply = ConsentsReply([consent_reply(consent, now, node.ledger.registry) for consent in kept])
    query: dict[str, Any] = {"limit": limit} | ({"status": status.value} if status is not None else {})
    following = {"after": found[-1][0]} | query if len(found) == limit else None
    return _page("/consents", reply, following)


@serve(
    router,
    "GET",
    "/consents/{consent_id:path}/history",
    access=CONSENTS_READ,
    tag="consents",
    summary="All entries of a consent",
    answers={200: answer("A page, oldest first; the header `Link` leads to the next", schema="History")},
    problems=("not-found", "bad-request"),
)
def get_consent_history(
    consent_id: str, node: NodeHere, caller: CallerHere, after: After = -1, limit: Limit = 50
) -> Response:
    """Every event and every access, allowed or denied, each with its receipt. The recipient does not see what strangers tried;
    the holder does."""
    found = node.ledger.records.history(caller.id, consent_id, after=after, limit=limit)
    reply = HistoryReply([entry_reply(recorded) for recorded in found])
    following = None
    if len(found) == limit:
        following = {"after": getattr(parse_leaf(found[-1].leaf), "seq", 0), "limit": limit}
    return _page(f"/consents/{quote(consent_id, safe=':')}/history", reply, following)


@serve(
    router,
    "GET",
    "/consents/{consent_id:path}/completeness",
    access=CONSENTS_READ,
    tag="consents",
    summary="The proof that these are all entries of a consent",
    answers={200: answer("The completeness file", MEDIA_TYPE, schema="Completeness")},
    problems=("not-found",),
)
def get_consent_completeness(consent_id: str, node: NodeHere, caller: CallerHere) -> Response:
    """Complete up to the newest index-head: that leaf with its receipt, the proof of the consent's count and last leaf in the
    map it commits, and the last 1,000 leaves. Check it with `consent-verify completeness`."""
    found = node.ledger.completeness.of_consent(caller.id, consent_id)
    return Reply(200, completeness_bytes(found), MEDIA_TYPE, (("cache-control", "no-store"),)).response()


@serve(
    router,
    "GET",
    "/consents/{consent_id:path}",
    access=CONSENTS_READ,
    tag="consents",
    summary="A consent as it is now",
    answers={200: answer("The consent", schema="Consent")},
    problems=("not-found",),
)
def get_consent(consent_id: str, node: NodeHere, caller: CallerHere) -> Response:
    """For its holder and its recipient."""
    consent = node.ledger.records.consent(caller.id, consent_id)
    return Reply(200, msgspec.json.encode(consent_reply(consent, _now(), node.ledger.registry))).response()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _page(path: str, reply: Struct, following: dict[str, Any] | None) -> Response:
    headers = () if following is None else (("link", f'<{path}?{urlencode(following)}>; rel="next"'),)
    return Reply(200, msgspec.json.encode(reply), headers=(*headers, ("cache-control", "no-store"))).response()
