"""Remits: what a regulator is there for, as the log says it (docs/spec/ruleset-3.md, 15)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from verifier.bytes.encoding import Object, get_text, get_texts
from verifier.errors import Code, Refuted, refuted
from verifier.records.terms import PARTICIPANT, check_sorted, get_choice

SETS = ("holder", "party", "recipient")
PARTIES = ("holder", "recipient")
ORDERS = frozenset({"freeze.order", "assessment.require"})
MOST_NAMES = 32

Remit = dict[str, set[str]]
"""Of the three sets those that were granted."""


@dataclass(slots=True)
class Remits:
    """The remits in force, by regulator."""

    granted: dict[str, Remit] = field(default_factory=dict)

    def grant(self, document: Object) -> None:
        """A `remit.granted`. Raises Refuted(BAD_ENCODING)."""
        names = get_texts(document, "names", 1, MOST_NAMES)
        check_sorted(names, "names")
        wrong = [name for name in names if not PARTICIPANT.fullmatch(name)]
        if wrong:
            raise refuted(Code.BAD_ENCODING, "not a participant id", field="names", found=wrong[0])
        to = get_choice(document, "to", SETS)
        regulator = get_text(document, "regulator", 63, PARTICIPANT)
        self.granted.setdefault(regulator, {}).setdefault(to, set()).update(names)

    def end(self, document: Object) -> None:
        """A `remit.ended`. Raises Refuted."""
        regulator = get_text(document, "regulator", 63, PARTICIPANT)
        if self.granted.pop(regulator, None) is None:
            raise refuted(
                Code.CONSENT_INVALID,
                "only a remit that was granted is ended",
                field="document.regulator",
                expected="a regulator with a remit",
                found=regulator,
            )

    def beyond(self, act: str, party: str, content: Object, roles: Collection[str]) -> Refuted | None:
        """Why an order of `party`, which has these roles, goes beyond its remit; None if it does not."""
        remit, scope = self.granted.get(party), content.get("scope")
        if act not in ORDERS or remit is None or not isinstance(scope, dict):
            return None
        if act == "freeze.order" and any(scope.get(role) == party and role in roles for role in PARTIES):
            return None
        for name, allowed in sorted(remit.items()):
            named = [scope.get(member) for member in (PARTIES if name == "party" else (name,))]
            if allowed.isdisjoint(str(one) for one in named if one is not None):
                expected = f"{' or '.join(PARTIES) if name == 'party' else name} among {', '.join(sorted(allowed))}"
                found = ", ".join(str(one) for one in named if one is not None) or "none"
                sentence = "the order goes beyond the remit of who gives it"
                return refuted(Code.CONSENT_INVALID, sentence, field="scope", expected=expected, found=found)
        return None
