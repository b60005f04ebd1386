"""One visit: who is there, in which language, and how pages are rendered, forms read and sessions kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from msgspec import structs

from api.web.actors import Acts
from api.web.agent import HolderAgent, HolderStatement
from api.web.cookies import LANGUAGE_COOKIE, LARGE, READING_COOKIE, together_cookie
from api.web.customer import Connection, Dealings
from api.web.office import BankPages
from api.web.people import ABSOLUTE_MS, TOUCH_MS, UNDO_MS, Person, Session, SignInSca, new_session, new_token
from api.web.plain import plain
from api.web.security import HOME
from api.web.staff import Staff
from api.web.told import ConsentTold, told_of
from api.web.waiting import record_soon
from api.web.words import HOME_ZONE, Words, choose_language
from ledger.canonical import b64u
from ledger.consent.state import Consent
from ledger.errors import NotFound, NotPermitted, Unavailable
from ledger.planning.commands import Recorded

DAY_MS: Final = 86_400_000
FOR_ANOTHER: Final = frozenset({"delegate", "secondary-user", "guardian", "representative"})
"""Qualities of somebody who acts for another customer (`acting_role`)."""


class SignInNeeded(Exception):
    """The page is for somebody who is signed in."""

    def __init__(self, then: str) -> None:
        super().__init__(then)
        self.then = then


class SignedOut(Exception):
    """Words arrived from somebody whose session had ended: they are shown to her again, not lost."""

    def __init__(self, then: str, words: str) -> None:
        super().__init__(then)
        self.then = then
        self.words = words


class StepUpNeeded(Exception):
    """The step needs a fresh proof of who is there (RFC 9470)."""

    def __init__(self, then: str) -> None:
        super().__init__(then)
        self.then = then


@dataclass
class Desk:
    """One request, and the means to answer it."""

    office: BankPages
    request: Request
    words: Words
    session: Session | None
    token: str
    now: int
    gone: Person | None = None
    """Whose session has just ended, in this browser."""
    _set_token: bool = field(default=False, init=False)
    _references: dict[str, str] = field(default_factory=dict, init=False)
    """Her own reference within each consent, as her bank told it in this visit."""

    # -- who is there -----------------------------------------------------------------------------------------------

    @property
    def person(self) -> Person:
        """Who is signed in. Raises SignInNeeded."""
        if self.session is None or self.session.person is None:
            raise SignInNeeded(self.here)
        return self.session.person

    @property
    def staff(self) -> Staff:
        """Who is signed in for work. Raises SignInNeeded; NotPermitted when the log does not know them in their role."""
        if self.session is not None and self.session.person is not None:
            raise NotFound("there is no such page for you")  # a customer: signing in again would lead here again
        if self.session is None or self.session.staff is None:
            raise SignInNeeded(self.here)
        if not self.session.staff.works_here(self.office.ledger.registry):
            raise NotPermitted("this log knows no such participant in this role")
        return self.session.staff

    @property
    def sca(self) -> SignInSca:
        """How she was authenticated. Raises SignInNeeded."""
        if self.session is None or self.session.sca is None:
            raise SignInNeeded(self.here)
        return self.session.sca

    @property
    def here(self) -> str:
        """This page's path, when it can be gone back to."""
        if self.request.method != "GET":
            return HOME
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    def require_fresh(self, then: str) -> None:
        """Raises StepUpNeeded unless she proved who she is within five minutes."""
        if self.session is None or not self.session.is_fresh(self.now):
            raise StepUpNeeded(then)

    def can_undo(self, key: int) -> bool:
        """Whether this session paused that connection within the last seconds."""
        paused = self.session.paused if self.session else None
        return paused is not None and paused.key == key and self.now - paused.at <= UNDO_MS

    @property
    def acts_for_another(self) -> bool:
        """Whether she is signed in to act for another customer."""
        return bool(self.person.acts_for) or self.person.acting_role in FOR_ANOTHER

    @property
    def serves_several(self) -> bool:
        """Whether customers of several banks are served here: then one of them may have several (docs/one-stop.md)."""
        return len(self.office.agents) > 1

    @cached_property
    def dealings(self) -> Dealings:
        """The log as she may see it."""
        return self.dealings_of(self.person)

    def dealings_of(self, person: Person) -> Dealings:
        """The log as this person may see it, who may not be signed in yet."""
        return Dealings(self.office.ledger, person, self.now, self.office.discretion, self._reference)

    @cached_property
    def acts(self) -> Acts:
        """Entries in words: what happened, and who did it."""
        return Acts(self.dealings, self.office.store, self.person, self.words)

    def _reference(self, consent_id: str) -> str:
        known = self._references.get(consent_id)
        if known is None:
            try:
                known = self.agent.authoriser(self.person, consent_id)
            except (Unavailable, NotFound, NotPermitted):
                known = ""
            self._references[consent_id] = known
        return known

    def record(
        self,
        signed: HolderStatement,
        assertion: str | None = None,
        note: Callable[[tuple[Recorded, ...]], None] | None = None,
    ) -> Recorded:
        """Record what her bank signed for her, and remember that it was she who asked for it; `note` is told the entries too.

        A crash between the two loses that note only: the entry then is «an account holder's». Raises Unconfirmed.
        """
        ledger, store, person = self.office.ledger, self.office.store, self.person

        def remember(recorded: tuple[Recorded, ...]) -> None:
            for entry in recorded:
                store.remember_deed(person, entry.index)
            if note is not None:
                note(recorded)

        command = ledger.prepare(signed.statement, companion=signed.companion, assertion=assertion)
        return record_soon(ledger, command, remember)[0]

    @property
    def agent(self) -> HolderAgent:
        """Who signs for her bank."""
        return self.office.agent_of(self.person)

    def told_of(self, consent: Consent) -> ConsentTold:
        """What concerns a consent of hers now: freezes, incidents."""
        return told_of(self.office.ledger.registry.supervision, consent, self.now, self.name_of)

    def name_of(self, participant: str) -> str:
        """A participant's registered name, harmless; its id when it is unknown."""
        found = self.office.ledger.registry.participants.get(participant)
        return plain(found.name) if found else participant

    def own_accounts(self, consent_id: str) -> dict[str, str]:
        """Her accounts in her bank's order, reference → name; none without an answer of the bank."""
        try:
            return {one.reference: one.label for one in self.agent.accounts(self.person, consent_id)}
        except (Unavailable, NotFound):
            return {}

    def labels(self, consent: Consent) -> dict[str, str]:
        """The accounts of a consent in words, by reference, hers in her bank's order. Without an answer, none has a name.

        An account that another person gave, and that her bank does not list as hers, has no name here.
        """
        mine = self.own_accounts(consent.consent_id)
        if not mine:
            return {}
        others = {one for approval in consent.approvals for one in approval.accounts}.difference(mine)
        me = self._reference(consent.consent_id) if others else ""
        given = (one for one in consent.approvals if me and one.authoriser != me)
        theirs = {reference for approval in given for reference in approval.accounts} & others
        return mine | dict.fromkeys(sorted(theirs), self.words.t("account.other"))

    # -- sessions ---------------------------------------------------------------------------------------------------

    def change(self, **members: Any) -> Session:
        """Write the session with these members replaced; a session is begun if there is none."""
        if self.session is None:
            self.session, self.token = new_session(self.now), new_token()
            self._set_token = True
        self.session = structs.replace(self.session, seen_at=self.now, **members)
        self.office.store.put_session(self.token, self.session, self.session.created_at + ABSOLUTE_MS)
        return self.session

    def arrive(self, someone: Person | Staff, sca: SignInSca) -> None:
        """Sign in, or step up: always under a new session id and a new CSRF token.

        A draft or a text of the same person is kept.
        """
        before = self.session
        same = before is not None and before.person is not None and before.person.key == someone.key
        carried: dict[str, Any] = {}
        if before is not None and same:
            carried = {"draft": before.draft, "answers": before.answers}
        if before is not None and before.kept is not None and before.kept.person == b64u(someone.key):
            carried["kept"] = before.kept
        if before is not None:  # whoever signs in: it is this browser that an app has sent
            carried["ticket"] = before.ticket
        self.leave()
        self.session, self.token = new_session(self.now), new_token()
        self._set_token = True
        if isinstance(someone, Staff):
            self.change(staff=someone, sca=sca)
        else:
            self.change(person=someone, sca=sca, **carried)
        self.office.store.purge_sessions(self.now)
        self.office.store.feedback.purge(self.now - self.office.settings.report_days * DAY_MS)

    def move(self, session: Session | None, token: str) -> None:
        """Go on in another session of hers, or in none; the one that was in use here does not end."""
        self.session, self.token = session, token
        self._set_token = bool(token)

    def leave(self) -> None:
        """End the session."""
        if self.token:
            self.office.store.drop_session(self.token)
        self.session, self.token = None, ""

    # -- answers ----------------------------------------------------------------------------------------------------

    def render(self, template: str, status: int = 200, **shown: Any) -> Response:
        """A page."""
        words = self.words
        signed_in = self.session.someone if self.session else None
        body = self.office.templates.get_template(template).render(
            desk=self,
            t=words.t,
            h=words.h,
            n=words.n,
            words=words,
            me=signed_in,
            now=self.now,
            at_work=isinstance(signed_in, Staff),
            large=self.request.cookies.get(READING_COOKIE) == LARGE,
            together=together_cookie(secure=self.office.is_secure) in self.request.cookies,
            ends_in=self.session.ends_in(self.now) // 1000 if self.session and signed_in else 0,
            csrf=self.session.csrf if self.session else "",
            path=self.request.url.path,
            origin=self.office.ledger.origin,
            **{"here": self.here} | shown,
        )
        return self.keep(HTMLResponse(body, status, headers={"content-language": words.language}))

    def redirect(self, path: str) -> Response:
        """Send the browser to a page of ours."""
        return self.keep(RedirectResponse(path, status_code=303))

    def keep(self, response: Response) -> Response:
        """Set or clear the session's cookie as this visit left it."""
        office = self.office
        if self._set_token and self.token:
            response.set_cookie(office.cookie, self.token, secure=office.is_secure, httponly=True, samesite="lax")
        elif not self.token and office.cookie in self.request.cookies:
            response.delete_cookie(office.cookie, path="/", secure=office.is_secure, httponly=True, samesite="lax")
        return response

    def account_label(self, reference: str, labels: Mapping[str, str]) -> str:
        """An account in words."""
        return labels.get(reference) or self.words.t("account.unnamed", tail=reference[-4:])

    def account_labels(self, connection: Connection) -> list[str]:
        """The accounts of a connection in words."""
        labels = self.labels(connection.consent)
        return [self.account_label(one, labels) for one in in_order(connection.consent.accounts, labels)]


