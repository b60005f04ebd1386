"""A holder's agent at the bank: the pages post what the customer wants, the bank answers with signed statements.

`POST <url>` with JSON `{"intent": …, "person": {"sub", "subject"}, …}` and a bearer token; the answer is
`{"accounts": […]}`, `{"authoriser": …}` or `{"statement": …, "companion": …}`. The answer is compared with the question
before it is used: the agent is trusted to sign, not to change a customer's mind.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import httpx2
import msgspec
from msgspec import UNSET, Struct

from api.http.bounded import read_bounded
from api.web.agent import (
    Account,
    Authorisation,
    DecisionWish,
    FeedbackWish,
    HolderStatement,
    ReplyWish,
    Step,
    Withdrawal,
    said,
)
from api.web.people import Person, SignInSca
from ledger.entries.acts import Act
from ledger.entries.statement import STATEMENT_LIMIT, payload_of
from ledger.errors import LedgerError, NotPermitted, Unavailable

ANSWER_LIMIT: Final = 256 * 1024
TIMEOUT_SECONDS: Final = 10.0
T = TypeVar("T")


class _Accounts(Struct, frozen=True):
    accounts: tuple[Account, ...]


class _Authoriser(Struct, frozen=True):
    authoriser: str


class RemoteAgent:
    """Asks the bank's agent over HTTPS."""

    def __init__(self, holder: str, url: str, token: str) -> None:
        """`url` begins with https:// (or is on loopback); `token` is what the bank gave this ledger."""
        host = httpx2.URL(url)
        if host.scheme != "https" and host.host not in {"127.0.0.1", "localhost"}:
            raise ValueError("the address of a holder's agent begins with https://")
        self._holder = holder
        self._url = url
        self._headers = {"authorization": f"Bearer {token}"}

    @property
    def holder(self) -> str:
        """See HolderAgent."""
        return self._holder

    def accounts(self, person: Person, consent_id: str) -> tuple[Account, ...]:
        """See HolderAgent."""
        return self._ask(_Accounts, "accounts", person, consent_id=consent_id).accounts

    def authorise(self, person: Person, wish: Authorisation) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "authorise", person, **msgspec.to_builtins(wish))
        self._require(
            signed.statement,
            act="consent.authorise",
            accounts=tuple(sorted(wish.accounts)),
            consent_id=wish.consent_id,
            terms_hash=wish.terms_hash,
            version=wish.version,
            acting_role=wish.acting_role or UNSET,
            joint_accounts=wish.joint_accounts or UNSET,
            separate_consents=wish.separate_consents or UNSET,
        )
        self._require(
            signed.companion or "",
            act="subject.consent",
            consent_id=wish.consent_id,
            subject=person.subject,
            suppress_notify=wish.suppress_notify or UNSET,
        )
        return signed

    def step(self, person: Person, step: Step, consent_id: str, reason: str) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "step", person, step=step, consent_id=consent_id, reason=reason)
        self._require(signed.statement, act=step, by="customer", consent_id=consent_id)
        return signed

    def withdraw(self, person: Person, wish: Withdrawal) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "withdraw", person, **msgspec.to_builtins(wish))
        what: dict[str, object] = {"accounts": wish.accounts} if wish.accounts else {}
        if wish.separate:
            what["separate"] = wish.separate
        if wish.own_approval:
            what["authoriser"] = self.authoriser(person, wish.consent_id)
        self._require(signed.statement, act=wish.act, by="customer", consent_id=wish.consent_id, **what)
        return signed

    def reauthenticate(self, person: Person, consent_id: str, sca: SignInSca) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(
            HolderStatement, "reauthenticate", person, consent_id=consent_id, sca=msgspec.to_builtins(sca)
        )
        self._require(signed.statement, act="consent.reauthenticate", consent_id=consent_id)
        return signed

    def authoriser(self, person: Person, consent_id: str) -> str:
        """See HolderAgent."""
        return self._ask(_Authoriser, "authoriser", person, consent_id=consent_id).authoriser

    def enrol(self, person: Person, credential_id: str, public_key: str, rp_id: str, sca: SignInSca) -> HolderStatement:
        """See HolderAgent."""
        wish = {"credential_id": credential_id, "public_key": public_key, "rp_id": rp_id}
        signed = self._ask(HolderStatement, "enrol", person, sca=msgspec.to_builtins(sca), **wish)
        self._require(signed.statement, act="subject.enrol", subject=person.subject, **wish)
        return signed

    def unenrol(self, person: Person, credential_id: str, reason: str) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "unenrol", person, credential_id=credential_id, reason=reason)
        self._require(signed.statement, act="subject.unenrol", credential_id=credential_id, subject=person.subject)
        return signed

    def feedback(self, person: Person, wish: FeedbackWish) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "feedback", person, **said(wish))
        self._require(signed.statement, act="subject.feedback", subject=person.subject, **_wanted(wish))
        return signed

    def answer(self, person: Person, wish: ReplyWish) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "answer", person, **said(wish))
        self._require(signed.statement, act="subject.answer", subject=person.subject, **_wanted(wish))
        return signed

    def decide(self, wish: DecisionWish) -> HolderStatement:
        """See HolderAgent."""
        signed = self._ask(HolderStatement, "decide", None, **wish.said)
        wanted = {"comment_hash": UNSET, **wish.said, "proposal_reasons": wish.proposal_reasons}
        self._require(signed.statement, act="alert.decide", **wanted)
        return signed

    def _ask(self, answer: type[T], intent: str, person: Person | None, **members: Any) -> T:
        whom = {} if person is None else {"person": {"sub": person.sub, "subject": person.subject}}
        asked = {"intent": intent, **whom, **members}
        try:
            with httpx2.stream(
                "POST", self._url, json=asked, headers=self._headers, timeout=TIMEOUT_SECONDS
            ) as response:
                if response.status_code == httpx2.codes.FORBIDDEN:
                    raise NotPermitted("the bank did not agree to sign this")
                response.raise_for_status()
                body = read_bounded(response, ANSWER_LIMIT)
                if body is None:
                    raise Unavailable("the bank's answer is longer than an answer can be")
            return msgspec.json.decode(body, type=answer)
        except (httpx2.HTTPError, msgspec.DecodeError):
            raise Unavailable("the bank could not be reached; nothing was changed, please try again") from None

    def _require(self, statement: str, **said: object) -> None:
        payload = _said_in(statement)
        wrong = [name for name, value in said.items() if getattr(payload, name, None) != value]
        if payload.iss != self._holder or wrong:
            raise Unavailable("the bank signed something else than was asked; nothing was changed")


def _wanted(wish: FeedbackWish | ReplyWish) -> dict[str, object]:
    return {"text_hash": UNSET, **said(wish)}


def _said_in(statement: str) -> Act:
    try:
        return payload_of(statement[:STATEMENT_LIMIT])
    except (IndexError, LedgerError):
        raise Unavailable("the bank's answer holds no statement; nothing was changed") from None
