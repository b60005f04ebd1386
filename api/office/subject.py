"""The subject of every kind of receipt: the consent, its events, and its parties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from ledger.consent.state import Consent
from ledger.entries.evidence import ConsentOutcome, decode_evidence
from ledger.entries.statement import payload_of
from ledger.entries.terms import Terms
from ledger.errors import InvalidInput
from ledger.participants import Registry
from ledger.planning.commands import Recorded

JURISDICTION: Final[Mapping[str, str]] = {
    "au-cds": "AU",
    "berlin-group": "EU",
    "brazil-of": "BR",
    "cn-jrt": "CN",
    "eu-psr": "EU",
    "india-aa": "IN",
    "uk-ob": "GB",
    "us-fdx": "US",
}
"""Where a standard is law. A consent under another is of the holder's own jurisdiction."""


class PostalAddress(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A postal address, in the words of schema.org."""

    address_country: str = ""
    address_locality: str = ""
    postal_code: str = ""
    street_address: str = ""


class Contact(Struct, frozen=True, forbid_unknown_fields=True):
    """How to reach a party: told by the operator (`contacts_file`), since the log knows names only."""

    contact: str = ""
    """Whom to ask for, such as «Data Protection Officer»."""
    email: str = ""
    phone: str = ""
    address: PostalAddress = PostalAddress()
    url: str = ""
    policy_url: str = ""
    """Where the party's privacy notice can be read."""
    jurisdiction: str = ""
    """ISO 3166-1 code of the country whose law the party is under."""


@dataclass(frozen=True, slots=True)
class ConsentParty:
    """A party of the consent: an organisation, though standards call it a controller."""

    id: str
    name: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """One step in the consent's life, as an entry of the log. Accesses are not among them."""

    index: int
    time: int
    """Milliseconds, of the leaf."""
    act: str
    by: str
    """`customer`, `holder`, `recipient`, … ; `system` for what the ledger found."""
    status: str
    """The state it led to."""
    version: int

    @property
    def at(self) -> str:
        """RFC 3339, UTC, whole seconds."""
        return rfc3339(self.time // 1000)


@dataclass(frozen=True, slots=True)
class ReceiptSubject:
    """Everything a receipt says."""

    base_url: str
    origin: str
    consent_id: str
    principal: str
    """The pseudonym that this recipient knows the customer by; the consent's id before there is one."""
    status: str
    version: int
    terms: Terms
    holder: ConsentParty
    recipient: ConsentParty
    events: tuple[ConsentEvent, ...]
    """Oldest first; never empty, since a consent begins with its request."""
    complete: bool
    """Whether these are all its events: of a consent with very many accesses only the first and the last are looked for."""

    @classmethod
    def of(
        cls,
        consent: Consent,
        recorded: Iterable[Recorded],
        *,
        registry: Registry,
        contacts: Mapping[str, Contact],
        base_url: str,
        origin: str,
        now: int,
        complete: bool = True,
    ) -> Self:
        """From the ledger's own records; `now` in milliseconds decides what state holds."""
        terms = consent.terms
        return cls(
            base_url=base_url,
            origin=origin,
            consent_id=consent.consent_id,
            principal=consent.subject or consent.consent_id,
            status=consent.status_at(now, registry.removed).value,
            version=consent.version,
            terms=terms,
            holder=_person(terms.holder, registry, contacts),
            recipient=_person(terms.recipient, registry, contacts),
            events=tuple(_events(recorded)),
            complete=complete,
        )

    @property
    def jurisdiction(self) -> str:
        """A country or union; `not stated` when nobody has said."""
        return JURISDICTION.get(self.terms.standard) or self.holder.contact.jurisdiction or "not stated"

    @property
    def given(self) -> ConsentEvent | None:
        """The last authorisation; None when the customer has not agreed to anything."""
        return next((event for event in reversed(self.events) if event.act == "consent.authorise"), None)

    @property
    def policy(self) -> str:
        """The notice that was shown: the recipient's address for it, or its hash as a name (RFC 6920)."""
        return self.recipient.contact.policy_url or f"ni:///sha-256;{self.terms.notice_hash}"

    @property
    def ends(self) -> str:
        """When sharing ends if nothing else ends it."""
        return rfc3339(self.terms.expires_at) if self.terms.expires_at else "no end date"

    @property
    def retention(self) -> str:
        """How long the recipient may keep what it was given, as an ISO 8601 duration."""
        return f"P{self.terms.retention_days}D" if self.terms.retention_days else "not stated"

    @property
    def sensitive(self) -> bool:
        """Grade 3 and above needs consents of its own (docs/spec/consents.md)."""
        return self.terms.grade >= 3

    @property
    def home(self) -> str:
        """Where the customer sees and stops what she shares."""
        return f"{self.base_url}/my"

    def proof_of(self, event: ConsentEvent) -> dict[str, object]:
        """Where the provable receipt of an event is."""
        return {"origin": self.origin, "index": event.index, "receipt": f"{self.base_url}/receipts/{event.index}"}


def rfc3339(seconds: int) -> str:
    """UTC, whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_contacts(path: Path | None) -> dict[str, Contact]:
    """Participant id to contact, from a JSON object in a file. Raises InvalidInput."""
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Contact])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(f"{path} does not hold contacts of participants: {error}") from None


def _person(participant: str, registry: Registry, contacts: Mapping[str, Contact]) -> ConsentParty:
    known = registry.participants.get(participant)
    return ConsentParty(participant, known.name if known else participant, contacts.get(participant, Contact()))


def _events(recorded: Iterable[Recorded]) -> Iterable[ConsentEvent]:
    for entry in recorded:
        if not entry.act.startswith("consent.") or entry.evidence is None:
            continue
        evidence = decode_evidence(entry.evidence)
        outcome = evidence.outcome
        payload = payload_of(evidence.statements[0]) if evidence.statements else None
        yield ConsentEvent(
            index=entry.index,
            time=entry.time,
            act=entry.act,
            by=getattr(payload, "by", None) or _BY.get(entry.act, "system"),
            status=outcome.status if isinstance(outcome, ConsentOutcome) else "",
            version=outcome.consent_version if isinstance(outcome, ConsentOutcome) else 0,
        )


_BY: Final = {
    "consent.amend": "recipient",
    "consent.authorise": "customer",
    "consent.reauthenticate": "customer",
    "consent.request": "recipient",
}
