"""The use cases of every standard: ask for a consent, take a step of its life, see its present state. Blocking
throughout."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from api.office.facts import Notes, details_hash, facts_name
from api.office.gateway import Gateway
from api.office.translating import require_translation
from api.office.wish import Wish, require_same
from ledger.app import Ledger
from ledger.catalogue import CATALOGUES
from ledger.clock import Clock, SystemClock
from ledger.consent.actors import unknown_consent
from ledger.consent.state import LIVE, Consent, Status
from ledger.entries.acts import ConsentAmend, ConsentRequest, ConsentStep
from ledger.entries.evidence import decode_evidence
from ledger.entries.leaf import consent_chain
from ledger.entries.statement import payload_of
from ledger.entries.terms import Terms
from ledger.errors import Conflict, IllegalTransition, InvalidInput, LedgerError, NotFound, Unavailable
from ledger.planning.commands import Recorded

Own = TypeVar("Own", ConsentRequest, ConsentAmend, ConsentStep)
AGAIN: Final = "again:"
"""Before the id of the consent that took the place of a revoked one, in the name of a note of the revoked one."""
NOT_FROM_HERE: Final = "this cannot be shared again from here: begin in the recipient's own application"
BY_ITSELF: Final = "system"
"""The author of a change that nobody made: the consent had expired."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The step that led to the present status."""

    act: str
    """An act of the specification; `consent.expire` when time did it; `participant.removed` when a party is gone."""
    by: str
    """One of `customer`, `guardian`, `court`, `holder`, `recipient`, `system`."""
    reason: str
    """The code that was given; empty for acts that carry none."""
    at: int
    """Milliseconds."""
    signed_by: str | None
    """The participant that signed; the gateway, where it acted for another. None for the ledger."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A consent as it stands at one moment, for its recipient."""

    consent: Consent
    status: Status
    """The effective one."""
    created_at: int
    """Milliseconds."""
    change: Change
    facts: bytes | None
    """The request as its standard worded it; None for consents made natively."""

    @property
    def consent_id(self) -> str:
        """The consent's id, which every standard shows as it is."""
        return self.consent.consent_id

    @property
    def terms(self) -> Terms:
        """The terms in force."""
        return self.consent.terms

    @property
    def changed_at(self) -> int:
        """When the status became what it is; milliseconds."""
        return self.change.at


