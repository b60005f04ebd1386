"""What happens in a customer's subject chain, and what rests on it: companions of authorisations, passkeys
(docs/spec/statements.md, passkeys.md)."""

from __future__ import annotations

from typing import NamedTuple

from verifier.commitment import chain_of
from verifier.encoding import Object
from verifier.errors import Code, Refuted
from verifier.facts import Facts
from verifier.findings import Reporter
from verifier.gestures import Gestures
from verifier.leaf import Leaf, text_of
from verifier.matching import Matching
from verifier.shelf import Shelf


class Authorised(NamedTuple):
    """An authorisation, entry `number`, whose companion is awaited; `chain`: the subject chain that its passkey demands."""

    number: int
    chain: str
    iss: str
    behalf: str


class Subjects:
    """`judge` the entries of subject chains, `authorised` and `confirm` those of consent chains that rest on them."""

    def __init__(self, tell: Reporter, shelf: Shelf, matching: Matching, gestures: Gestures) -> None:
        self.tell, self.findings, self.shelf, self.matching = tell, tell.findings, shelf, matching
        self.gestures = gestures
        self.awaiting: dict[bytes, list[Authorised]] = {}
        """By consent chain: the authorisations without their companion, in order."""

    def authorised(self, chain: bytes, facts: Facts) -> None:
        """A consent.authorise, which a subject.consent must follow; with the customer's own signature, or without."""
        subject = "" if facts.assertion is None else self._confirm(facts, facts.assertion)
        self.awaiting.setdefault(chain, []).append(Authorised(self.tell.index, subject, facts.iss, facts.behalf))

    def judge(self, leaf: Leaf, facts: Facts) -> None:
        """An act in a subject chain."""
        try:
            if facts.act == "subject.consent":
                self._companion(leaf, facts)
            elif facts.act == "subject.enrol":
                self.gestures.enrol(leaf.chain, facts.party, facts.content)
            elif self._all_known() and not self.matching.lost:
                self.gestures.unenrol(leaf.chain, facts.content)
        except Refuted as refusal:
            self.tell.refuse(refusal)

    def _companion(self, leaf: Leaf, facts: Facts) -> None:
        consent_id = str(facts.content["consent_id"])
        name = text_of(chain_of(consent_id))
        waiting = self.awaiting.get(name)
        if not waiting:
            chain = self.shelf.get(name)
            if (chain is None or chain.known) and not self.matching.lost:
                self.tell.bad(
                    Code.CONSENT_INVALID,
                    "no authorisation of this consent goes before",
                    "consent_id",
                    "a consent.authorise",
                    consent_id,
                )
            return
        first = waiting.pop(0)
        if not waiting:
            del self.awaiting[name]
        if first.chain and first.chain != leaf.chain.decode():
            self.tell.bad(
                Code.CONSENT_INVALID,
                f"the passkey of entry {first.number} is another customer's",
                "chain",
                first.chain,
                leaf.chain,
            )
        if (first.iss, first.behalf) != (facts.iss, facts.behalf):
            self.tell.bad(
                Code.CONSENT_INVALID,
                "the companion is signed by another than its authorisation, or for another",
                "iss",
                f"{first.iss} for {first.behalf or first.iss} (entry {first.number})",
                f"{facts.iss} for {facts.party}",
            )
        self.findings.checked["companions of authorisations"] += 1

    def _confirm(self, facts: Facts, record: Object) -> str:
        """The customer's own signature; the subject chain its passkey was enrolled in."""
        if self.matching.missing["subject"] and record.get("credential_id") not in self.gestures.enrolled:
            self.findings.unchecked["passkey confirmations whose enrolment may be withheld"] += 1
            return ""
        try:
            assertion, enrolment = self.gestures.confirm(record, facts.act, facts.party, facts.content)
        except Refuted as refusal:
            self.tell.refuse(refusal)
            return ""
        self.matching.put_challenge(assertion.challenge, self.tell.index)
        self.findings.checked["passkey confirmations"] += 1
        if not self.gestures.trust.origins:
            self.findings.unchecked["places of passkey confirmations (your policy names none)"] += 1
        return enrolment.chain

    def _all_known(self) -> bool:
        return not self.matching.missing["subject"]

    def finish(self) -> None:
        """What only the whole log can say."""
        if self.awaiting and (not self._all_known() or self.matching.lost):
            self.findings.unchecked["authorisations whose companion may be withheld"] += sum(
                map(len, self.awaiting.values())
            )
            return
        for waiting in self.awaiting.values():
            for authorised in waiting:
                self.tell.index = authorised.number
                self.tell.bad(
                    Code.INCOMPLETE,
                    "the authorisation stands in no subject chain",
                    "",
                    "a subject.consent in the same batch",
                    "none",
                )
