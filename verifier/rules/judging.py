"""Judges one entry of a consent's chain by the rules: transitions, decisions, legs (docs/spec/consents.md, decisions.md).

The ledger's claim is compared with the result of the rules. Where they differ, the defect is reported and the claim is
taken over, so that one lie is reported once and its consequences are judged on their own.
"""

from __future__ import annotations

from dataclasses import replace

from verifier.bytes.encoding import Json, Object, encode_canonical
from verifier.errors import Code, Refuted, printable
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf, text_of
from verifier.records.reasons import DECIDED_SINCE_3
from verifier.records.terms import parse_terms
from verifier.rules.access_legs import RECEIVE, RELEASE, Legs
from verifier.rules.authorising import take
from verifier.rules.chain_store import Chain, Shelf
from verifier.rules.consents import STATUSES, Consent
from verifier.rules.decisions import Asker, Item, after_access, asserted_of, decide, with_claimed
from verifier.rules.findings import DAY_MS, Reporter
from verifier.rules.participants import Registry
from verifier.rules.reporting import Reporting
from verifier.rules.transitions import StateUnknown, transition

UNKNOWN_STATE = "entries of consents whose state is unknown since an entry was withheld, erased or unreadable"
HOLDERS_WORD = "asserted reasons: the holder's word, signed by it"
UNREAD_DECLARATION = "decisions that a declaration may have changed which could not be read"
UNREAD_LIMITS = "terms whose purpose a regulator may have defined in a declaration that could not be read"
LEDGERS_WORD = "asserted reasons: the ledger's own word"