class Office:
    """The use cases. Everybody who asks is named: `recipient` is the authenticated caller."""

    def __init__(self, ledger: Ledger, gateway: Gateway, notes: Notes, clock: Clock | None = None) -> None:
        self._ledger = ledger
        self.gateway = gateway
        self.notes = notes
        self.clock: Final[Clock] = clock or SystemClock()

    @property
    def now(self) -> int:
        """Milliseconds."""
        return self.clock.now()

    def require_holder(self, holder: str) -> None:
        """Raises NotFound unless a holder of this name takes part."""
        known = self._ledger.registry.participants.get(holder)
        if known is None or "holder" not in known.roles:
            raise NotFound(f"no holder {holder[:64]!r} takes part here", member="holder")

    # -- writing ----------------------------------------------------------------------------------------------------

    def request(
        self, recipient: str, holder: str, wish: Wish, facts: bytes, *, statement: str | None = None
    ) -> Standing:
        """Ask for a consent. `facts`: the request's bytes. `statement`: the recipient's own `consent.request`, if it sent one.

        Raises InvalidInput, BadStatement, BadSignature, NotPermitted, Conflict, IllegalTransition, Unavailable.
        """
        self.require_holder(holder)
        wished = self._terms(recipient, holder, wish, facts)
        require_translation(wished, facts, self.now // 1000)
        if statement is None:
            consent_id = str(uuid.uuid4())
            text = self.gateway.make("consent.request", recipient, consent_id=consent_id, terms=wished).text
        else:
            payload = self._own(recipient, statement, ConsentRequest)
            require_same(wished, payload.terms)
            require_translation(payload.terms, facts, payload.iat)
            consent_id, text = payload.consent_id, statement
            if self._exists(consent_id):
                raise Conflict("the consent id is in use; choose another random one", member="consent_id")
        return self._with_facts(recipient, holder, consent_id, text, facts)

    def amend(
        self,
        recipient: str,
        holder: str,
        consent_id: str,
        wish: Callable[[Standing], Wish],
        facts: bytes,
        *,
        statement: str | None = None,
    ) -> Standing:
        """Propose other terms, which `wish` makes from the present state. Raises what `request` raises, and NotFound."""
        before = self.standing(recipient, holder, consent_id)
        wished = self._terms(recipient, holder, wish(before), facts)
        require_translation(wished, facts, self.now // 1000, "consent.amend")
        if statement is None:
            text = self.gateway.make(
                "consent.amend", recipient, consent_id=consent_id, previous_version=before.consent.version, terms=wished
            ).text
        else:
            payload = self._own(recipient, statement, ConsentAmend)
            require_same(wished, payload.terms)
            require_translation(payload.terms, facts, payload.iat, "consent.amend")
            _require_consent(payload.consent_id, consent_id)
            text = statement
        return self._with_facts(recipient, holder, consent_id, text, facts)

    def step(
        self,
        recipient: str,
        holder: str,
        consent_id: str,
        act: str,
        *,
        by: str,
        reason: str,
        statement: str | None = None,
    ) -> Standing:
        """A step of the recipient: `consent.revoke`, `.terminate`, `.reject`. Raises what `request` raises, and NotFound."""
        self.standing(recipient, holder, consent_id)
        if statement is None:
            text = self.gateway.make(act, recipient, by=by, consent_id=consent_id, reason=reason).text
        else:
            payload = self._own(recipient, statement, ConsentStep)
            _require_consent(payload.consent_id, consent_id)
            if payload.act != act:
                raise InvalidInput(f"the signed statement says {payload.act}, not {act}", member="act")
            text = statement
        self._ledger.record(text)
        return self.standing(recipient, holder, consent_id)

    def may_ask_again(self, consent: Consent) -> bool:
        """Whether its customer revoked it, its time is not over, its recipient lets the gateway ask again in its name, and its
        request would ask for the same today."""
        if not self._lets_ask_again(consent):
            return False
        try:
            self._require_still_asked(consent)
        except IllegalTransition:
            return False
        return True

    def _lets_ask_again(self, consent: Consent) -> bool:
        terms = consent.terms
        registry = self._ledger.registry
        return (
            consent.status_at(self.now, registry.removed) is Status.REVOKED
            and not 0 < terms.expires_at <= self.now // 1000
            and self.gateway.asks_again(terms.recipient)
            and registry.may_act_for(terms.recipient, self.gateway.participant, "consent.request")
        )

    def ask_again(self, consent: Consent) -> Standing:
        """Ask for a consent with the terms of one that its customer revoked; the same one as long as it waits, or lives.

        Raises IllegalTransition unless `may_ask_again`, NotFound when it was erased, and what `request` raises.
        """
        if not self._lets_ask_again(consent):
            raise IllegalTransition(NOT_FROM_HERE)
        terms = consent.terms
        for name in self.notes.names(consent.consent_id, AGAIN):
            with suppress(NotFound):  # noted, and never recorded: the process died in between
                known = self.standing(terms.recipient, terms.holder, name.removeprefix(AGAIN))
                if known.status in LIVE:
                    return known
        again, facts = str(uuid.uuid4()), self._require_still_asked(consent)
        self.notes.add(consent.consent_id, AGAIN + again, b"")
        text = self.gateway.make("consent.request", terms.recipient, consent_id=again, terms=terms).text
        if facts is not None:
            return self._with_facts(terms.recipient, terms.holder, again, text, facts)
        self._ledger.record(text)
        return self.standing(terms.recipient, terms.holder, again)

    def _require_still_asked(self, consent: Consent) -> bytes | None:
        """The request's text, if it came in one. Raises IllegalTransition where it, made now, would ask for other terms: so
        many days of history before it, say, or a change that came later."""
        digest = consent.terms.details_hash
        facts = self.notes.read(consent.consent_id, facts_name(digest)) if isinstance(digest, str) else None
        if facts is not None:
            try:
                require_translation(consent.terms, facts, self.now // 1000)
            except InvalidInput:
                raise IllegalTransition(NOT_FROM_HERE) from None
        return facts

    def supersede(self, consent: Consent, by_consent: str, *, by: str, reason: str) -> None:
        """End a consent because another one took its place; signed for the holder. Raises what the rules say."""
        statement = self.gateway.make(
            "consent.supersede",
            consent.terms.holder,
            by=by,
            consent_id=consent.consent_id,
            reason=reason,
            superseded_by=by_consent,
        )
        self._ledger.record(statement.text)

    # -- reading ----------------------------------------------------------------------------------------------------

    def standing(self, recipient: str, holder: str, consent_id: str) -> Standing:
        """How a consent stands. Raises NotFound for one that is not this recipient's with this holder."""
        consent = self._ledger.records.consent(recipient, consent_id)
        if consent.terms.recipient != recipient or consent.terms.holder != holder:
            raise unknown_consent()
        return self.describe(consent)

    def describe(self, consent: Consent) -> Standing:
        """The state of a consent, whoever asks."""
        now, registry = self.clock.now(), self._ledger.registry
        status = consent.status_at(now, registry.removed)
        [first] = self._ledger.records.history_of_chain(consent_chain(consent.consent_id), limit=1)
        [last] = self._ledger.records.recorded([consent.basis])
        change = _change_of(last)
        if status is not consent.status:
            expired = status is Status.EXPIRED
            change = Change(
                act="consent.expire" if expired else "participant.removed",
                by=BY_ITSELF,
                reason="",
                at=consent.terms.expires_at * 1000 if expired else last.time,
                signed_by=None,
            )
        digest = consent.terms.details_hash
        facts = self.notes.read(consent.consent_id, facts_name(digest)) if isinstance(digest, str) else None
        return Standing(consent=consent, status=status, created_at=first.time, change=change, facts=facts)

    def consents(self, recipient: str, holder: str, *, after: int = -1, limit: int = 100) -> list[tuple[int, Consent]]:
        """A page of a recipient's consents with a holder: (key, consent), oldest first. Only the last is shorter."""
        found: list[tuple[int, Consent]] = []
        while len(found) < limit:
            page = self._ledger.records.consents(recipient, after=after, limit=limit)
            found += [(key, one) for key, one in page if (one.terms.recipient, one.terms.holder) == (recipient, holder)]
            if len(page) < limit:
                break
            after = page[-1][0]
        return found[:limit]

    # -- inside -----------------------------------------------------------------------------------------------------

    def _terms(self, recipient: str, holder: str, wish: Wish, facts: bytes) -> Terms:
        return wish.terms(holder, recipient, facts, CATALOGUES[self._ledger.registry.ruleset])

    def _own(self, recipient: str, statement: str, kind: type[Own]) -> Own:
        """The recipient's own statement. Raises InvalidInput when it is another act, or another participant's."""
        payload = self._ledger.prepare(statement).statement.payload
        if not isinstance(payload, kind) or payload.iss != recipient:
            raise InvalidInput("Consent-Statement must be the caller's own statement of this very act", member="act")
        return payload

    def _exists(self, consent_id: str) -> bool:
        return self._ledger.records.chain_length(consent_chain(consent_id)) > 0

    def _with_facts(self, recipient: str, holder: str, consent_id: str, text: str, facts: bytes) -> Standing:
        # The facts go first: a consent whose terms name facts that nobody has could never be shown again. If this process
        # dies in between, what is left is a note under a key that nothing else uses.
        name = facts_name(details_hash(facts))
        written = self.notes.add(consent_id, name, facts)
        try:
            self._ledger.record(text)
        except Unavailable:
            raise  # it may have been recorded all the same: then its facts are needed
        except LedgerError:
            if written:
                self.notes.remove(consent_id, name)
            raise
        return self.standing(recipient, holder, consent_id)


def _change_of(entry: Recorded) -> Change:
    if entry.evidence is None:
        return Change(act=entry.act, by=BY_ITSELF, reason="", at=entry.time, signed_by=None)
    says = decode_evidence(entry.evidence)
    for text in says.statements:
        payload = payload_of(text)
        by = getattr(payload, "by", None) or _author(says.act)
        return Change(
            act=says.act, by=str(by), reason=str(getattr(payload, "reason", "")), at=entry.time, signed_by=payload.iss
        )
    return Change(act=says.act, by=BY_ITSELF, reason="", at=entry.time, signed_by=None)


def _author(act: str) -> str:
    """The author of an act that does not name one."""
    return "customer" if act in ("consent.authorise", "consent.reauthenticate") else "recipient"


def _require_consent(named: str, wanted: str) -> None:
    if named != wanted:
        raise InvalidInput("the signed statement names another consent than the address", member="consent_id")
