"""Participants, their keys, delegations and purposes, folded from the operator documents of the log itself
(docs/spec/leaves.md).

Only the log says who owned which key when, at an index; an entry is judged by what lower indexes said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from verifier.bytes.encoding import (
    Object,
    check_entry_version,
    check_members,
    get_bytes,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.crypto.keys import parse_jwk
from verifier.errors import Code, Refuted, refuted
from verifier.records.acts import MEMBERS as ACTS
from verifier.records.acts import SINCE_3
from verifier.records.declarations import PURPOSE, check_purpose
from verifier.records.terms import CODE, PARTICIPANT, check_sorted, get_codes
from verifier.rules import about_entries, log_keys, orders, sets
from verifier.rules.catalogue import CATALOGUES, is_known
from verifier.rules.handovers import Handovers
from verifier.rules.registered import Key, Participant, Purpose
from verifier.rules.supervision import Supervision

KID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
ROLES = frozenset({"holder", "recipient", "technology-provider", "regulator", "auditor"})
LEDGER_CHAIN = "operator:ledger"

MEMBERS: dict[str, frozenset[str]] = {
    "ledger.opened": frozenset({"origin", "ruleset"}),
    "participant.registered": frozenset({"participant", "name", "roles"}),
    "key.added": frozenset({"participant", "kid", "alg", "use", "jwk"}),
    "key.revoked": frozenset({"participant", "kid", "reason"}),
    "participant.suspended": frozenset({"participant", "reason"}),
    "participant.reinstated": frozenset({"participant", "reason"}),
    "participant.removed": frozenset({"participant", "reason"}),
    "delegation.granted": frozenset({"participant", "delegate", "acts"}),
    "delegation.ended": frozenset({"participant", "delegate", "reason"}),
    "purpose.defined": PURPOSE,
    "ruleset.activated": frozenset({"ruleset"}),
    **about_entries.MEMBERS,
    **log_keys.MEMBERS,
}
RULES = ("ledger.opened", "ruleset.activated")
"""What names a ruleset: version 1 by its number, version 2, of rulesets from 3 on, also by the hash of its catalogue."""
SINCE_2 = frozenset(
    {"participant.removed", "delegation.granted", "delegation.ended", "purpose.defined", "reconciliation.reported"}
)


@dataclass(slots=True)
class Registry:
    """The operator chains so far. `fold` each document in log order. `delegations`: (participant, delegate) ->
    the acts; `suspensions`, `removals`: how many are in force."""

    origin: str = ""
    ruleset: int = 0
    catalogue: str = ""
    participants: dict[str, Participant] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    delegations: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    purposes: dict[str, Purpose] = field(default_factory=dict)
    suspensions: int = 0
    removals: int = 0
    log_keys: log_keys.LogKeys = field(default_factory=log_keys.LogKeys)
    erased: dict[str, int] = field(default_factory=dict)  # chain (b64u) -> index of the erasure
    history: list[tuple[int, int, str, Object]] = field(default_factory=list)
    """What was folded, for a resumed run: index, time, who declared it (a document: nobody), document or statement."""
    supervision: Supervision = field(default_factory=Supervision)
    orders: orders.Orders = field(init=False)
    about_entries: about_entries.AboutEntries = field(init=False)
    shards: sets.Shards = field(init=False)
    holders: list[tuple[int, str]] = field(default_factory=list)
    """Index and participant of each registration of a holder: whether it is the right log, only a set can tell."""

    def __post_init__(self) -> None:
        self.shards = sets.Shards(self.log_keys)
        self.about_entries = about_entries.AboutEntries(self.supervision, self.erased, self.participants)
        handovers = Handovers(self.participants, self.about_entries.disclosed)
        self.orders = orders.Orders(self.supervision, self.erased, self.participants, handovers)

    def has_role(self, participant: str, role: str) -> bool:
        """Registered with this role, suspended or not."""
        known = self.participants.get(participant)
        return known is not None and role in known.roles

    def is_suspended(self, participant: str) -> bool:
        """Registered and suspended."""
        if not self.suspensions:
            return False
        known = self.participants.get(participant)
        return known is not None and known.suspended

    def is_removed(self, participant: str) -> bool:
        """Registered and removed, which is permanent."""
        if not self.removals:
            return False
        known = self.participants.get(participant)
        return known is not None and known.removed

    def may_act_for(self, delegate: str, participant: str, act: str) -> bool:
        """A delegation in force names the act."""
        return act in self.delegations.get((participant, delegate), ())

    def fold(self, document: Object, index: int, time: int = 0) -> None:
        """Apply one operator document; `time` (ms) is its leaf's.
        Raises Refuted: BAD_ENCODING for its form, BAD_SIGNATURE for a key that must not be
        registered: such a document says nothing. CONSENT_INVALID for a step that the rules do not give: what it claims
        is taken over all the same, so that it is told once (docs/spec/verdicts.md, «After a defect»)."""
        about_a_set, names_rules = document.get("type") in sets.MEMBERS, document.get("type") in RULES
        about_the_log = about_a_set or document.get("type") in log_keys.MEMBERS
        check_entry_version(document, "the operator document", 2 if about_the_log or names_rules else 1)
        kind = get_text(document, "type", 64)
        members = MEMBERS.get(kind) or orders.MEMBERS.get(kind) or sets.MEMBERS.get(kind)
        if members and names_rules and document["v"] == 2:
            members |= {"catalogue"}
        if members is None or (about_the_log and document["v"] != 2):
            raise refuted(Code.BAD_ENCODING, "an operator document of an unknown type", field="type", found=kind)
        # Step 8.2.
        check_members(document, members | {"type", "v"}, orders.OPTIONAL.get(kind, ()))
        # Step 8.1.
        if (index == 0) != (kind == "ledger.opened"):
            raise _bad("the log opens with ledger.opened, and only there", "ledger.opened at index 0", kind)
        # Step 8.3.
        since = 2 if kind in SINCE_2 else 3 if kind in orders.MEMBERS else 0
        ruleset = self.ruleset
        if kind in orders.MEMBERS:
            self.orders.fold(kind, document, index, time)
        elif about_a_set:
            self.shards.fold(document, index, self.origin)
        elif kind in about_entries.MEMBERS:
            self.about_entries.fold(document, index, time, self.ruleset)
        else:
            getattr(self, "_" + kind.replace(".", "_"))(document, index)
        if ruleset < since:
            sentence = f"the document exists from ruleset {since} onwards"
            raise _bad(sentence, f"ruleset {since}", f"{kind} under ruleset {ruleset}")
        if kind not in ("alert.raised", "heads.committed"):  # `supervision`, `shards` keep what matters of them
            self.history.append((index, time, "", document))

    def fold_beyond(self, document: Object, index: int, time: int) -> None:
        """Apply a document under rules that nobody here knows, for the list of who could sign. Raises as `fold`."""
        if document.get("type") in sets.MEMBERS:
            return
        known = len(self.holders)
        try:
            self.fold(document, index, time)
        finally:
            del self.holders[known:]

    def declare(self, act: str, party: str, content: Object, index: int, time: int) -> None:
        """Apply a declaration of `party`. Raises Refuted(CONSENT_INVALID) if it is illegal."""
        if act == "purpose.define":
            before = self.purposes.get(str(content["code"]))
            try:
                self._define(content)
            except Refuted:  # an illegal one says nothing
                self.purposes.pop(str(content["code"]))
                if before is not None:
                    self.purposes[str(content["code"])] = before
                raise
        else:
            self.orders.declare(act, party, content, index, time)
        self.history.append((index, time, party, content))

    def _ledger_opened(self, document: Object, _: int) -> None:
        origin = get_text(document, "origin", 255)
        self._rules(document)
        self.origin = origin

    def _ruleset_activated(self, document: Object, _: int) -> None:
        before = self.ruleset
        self._rules(document)
        if self.ruleset <= before:
            raise _bad("the ruleset never falls", f"above {before}", self.ruleset)

    def _rules(self, document: Object) -> None:
        ruleset = get_integer(document, "ruleset", 3 if document["v"] == 2 else 1)
        if document["v"] == 2:
            get_bytes(document, "catalogue", 32)
        self.ruleset, self.catalogue = ruleset, str(document.get("catalogue", ""))

    @property
    def is_judged(self) -> bool:
        """Whether this verifier knows the rules in force (docs/spec/verdicts.md, step 8.0)."""
        return is_known(self.ruleset, self.catalogue)

    def _log_key_added(self, document: Object, index: int) -> None:
        self.log_keys.fold(document, index)

    def _log_key_retired(self, document: Object, index: int) -> None:
        self.log_keys.fold(document, index)

    def _log_key_compromised(self, document: Object, index: int) -> None:
        self.log_keys.fold(document, index)

    def _participant_registered(self, document: Object, index: int) -> None:
        participant = get_text(document, "participant", 63, PARTICIPANT)
        roles = get_texts(document, "roles", 1, len(ROLES))
        check_sorted(roles, "roles")
        if not set(roles) <= ROLES:
            raise refuted(Code.BAD_ENCODING, "an unknown role", field="roles", found=", ".join(roles))
        if "holder" in roles:
            self.holders.append((index, participant))
        before = self.participants.get(participant)
        known = Participant(get_text(document, "name", 200), frozenset(roles))
        if before is not None:  # its standing stays
            known.suspended, known.removed = before.suspended, before.removed
        self.participants[participant] = known
        if before is not None:
            raise _bad("the participant is registered already", "a new id", participant)

    def _key_added(self, document: Object, index: int) -> None:
        owner, participant = self._named(document)
        kid = get_text(document, "kid", 64, KID)
        use = get_text(document, "use", 16)
        if use not in ("statement", "client"):
            raise refuted(Code.BAD_ENCODING, "an unknown use of a key", field="use", found=use)
        jwk = get_object(document, "jwk")
        key = parse_jwk(jwk)
        if document["alg"] != key.alg:
            raise refuted(
                Code.BAD_ENCODING,
                "the algorithm is not that of the key",
                field="alg",
                expected=key.alg,
                found=document["alg"],
            )
        if kid in self.keys:  # the earlier one stays
            raise _bad("the key id was used before", "a new kid", kid)
        self.keys[kid] = Key(kid, owner, use, jwk, key, index)
        self._registered(owner, participant)
        if participant is not None and participant.removed:
            raise _bad("a removed participant gets no new keys", "a participant that was not removed", owner)
        if key.alg == "SM2" and self.ruleset < 3:
            raise _bad("keys of SM2 exist from ruleset 3 onwards", "a key of this ruleset", key.alg)

    def _key_revoked(self, document: Object, index: int) -> None:
        owner, participant = self._named(document)
        key = self.keys.get(get_text(document, "kid", 64, KID))
        get_text(document, "reason", 64, CODE)
        active = key is not None and key.revoked is None
        if key is not None and active:
            key.revoked = index
        self._registered(owner, participant)
        if key is None or key.owner != owner or not active:
            raise _bad("only an active key of the participant can be revoked", "an active key", document["kid"])

    def _participant_suspended(self, document: Object, _: int) -> None:
        self._turn(document, True)

    def _participant_reinstated(self, document: Object, _: int) -> None:
        self._turn(document, False)

    def _turn(self, document: Object, suspended: bool) -> None:
        name, participant = self._known(document)
        changes, removed = participant.suspended != suspended, participant.removed
        if changes:
            participant.suspended = suspended
            self.suspensions += 1 if suspended else -1
        if removed:
            raise _bad("the participant's removal is permanent", "a participant that was not removed", name)
        if not changes:
            raise _bad(
                "the participant is already in this state",
                "suspended" if not suspended else "not suspended",
                "suspended" if suspended else "not suspended",
            )

    def _participant_removed(self, document: Object, _: int) -> None:
        name, participant = self._known(document)
        if participant.removed:
            raise _bad("the participant was removed before", "a participant that was not removed", name)
        participant.removed = True
        self.removals += 1

    def _delegation_granted(self, document: Object, _: int) -> None:
        (name, participant), delegate = self._named(document), self._delegate(document)
        acts = get_texts(document, "acts", 1, 32)
        check_sorted(acts, "acts")
        for act in acts:
            if act not in ACTS:
                raise refuted(Code.BAD_ENCODING, "not an act that a participant can sign", field="acts", found=act)
        self.delegations[name, delegate] = frozenset(acts)
        later = sorted(SINCE_3.intersection(acts))
        if later and self.ruleset < 3:
            raise _bad("the acts exist from ruleset 3 onwards", "acts of this ruleset", ", ".join(later))
        self._registered(name, participant)
        if delegate == name or not self.has_role(delegate, "technology-provider"):
            raise _bad(
                "a delegation is to another participant that is a technology provider", "technology-provider", delegate
            )
        for party in (name, delegate):
            if self.is_removed(party):
                raise _bad(
                    "a removed participant grants and gets no delegation", "a participant that was not removed", party
                )

    def _delegation_ended(self, document: Object, _: int) -> None:
        (name, participant), delegate = self._named(document), self._delegate(document)
        get_text(document, "reason", 64, CODE)
        ended = self.delegations.pop((name, delegate), None)
        self._registered(name, participant)
        if ended is None:
            raise _bad("only a delegation in force can be ended", "a delegation of this pair", f"{name} to {delegate}")

    @staticmethod
    def _delegate(document: Object) -> str:
        return get_text(document, "delegate", 63, PARTICIPANT)

    def _purpose_defined(self, document: Object, _: int) -> None:
        self._define(document)

    def _define(self, content: Object) -> None:
        """A purpose, by a document or by a regulator."""
        check_purpose(content)
        permissions = get_codes(content, "permissions", 1, 64)
        catalogue = CATALOGUES.get(self.ruleset) if self.is_judged else None
        surplus = [] if catalogue is None else [code for code in permissions if code not in catalogue.grades]
        limits = ("max_days", "max_frequency_per_day", "max_history_days", "max_retention_days")
        self.purposes[str(content["code"])] = Purpose(
            frozenset(permissions), *(get_integer(content, name) for name in limits)
        )
        if surplus:
            raise _bad("a permission is not in the catalogue", "codes of the catalogue", ", ".join(surplus))

    def _named(self, document: Object) -> tuple[str, Participant | None]:
        name = get_text(document, "participant", 63, PARTICIPANT)
        return name, self.participants.get(name)

    @staticmethod
    def _registered(name: str, participant: Participant | None) -> None:
        if participant is None:
            raise _bad("the participant is not registered", "a registered participant", name)

    def _known(self, document: Object) -> tuple[str, Participant]:
        """The participant of a document that changes its standing, for a reason."""
        name, participant = self._named(document)
        get_text(document, "reason", 64, CODE)
        if participant is None:
            raise _bad("the participant is not registered", "a registered participant", name)
        return name, participant


def chain_name(document: Object) -> str:
    """The name of the operator chain a document belongs to."""
    kind = str(document["type"])
    if kind in orders.MEMBERS and kind not in orders.OF_PARTICIPANTS:
        return orders.chain_of_type(kind)
    if kind in sets.CHAINS:
        return sets.CHAINS[kind]
    if "participant" not in document or document["type"] == "disclosure":
        return LEDGER_CHAIN
    return f"operator:participant:{document['participant']}"


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=found)
