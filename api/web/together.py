"""One person's banks on one page: which they are in this browser, and what each of them is (docs/one-stop.md).

A bank is asked in the visit in which she signs in there, and at no other time: opening the page asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from api.web.cards import AppGroup, Card, WeekCount, grouped, look, newest_of, week_of
from api.web.cookies import together_cookie
from api.web.customer import Connection, Dealings
from api.web.desk import Desk
from api.web.people import ABSOLUTE_MS, TOUCH_MS, BankAnswers, Person, Session
from api.web.ties import Tie
from ledger.canonical import b64u
from ledger.consent.state import Consent, Status
from ledger.errors import LedgerError, NotFound

HERE: Final = "/my/together"
MOST_ASKED: Final = 40
"""The most consents of which a bank is asked who she is in them."""
SHOWN: Final = 20
"""The most connections of one bank that the page shows."""
NOTHING: Final = WeekCount(0, 0, is_least=False)


@dataclass(frozen=True)
class TiedBank:
    """A bank of the link of whoever is signed in."""

    number: int
    tie: Tie
    session: Session | None
    """Hers there, if it has not ended."""
    is_here: bool
    """Whether it is the bank at which she is signed in in this visit."""


@dataclass(frozen=True)
class BankPart:
    """What the page shows of one bank. `state`: open, locked (her session ended), unasked (it could not be asked)."""

    number: int
    holder: str
    name: str
    state: str
    is_here: bool
    person: Person | None = None
    groups: tuple[AppGroup, ...] = ()
    week: WeekCount = NOTHING
    sharing: int = 0
    resting: int = 0
    needs: int = 0
    more: bool = False


def secret_of(desk: Desk) -> str:
    """The secret that this browser keeps; empty for none."""
    secret = desk.request.cookies.get(together_cookie(secure=desk.office.is_secure), "")
    return secret if 20 <= len(secret) <= 100 else ""


def places(desk: Desk) -> list[TiedBank]:
    """The banks of the link of whoever is signed in; none where this browser keeps another person's."""
    secret = secret_of(desk)
    known = desk.office.store.ties.of(secret) if secret and desk.session and desk.session.person else {}
    mine = b64u(desk.person.key) if known else ""
    if mine not in {tie.key for tie in known.values()}:
        return []
    return [TiedBank(number, tie, _session(desk, tie, mine), tie.key == mine) for number, tie in known.items()]


def _session(desk: Desk, tie: Tie, mine: str) -> Session | None:
    if tie.key == mine:
        return desk.session
    found = desk.office.store.session(tie.token)
    if found is None or found.person is None or b64u(found.person.key) != tie.key or found.is_over(desk.now):
        return None
    return found


def place_of(desk: Desk, number: str) -> TiedBank:
    """A bank of hers by its number in a form. Raises NotFound."""
    for one in places(desk):
        if str(one.number) == number:
            return one
    raise NotFound("this bank is not on your page")


def tied(desk: Desk, secret: str) -> bool:
    """Put the bank at which she is signed in into the link, and ask it; False where the link is full."""
    tie = Tie(desk.person.holder, b64u(desk.person.key), desk.token)
    kept = desk.office.store.ties.put(secret, tie, desk.now)
    if kept:
        desk.change(answers_of_bank=ask(desk, desk.person))
    return kept


def rejoin(desk: Desk) -> bool:
    """After a sign-in: remember the new session if this bank is in this browser's link; whether it is."""
    secret = secret_of(desk)
    desk.office.store.ties.purge(desk.now)
    if not secret or not any(one.is_here for one in places(desk)):
        return False
    return tied(desk, secret)


def leave_others(desk: Desk) -> None:
    """End her sessions at the other banks in this browser."""
    for one in places(desk):
        if not one.is_here:
            desk.office.store.drop_session(one.tie.token)


# -- asking a bank ------------------------------------------------------------------------------------------------------


