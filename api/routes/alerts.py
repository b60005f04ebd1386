"""The queue of alerts over HTTP: to each party what concerns it, with what is proposed and what was decided (docs/risk.md)."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query
from msgspec import UNSET, Struct
from starlette.responses import Response

from api.http.describing import answer
from api.http.wire import Reply
from api.node.admission import CallerHere, NodeHere, serve, token
from api.node.remits import seat_of
from ledger.clock import SystemClock
from ledger.queries.alerts import AlertQueue, AlertState, QueuedAlert, Seat

router = APIRouter()
READ: Final = token("supervision:read")
INDEX_LIMIT: Final = 2**53


class AlertAnswer(Struct, frozen=True):
    """What a participant decided; `proposal` is what had been proposed to the person who decided. `time` in milliseconds."""

    participant: str
    index: int
    time: int
    decision: str
    officer: str
    proposal: str
    proposal_reasons: tuple[str, ...]
    comment_hash: str | None


class AlertReply(Struct, frozen=True):
    """An alert. Times in milliseconds; `due`: by when it is to be answered; `late`: the answer is, or was, later than that.

    `proposed` decides nothing: a person does, and whoever is concerned may object to what was decided.
    """

    index: int
    time: int
    at_index: int
    rule: str
    score: int
    features: list[int]
    model: str | None
    about: dict[str, str]
    holder: str | None
    recipient: str | None
    state: AlertState
    due: int
    late: bool
    proposed: str
    proposed_reasons: tuple[str, ...]
    decisions: list[AlertAnswer]


class AlertsReply(Struct, frozen=True):
    """The newest first; `before` asks for older ones: null when there is none."""

    alerts: list[AlertReply]
    before: int | None


@serve(
    router,
    "GET",
    "/supervision/alerts",
    access=READ,
    tag="supervision",
    summary="Alerts",
    answers={200: answer("A page of them", schema="Alerts")},
)
def get_alerts(
    node: NodeHere,
    caller: CallerHere,
    before: Annotated[
        int, Query(ge=0, le=INDEX_LIMIT, description="Only those recorded below this entry.")
    ] = INDEX_LIMIT,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 50,
    state: Annotated[AlertState | None, Query(description="To the caller: open, escalated or decided.")] = None,
) -> Response:
    """A holder sees alerts about itself, its consents and recipients of them; a recipient those about itself and its consents;
    auditors and regulators see all, a regulator as far as it is there for it, with everybody's decisions."""
    seat = seat_of(node.remits, node.ledger.registry, caller.id)
    if seat is None:
        return _reply(AlertsReply([], None))
    page = AlertQueue(node.ledger.store).page(
        seat, node.ledger.registry.supervision, before=before, limit=limit, state=state
    )
    now = SystemClock().now()
    return _reply(AlertsReply([alert_reply(alert, now) for alert in page.alerts], page.older))


@serve(
    router,
    "GET",
    "/supervision/alerts/{index}",
    access=READ,
    tag="supervision",
    summary="One alert",
    answers={200: answer("The alert", schema="Alert")},
    problems=("not-found",),
)
def get_alert(
    node: NodeHere, caller: CallerHere, index: Annotated[int, Path(ge=0, lt=INDEX_LIMIT, description="Of the alert.")]
) -> Response:
    """The same, of one alert."""
    seat = seat_of(node.remits, node.ledger.registry, caller.id) or Seat(caller.id, "recipient")
    found = AlertQueue(node.ledger.store).alert(seat, node.ledger.registry.supervision, index)
    return _reply(alert_reply(found, SystemClock().now()))


def alert_reply(alert: QueuedAlert, now: int) -> AlertReply:
    """As it is answered."""
    says = alert.says
    return AlertReply(
        alert.index,
        alert.time,
        says["at_index"],
        says["rule"],
        says["score"],
        says["features"],
        says.get("model"),
        says["about"],
        alert.holder,
        alert.recipient,
        alert.state,
        alert.due,
        alert.is_late(now),
        alert.proposal.answer,
        alert.proposal.reasons,
        [
            AlertAnswer(
                name,
                each.index,
                each.time,
                each.says.decision,
                each.says.officer,
                each.says.proposal,
                each.says.proposal_reasons,
                None if each.says.comment_hash is UNSET else each.says.comment_hash,
            )
            for name, each in sorted(alert.decisions.items())
        ],
    )


def _reply(reply: Struct) -> Response:
    content: Any = msgspec.json.encode(reply)
    return Reply(200, content, headers=(("cache-control", "no-store"),)).response()
