"""What partners have declared to each other: attestations, maps, tariffs (docs/partners.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Query
from msgspec import Struct
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve, token
from api.node.node import Node
from api.tokens.bearer import Caller
from ledger.partners import Tariff

router = APIRouter()
READ: Final = token("partners:read")
_ENTRY: Final = Query(ge=0, le=2**53 - 1)
PRIVATE: Final = ("cache-control", "no-store")


class AttestationReply(Struct, frozen=True):
    """An attestation. `valid_until` in seconds; `state`: approved, given, expired or withdrawn."""

    participant: str
    attestation: str
    kind: str
    issuer: str
    document_hash: str
    valid_until: int
    index: int
    approved_at: int | None
    state: str


class CertificateReply(Struct, frozen=True):
    """A conformance run that was certified, at `index`; `time` and `valid_until` in milliseconds. Of one suite the last one
    counts."""

    participant: str
    suite: str
    suite_version: str
    passed: int
    total: int
    log_hash: str
    index: int
    time: int
    valid_until: int


class AttestationsReply(Struct, frozen=True):
    """What participants attest of themselves, and what the operator certified of them."""

    attestations: list[AttestationReply]
    certificates: list[CertificateReply]


class MapReply(Struct, frozen=True):
    """The last version of a holder's data map."""

    holder: str
    map: str
    version: int
    map_hash: str
    fields: int
    index: int


class MapsReply(Struct, frozen=True):
    """Data maps of holders."""

    maps: list[MapReply]


class TariffReply(Struct, frozen=True):
    """A tariff as it was offered at entry `offer`; `accepted`: the entries, by recipient; times in seconds."""

    offer: int
    holder: str
    recipient: str
    tariff: str
    currency: str
    since: int
    utc_offset: int
    lines: list[dict[str, Any]]
    accepted: dict[str, int]
    ended: list[dict[str, Any]]


class TariffsReply(Struct, frozen=True):
    """Tariffs that concern the caller."""

    tariffs: list[TariffReply]


@serve(
    router,
    "GET",
    "/partners/attestations",
    access=READ,
    tag="partners",
    summary="Attestations and certificates",
    answers={200: answer("Of all participants, or of one", schema="Attestations")},
)
def get_attestations(
    node: NodeHere, participant: Annotated[str | None, Query(description="Only of this participant")] = None
) -> Response:
    """Every participant may know what the others attest of themselves, and which of it the operator has approved."""
    partners, now = node.ledger.registry.partners, node.ledger.clock.now()
    given = [
        AttestationReply(
            each.author,
            each.says.attestation,
            each.says.kind,
            each.says.issuer,
            each.says.document_hash,
            each.says.valid_until,
            each.index,
            each.approved_at,
            "withdrawn"
            if each.withdrawn_at is not None
            else "expired"
            if not each.counts(now)
            else "given"
            if each.approved_at is None
            else "approved",
        )
        for each in partners.attestations.values()
        if participant in (None, each.author)
    ]
    certified = [
        CertificateReply(
            who,
            each.says.suite,
            each.says.suite_version,
            each.says.passed,
            each.says.total,
            each.says.log_hash,
            each.index,
            each.time,
            each.valid_until,
        )
        for who, certificates in partners.certificates.items()
        for each in certificates
        if participant in (None, who)
    ]
    return private(AttestationsReply(given, certified))


@serve(
    router,
    "GET",
    "/partners/maps",
    access=READ,
    tag="partners",
    summary="Data maps",
    answers={200: answer("The last version of each", schema="DataMaps")},
)
def get_maps(node: NodeHere) -> Response:
    """Which of its fields a holder has graded, by the hash of its map; the map itself is the holder's to show."""
    found = [
        MapReply(each.author, each.says.map, each.says.map_version, each.says.map_hash, each.says.fields, each.index)
        for *_, each in node.ledger.registry.partners.maps.values()
    ]
    return private(MapsReply(found))


@serve(
    router,
    "GET",
    "/partners/tariffs",
    access=READ,
    tag="partners",
    summary="Tariffs",
    answers={200: answer("Those that concern the caller", schema="Tariffs")},
)
def get_tariffs(node: NodeHere, caller: CallerHere) -> Response:
    """A holder sees its own, a recipient those offered to it or to any; of acceptances each sees its own. Auditors and
    regulators see all, a regulator as far as it is there for them."""
    return private(
        TariffsReply(
            [
                _tariff(each, None if watched or each.author == caller.id else caller.id)
                for each in node.ledger.registry.partners.tariffs.values()
                if (watched := supervises(node, caller, each.author, each.says.recipient))
                or caller.id == each.author
                or each.says.recipient in ("", caller.id)
            ]
        )
    )


def _tariff(tariff: Tariff, viewer: str | None) -> TariffReply:
    says = msgspec.to_builtins(tariff.says)
    return TariffReply(
        tariff.index,
        tariff.author,
        tariff.says.recipient,
        tariff.says.tariff,
        tariff.says.currency,
        tariff.says.from_,
        tariff.says.utc_offset,
        says["lines"],
        {who: index for who, index in tariff.accepted.items() if viewer in (None, who)},
        [
            {"by": each.by, "from": each.from_, "index": each.index}
            for each in tariff.ended
            if viewer is None or each.by in (viewer, tariff.author)
        ],
    )


def supervises(node: Node, caller: Caller, author: str, recipient: str) -> bool:
    """Whether the caller watches over what these two agree: an auditor, a regulator as far as it is there for them. `recipient`
    may be empty: any."""
    registry = node.ledger.registry
    watches = registry.has_role(caller.id, "regulator") or registry.has_role(caller.id, "auditor")
    return watches and node.remit_of(caller.id).may_touch("", author, recipient or None)


def private(reply: Struct) -> Response:
    """For this caller only."""
    return Reply(200, msgspec.json.encode(reply), headers=(PRIVATE,)).response()
