"""What a customer told her bank, and what was answered: one list, one page for each, and her words with what proves them."""

from __future__ import annotations

from typing import Final

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from api.web.desk import Customer, Desk
from api.web.feedback import Feedback, text_hash
from api.web.forms import MOST_WORDS, WORDS, CustomersForm
from api.web.heeding import give, settled
from ledger.errors import NotFound

router = APIRouter(include_in_schema=False, prefix="/my")
REASONS: Final = ("not-used", "unknown", "too-much", "other-app")
"""Answers to «why did you stop?»; she may choose none."""


@router.get("/feedback")
def listed(desk: Customer) -> Response:
    """Everything she said, newest first."""
    return desk.render("feedback.html", listed=desk.office.store.feedback.of(desk.person))


@router.get("/feedback/{number}")
def one(desk: Customer, number: str) -> Response:
    """One of them: how far it is, who answered what, and where the log says so."""
    found = _hers(desk, number)
    return desk.render(
        "feedback_one.html",
        one=found,
        key=desk.dealings.key_of(found.consent_id) if found.consent_id else None,
        recipient=desk.dealings.name_of(found.recipient),
    )


@router.get("/feedback/{number}/file")
def words_file(desk: Customer, number: str) -> Response:
    """All words of it with the keys that make the hashes in the log of them (docs/people.md, Feedback)."""
    found = _hers(desk, number)
    said = [_proof(found.entry, found.words, found.key)]
    said += [_proof(reply.entry, reply.words, reply.key) for reply in found.replies]
    body = msgspec.json.format(msgspec.json.encode({"number": found.number, "said": [one for one in said if one]}))
    headers = {"content-disposition": f'attachment; filename="feedback-{found.number}.json"'}
    return desk.keep(Response(body, media_type="application/json", headers=headers))


def _proof(entry: int, words: str, key: str) -> dict[str, object] | None:
    if not words or not key:
        return None
    return {"entry": entry, "words": words, "key": key, "text_hash": text_hash(key, words)}


def _hers(desk: Desk, number: str) -> Feedback:
    """Raises NotFound for what is another's, of the same relationship too."""
    mine = next((one for one in desk.office.store.feedback.of(desk.person) if one.number == number), None)
    if mine is None:
        raise NotFound("you have sent nothing under this number")
    return settled(desk.office, mine)


@router.post("/connections/{key}/stopped")
def after_stop(sent: CustomersForm, key: int) -> Response:
    """The one question after a stop. An answer is about the entry that ended it; without one, nothing is sent."""
    desk = sent.desk
    found = desk.dealings.connection(key)
    ended = desk.dealings.receipt(found.consent.basis)
    why, more = sent.text("why", 40), sent.text(WORDS, MOST_WORDS).strip()
    chosen = [desk.words.t(f"stopped.why.{why}")] if why in REASONS else []
    said = "\n".join([*chosen, *([more] if more else [])])
    if found.is_live or not said:
        return desk.redirect(f"/my/connections/{key}/stopped")
    given = give(desk, ended, "after-stop", said)
    return desk.redirect(f"/my/feedback/{given.number}")
