"""The rules, replayed in log order from the evidence alone: registry, consents, decisions, uniqueness, legs.

What the ledger claims is compared with what the rules give. Where they differ the defect is reported and the claim
is taken over, so that one lie is told once and what follows from it is judged on its own.
"""

from __future__ import annotations

from dataclasses import replace

from verifier.acts import HOLDER_ACTS, RECIPIENT_ACTS, REDUCING
from verifier.catalogue import RULESET
from verifier.commitment import chain_of
from verifier.consents import STATUSES, Consent, transition
from verifier.crypto.backend import Backend
from verifier.decisions import Item, after_allow, decide
from verifier.encoding import Json, Object, encode_canonical
from verifier.errors import Code, Defect, Place, Refuted, printable
from verifier.facts import DefectRow, Facts, Found
from verifier.findings import DAY_MS, Findings
from verifier.gestures import Gestures
from verifier.leaf import Leaf, text_of
from verifier.matching import Matching
from verifier.participants import Registry, chain_name
from verifier.shelf import Chain, Shelf
from verifier.terms import parse_terms
from verifier.trust import Trust

UNKNOWN_STATE = "entries of consents whose state is unknown since an entry was withheld, erased or unreadable"
UNREGISTERED = "the key of the statement is not registered"
OTHER_RULES = "entries under a ruleset this verifier does not know"


