"""Says whose act an entry is, for the person who looks: the one place where pages, files and live lines learn it.

A joint relationship has one subject chain for several people, so «the customer» of a statement is not yet «you». What tells
people apart: the `authoriser` reference of a statement, the passkey that signed beside it, and the pages' own note of who asked
for it (`web_deeds`). Without any of these it was one of the account's holders, and nothing more is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from markupsafe import Markup
from msgspec import UNSET

from api.web.happened import Event
from api.web.people import Person
from api.web.store import Store
from api.web.words import Words, bdi
from ledger.entries.acts import ConsentAuthorise, ConsentWithdrawApproval, SubjectAnswer

PERSONAL: Final = frozenset({"consent.authorise", "consent.reauthenticate", "subject.consent", "subject.feedback"})
"""Acts that the holder signs because a person did something, without a member that says so."""
PASSKEYS: Final = frozenset({"subject.enrol", "subject.unenrol"})
"""Acts that a bank can also sign on its own: without a note of who asked, they are the bank's."""
REQUESTS: Final = frozenset({"access.request", "access.batch"})


class Actor(StrEnum):
    """Who did something, as the person who looks would say it."""

    YOU = "you"
    OTHER = "other"
    """Another person of the same relationship."""
    HOLDER = "holder"
    """One of the account's holders; which one is not known."""
    GUARDIAN = "guardian"
    COURT = "court"
    BANK = "bank"
    RECIPIENT = "recipient"
    """The app, or any other participant that asked for data."""
    SYSTEM = "system"
    """Nobody: time or the ledger did it."""
    UNKNOWN = "unknown"
    """The content was erased."""


class Signature(StrEnum):
    """Whose passkey signed an agreement."""

    NONE = "none"
    YOU = "you"
    OTHER = "other"
    HOLDER = "holder"


_BY: Final = {
    "guardian": Actor.GUARDIAN,
    "court": Actor.COURT,
    "holder": Actor.BANK,
    "recipient": Actor.RECIPIENT,
    "system": Actor.SYSTEM,
}
_PEOPLE: Final[dict[bool | None, Actor]] = {True: Actor.YOU, False: Actor.OTHER, None: Actor.HOLDER}


@dataclass(frozen=True, slots=True)
class Known:
    """The marks that tell people apart for one entry: each says whether it is she who looks, or None."""

    reference: bool | None = None
    """By the authoriser's reference in the statement."""
    deed: bool | None = None
    """By the pages' note of who asked for it."""
    passkey: bool | None = None
    """By the owner of the passkey that signed, was added or was removed."""

    @property
    def mine(self) -> bool | None:
        """The word of the strongest of them. The log's own comes first."""
        return next((one for one in (self.reference, self.deed, self.passkey) if one is not None), None)


def actor_of(event: Event, holder: str, known: Known) -> Actor:
    """Whose act an entry is; `holder` is the bank of the relationship."""
    if event.act == "consent.expire":
        return Actor.SYSTEM
    if event.is_erased or event.says is None:
        return Actor.UNKNOWN
    if event.act in PERSONAL or event.by == "customer":
        return _PEOPLE[known.mine]
    if event.by:
        return _BY[event.by]
    if event.act in PASSKEYS:
        return Actor.BANK if known.mine is None else _PEOPLE[known.mine]
    if event.act in REQUESTS and event.is_relayed:
        return Actor.RECIPIENT  # the bank reports what the app asked for
    return Actor.BANK if event.principal == holder else Actor.RECIPIENT


def signature_of(event: Event, known: Known) -> Signature:
    """Whose passkey signed an agreement. Hers only if nothing says otherwise, and something says so."""
    if not event.signed_by_customer:
        return Signature.NONE
    said = {one for one in (known.reference, known.passkey) if one is not None}
    if len(said) != 1:  # nobody says, or they differ
        return Signature.HOLDER
    return Signature.YOU if said == {True} else Signature.OTHER