class Judge:
    """Shown each readable entry of a consent chain in log order."""

    def __init__(self, tell: Reporter, registry: Registry, shelf: Shelf, legs: Legs, reports: Reporting) -> None:
        self.tell, self.findings, self.registry, self.shelf, self.legs = tell, tell.findings, registry, shelf, legs
        self.reports = reports

    def consent(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """A transition."""
        outcome = facts.outcome or {}
        if not chain.known:
            self.findings.unchecked[UNKNOWN_STATE] += 1
            self.reports.missed(leaf.time)
            return
        if facts.act == "consent.acknowledge":
            self._acknowledge(leaf, chain, facts, outcome)
            return
        before = chain.consent
        chain.steps, chain.moved = (*chain.steps, self.tell.index), leaf.time
        try:
            # Step 8.10.
            consent = transition(self.registry, chain.consent, facts, leaf.time, self.tell.index, self._find)
        except StateUnknown:
            self.findings.unchecked[UNKNOWN_STATE] += 1
            chain.known = False
            self.reports.missed(leaf.time)
            return
        except Refuted as refusal:
            self.tell.refuse(refusal)
            chain.consent = _claimed(chain.consent, facts, outcome, leaf.time, self.tell.index, self.registry.ruleset)
            chain.known = chain.consent is not None
            if self.reports.at(leaf.time):
                self.reports.moved(before, chain, facts)
            return
        chain.consent = consent
        if self.reports.at(leaf.time):
            self.reports.moved(before, chain, facts)
        if self.registry.supervision.blind and facts.act in ("consent.request", "consent.amend"):
            self.findings.unchecked[UNREAD_LIMITS] += 1
        self._compare(
            outcome,
            {"consent_version": consent.version, "ruleset": self.registry.ruleset, "status": consent.status},
            "the rules lead to another state",
        )
        self.findings.checked["consent transitions"] += 1

    def _acknowledge(self, leaf: Leaf, chain: Chain, facts: Facts, outcome: Object) -> None:
        """The recipient says that it knows of a step of the consent, which changes nothing."""
        consent, basis = chain.consent, facts.content["basis"]
        if consent is None:
            self.tell.bad(
                Code.CONSENT_INVALID,
                "no consent with this id was requested before",
                "",
                "a consent.request at a lower index",
                "none",
            )
            return
        if facts.party != consent.terms.recipient:
            self.tell.bad(
                Code.CONSENT_INVALID, "only the recipient acknowledges", "iss", consent.terms.recipient, facts.party
            )
        if basis not in chain.steps:
            self.tell.bad(
                Code.CONSENT_INVALID,
                "the acknowledged entry is not a step of this consent",
                "basis",
                "one of its steps",
                basis,
            )
        given: Object = {"consent_version": consent.version, "ruleset": self.registry.ruleset, "status": consent.status}
        self._compare(outcome, given, "the rules lead to another state")
        self.findings.checked["acknowledgements"] += 1
        if basis in chain.steps and facts.party == consent.terms.recipient and self.reports.at(leaf.time):
            self.reports.acknowledged(chain, basis, leaf.time)

    def access(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """An access and its decision."""
        outcome = facts.outcome or {}
        allowed = outcome["decision"] == "allow"
        self.findings.decisions[str(outcome["decision"])] += 1
        if not allowed:
            self.findings.denials[leaf.time // DAY_MS] += 1
            for name in ("reasons", "asserted"):
                told = outcome.get(name, [])
                for reason in told if isinstance(told, list) else ():
                    self.findings.reasons[str(reason)] += 1
        else:
            self._allow(leaf, chain.consent, facts, outcome)
        if not chain.known:
            self.findings.unchecked[UNKNOWN_STATE] += 1
            self.reports.missed(leaf.time)
            return
        item = _item(facts.content)
        asker = Asker(facts.iss, facts.party, facts.relayed)
        stated = facts.content.get("asserted")
        asserted = asserted_of(self.registry.ruleset, outcome.get("asserted"), stated)
        # Step 8.11.
        ruleset, consent = self.registry.ruleset, chain.consent
        chain_text = leaf.chain.decode() if ruleset >= 3 else ""
        expected = decide(self.registry, consent, asker, item, leaf.time, asserted, chain_text)
        unsure = (
            ruleset >= 3
            and consent is not None
            and expected["basis"] != -1
            and self.registry.supervision.is_unsure(consent.terms)
        )
        if unsure:
            self.findings.unchecked[UNREAD_DECLARATION] += 1
        else:
            self._compare(outcome, expected, "the rules give another decision")
            self.findings.checked["access decisions"] += 1
        if ruleset >= 3 and isinstance(stated, list):
            self._check_stated(stated, outcome)
        if asserted and "asserted" in expected:
            signed = sum(code in asserted for code in stated) if isinstance(stated, list) else 0
            words = {HOLDERS_WORD: signed, LEDGERS_WORD: len(asserted) - signed}
            self.findings.unchecked.update({whose: count for whose, count in words.items() if count})
        used = outcome["used_today"]
        if consent is not None and used != expected["used_today"] and isinstance(used, int):
            consent = with_claimed(ruleset, consent, item, used, leaf.time)
        if allowed and consent is not None:
            consent = after_access(ruleset, consent, item, leaf.time)
        if self.reports.planned and chain.consent is not None and consent is not None and expected["basis"] != -1:
            self.reports.accessed(chain.consent, consent, facts, outcome, leaf.time)
        chain.consent = consent

    def _allow(self, leaf: Leaf, consent: Consent | None, facts: Facts, outcome: Object) -> None:
        deal = self.legs.deal(facts.content, outcome.get("obligations"))
        parties = self._parties(consent)
        self.legs.allow(self.tell.index, leaf.chain, facts.content, leaf.time, facts.party, deal, parties)

    def _parties(self, consent: Consent | None) -> int:
        return 0 if consent is None else self.legs.between(consent.terms.holder, consent.terms.recipient)

    def _check_stated(self, stated: list[Json], outcome: Object) -> None:
        """Nobody asserts a reason that ruleset 3 decides itself. (In the outcome it is a wrong decision already.)"""
        claimed = outcome.get("asserted")
        wrong = [code for code in stated if code in DECIDED_SINCE_3]
        if wrong and not (isinstance(claimed, list) and DECIDED_SINCE_3.intersection(map(str, claimed))):
            told = ", ".join(map(str, wrong))
            self.tell.bad(
                Code.CONSENT_INVALID, "the rules decide this; nobody may assert it", "asserted", "others", told
            )

    def leg(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        """A holder's release, or a recipient's receipt of data."""
        release = facts.act == "access.release"
        if chain.consent is not None:
            party = chain.consent.terms.holder if release else chain.consent.terms.recipient
            # Step 8.12.
            if facts.party != party:
                self.tell.bad(
                    Code.CONSENT_INVALID,
                    f"{facts.act} is not signed by the party of the consent",
                    "iss",
                    party,
                    facts.party,
                )
        elif not chain.known:
            self.findings.unchecked[UNKNOWN_STATE] += 1
        basis = facts.content["basis"]
        if isinstance(basis, int):
            kind = RELEASE if release else RECEIVE
            parties = self._parties(chain.consent)
            self.legs.put(basis, kind, self.tell.index, leaf.chain, facts.content, leaf.time, facts.party, parties)

    def _find(self, consent_id: str) -> Consent | None:
        chain = self.shelf.get(text_of(chain_of(consent_id)))
        if chain is None or (chain.known and chain.consent is None):
            return None
        if not chain.known:
            raise StateUnknown
        return chain.consent

    def _compare(self, claimed: Object, given: Object, sentence: str) -> None:
        if claimed == given:
            return
        names = [name for name in sorted({*given, *claimed}) if claimed.get(name) != given.get(name)]
        self.tell.bad(Code.CONSENT_INVALID, sentence, "outcome", _told(given, names), _told(claimed, names))


def _item(content: Object) -> Item:
    """The members the decision looks at; `acts.check_item` has checked their forms."""
    return Item(
        tuple(content["accounts"]),  # type: ignore[arg-type]
        content["customer_present"],  # type: ignore[arg-type]
        content["from"],  # type: ignore[arg-type]
        content["to"],  # type: ignore[arg-type]
        tuple(content["permissions"]),  # type: ignore[arg-type]
        content["purpose"],  # type: ignore[arg-type]
        content.get("region", ""),  # type: ignore[arg-type]
    )


def _claimed(
    consent: Consent | None, facts: Facts, outcome: Object, time: int, index: int, ruleset: int
) -> Consent | None:
    """The state the ledger claims after a transition that the rules do not give."""
    status, version = str(outcome.get("status")), outcome.get("consent_version")
    if status not in STATUSES or not isinstance(version, int):
        return None
    if facts.act == "consent.request":
        terms = facts.content["terms"]
        if isinstance(terms, dict):
            return Consent(version, status, parse_terms(terms), str(facts.content["terms_hash"]), index)
    if consent is None:
        return None
    if facts.act == "consent.authorise":
        consent = take(ruleset, consent, version > consent.version, facts.content, time, index)
    return replace(consent, status=status, version=version, basis=index)


def _told(outcome: Object, names: list[str]) -> str:
    return "; ".join(f"{name} {_spell(outcome.get(name))}" for name in names)


def _spell(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return printable(encode_canonical(value).decode() if isinstance(value, dict) else value)