class Replay:
    """Feed every leaf in order to `add`, with what its evidence said; then `finish`."""

    def __init__(
        self, origin: str, findings: Findings, shelf: Shelf, full: bool, trust: Trust, backend: Backend
    ) -> None:
        self.origin, self.findings, self.shelf, self.full = origin, findings, shelf, full
        self.gestures = Gestures(trust, backend)
        self.registry = Registry()
        self.matching = Matching()
        # consent chain -> authorisations without their companion: index, and the subject chain a passkey demands
        self.awaiting: dict[bytes, list[tuple[int, str]]] = {}
        self.time = 0
        self.lost = 0  # entries or bodies that could not be read: what rests on them cannot be judged
        self._index = 0
        self._flagged = False

    # --- one entry ------------------------------------------------------------------------------------------

    def add(self, index: int, leaf: Leaf, found: Found | None) -> None:
        """Judge the entry at `index`. `found` is None when it has no evidence line."""
        self._index = index
        self.time = max(self.time, leaf.time)
        if leaf.kind == "operator":
            self._operator(leaf)
        elif leaf.kind != "index-head":
            if index == 0:
                self._bad(
                    Code.CONSENT_INVALID,
                    "the log does not open with ledger.opened",
                    "kind",
                    "operator",
                    leaf.kind,
                )
            chain = self.shelf.get(leaf.chain)
            if chain is not None:
                self._disclosed(leaf, chain, found)

    def _operator(self, leaf: Leaf) -> None:
        document = leaf.document or {}
        try:
            self.registry.fold(document, self._index)
        except Refuted as refusal:
            self.findings.refuse(refusal, index=self._index)
            return
        expected = text_of(chain_of(chain_name(document)))
        if leaf.chain != expected:
            self._bad(
                Code.BAD_CHAIN,
                "the document is filed under another chain than it names",
                "chain",
                expected,
                leaf.chain,
            )
        if self._index == 0 and self.registry.origin != self.origin:
            self._bad(
                Code.BAD_ENCODING,
                "the log was opened under another origin",
                "document.origin",
                self.origin,
                self.registry.origin,
            )
        self.findings.acts[str(document["type"])] += 1
        self.findings.checked["operator documents"] += 1

    def _disclosed(self, leaf: Leaf, chain: Chain, found: Found | None) -> None:
        if found is None:
            chain.known = False
            self.matching.put_missing(leaf.chain, self._index, leaf.kind)
            return
        self._tell_rows(found)
        facts = found.facts
        if facts is None:
            chain.known = False
            self.lost += 1
            self.findings.unchecked["evidence that was refused (see the defects)"] += 1
            return
        self.findings.checked["evidence bodies"] += 1
        self.findings.acts[facts.act] += 1
        if facts.kid:
            self._signed(facts, chain)
        if self.registry.ruleset == RULESET:
            self._judge(leaf, chain, facts)
        else:
            chain.known = False
            self.findings.unchecked[OTHER_RULES] += 1

    def _tell_rows(self, found: Found) -> None:
        self._flagged = False
        for row in found.defects:
            self._flagged = self._flagged or row[0] == Code.BAD_SIGNATURE
            if self.lost and row[1] == UNREGISTERED:
                self.findings.unchecked["statements whose key may stand in an entry that could not be read"] += 1
            else:
                self._row(row)

    def _signed(self, facts: Facts, chain: Chain) -> None:
        if self.lost and not self._parties_known(facts):
            chain.known = False
        else:
            self._check_signer(facts)
        self.findings.checked["signed statements"] += 1
        self.matching.put_identity(facts.jti_key, facts.payload_key, facts.position, self._index)

    def _judge(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        subject = "" if facts.assertion is None else self._confirm(facts, facts.assertion)
        if facts.act == "consent.authorise":
            self.awaiting.setdefault(leaf.chain, []).append((self._index, subject))
        if facts.act == "access.request":
            self._access(leaf, chain, facts)
        elif facts.act.startswith("consent."):
            self._consent(leaf, chain, facts)
        elif facts.act.startswith("access."):
            self._leg(leaf, chain, facts)
        else:
            self._subject(leaf, facts)

    # --- signers --------------------------------------------------------------------------------------------

    def _check_signer(self, facts: Facts) -> None:
        """docs/spec/statements.md, «Signer rules»."""
        key = self.registry.keys.get(facts.kid)
        if key is None or key.added >= self._index:
            if not self._flagged:
                self._bad(
                    Code.BAD_SIGNATURE,
                    "the key of the statement is not registered at a lower index",
                    "kid",
                    "a key added before",
                    facts.kid,
                )
            return
        if key.owner != facts.iss:
            self._bad(Code.BAD_SIGNATURE, "the key belongs to another participant", "kid", facts.iss, key.owner)
        if key.revoked is not None:
            self._bad(
                Code.POLICY_REJECTED,
                "the key was revoked before",
                "kid",
                "a key in force",
                f"{facts.kid}, revoked at entry {key.revoked}",
            )
        if key.use != "statement":
            self._bad(Code.POLICY_REJECTED, "the key is not one for statements", "kid", "statement", key.use)
        role = self._role(facts)
        if role and not self.registry.has_role(facts.iss, role):
            self._bad(Code.CONSENT_INVALID, f"{facts.act} needs the role {role}", "iss", role, facts.iss)
        if facts.act not in REDUCING and facts.act != "access.request" and self.registry.is_suspended(facts.iss):
            self._bad(Code.POLICY_REJECTED, "the signer is suspended", "iss", "an active participant", facts.iss)

    def _parties_known(self, facts: Facts) -> bool:
        """Whether those the rules ask about are registered; if not, an unreadable entry may have said it."""
        terms = facts.content.get("terms")
        parties = {facts.iss, str(terms["holder"]) if isinstance(terms, dict) else facts.iss}
        return parties <= self.registry.participants.keys() and facts.kid in self.registry.keys

    @staticmethod
    def _role(facts: Facts) -> str:
        if facts.act in HOLDER_ACTS or (facts.act == "access.request" and facts.relayed):
            return "holder"
        return "recipient" if facts.act in RECIPIENT_ACTS or facts.act == "access.request" else ""

    def _confirm(self, facts: Facts, record: Object) -> str:
        """The customer's own signature; the subject chain its passkey was enrolled in."""
        if self.matching.missing["subject"] and record.get("credential_id") not in self.gestures.enrolled:
            self.findings.unchecked["passkey confirmations whose enrolment may be withheld"] += 1
            return ""
        try:
            assertion, enrolment = self.gestures.confirm(record, facts.act, facts.iss, facts.content)
        except Refuted as refusal:
            self.findings.refuse(refusal, index=self._index)
            return ""
        self.matching.put_challenge(assertion.challenge, self._index)
        self.findings.checked["passkey confirmations"] += 1
        if not self.gestures.trust.origins:
            self.findings.unchecked["places of passkey confirmations (your policy names none)"] += 1
        return enrolment.chain

    # --- consents and accesses ------------------------------------------------------------------------------

    def _consent(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        outcome = facts.outcome or {}
        if not chain.known:
            self.findings.unchecked[UNKNOWN_STATE] += 1
            return
        try:
            consent = transition(
                self.registry, chain.consent, facts.act, facts.iss, facts.content, leaf.time, self._index
            )
        except Refuted as refusal:
            self.findings.refuse(refusal, index=self._index)
            chain.consent = _claimed(chain.consent, facts, outcome, self._index)
            chain.known = chain.consent is not None
            return
        chain.consent = consent
        self._compare(
            outcome,
            {"consent_version": consent.version, "ruleset": RULESET, "status": consent.status},
            "the rules lead to another state",
        )
        self.findings.checked["consent transitions"] += 1

    def _access(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        outcome = facts.outcome or {}
        allowed = outcome["decision"] == "allow"
        self.findings.decisions[str(outcome["decision"])] += 1
        if not allowed:
            self.findings.denials[leaf.time // DAY_MS] += 1
        reasons = outcome["reasons"]
        for reason in reasons if isinstance(reasons, list) else ():
            self.findings.reasons[str(reason)] += 1
        if allowed:
            self.matching.put_leg(self._index, 0, self._index, leaf.chain, facts.content, leaf.time)
        if not chain.known:
            self.findings.unchecked[UNKNOWN_STATE] += 1
            return
        item = _item(facts.content)
        expected = decide(self.registry, chain.consent, facts.iss, facts.relayed, item, leaf.time)
        self._compare(outcome, expected, "the rules give another decision")
        self.findings.checked["access decisions"] += 1
        used = outcome["used_today"]
        if chain.consent is not None and used != expected["used_today"] and isinstance(used, int):
            chain.consent = replace(chain.consent, used_day=leaf.time // DAY_MS, used_today=used)
        if allowed and chain.consent is not None:
            chain.consent = after_allow(chain.consent, item, leaf.time)

    def _leg(self, leaf: Leaf, chain: Chain, facts: Facts) -> None:
        release = facts.act == "access.release"
        if chain.consent is not None:
            party = chain.consent.terms.holder if release else chain.consent.terms.recipient
            if facts.iss != party:
                self._bad(
                    Code.CONSENT_INVALID,
                    f"{facts.act} is not signed by the party of the consent",
                    "iss",
                    party,
                    facts.iss,
                )
        basis = facts.content["basis"]
        if isinstance(basis, int):
            self.matching.put_leg(basis, 1 if release else 2, self._index, leaf.chain, facts.content, leaf.time)

    def _subject(self, leaf: Leaf, facts: Facts) -> None:
        try:
            if facts.act == "subject.consent":
                self._companion(leaf, str(facts.content["consent_id"]))
            elif facts.act == "subject.enrol":
                self.gestures.enrol(leaf.chain, facts.iss, facts.content)
            elif self._all_known() and not self.lost:
                self.gestures.unenrol(leaf.chain, facts.content)
        except Refuted as refusal:
            self.findings.refuse(refusal, index=self._index)

    def _companion(self, leaf: Leaf, consent_id: str) -> None:
        name = text_of(chain_of(consent_id))
        waiting = self.awaiting.get(name)
        if not waiting:
            chain = self.shelf.get(name)
            if (chain is None or chain.known) and not self.lost:
                self._bad(
                    Code.CONSENT_INVALID,
                    "no authorisation of this consent goes before",
                    "consent_id",
                    "a consent.authorise",
                    consent_id,
                )
            return
        index, subject = waiting.pop(0)
        if not waiting:
            del self.awaiting[name]
        if subject and subject != leaf.chain.decode():
            self._bad(
                Code.CONSENT_INVALID,
                f"the passkey of entry {index} is another customer's",
                "chain",
                subject,
                leaf.chain,
            )
        self.findings.checked["companions of authorisations"] += 1

    def _all_known(self) -> bool:
        return not self.matching.missing["subject"]

    # --- the end --------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """What only the whole log can say."""
        if self.awaiting and (not self._all_known() or self.lost):
            self.findings.unchecked["authorisations whose companion may be withheld"] += sum(
                map(len, self.awaiting.values())
            )
        else:
            for indexes in self.awaiting.values():
                for self._index, _ in indexes:
                    self._bad(
                        Code.INCOMPLETE,
                        "the authorisation stands in no subject chain",
                        "",
                        "a subject.consent in the same batch",
                        "none",
                    )
        self.matching.finish(self.findings, self.registry.erased, self.full, self.time, self.lost)

    def _compare(self, claimed: Object, given: Object, sentence: str) -> None:
        if claimed == given and not _has_flag(claimed.get("obligations")):
            return
        names = [name for name in sorted(given) if claimed.get(name) != given[name]]
        self._bad(Code.CONSENT_INVALID, sentence, "outcome", _told(given, names), _told(claimed, names))

    def _row(self, row: DefectRow) -> None:
        code, sentence, field, expected, found = row
        self.findings.add(Defect(Code(code), sentence, Place(self._index, field=field or None), expected, found))

    def _bad(self, code: Code, sentence: str, field: str, expected: object, found: object) -> None:
        self.findings.add(
            Defect(code, sentence, Place(self._index, field=field or None), _text(expected), _text(found))
        )


def _item(content: Object) -> Item:
    """The members the decision looks at; `acts.check_item` has checked their forms."""
    return Item(
        tuple(content["accounts"]),  # type: ignore[arg-type]
        content["customer_present"],  # type: ignore[arg-type]
        content["from"],  # type: ignore[arg-type]
        content["to"],  # type: ignore[arg-type]
        tuple(content["permissions"]),  # type: ignore[arg-type]
        content["purpose"],  # type: ignore[arg-type]
    )


def _claimed(consent: Consent | None, facts: Facts, outcome: Object, index: int) -> Consent | None:
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
    accounts = consent.accounts
    if facts.act == "consent.authorise":
        added: Json = facts.content["accounts"]
        accounts = tuple(sorted({*accounts, *map(str, added if isinstance(added, list) else ())}))
    return replace(consent, status=status, version=version, accounts=accounts, basis=index)


def _has_flag(obligations: Json) -> bool:
    """Equal values of other types (true for 1) were refused with the outcome's form, but for the obligations'. Theirs
    are numbers and lists of texts."""
    return isinstance(obligations, dict) and bool in map(type, obligations.values())


def _told(outcome: Object, names: list[str]) -> str:
    return "; ".join(f"{name} {_spell(outcome.get(name))}" for name in names)


def _spell(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return printable(encode_canonical(value).decode() if isinstance(value, dict) else value)


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else printable(value)
