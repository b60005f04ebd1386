"""The holder's agent: whoever signs for the holder on a customer's wish (docs/spec/consents.md, docs/people.md).

Pages know what a customer wants and never see a key. `LocalAgent` signs in this process (development, or a bank that runs the
pages itself); `RemoteAgent` (agent_remote.py) asks the bank.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType, to_builtins

from api.client.pseudonyms import Pseudonyms
from api.client.signing import StatementSigner, load_signer
from api.client.statements import StatementMaker
from api.web.people import Person, SignInSca
from ledger.clock import Clock
from ledger.entries.fields import Code, ParticipantId, Reference, Text
from ledger.entries.payload import SeparateConsent
from ledger.errors import InvalidInput, NotFound
from ledger.secrets import read_secret

Step = Literal["consent.pause", "consent.reject", "consent.resume", "consent.revoke"]
"""A customer's steps on a consent besides authorising it."""


class Account(Struct, frozen=True):
    """One account of a customer, as its reference within one consent and in words for the customer's eyes."""

    reference: str
    label: str
    joint: bool = False
    """Whether another holder must agree too before it is shared."""


class Authorisation(Struct, frozen=True, kw_only=True):
    """A customer's agreement, and in what quality she acts."""

    consent_id: str
    version: int
    terms_hash: str
    recipient: str
    accounts: tuple[str, ...]
    """References, sorted."""
    sca: SignInSca
    separate_consents: tuple[SeparateConsent, ...] = ()
    """Given by a control of their own: sorted by kind, `text_hash` = SHA-256 (b64u) of the words shown."""
    joint_accounts: tuple[str, ...] = ()
    """Those of the accounts that are shared only once two people gave them; sorted."""
    acting_role: str = ""
    """`owner`, `joint`, `delegate`, `guardian` …; empty: not told."""
    suppress_notify: bool = False
    """No other person is to be told of this consent."""

    @property
    def optional(self) -> dict[str, Any]:
        """Those members of `consent.authorise` that are present only when they say something."""
        members = {
            "acting_role": self.acting_role,
            "joint_accounts": list(self.joint_accounts),
            "separate_consents": msgspec.to_builtins(self.separate_consents),
        }
        return {name: value for name, value in members.items() if value}


class Withdrawal(Struct, frozen=True, kw_only=True):
    """The part that a customer takes out of a consent: some accounts, one separate consent, or her own approval.

    Exactly one of `accounts`, `separate` and `own_approval` says something.
    """

    consent_id: str
    reason: str
    accounts: tuple[str, ...] = ()
    """References, sorted."""
    separate: str = ""
    """The kind of separate consent."""
    own_approval: bool = False

    @property
    def act(self) -> str:
        """The act that does it."""
        if self.accounts:
            return "consent.withdraw_accounts"
        return "consent.withdraw_separate" if self.separate else "consent.withdraw_approval"


class FeedbackWish(Struct, frozen=True, kw_only=True):
    """A customer's feedback, as the log is to hold it (docs/spec/ruleset-3.md, section 11). `due` is in seconds."""

    about: int
    consent_id: str
    due: int
    kind: Literal["unexpected", "after-stop", "other"]
    number: str
    text_hash: str = ""
    """Empty: there are no words."""


class ReplyWish(Struct, frozen=True, kw_only=True):
    """How the answer to some feedback goes on."""

    by: Literal["holder", "recipient"]
    number: str
    state: str
    text_hash: str = ""


class DecisionWish(Struct, frozen=True, kw_only=True):
    """What a person of the bank decided about an alert, beside what was proposed. `officer`: a reference of that person."""

    alert: int
    decision: Literal["cleared", "confirmed", "escalated"]
    officer: str
    proposal: Literal["cleared", "confirmed", "escalated"]
    proposal_reasons: tuple[str, ...]
    comment_hash: str = ""
    """Empty: nothing was written."""

    @property
    def said(self) -> dict[str, Any]:
        """The members of the statement."""
        return {name: value for name, value in to_builtins(self).items() if name != "comment_hash" or value}


class HolderStatement(Struct, frozen=True):
    """A statement of the holder, with its companion where the act has one."""

    statement: str
    companion: str | None = None


def said(wish: FeedbackWish | ReplyWish) -> dict[str, Any]:
    """The members of the statement: no `text_hash` where there are no words."""
    return {name: value for name, value in to_builtins(wish).items() if name != "text_hash" or value}


