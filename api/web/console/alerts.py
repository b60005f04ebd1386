"""The queue of alerts at work: what concerns one's employer, what is proposed, who looks after it, what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final, Literal, get_args

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse
from msgspec import structs
from starlette.concurrency import run_in_threadpool

from api.web.agent import DecisionWish
from api.web.console.doors import AlertDesk, AlertReader, AlertReadersForm, Place, alert_desk_of
from api.web.feedback import new_key, text_hash
from api.web.forms import MOST_WORDS, WORDS
from api.web.live import Stream, is_still_in
from api.web.plain import plain
from api.web.waiting import record_soon
from ledger.errors import NotPermitted
from ledger.queries.alerts import AlertState
from ledger.scoring.proposals import Answer

router = APIRouter(include_in_schema=False, prefix="/console/alerts")
LISTED: Final = 50
POLL_SECONDS: Final = 1.0
LIFETIME_POLLS: Final = 600
ANSWERS: Final[tuple[Answer, ...]] = get_args(Answer)
Shown = Literal["all", "open", "escalated", "decided"]


@router.get("")
def alerts(reader: AlertReader, state: Shown = "open", before: Place | None = None) -> Response:
    """The newest first, those that wait for an answer by default."""
    wanted: AlertState | None = None if state == "all" else state
    page = reader.queue.page(reader.seat, reader.supervision, before=before, limit=LISTED, state=wanted)
    return reader.desk.render(
        "console/alerts.html",
        reader=reader,
        page=page,
        shown=state,
        states=get_args(Shown),
        before=before,
        newest=reader.queue.newest(),
        notes=reader.work.of(reader.id, [one.index for one in page.alerts]),
        name_of=lambda participant: _name_of(reader, participant),
    )


@router.get("/live")
def live(reader: AlertReader, request: Request, after: int = -1) -> Response:
    """Alerts above entry `after` that the reader may see, as they come. Raises Unavailable when too many look."""
    Stream.require_room()
    stream = _stream(reader, request, after)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _stream(reader: AlertDesk, request: Request, after: int) -> AsyncIterator[bytes]:
    with Stream():
        yield b"retry: 5000\n\n"
        seen = after
        for _ in range(LIFETIME_POLLS):
            if await request.is_disconnected() or not await run_in_threadpool(is_still_in, reader.desk):
                return
            newest = await run_in_threadpool(reader.queue.newest)
            if newest > seen:  # one indexed read a second; alerts are read only when there are new ones
                page = await run_in_threadpool(reader.queue.page, reader.seat, reader.supervision, limit=LISTED)
                for alert in reversed([one for one in page.alerts if one.index > seen]):
                    told = {
                        "kind": "refused" if alert.says["score"] >= 800 else "step",
                        "title": reader.desk.words.t(f"alert.rule.{alert.says['rule']}"),
                        "detail": reader.desk.words.t(
                            "con.alerts.live", score=alert.says["score"], who=_about(reader, alert.says["about"])
                        ),
                        "time": reader.desk.words.time(alert.time),
                        "link": f"/console/alerts/{alert.index}",
                    }
                    yield b"event: entry\nid: %d\ndata: %s\n\n" % (alert.index, msgspec.json.encode(told))
                seen = newest
            else:
                yield b": still here\n\n"
            await asyncio.sleep(POLL_SECONDS)


@router.get("/{index}")
def alert(reader: AlertReader, index: Place) -> Response:
    """One alert, and what can be done about it."""
    found = reader.queue.alert(reader.seat, reader.supervision, index)
    return reader.desk.render(
        "console/alerts_one.html",
        reader=reader,
        one=found,
        note=reader.work.of(reader.id, [index]).get(index),
        answers=ANSWERS,
        signs_here=reader.agent is not None,
        name_of=lambda participant: _name_of(reader, participant),
    )


@router.post("/{index}/take")
def take(sent: AlertReadersForm, index: Place) -> Response:
    """Somebody looks after it, or nobody does any more."""
    reader = alert_desk_of(sent.desk)
    reader.queue.alert(reader.seat, reader.supervision, index)
    name = sent.desk.staff.name if sent.text("to", 10) == "me" else ""
    note = reader.note(index)
    reader.work.keep(reader.id, index, structs.replace(note, owner=name))
    return sent.desk.redirect(f"/console/alerts/{index}")


@router.post("/{index}/decide")
def decide(sent: AlertReadersForm, index: Place) -> Response:
    """Record what a person decided, beside what was proposed. Raises NotPermitted where the employer signs elsewhere."""
    reader = alert_desk_of(sent.desk)
    found = reader.queue.alert(reader.seat, reader.supervision, index)
    chosen = [one for one in ANSWERS if one == sent.text("decision", 20)]
    if not chosen or reader.agent is None:
        raise NotPermitted("choose an answer; it is recorded here for banks that sign through these pages")
    words = sent.text(WORDS, MOST_WORDS).strip()
    note = structs.replace(reader.note(index), words=words, key=new_key() if words else "")
    reader.work.keep(reader.id, index, note)  # before the log is asked: what it acknowledges is not lost
    wish = DecisionWish(
        alert=index,
        decision=chosen[0],
        officer=reader.work.officer(sent.desk.staff.key),
        proposal=found.proposal.answer,
        proposal_reasons=found.proposal.reasons,
        comment_hash=text_hash(note.key, words) if words else "",
    )
    ledger = sent.desk.office.ledger
    record_soon(ledger, ledger.prepare(reader.agent.decide(wish).statement))
    return sent.desk.redirect(f"/console/alerts/{index}")


@router.post("/{index}/forget")
def forget(sent: AlertReadersForm, index: Place) -> Response:
    """The words are erased, with the key of their hash."""
    reader = alert_desk_of(sent.desk)
    reader.queue.alert(reader.seat, reader.supervision, index)
    reader.work.keep(reader.id, index, structs.replace(reader.note(index), words="", key=""))
    return sent.desk.redirect(f"/console/alerts/{index}")


def _name_of(reader: AlertDesk, participant: str | None) -> str:
    found = reader.desk.office.ledger.registry.participants.get(participant or "")
    return plain(found.name) if found else (participant or "")


def _about(reader: AlertDesk, about: dict[str, str]) -> str:
    return reader.desk.words.t("con.alerts.consent") if about["kind"] == "consent" else _name_of(reader, about["id"])
