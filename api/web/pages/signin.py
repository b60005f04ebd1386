"""Signing in, confirming who one is, signing out."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import JSONResponse, RedirectResponse, Response
from msgspec import structs

from api.web import together
from api.web.desk import Anyone, Customer, Desk, SignInNeeded
from api.web.forms import AnyonesForm
from api.web.oidc import SignInFailed
from api.web.passkeys import PasskeyRefused
from api.web.people import LoginAttempt, Person, SignInSca
from api.web.security import HOME, local_path
from api.web.staff import CONSOLE, Staff
from ledger.canonical import b64u, unb64u
from ledger.errors import LedgerError, NotPermitted, Unavailable

router = APIRouter(include_in_schema=False)
PASSKEY_SCA: Final = ("phr", ("hwk", "user"))
"""A passkey with user verification is phishing-resistant (OpenID EAP ACR values: phr; RFC 8176: hwk, user)."""


@router.get("/sign-in")
def sign_in(desk: Anyone, next: str | None = None, ended: bool = False) -> Response:  # noqa: A002 (the parameter's public name)
    """Show how to sign in; `ended`: a session that had lasted too long brought her here."""
    then = local_path(next)
    if desk.session is not None and desk.session.person is not None:
        return desk.redirect(then)
    return _ways_in(desk, "signin.html", then, ended=ended)


@router.get("/step-up")
def step_up(desk: Customer, next: str | None = None) -> Response:  # noqa: A002
    """Confirm who is there, for a step that matters."""
    return _ways_in(desk, "stepup.html", local_path(next))


def _ways_in(
    desk: Anyone, template: str, then: str, problem: str = "", status: int = 200, *, ended: bool = False
) -> Response:
    challenge = os.urandom(32)
    desk.change(challenge=b64u(challenge))
    person = desk.session.person if desk.session else None
    known = desk.office.store.passkeys_of(person) if person else None
    options = desk.office.ceremonies.sign_in_options(challenge, known)
    return desk.render(
        template,
        status,
        then=then,
        options=options,
        problem=problem,
        ended=ended,
        start=urlencode({"next": then}),
        configured=desk.office.relying_party is not None,
        has_passkey=known is None or bool(known),
    )


@router.get("/sign-in/start")
def start(desk: Anyone, next: str | None = None, fresh: bool = False) -> Response:  # noqa: A002
    """Go to the identity provider."""
    if desk.office.relying_party is None:
        raise Unavailable("nobody can sign in here: no identity provider is configured")
    attempt, address = desk.office.relying_party.begin(local_path(next), fresh=fresh)
    desk.change(login=attempt)
    return desk.keep(RedirectResponse(address, status_code=303))


@router.get("/sign-in/callback")
def callback(desk: Anyone, state: str = "", code: str = "", iss: str = "", error: str = "") -> Response:
    """Come back from the identity provider. Raises SignInFailed."""
    session, relying_party = desk.session, desk.office.relying_party
    if session is None or session.login is None or relying_party is None:
        raise SignInFailed("this sign-in was not begun in this browser, or too long ago")
    attempt = session.login
    desk.change(login=None)  # an attempt is answered once, however it ends
    if error or not code:
        raise SignInFailed("the identity provider did not sign you in")
    someone, sca = relying_party.finish(attempt, state=state, code=code, iss=iss)
    if attempt.joins and isinstance(someone, Person) and session.person is not None and together.places(desk):
        return _one_more(desk, attempt, session.person, someone, sca)
    if session.someone is not None and session.someone.key != someone.key:
        desk.leave()
        raise SignInFailed("somebody else signed in; you were signed out")
    if isinstance(someone, Staff):
        if not someone.works_here(desk.office.ledger.registry):
            raise NotPermitted("this log knows no such participant in this role")
        desk.arrive(someone, sca)
        return desk.redirect(CONSOLE if attempt.then == HOME else attempt.then)
    desk.office.agent_of(someone)
    desk.arrive(someone, sca)
    together.rejoin(desk)
    return desk.redirect(attempt.then)


def _one_more(desk: Desk, attempt: LoginAttempt, before: Person, someone: Person, sca: SignInSca) -> Response:
    """Somebody who is signed in at one bank of hers came back from another: the first session stays as it is."""
    desk.office.agent_of(someone)
    if someone.key == before.key:
        desk.arrive(someone, sca)
        together.rejoin(desk)
        return desk.redirect(f"{together.HERE}?{urlencode({'same': True})}")
    desk.move(None, "")
    desk.arrive(someone, sca)
    if together.rejoin(desk):
        return desk.redirect(attempt.then)
    desk.change(joining=True)
    return desk.redirect(f"{together.HERE}/join")


@router.post("/sign-in/passkey")
def with_passkey(sent: AnyonesForm) -> Response:
    """Sign in, or step up, with a passkey."""
    desk, then = sent.desk, local_path(sent.text("next", 512))
    session = desk.session
    stepping_up = session is not None and session.person is not None
    try:
        if session is None or not session.challenge:
            raise PasskeyRefused("this page was open for too long; please try again")
        challenge = unb64u(session.challenge, size=32)
        desk.change(challenge="")
        response = sent.text("response", 16_384)
        passkey = desk.office.store.passkey(desk.office.ceremonies.credential_id(response))
        if passkey is None or (session.person is not None and passkey.person.key != session.person.key):
            raise PasskeyRefused("this passkey is not known here")
        count = desk.office.ceremonies.signed_in(response, challenge, passkey)
        if passkey.credential_id not in desk.dealings_of(passkey.person).passkeys():
            raise PasskeyRefused("the log has this passkey in force no longer")  # her bank took it out of use
    except LedgerError:
        template = "stepup.html" if stepping_up else "signin.html"
        return _ways_in(desk, template, then, desk.words.t("passkey.refused"), 403)
    desk.office.store.update_passkey(structs.replace(passkey, sign_count=count))
    acr, amr = PASSKEY_SCA
    desk.arrive(passkey.person, SignInSca(acr, amr, desk.now // 1000))
    together.rejoin(desk)
    return desk.redirect(then)


@router.post("/stay")
def stay(sent: AnyonesForm) -> Response:
    """Keep the session for as long as sessions last: she is still there. Raises SignInNeeded."""
    desk = sent.desk
    if desk.session is None or desk.session.someone is None:
        raise SignInNeeded(HOME)
    session = desk.change()
    return desk.keep(JSONResponse({"seconds": session.ends_in(desk.now) // 1000}))


@router.post("/sign-out")
def sign_out(sent: AnyonesForm) -> Response:
    """End this session and those at other banks beside it, or with `everywhere` all sessions of this person."""
    someone = sent.desk.session.someone if sent.desk.session else None
    if sent.text("everywhere") and someone is not None:
        sent.desk.office.store.drop_sessions_of(someone)
    together.leave_others(sent.desk)
    sent.desk.leave()
    return sent.desk.redirect("/")