class HolderAgent(Protocol):
    """The holder, as the pages ask it. Every method raises LedgerError kinds: Unavailable when there is no answer."""

    @property
    def holder(self) -> str:
        """The participant id of the holder."""
        ...

    def accounts(self, person: Person, consent_id: str) -> tuple[Account, ...]:
        """The accounts that a customer may share under this consent."""
        ...

    def authorise(self, person: Person, wish: Authorisation) -> HolderStatement:
        """Sign `consent.authorise` and its companion."""
        ...

    def step(self, person: Person, step: Step, consent_id: str, reason: str) -> HolderStatement:
        """Sign a step by the customer."""
        ...

    def withdraw(self, person: Person, wish: Withdrawal) -> HolderStatement:
        """Sign a withdrawal in part by the customer."""
        ...

    def reauthenticate(self, person: Person, consent_id: str, sca: SignInSca) -> HolderStatement:
        """Sign `consent.reauthenticate`: the customer has just proved to her bank who she is."""
        ...

    def authoriser(self, person: Person, consent_id: str) -> str:
        """The reference that stands for this person among the authorisers of a consent."""
        ...

    def enrol(self, person: Person, credential_id: str, public_key: str, rp_id: str, sca: SignInSca) -> HolderStatement:
        """Sign `subject.enrol` for a new passkey."""
        ...

    def unenrol(self, person: Person, credential_id: str, reason: str) -> HolderStatement:
        """Sign `subject.unenrol`."""
        ...

    def feedback(self, person: Person, wish: FeedbackWish) -> HolderStatement:
        """Sign `subject.feedback`."""
        ...

    def answer(self, person: Person, wish: ReplyWish) -> HolderStatement:
        """Sign `subject.answer` about this person's feedback."""
        ...

    def decide(self, wish: DecisionWish) -> HolderStatement:
        """Sign `alert.decide` for the bank's own people."""
        ...


class CustomerAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """An account in a customers file."""

    id: str
    label: Text
    joint: bool = False
    """Whether a second holder must agree before it is shared."""


class Customer(Struct, frozen=True, forbid_unknown_fields=True):
    """A customer in a customers file: who the embedded identity provider offers, and whose accounts the agent knows."""

    sub: Text
    holder: ParticipantId
    subject: Reference
    name: Text
    accounts: tuple[CustomerAccount, ...] = ()
    acting_role: Code | UnsetType = UNSET
    """In what quality this person acts, if the bank says so."""
    email: Text | UnsetType = UNSET
    """Where the bank writes to this person."""
    acts_for: Text | UnsetType = UNSET
    """The name of the customer for whom this person acts."""

    @property
    def employer(self) -> str:
        """What stands beside the name where an account is chosen: the bank."""
        return self.holder

    def claims(self) -> dict[str, str | bool]:
        """The claims of an ID token that say who this is."""
        claims: dict[str, str | bool] = {
            "sub": self.sub,
            "holder": self.holder,
            "subject": self.subject,
            "name": self.name,
        }
        if self.acting_role is not UNSET:
            claims["acting_role"] = self.acting_role
        if self.acts_for is not UNSET:
            claims["acts_for"] = self.acts_for
        if self.email is not UNSET:
            claims |= {"email": self.email, "email_verified": True}
        return claims


class CustomersFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"customers": [{"sub", "holder", "subject", "name", "accounts": [{"id", "label", "joint"?}], "acting_role"?}]}`."""

    customers: tuple[Customer, ...]


class HolderEntry(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One holder in a holders file: signed for by a local key, or by the bank's own agent at `url`."""

    holder: ParticipantId
    kid: str = ""
    key_file: str = ""
    secret_file: str = ""
    accounts_file: str = ""
    url: str = ""
    token_file: str = ""


class HoldersFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`{"holders": [{"holder", "kid", "key_file", "secret_file", "accounts_file"} or {"holder", "url", "token_file"}]}`."""

    holders: tuple[HolderEntry, ...]


def read_customers(path: Path) -> tuple[Customer, ...]:
    """The customers in a file. Raises ValidationError of msgspec for another content, InvalidInput for a person named twice."""
    customers = msgspec.json.decode(path.read_bytes(), type=CustomersFile).customers
    seen: set[str] = set()
    for customer in customers:
        if customer.sub in seen:  # the last one would win, and the other would lose her accounts
            raise InvalidInput(f"the customers file {path} names the sub «{customer.sub}» twice: give each person one")
        seen.add(customer.sub)
    return customers


class LocalAgent:
    """Signs with a holder's statement key that lies in this process."""

    def __init__(
        self,
        maker: StatementMaker,
        pseudonyms: Pseudonyms,
        accounts: Mapping[tuple[str, str], tuple[CustomerAccount, ...]],
    ) -> None:
        """`accounts` are by (subject reference, sub): the people of a joint relationship share the first, not the accounts."""
        self._maker = maker
        self._pseudonyms = pseudonyms
        self._accounts = accounts

    @classmethod
    def load(cls, entry: HolderEntry, folder: Path, origin: str, clock: Clock) -> LocalAgent:
        """The agent that an entry of a holders file describes; paths are relative to the file's folder.

        Raises NotFound or InvalidInput for missing or unfit key files.
        """
        signer: StatementSigner = load_signer(entry.kid, folder / entry.key_file)
        pseudonyms = Pseudonyms(read_secret(folder / entry.secret_file))
        customers = read_customers(folder / entry.accounts_file) if entry.accounts_file else ()
        accounts = {(one.subject, one.sub): one.accounts for one in customers if one.holder == entry.holder}
        return cls(StatementMaker(entry.holder, origin, signer, clock), pseudonyms, accounts)

    @property
    def holder(self) -> str:
        """See HolderAgent."""
        return self._maker.participant

    def accounts(self, person: Person, consent_id: str) -> tuple[Account, ...]:
        """See HolderAgent."""
        mine = self._accounts.get((person.subject, person.sub), ())
        reference = self._pseudonyms.account
        return tuple(Account(reference(account.id, consent_id), account.label, account.joint) for account in mine)

    def authorise(self, person: Person, wish: Authorisation) -> HolderStatement:
        """See HolderAgent. Raises NotFound for an account that is not this customer's."""
        known = {account.reference for account in self.accounts(person, wish.consent_id)}
        if not set(wish.accounts) <= known:
            raise NotFound("an account is not one of this customer's", member="accounts")
        statement = self._make(
            "consent.authorise",
            accounts=sorted(wish.accounts),
            authoriser=self.authoriser(person, wish.consent_id),
            consent_id=wish.consent_id,
            sca=wish.sca,
            subject=self._pseudonyms.customer_for(person.subject, wish.recipient),
            terms_hash=wish.terms_hash,
            version=wish.version,
            **wish.optional,
        )
        silent = {"suppress_notify": True} if wish.suppress_notify else {}
        companion = self._make("subject.consent", consent_id=wish.consent_id, subject=person.subject, **silent)
        return HolderStatement(statement, companion)

    def step(self, person: Person, step: Step, consent_id: str, reason: str) -> HolderStatement:  # noqa: ARG002 (see HolderAgent)
        """See HolderAgent."""
        return HolderStatement(self._make(step, by="customer", consent_id=consent_id, reason=reason))

    def withdraw(self, person: Person, wish: Withdrawal) -> HolderStatement:
        """See HolderAgent."""
        what: dict[str, Any] = {"accounts": list(wish.accounts)} if wish.accounts else {}
        if wish.separate:
            what["separate"] = wish.separate
        if wish.own_approval:
            what["authoriser"] = self.authoriser(person, wish.consent_id)
        return HolderStatement(
            self._make(wish.act, by="customer", consent_id=wish.consent_id, reason=wish.reason, **what)
        )

    def reauthenticate(self, person: Person, consent_id: str, sca: SignInSca) -> HolderStatement:  # noqa: ARG002 (see HolderAgent)
        """See HolderAgent."""
        return HolderStatement(self._make("consent.reauthenticate", consent_id=consent_id, sca=sca))

    def authoriser(self, person: Person, consent_id: str) -> str:
        """See HolderAgent."""
        return self._pseudonyms.authoriser(person.sub, consent_id)

    def enrol(self, person: Person, credential_id: str, public_key: str, rp_id: str, sca: SignInSca) -> HolderStatement:
        """See HolderAgent."""
        return HolderStatement(
            self._make(
                "subject.enrol",
                credential_id=credential_id,
                public_key=public_key,
                rp_id=rp_id,
                sca=sca,
                subject=person.subject,
            )
        )

    def unenrol(self, person: Person, credential_id: str, reason: str) -> HolderStatement:
        """See HolderAgent."""
        return HolderStatement(
            self._make("subject.unenrol", credential_id=credential_id, reason=reason, subject=person.subject)
        )

    def feedback(self, person: Person, wish: FeedbackWish) -> HolderStatement:
        """See HolderAgent."""
        return HolderStatement(self._make("subject.feedback", subject=person.subject, **said(wish)))

    def answer(self, person: Person, wish: ReplyWish) -> HolderStatement:
        """See HolderAgent."""
        return HolderStatement(self._make("subject.answer", subject=person.subject, **said(wish)))

    def decide(self, wish: DecisionWish) -> HolderStatement:
        """See HolderAgent."""
        return HolderStatement(self._make("alert.decide", **wish.said))

    def _make(self, act: str, **members: Any) -> str:
        return self._maker.make(act, **members).text