class Names(Protocol):
    """Names participants, and the person who looks within a consent."""

    def name_of(self, participant: str) -> str:
        """A participant's registered name, harmless."""
        ...

    def recipient_of(self, event: Event) -> str:
        """The participant that an entry's consent is for; its signer where no consent is known."""
        ...

    def reference(self, consent_id: str) -> str:
        """Her own reference among the authorisers of a consent; empty: her bank does not answer."""
        ...


class Acts:
    """Entries in words, for one person in one language."""

    def __init__(self, names: Names, store: Store, person: Person, words: Words) -> None:
        self._names = names
        self._store = store
        self._person = person
        self._words = words
        self._seen: dict[int, Known] = {}

    def actor(self, event: Event) -> Actor:
        """Whose act it is."""
        return actor_of(event, self._person.holder, self._known(event))

    def signature(self, event: Event) -> Signature:
        """Whose passkey signed it."""
        return signature_of(event, self._known(event))

    def participant(self, event: Event) -> str:
        """The name of the participant whose act it is, where it is a participant's."""
        if isinstance(event.says, SubjectAnswer):  # an app's answer, which only her bank can sign about her
            return self._words.t("who.app")
        return self._names.name_of(self._names.recipient_of(event) if event.is_relayed else event.principal)

    def who(self, event: Event) -> str:
        """Who did it, as a word; empty when nobody did, or nobody knows any more."""
        actor = self.actor(event)
        if actor is Actor.RECIPIENT:
            return self.participant(event)
        return "" if actor in {Actor.SYSTEM, Actor.UNKNOWN} else self._words.t(f"who.{actor}")

    def title(self, event: Event) -> str:
        """What happened and who did it, as plain text."""
        key = self._key(event)
        return self._words.t(key, who=self.who(event)) if key.startswith("did.") else self._words.code("act", event.act)

    def markup(self, event: Event) -> Markup:
        """The same for a page: a participant's name is kept from reordering what stands around it."""
        key, who = self._key(event), self.who(event)
        if not key.startswith("did."):
            return Markup("{}").format(self._words.code("act", event.act))
        return self._words.h(key, who=bdi(who) if self.actor(event) is Actor.RECIPIENT else Markup("{}").format(who))

    def signed(self, event: Event) -> str:
        """«signed by you», or by whom; empty when no passkey signed."""
        signature = self.signature(event)
        return "" if signature is Signature.NONE else self._words.t(f"signed.{signature}")

    def _key(self, event: Event) -> str:
        """The sentence of an act by its actor, else by anybody, else the act's own."""
        if not self.who(event):
            return f"act.{event.act}"
        known = (f"did.{event.act}.{self.actor(event)}", f"did.{event.act}")
        return next((key for key in known if self._words.has(key)), f"act.{event.act}")

    def _known(self, event: Event) -> Known:
        found = self._seen.get(event.index)
        if found is None:
            found = self._seen[event.index] = self._learn(event)
        return found

    def _learn(self, event: Event) -> Known:
        personal = event.act in PERSONAL | PASSKEYS or event.by == "customer"
        if not personal or event.is_erased:
            return Known()
        reference: bool | None = None
        if isinstance(event.says, ConsentAuthorise | ConsentWithdrawApproval):
            mine = self._names.reference(event.says.consent_id)
            reference = event.says.authoriser == mine if mine else None
        passkey: bool | None = None
        credential = event.credential_id or getattr(event.says, "credential_id", "")
        if credential:
            owner = self._store.passkey(credential)
            passkey = owner.person.key == self._person.key if owner else None
        return Known(reference, self._store.deed(event.index, self._person), passkey)


def consent_of(event: Event) -> str:
    """The id of the consent that an entry is about; empty for none, or when its content was erased."""
    said = getattr(event.says, "consent_id", UNSET)
    return event.recorded.consent_id or (said if isinstance(said, str) else "")
