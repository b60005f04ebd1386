"""The verifier's rules beside a running ledger: what each statement would be worth to an auditor, before it is submitted."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.records.facts import Facts
from verifier.records.forms import read_content
from verifier.rules.consents import Consent
from verifier.rules.decisions import Asker, Item, after_access, asserted_of, decide
from verifier.rules.participants import Registry
from verifier.rules.signers import later_defects, signer_defects
from verifier.rules.transitions import transition


def payload_of(statement: str) -> dict[str, Any]:
    text = statement.split(".")[1]
    value: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def facts_of(statement: str, position: int = -1, item: dict[str, Any] | None = None) -> Facts:
    """Raises Refuted for a form that is not right."""
    payload = payload_of(statement)
    head = json.loads(base64.urlsafe_b64decode(statement.split(".", maxsplit=1)[0] + "=="))
    content = read_content(payload["act"], payload) if item is None else item
    return Facts(
        payload["act"] if item is None else "access.request",
        payload["iss"],
        head["kid"],
        payload["iat"],
        b"",
        b"",
        position,
        "relayed" in payload,
        content,
        None,
        None,
        payload.get("on_behalf_of", ""),
    )


@dataclass
class Mirror:
    """What the verifier would know of the log so far."""

    registry: Registry = field(default_factory=Registry)
    consents: dict[str, Consent] = field(default_factory=dict)

    def check_signer(self, facts: Facts, index: int) -> None:
        """Raises Refuted for the first thing that is wrong with the signer."""
        for row in (*signer_defects(self.registry, facts, index, False), *later_defects(self.registry, facts)):
            raise refuted(Code(row[0]), row[1], expected=row[3], found=row[4])

    def next(self, statement: str, companion: str | None, time: int, index: int) -> Consent:
        """The state that a consent statement leads to. Raises Refuted."""
        facts = facts_of(statement)
        self.check_signer(facts, index)
        if companion is not None:
            beside = facts_of(companion)
            self.check_signer(beside, index)
            if (beside.iss, beside.behalf) != (facts.iss, facts.behalf):
                raise refuted(Code.CONSENT_INVALID, "the companion is another's")
        consent = self.consents.get(str(facts.content["consent_id"]))
        return transition(self.registry, consent, facts, time, index, self.consents.get)

    def decided(self, facts: Facts, claimed: Object, time: int) -> Object:
        """The outcome of an access, which is counted. Raises Refuted."""
        content = facts.content
        consent = self.consents.get(str(content["consent_id"]))
        item = Item(
            tuple(content["accounts"]),  # type: ignore[arg-type]
            bool(content["customer_present"]),
            int(str(content["from"])),
            int(str(content["to"])),
            tuple(content["permissions"]),  # type: ignore[arg-type]
            str(content["purpose"]),
        )
        asserted = asserted_of(self.registry.ruleset, claimed.get("asserted"), content.get("asserted"))
        outcome = decide(self.registry, consent, Asker(facts.iss, facts.party, facts.relayed), item, time, asserted)
        if consent is not None and outcome["decision"] == "allow":
            self.consents[str(content["consent_id"])] = after_access(self.registry.ruleset, consent, item, time)
        return outcome


def refuses(mirror: Mirror, *arguments: Any) -> Consent | str:
    """The state, or what is wrong."""
    try:
        return mirror.next(*arguments)
    except Refuted as refusal:
        return str(refusal)
