"""Participants and their keys, folded from the operator documents of the log itself (docs/spec/leaves.md).

Nobody else is asked who owned which key when: the log says so, at an index, and an entry is judged by what lower
indexes said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from verifier.crypto.keys import PublicKey, parse_jwk
from verifier.encoding import Json, Object, check_members, get_integer, get_object, get_text, get_texts
from verifier.errors import Code, Refuted, refuted
from verifier.terms import CODE, PARTICIPANT, check_sorted

KID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
CHAIN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
ROLES = frozenset({"holder", "recipient", "technology-provider", "regulator", "auditor"})
LEDGER_CHAIN = "operator:ledger"

MEMBERS: dict[str, frozenset[str]] = {
    "ledger.opened": frozenset({"origin", "ruleset"}),
    "participant.registered": frozenset({"participant", "name", "roles"}),
    "key.added": frozenset({"participant", "kid", "alg", "use", "jwk"}),
    "key.revoked": frozenset({"participant", "kid", "reason"}),
    "participant.suspended": frozenset({"participant", "reason"}),
    "participant.reinstated": frozenset({"participant", "reason"}),
    "ruleset.activated": frozenset({"ruleset"}),
    "erasure": frozenset({"chains", "basis", "approved_by"}),
}


@dataclass(slots=True)
class Key:
    """A key and the indexes between which it was in force: [added, revoked)."""

    kid: str
    owner: str
    use: str
    jwk: Object
    key: PublicKey
    added: int
    revoked: int | None = None


@dataclass(slots=True)
class Participant:
    """One registered participant as of the last document folded."""

    name: str
    roles: frozenset[str]
    suspended: bool = False


@dataclass(slots=True)
class Registry:
    """What the operator chains said so far. `fold` each document in log order."""

    origin: str = ""
    ruleset: int = 0
    participants: dict[str, Participant] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)  # chain (b64u) -> index of the erasure
    history: list[tuple[int, Object]] = field(default_factory=list)  # what was folded, for a resumed run

    def has_role(self, participant: str, role: str) -> bool:
        """Registered with this role, suspended or not."""
        known = self.participants.get(participant)
        return known is not None and role in known.roles

    def is_suspended(self, participant: str) -> bool:
        """Registered and suspended."""
        known = self.participants.get(participant)
        return known is not None and known.suspended

    def fold(self, document: Object, index: int) -> None:
        """Apply one operator document. Raises Refuted: BAD_ENCODING for its form, CONSENT_INVALID for a step that
        the rules do not give, BAD_SIGNATURE for a key that must not be registered. A refused document changes
        nothing."""
        kind = get_text(document, "type", 64)
        members = MEMBERS.get(kind)
        if members is None:
            raise refuted(Code.BAD_ENCODING, "an operator document of an unknown type", field="type", found=kind)
        check_members(document, members | {"type", "v"})
        get_integer(document, "v", 1, 1)
        if (index == 0) != (kind == "ledger.opened"):
            raise _bad("the log opens with ledger.opened, and only there", "ledger.opened at index 0", kind)
        getattr(self, "_" + kind.replace(".", "_"))(document, index)
        self.history.append((index, document))

    def _ledger_opened(self, document: Object, _: int) -> None:
        self.origin, self.ruleset = get_text(document, "origin", 255), get_integer(document, "ruleset", 1)

    def _ruleset_activated(self, document: Object, _: int) -> None:
        self.ruleset = get_integer(document, "ruleset", 1)

    def _participant_registered(self, document: Object, _: int) -> None:
        participant = get_text(document, "participant", 63, PARTICIPANT)
        roles = get_texts(document, "roles", 1, len(ROLES))
        check_sorted(roles, "roles")
        if not set(roles) <= ROLES:
            raise refuted(Code.BAD_ENCODING, "an unknown role", field="roles", found=", ".join(roles))
        if participant in self.participants:
            raise _bad("the participant is registered already", "a new id", participant)
        self.participants[participant] = Participant(get_text(document, "name", 200), frozenset(roles))

    def _key_added(self, document: Object, index: int) -> None:
        owner = self._known(document)[0]
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
        if kid in self.keys:
            raise _bad("the key id was used before", "a new kid", kid)
        self.keys[kid] = Key(kid, owner, use, jwk, key, index)

    def _key_revoked(self, document: Object, index: int) -> None:
        owner = self._known(document)[0]
        key = self.keys.get(get_text(document, "kid", 64, KID))
        get_text(document, "reason", 64, CODE)
        if key is None or key.owner != owner or key.revoked is not None:
            raise _bad("only an active key of the participant can be revoked", "an active key", document["kid"])
        key.revoked = index

    def _participant_suspended(self, document: Object, _: int) -> None:
        self._turn(document, True)

    def _participant_reinstated(self, document: Object, _: int) -> None:
        self._turn(document, False)

    def _turn(self, document: Object, suspended: bool) -> None:
        _, participant = self._known(document)
        get_text(document, "reason", 64, CODE)
        if participant.suspended == suspended:
            raise _bad(
                "the participant is so already",
                "suspended" if not suspended else "not suspended",
                "suspended" if suspended else "not suspended",
            )
        participant.suspended = suspended

    def _erasure(self, document: Object, index: int) -> None:
        chains = get_texts(document, "chains", 1, 8)
        approvers = get_texts(document, "approved_by", 2, 2)
        get_text(document, "basis", 64, CODE)
        for text in chains:
            if not CHAIN.fullmatch(text):
                raise refuted(Code.BAD_ENCODING, "not a chain", field="chains", found=text)
        for text in approvers:
            if not CODE.fullmatch(text):
                raise refuted(Code.BAD_ENCODING, "not a code", field="approved_by", found=text)
        if approvers[0] == approvers[1]:
            raise _bad("an erasure needs two different approvers", "two codes", approvers[0])
        for text in chains:
            self.erased.setdefault(text, index)

    def _known(self, document: Object) -> tuple[str, Participant]:
        name = get_text(document, "participant", 63, PARTICIPANT)
        participant = self.participants.get(name)
        if participant is None:
            raise _bad("the participant is not registered", "a registered participant", name)
        return name, participant


def chain_name(document: Object) -> str:
    """The name of the operator chain a document belongs to."""
    participant: Json = document.get("participant")
    return LEDGER_CHAIN if participant is None else f"operator:participant:{participant}"


def _bad(sentence: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field="document", expected=expected, found=found)
