"""Judges a customer's subject chain and what rests on it: companions of authorisations, passkeys
(docs/spec/statements.md, passkeys.md)."""

from __future__ import annotations

from typing import NamedTuple

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf, text_of
from verifier.rules.chain_store import Chain, Said, Shelf
from verifier.rules.feedback import FEEDBACK_ACTS, judge_feedback, put_consent
from verifier.rules.findings import Reporter
from verifier.rules.gestures import NOT_ENROLLED, Gestures
from verifier.rules.matching import Matching
from verifier.rules.reporting import Reporting

MAY_BE_WITHHELD = "authorisations whose companion may be withheld"
AUTHORISATION_WITHHELD = "companions whose authorisation may be withheld"
ENROLMENT_WITHHELD = "passkey confirmations whose enrolment may be withheld"


class Authorised(NamedTuple):
    """An authorisation, entry `number`, whose companion is awaited; `chain`: the subject chain that its passkey demands;
    `credential`: a passkey that nobody enrolled as far as was read."""

    number: int
    chain: str
    iss: str
    behalf: str
    credential: str = ""


class Subjects:
    """`judge` the entries of subject chains, `authorised` and `confirm` those of consent chains that rest on them; `unread`
    what could not be read. A companion comes right after its authorisation: so what an unreadable entry may have been is
    decided by its place alone."""

    def __init__(
        self, tell: Reporter, shelf: Shelf, matching: Matching, gestures: Gestures, reports: Reporting
    ) -> None:
        self.reports = reports
        self.tell, self.findings, self.shelf, self.matching = tell, tell.findings, shelf, matching
        self.gestures = gestures
        self.awaiting: dict[bytes, list[Authorised]] = {}
        """By consent chain: the authorisations without their companion, in order."""
        self._last: tuple[bytes, int] = (b"", -1)
        self._gap: tuple[int, bytes | None] = (-1, b"")
        self.gaps = 0
        """Subjects' entries that could not be read, or leaves that may be such."""

    def authorised(self, chain: bytes, facts: Facts) -> None:
        """A consent.authorise, which a subject.consent must follow; with the customer's own signature, or without."""
        subject, credential = ("", "") if facts.assertion is None else self._confirm(facts, facts.assertion)
        row = Authorised(self.tell.index, subject, facts.iss, facts.behalf, credential)
        self.awaiting.setdefault(chain, []).append(row)
        self._last = chain, self.tell.index

    def unread(self, index: int, kind: str, chain: bytes | None) -> None:
        """An entry that cannot be read: its `kind` and `chain`, of an unreadable leaf "" and None. It may be the companion
        of the entry before it, or the authorisation of the one after it, and nothing else that is looked for here."""
        self._gap = index, chain
        self.gaps += kind != "consent"
        name, number = self._last
        waiting = self.awaiting.get(name)
        if kind == "consent" or number != index - 1 or not waiting or waiting[-1].number != number:
            return
        row = waiting.pop()
        if not waiting:
            del self.awaiting[name]
        self.findings.unchecked[MAY_BE_WITHHELD] += 1
        if chain is not None:  # its leaf says which customer's it is
            self._demand(row, index, chain)
        elif row.credential:
            self.findings.unchecked[ENROLMENT_WITHHELD] += 1

    def judge(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """An act in a subject chain."""
        try:
            if facts.act == "subject.consent":
                put_consent(chain, str(facts.content["consent_id"]))
                self._companion(leaf, facts)
            elif facts.act in FEEDBACK_ACTS:
                said = judge_feedback(self.tell, chain, facts, leaf.time)
                if said is not None and self.reports.at(leaf.time):
                    self._count(said, facts, leaf.time)
            # Step 8.14.
            elif facts.act == "subject.enrol":
                self.gestures.enrol(leaf.chain, facts.party, facts.content)
            elif chain.known or self.gestures.enrolment(str(facts.content["credential_id"])) is not None:
                self.gestures.unenrol(leaf.chain, facts.content)
            else:
                self.findings.unchecked["passkeys ended whose enrolment may be withheld"] += 1
        except Refuted as refusal:
            self.tell.refuse(refusal)

    def _count(self, said: Said, facts: Facts, time: int) -> None:
        """What reports count of a customer's words and of the answers to them."""
        about = self.shelf.get(said.chain.encode())
        consent = None if about is None else about.consent
        if facts.act == "subject.feedback":
            self.reports.complained(consent, said.due)
        elif facts.content["state"] in ("answered", "closed") and not said.answered and time < said.due * 1000:
            self.reports.answered(consent, said)

    def _companion(self, leaf: Leaf, facts: Facts) -> None:
        consent_id = str(facts.content["consent_id"])
        name = text_of(chain_of(consent_id))
        # Step 8.13.
        waiting = self.awaiting.get(name)
        if not waiting:
            index, unread = self._gap
            if index == self.tell.index - 1 and unread in (None, name):
                self.findings.unchecked[AUTHORISATION_WITHHELD] += 1
                return
            self.tell.bad(
                Code.CONSENT_INVALID,
                "no authorisation of this consent precedes it",
                "consent_id",
                "a consent.authorise",
                consent_id,
            )
            return
        first = waiting.pop(0)
        if not waiting:
            del self.awaiting[name]
        self._demand(first, self.tell.index, leaf.chain)
        if (first.iss, first.behalf) != (facts.iss, facts.behalf):
            self.tell.bad(
                Code.CONSENT_INVALID,
                "the companion is signed by another than its authorisation, or for another",
                "iss",
                f"{first.iss} for {first.behalf or first.iss} (entry {first.number})",
                f"{facts.iss} for {facts.party}",
            )
        self.findings.checked["companions of authorisations"] += 1

    def _demand(self, first: Authorised, index: int, chain: bytes) -> None:
        """Demand that the passkey of the authorisation belongs to the customer in whose chain entry `index` is."""
        if first.chain and first.chain != chain.decode():
            sentence = f"the passkey of entry {first.number} is another customer's"
            self._bad(index, Code.CONSENT_INVALID, sentence, "chain", first.chain, chain.decode())
        if first.credential:
            known = self.shelf.get(chain)
            if known is None or not known.known:
                self.findings.unchecked[ENROLMENT_WITHHELD] += 1
            else:
                self._bad(
                    first.number,
                    Code.CONSENT_INVALID,
                    NOT_ENROLLED,
                    "assertion.credential_id",
                    "an enrolled credential",
                    first.credential,
                )

    def _confirm(self, facts: Facts, record: Object) -> tuple[str, str]:
        """The customer's own signature: the subject chain its passkey was enrolled in; else the credential, if its
        enrolment may stand in an entry that could not be read."""
        credential = str(record.get("credential_id"))
        if self.gaps and self.gestures.enrolment(credential) is None:
            return "", credential
        try:
            # Step 8.9.
            assertion, enrolment = self.gestures.confirm(record, facts.act, facts.party, facts.content)
        except Refuted as refusal:
            self.tell.refuse(refusal)
            return "", ""
        self.matching.put_challenge(assertion.challenge, self.tell.index)
        self.findings.checked["passkey confirmations"] += 1
        if not self.gestures.trust.origins:
            self.findings.unchecked["places of passkey confirmations (your policy names none)"] += 1
        chain = self.shelf.get(enrolment.chain.encode())
        if chain is not None and not chain.known:
            self.findings.unchecked["passkeys that may have been ended in an entry that could not be read"] += 1
        return enrolment.chain, ""

    def finish(self) -> None:
        """The checks that need the whole log."""
        # Step 9.8.
        for waiting in self.awaiting.values():
            for authorised in waiting:
                self._bad(
                    authorised.number,
                    Code.INCOMPLETE,
                    "the authorisation is in no subject chain",
                    "",
                    "a subject.consent in the same batch",
                    "none",
                )
                if authorised.credential:
                    self.findings.unchecked[ENROLMENT_WITHHELD] += 1

    def _bad(self, index: int, code: Code, sentence: str, field: str, expected: str, found: str) -> None:
        self.tell.at(index).bad(code, sentence, field, expected, found)