def ask(desk: Desk, person: Person) -> BankAnswers:
    """Ask her bank which approvals are hers; where none matters, about her newest consent: a sign of life.

    Stops at the first question that is not answered.
    """
    references: dict[str, str] = {}
    try:
        agent = desk.office.agent_of(person)
        for consent_id in _needed(desk, person):
            references[consent_id] = agent.authoriser(person, consent_id)
    except LedgerError:
        return BankAnswers(references, is_complete=False)
    return BankAnswers(references, is_complete=True)


def _needed(desk: Desk, person: Person) -> list[str]:
    records = desk.office.ledger.records
    kept = desk.office.discretion.kept_by(records, person.chain)
    consents = [consent for _, consent in _consents(desk, person)]
    needed = [one.consent_id for one in consents if one.consent_id in kept or _several(one)]
    return (needed or [one.consent_id for one in consents[:1]])[:MOST_ASKED]


def _consents(desk: Desk, person: Person) -> Iterator[tuple[int, Consent]]:
    """Newest first."""
    records = desk.office.ledger.records
    found: list[tuple[int, Consent]] = []
    after = -1
    while page := records.consents_of_subject(person.chain, after=after, limit=500):
        found += page
        after = page[-1][0]
    return reversed(found)


def _several(one: Consent) -> bool:
    return bool(one.terms.authorisers_required > 1 or len(one.approvals) > 1 or one.waiting or one.pending)


# -- the page -----------------------------------------------------------------------------------------------------------


def bank_part(desk: Desk, one: TiedBank) -> BankPart:
    """What the page shows of a bank. Nothing is asked of it."""
    name = desk.name_of(one.tie.holder)
    if one.session is None or one.session.person is None:
        return BankPart(one.number, one.tie.holder, name, "locked", one.is_here)
    try:
        return _open(desk, one, one.session, one.session.person, name)
    except LedgerError:
        return BankPart(one.number, one.tie.holder, name, "unasked", one.is_here, one.session.person)


def _open(desk: Desk, one: TiedBank, session: Session, person: Person, name: str) -> BankPart:
    answers = session.answers_of_bank or BankAnswers({}, is_complete=False)
    missed: list[str] = []

    def reference(consent_id: str) -> str:
        if consent_id not in answers.references:
            missed.append(consent_id)
        return answers.references.get(consent_id, "")

    dealings = Dealings(desk.office.ledger, person, desk.now, desk.office.discretion, reference)
    listed, more = dealings.connections()
    shown = [each for each in listed if "active" in each.tabs(desk.now)]
    live = [each for each in shown if each.status is Status.ACTIVE]
    looked = look(desk, live)
    cards = [Card(each, looked.get(each.key) or newest_of(desk, each), []) for each in shown[:SHOWN]]
    asked = answers.is_complete and not missed and one.tie.holder in desk.office.agents
    _touch(desk, one, session)
    return BankPart(
        one.number,
        one.tie.holder,
        name,
        "open" if asked else "unasked",
        one.is_here,
        person,
        tuple(grouped(desk, cards)),
        week_of(desk, live, looked),
        len(live),
        len(shown) - len(live),
        sum(each.waits and each.me != "" for each in listed) + _opened(desk, dealings, person, listed),
        more is not None or len(shown) > SHOWN,
    )


def _opened(desk: Desk, dealings: Dealings, person: Person, listed: list[Connection]) -> int:
    """How many requests she opened there and has not answered."""
    known = {each.consent.consent_id for each in listed}
    count = 0
    for consent_id in desk.office.store.requests_of(person):
        try:
            request = dealings.request(consent_id)
        except NotFound:
            continue
        count += request.status is Status.AWAITING and consent_id not in known
    return count


def _touch(desk: Desk, one: TiedBank, session: Session) -> None:
    """She looks at this bank's part: her session there is in use."""
    if not one.is_here and desk.now - session.seen_at >= TOUCH_MS:
        seen = structs.replace(session, seen_at=desk.now)
        desk.office.store.put_session(one.tie.token, seen, session.created_at + ABSOLUTE_MS)
