"""Her own settings: time zone, passkeys, sessions, export."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from api.web.desk import Customer, Desk
from api.web.exports import as_csv, as_json
from api.web.forms import CustomersForm
from api.web.store import MAX_PASSKEYS, Passkey
from api.web.words import ZONES
from ledger.canonical import b64u, unb64u
from ledger.errors import NotFound, NotPermitted

router = APIRouter(include_in_schema=False, prefix="/my")


@router.get("/settings")
def settings(desk: Customer) -> Response:
    """All settings on one page."""
    return _settings(desk)


@dataclass(frozen=True, slots=True)
class ListedPasskey:
    """A passkey as the page lists it: in force in the log, and known to these pages, or one of both."""

    credential_id: str
    entry: int
    since: int
    label: str = ""
    """The name that she gave it; empty where these pages did not add it."""
    is_mine: bool = False
    is_others: bool = False
    """Whether it is another person's of the same relationship."""
    in_force: bool = True

    @property
    def is_strange(self) -> bool:
        """Whether the log has it in force and nobody added it here: she must be able to see and to remove it."""
        return not self.is_mine and not self.is_others


def _listed(desk: Desk) -> list[ListedPasskey]:
    """All passkeys of her relationship that are in force in the log, and those that she still has here; hers first."""
    store, enrolled = desk.office.store, desk.dealings.passkeys()
    found = [
        ListedPasskey(
            one.credential_id,
            one.entry,
            one.enrolled_at,
            one.label,
            is_mine=True,
            in_force=one.credential_id in enrolled,
        )
        for one in store.passkeys_of(desk.person)
    ]
    mine = {one.credential_id for one in found}
    for credential_id, event in enrolled.items():
        if credential_id not in mine:
            owner = store.passkey(credential_id)
            found.append(ListedPasskey(credential_id, event.index, event.time, is_others=owner is not None))
    return found


def _settings(desk: Desk, problem: str = "", status: int = 200) -> Response:
    store = desk.office.store
    known = store.passkeys_of(desk.person)
    challenge = os.urandom(32)
    session = desk.change(challenge=b64u(challenge))
    # The handle tells authenticators which passkeys are the same person's; it must not say who that is.
    handle = sha256(b"passkey-handle\0" + desk.person.key).digest()
    options = desk.office.ceremonies.registration_options(challenge, handle, desk.person.name or "customer", known)
    return desk.render(
        "settings.html",
        status,
        known=known,
        options=options,
        zones=ZONES,
        zone=desk.words.zone,
        problem=problem,
        listed=_listed(desk),
        fresh=session.is_fresh(desk.now),
        full=len(known) >= MAX_PASSKEYS,
    )


@router.post("/settings")
def change_settings(sent: CustomersForm) -> Response:
    """Choose a time zone."""
    zone = sent.text("zone", 64)
    if zone in ZONES:
        sent.desk.office.store.set_zone(sent.desk.person, zone)
    return sent.desk.redirect("/my/settings")


@router.post("/passkeys")
def add_passkey(sent: CustomersForm) -> Response:
    """Enrol a passkey: the bank states that it is hers, and the log keeps that statement."""
    desk = sent.desk
    desk.require_fresh("/my/settings")
    session = desk.session
    if session is None or not session.challenge:
        return _settings(desk, desk.words.t("passkey.refused"), 403)
    challenge = unb64u(session.challenge, size=32)
    desk.change(challenge="")
    store = desk.office.store
    if len(store.passkeys_of(desk.person)) >= MAX_PASSKEYS:
        raise NotPermitted(f"you have {MAX_PASSKEYS} passkeys already; remove one first")
    credential_id, key, count = desk.office.ceremonies.registered(sent.text("response", 16_384), challenge)
    rp_id = desk.office.ceremonies.rp_id
    signed = desk.agent.enrol(desk.person, credential_id, key, rp_id, desk.sca)
    entry = desk.record(signed)
    label = " ".join(sent.text("label", 40).split()) or desk.words.t("passkey.unnamed")
    store.add_passkey(Passkey(credential_id, desk.person, key, count, label, entry.time, entry.index))
    return desk.redirect("/my/settings")


@router.post("/passkeys/remove")
def remove_passkey(sent: CustomersForm) -> Response:
    """Take a passkey out of use, here and in the log."""
    desk = sent.desk
    credential_id = sent.text("credential_id")
    found = next((one for one in _listed(desk) if one.credential_id == credential_id and not one.is_others), None)
    if found is None:
        raise NotFound("you have no such passkey")
    if found.in_force:
        desk.record(desk.agent.unenrol(desk.person, credential_id, "customer-request"))
    desk.office.store.drop_passkey(desk.person, credential_id)
    return desk.redirect("/my/settings")


@router.get("/export")
def export(desk: Customer) -> Response:
    """The exports that there are."""
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    return desk.render("export.html", fresh=fresh)


@router.get("/export/{form}")
def export_file(desk: Customer, form: Literal["csv", "json"]) -> Response:
    """All her events, streamed in pages; the JSON holds every receipt."""
    desk.require_fresh("/my/export")
    content, media_type = (as_csv(desk), "text/csv") if form == "csv" else (as_json(desk), "application/json")
    name = f'attachment; filename="my-data-sharing.{form}"'
    answer = StreamingResponse(
        content, media_type=f"{media_type}; charset=utf-8", headers={"content-disposition": name}
    )
    return desk.keep(answer)
