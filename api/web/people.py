"""People who are signed in, their sessions, and how long these last (security: sessions)."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Final

from msgspec import Struct

from api.web.staff import Staff
from ledger.canonical import unb64u
from ledger.entries.leaf import history_chain, subject_chain

IDLE_MS: Final = 15 * 60_000
ABSOLUTE_MS: Final = 8 * 3_600_000
FRESH_MS: Final = 5 * 60_000
UNDO_MS: Final = 10_000
TOUCH_MS: Final = 30_000
"""A session's last use is written at most this often."""


class Person(Struct, frozen=True):
    """A customer of a holder, as its identity provider names her."""

    sub: str
    holder: str
    subject: str
    """The holder's own reference for this customer; a joint relationship has one for all its people."""
    name: str
    """For the person's own eyes; never logged, never recorded."""
    acting_role: str = ""
    """In what quality she acts for the relationship (`owner`, `delegate`, …), if her bank says so."""
    email: str = ""
    """Where her bank writes to her, if it says so and has made sure of it: for notices that she asks for."""
    acts_for: str = ""
    """The name of the customer for whom she acts, if she acts for another and her bank says so. For her own eyes."""

    @property
    def key(self) -> bytes:
        """The key under which the pages file this person's things."""
        return sha256(f"{self.holder}\n{self.sub}".encode()).digest()

    @property
    def chain(self) -> bytes:
        """The subject chain that lists this customer's consents."""
        return subject_chain(self.holder, self.subject)

    @property
    def history_chain(self) -> bytes:
        """The chain of what her bank attests of the time before (docs/spec/history.md)."""
        return history_chain(self.holder, self.subject)


class SignInSca(Struct, frozen=True):
    """How and when (seconds) the person was authenticated."""

    acr: str
    amr: tuple[str, ...]
    at: int


class LoginAttempt(Struct, frozen=True):
    """A sign-in that is under way at the identity provider."""

    state: str
    nonce: str
    verifier: str
    then: str
    fresh: bool
    started_at: int
    joins: bool = False
    """Whether it is to bring one more of her banks, beside the one where she is signed in (docs/one-stop.md)."""


class SeparateDraft(Struct, frozen=True):
    """A separate consent that she has just given: when (seconds), to what, and the words that stood beside the control."""

    kind: str
    text: str
    given_at: int


class Draft(Struct, frozen=True):
    """A draft of a customer's agreement: exactly what her passkey would sign."""

    consent_id: str
    version: int
    terms_hash: str
    accounts: tuple[str, ...]
    locale: str
    text: str
    nonce: str
    made_at: int
    joint_accounts: tuple[str, ...] = ()
    separate: tuple[SeparateDraft, ...] = ()
    suppress_notify: bool = False


class ChosenAnswers(Struct, frozen=True):
    """A customer's choices on a request so far: kept, so that nothing is asked twice."""

    consent_id: str
    accounts: tuple[str, ...] = ()
    separate: tuple[str, ...] = ()
    alone: bool = False
    at: int = 0


class Paused(Struct, frozen=True):
    """A connection that was just paused: its key, and when (ms)."""

    key: int
    at: int


class KeptWords(Struct, frozen=True):
    """Words that somebody sent when her session had ended: hers again when the same person signs in."""

    person: str
    """`Person.key`, b64u."""
    path: str
    words: str


class BankAnswers(Struct, frozen=True):
    """What a bank answered when she signed in there: her reference among the authorisers, by consent id."""

    references: dict[str, str]
    is_complete: bool
    """Whether it answered all that it was asked."""


class Session(Struct, frozen=True, kw_only=True):
    """One browser's session. Times are milliseconds."""

    csrf: str
    created_at: int
    seen_at: int
    person: Person | None = None
    staff: Staff | None = None
    """Somebody at work; a session is a customer's or a staff member's, never both."""
    sca: SignInSca | None = None
    login: LoginAttempt | None = None
    challenge: str = ""
    """The WebAuthn challenge (b64u) that this browser was given last; used once."""
    draft: Draft | None = None
    answers: ChosenAnswers | None = None
    kept: KeptWords | None = None
    ticket: str = ""
    """What an app's request goes on with, while its customer is here (api/tokens/codes.py)."""
    paused: Paused | None = None
    """What she has just paused here: for some seconds it is undone with one click."""
    joining: bool = False
    """Whether she came here to add this bank to those on her one page, and has not said yes yet."""
    answers_of_bank: BankAnswers | None = None
    """For that page, which asks no bank anything."""

    @property
    def someone(self) -> Person | Staff | None:
        """Whoever is signed in."""
        return self.person or self.staff

    @property
    def owner(self) -> bytes | None:
        """The owner: the person who is signed in, or who left words here when her session had ended."""
        if self.someone is not None:
            return self.someone.key
        return unb64u(self.kept.person) if self.kept is not None else None

    def is_over(self, now: int) -> bool:
        """Whether it has been idle or open for too long."""
        return now - self.seen_at >= IDLE_MS or now - self.created_at >= ABSOLUTE_MS

    def ends_in(self, now: int) -> int:
        """In how many milliseconds it ends if nothing more is done."""
        return min(self.seen_at + IDLE_MS, self.created_at + ABSOLUTE_MS) - now

    def is_fresh(self, now: int) -> bool:
        """Whether the person proved who she is within the last five minutes."""
        return self.sca is not None and 0 <= now - self.sca.at * 1000 + 1000 <= FRESH_MS + 1000


def new_session(now: int) -> Session:
    """An empty session with its own CSRF token."""
    return Session(csrf=new_token(), created_at=now, seen_at=now)


def new_token() -> str:
    """256 random bits, as text."""
    return secrets.token_urlsafe(32)