def in_order(references: Iterable[str], labels: Mapping[str, str]) -> list[str]:
    """Accounts as her bank lists them, those without a name last: their references are random."""
    place = {reference: number for number, reference in enumerate(labels)}
    return sorted(references, key=lambda one: (place.get(one, len(place)), one))


def open_desk(request: Request) -> Desk:
    """The desk that this request comes to: session, language, time zone."""
    office: BankPages = request.app.state.office
    now = office.clock.now()
    token = request.cookies.get(office.cookie, "")
    session = office.store.session(token) if 20 <= len(token) <= 100 else None
    gone = None
    if session is None or session.is_over(now):
        if session is not None:  # its row goes now; an error page asks for the person again
            office.store.drop_session(token)
            gone = request.state.gone = session.person
        session, token = None, ""
    elif now - session.seen_at >= TOUCH_MS and not request.url.path.endswith("/live"):
        session = structs.replace(session, seen_at=now)
        office.store.put_session(token, session, session.created_at + ABSOLUTE_MS)
    language = choose_language([request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")])
    zone = office.store.zone(session.person) if session and session.person else None
    return Desk(office, request, Words(language, zone or HOME_ZONE[language]), session, token, now, gone)


Anyone = Annotated[Desk, Depends(open_desk)]
"""A visit by anybody."""


def _customer(desk: Anyone) -> Desk:
    desk.person  # noqa: B018 (raises SignInNeeded)
    return desk


Customer = Annotated[Desk, Depends(_customer)]
"""A visit by somebody who is signed in."""
