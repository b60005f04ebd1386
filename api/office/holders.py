"""Signs for a holder: only acts that the holder's own delegation names, each signed by the gateway for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.office.office import Office
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.consent.state import Consent
from ledger.entries.acts import ConsentStep, SubjectConsent
from ledger.entries.evidence import decode_evidence
from ledger.entries.statement import payload_of
from ledger.errors import IllegalTransition, InvalidInput

PAGE = 500
AUTHORISING = ("consent.authorise", "subject.consent")
"""The acts that a holder delegates to let the gateway renew consents without sending the customer back to it."""


class HolderDesk:
    """Signs for holders. Blocking."""

    def __init__(self, ledger: Ledger, office: Office) -> None:
        self._ledger = ledger
        self._office = office

    def may(self, holder: str, *acts: str) -> bool:
        """Whether the holder has delegated all these acts to this gateway."""
        gateway = self._office.gateway.participant
        return all(self._ledger.registry.may_act_for(holder, gateway, act) for act in acts)

    def step(self, consent: Consent, act: str, *, by: str, reason: str, statement: str | None = None) -> None:
        """A step of the holder; `statement`: its own signed word of it, where it sent one.

        Raises NotPermitted without a delegation, InvalidInput for the word of something else, IllegalTransition, Unavailable.
        """
        if statement is None:
            holder, consent_id = consent.terms.holder, consent.consent_id
            statement = self._office.gateway.make(act, holder, by=by, consent_id=consent_id, reason=reason).text
        else:
            self._check_own(consent, act, statement)
        self._ledger.record(statement)

    def _check_own(self, consent: Consent, act: str, statement: str) -> None:
        says = self._ledger.prepare(statement).statement.payload
        if not isinstance(says, ConsentStep) or (says.iss, says.act) != (consent.terms.holder, act):
            raise InvalidInput(f"Consent-Statement must be the holder's own {act}", member="act")
        if says.consent_id != consent.consent_id:
            raise InvalidInput("the signed statement names another consent than the address", member="consent_id")

    def renew(self, consent: Consent, sca: Mapping[str, Any]) -> None:
        """Authorise the pending version for the same customer and the accounts that are shared now.

        For standards whose renewals the customer confirms at the recipient. Raises IllegalTransition when nothing is pending,
        when more than one person must agree, and what the rules say.
        """
        pending = consent.pending
        if pending is None or len(consent.approvals) != 1 or consent.terms.authorisers_required != 1:
            raise IllegalTransition("this version is not one that a single customer can renew")
        terms, at = pending.terms, self._office.now // 1000
        words = terms.notice_hash
        members: dict[str, Any] = {
            "accounts": list(consent.accounts),
            "authoriser": consent.approvals[0].authoriser,
            "consent_id": consent.consent_id,
            "sca": dict(sca) | {"at": at},
            "subject": consent.subject,
            "terms_hash": b64u(terms.hash()),
            "version": consent.version + 1,
        }
        kinds = [kind for kind in terms.separate_consents if kind in consent.separate]
        if kinds:  # those that the customer has given, and not withdrawn, go on: she has just said so of the whole
            members["separate_consents"] = [{"given_at": at, "kind": kind, "text_hash": words} for kind in kinds]
        make = self._office.gateway.make
        said = make("consent.authorise", terms.holder, **members)
        companion = make(
            "subject.consent", terms.holder, consent_id=consent.consent_id, subject=self._own_reference(consent)
        )
        self._ledger.record(said.text, companion=companion.text)

    def _own_reference(self, consent: Consent) -> str:
        """The holder's reference for the customer, from the subject chain that the holder itself put the consent into."""
        after = -1
        while entries := self._ledger.records.history_of_chain(consent.subject_chain, after=after, limit=PAGE):
            for entry in entries:
                for text in decode_evidence(entry.evidence).statements if entry.evidence else ():
                    payload = payload_of(text)
                    if isinstance(payload, SubjectConsent):
                        return payload.subject
            after += len(entries)
        raise IllegalTransition("the customer of this consent is not known any more")
