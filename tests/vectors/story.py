"""The two annotated logs, entry by entry. Each outcome is written down from docs/spec, not computed by a rule book."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, Self

from tests.vectors.hashing import (
    Json,
    accounts_hash,
    b64u,
    draw,
    encode,
    inclusion,
    leaf_hash,
    root,
    sha,
    tagged,
    terms_hash,
    unb64u,
)
from tests.vectors.log import Enough, Log
from tests.vectors.signing import P256, Ed25519, Rsa

HOLDER, RECIPIENT, HELPER = "bank.example", "app.example", "helper.example"
CATALOGUE = json.loads((Path(__file__).parents[2] / "docs/spec/catalogue-2.json").read_text())
PERMISSIONS = ["ReadAccountsDetail", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"]
SUBJECT = b64u(draw("the customer at her bank", 18))
PSEUDONYM = b64u(draw("the customer as the app knows her", 18))
ACCOUNT, OTHER_ACCOUNT = sorted((b64u(draw("account one", 18)), b64u(draw("account two", 18))))
DAY, HOUR = 86_400_000, 3_600_000


def consent_id(number: int) -> str:
    return f"urn:vectors:{b64u(draw(f'consent {number}', 16))}"


def sca(log: Log) -> Json:
    return {"acr": "sca", "amr": ["otp", "pin"], "at": log.time // 1000}


class Story(Log):
    """`ruleset`: under which it opens. The helpers below write honest statements; `changes` change them."""

    def __init__(self, ruleset: int, until: int | None = None) -> None:
        super().__init__(f"ruleset-{ruleset}", until)
        self.ruleset = ruleset
        self.device = P256("device")
        self.terms_of: dict[str, Json] = {}

    def copy(self) -> Self:
        """The same log, to be gone on with in another way."""
        other = copy(self)
        other.entries, other.bodies, other.keys = [*self.entries], {**self.bodies}, {**self.keys}
        other.chains = {chain: [*mine] for chain, mine in self.chains.items()}
        other.terms_of = {**self.terms_of}
        return other

    def cut(self, size: int | None) -> Self:
        """The first `size` entries of it."""
        if size is not None:
            self.entries = self.entries[:size]
            self.bodies = {index: body for index, body in self.bodies.items() if index < size}
            self.chains = {chain: [index for index in mine if index < size] for chain, mine in self.chains.items()}
        return self

    def terms(self, **changes: Any) -> Json:
        terms = {
            "authorisers_required": 1,
            "expires_at": 0,
            "frequency_per_day": 0,
            "grade": 3,
            "history_from": 1_700_000_000,
            "history_to": 0,
            "holder": HOLDER,
            "language": "en-GB",
            "notice_hash": b64u(sha(b"the notice")),
            "once": False,
            "permissions": PERMISSIONS,
            "purpose": {"code": "AIS", "text": "To show all accounts in one place"},
            "recipient": RECIPIENT,
            "retention_days": 90,
            "separate_consents": ["provision", "sensitive"],
            "standard": "generic",
            "standard_version": "1.0",
            "starts_at": 0,
        }
        return {**terms, **changes}

    def state(self, status: str, version: int = 1) -> Json:
        return {"consent_version": version, "ruleset": self.ruleset, "status": status}

    def request(self, consent: str, **changes: Any) -> int:
        self.terms_of[consent] = self.terms(**changes)
        awaiting = self.state("AWAITING")
        return self.say(RECIPIENT, "consent.request", awaiting, consent_id=consent, terms=self.terms_of[consent])

    def authorisation(self, consent: str, **changes: Any) -> Json:
        """The members of an authorisation."""
        separate = [
            {"given_at": self.time // 1000, "kind": kind, "text_hash": b64u(sha(kind.encode()))}
            for kind in ("provision", "sensitive")
        ]
        members = {
            "consent_id": consent,
            "version": 1,
            "terms_hash": b64u(terms_hash(self.terms_of[consent])),
            "accounts": [ACCOUNT, OTHER_ACCOUNT],
            "authoriser": b64u(draw(f"authoriser {consent}", 18)),
            "subject": PSEUDONYM,
            "sca": sca(self),
        }
        return members | ({"separate_consents": separate} if self.ruleset > 1 else {}) | changes

    def authorise(
        self, consent: str, outcome: Json | None = None, *, beside: Json | None = None, **changes: Any
    ) -> int:
        """`beside`: members set in the evidence, such as a passkey record."""
        members = self.authorisation(consent, **changes)
        return self.say(HOLDER, "consent.authorise", outcome or self.state("ACTIVE"), beside=beside, **members)

    def companion(self, consent: str, **changes: Any) -> int:
        return self.say(HOLDER, "subject.consent", **{"consent_id": consent, "subject": SUBJECT, **changes})

    def enrol(self, **changes: Any) -> int:
        members = {
            "subject": SUBJECT,
            "credential_id": b64u(sha(b"credential")),
            "public_key": b64u(self.device.cose),
            "rp_id": HOLDER,
            "sca": sca(self),
        }
        return self.say(HOLDER, "subject.enrol", **{**members, **changes})

    def gesture(self, consent: str, *, lie: Json | None = None, flags: int = 5, client: Json | None = None) -> Json:
        """The passkey record over an authorisation of both accounts. `lie`: members of `signed`."""
        signed = {
            "accounts_hash": b64u(accounts_hash([ACCOUNT, OTHER_ACCOUNT])),
            "act": "consent.authorise",
            "consent_id": consent,
            "locale": "en-GB",
            "terms_hash": b64u(terms_hash(self.terms_of[consent])),
            "text_hash": b64u(sha(b"May the app read your accounts?")),
            **(lie or {}),
        }
        nonce = draw(f"nonce {consent}")
        challenge = b64u(tagged("challenge", nonce, encode(signed)))
        site = f"https://{HOLDER}"
        told = {"type": "webauthn.get", "challenge": challenge, "origin": site, "crossOrigin": False, **(client or {})}
        data, authenticator = json.dumps(told).encode(), sha(HOLDER.encode()) + bytes([flags]) + (7).to_bytes(4)
        return {
            "authenticator_data": b64u(authenticator),
            "client_data": b64u(data),
            "credential_id": b64u(sha(b"credential")),
            "nonce": b64u(nonce),
            "origin": site,
            "rp_id": HOLDER,
            "signed": signed,
            "signature": b64u(self.device.sign_der(authenticator + sha(data))),
        }

    def item(self, consent: str, **changes: Any) -> Json:
        item = {
            "accounts": [],
            "consent_id": consent,
            "customer_present": False,
            "from": 0,
            "to": 0,
            "interaction_id": b64u(self.fresh(12)),
            "permissions": ["ReadBalances"],
            "purpose": "AIS",
            "request_digest": b64u(sha(b"GET /balances")),
        }
        return {**item, **changes}

    def allow(self, basis: int, *, version: int = 1, used: int = 0, **changes: Any) -> Json:
        if self.ruleset == 1:
            masks = ["pan"]
        else:
            masks = sorted(
                mask for mask, lifting in CATALOGUE["masks"].items() if not set(lifting["lifted_by"]) & set(PERMISSIONS)
            )
        obligations = {"directions": ["credit"], "from": 1_700_000_000, "masks": masks, "to": 0}
        if self.ruleset > 1:
            obligations["keep_until"] = self.time // 1000 + 90 * 86_400
        return self.decided("allow", basis, [], obligations, version, used) | changes

    def deny(self, basis: int, *reasons: str, version: int = 1, used: int = 0, **changes: Any) -> Json:
        return self.decided("deny", basis, list(reasons), {}, version, used) | changes

    def decided(self, word: str, basis: int, reasons: list[str], obligations: Json, version: int, used: int) -> Json:
        return {
            "basis": basis,
            "consent_version": version,
            "decision": word,
            "obligations": obligations,
            "reasons": reasons,
            "ruleset": self.ruleset,
            "used_today": used,
        }

    def access(
        self, consent: str, outcome: Json, says: Json | None = None, iss: str = RECIPIENT, **changes: Any
    ) -> int:
        """`says`: how it is recorded otherwise than honestly, as in `Log.say`."""
        return self.say(iss, "access.request", outcome, **(says or {}), **self.item(consent, **changes))

    def batch(self, items: list[Json], outcomes: list[Json], **changes: Any) -> int:
        """The first index of the entries of a batch. `changes`: members of each `item` of the evidence."""
        hashes = [leaf_hash(encode(item)) for item in items]
        members = {"items_count": len(items), "items_root": b64u(root(hashes))}
        word = self.sign(self.payload(RECIPIENT, "access.batch", **members))
        first = len(self.entries)
        for position, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
            path = [b64u(one) for one in inclusion(position, hashes)]
            place = {"body": encode(item).decode(), "path": path, "position": position, **changes}
            evidence = {"act": "access.request", "item": place, "outcome": outcome, "statements": [word]}
            self.record("consent", item["consent_id"], evidence)
        return first

    def leg(self, act: str, consent: str, basis: int, iss: str = "", **changes: Any) -> int:
        item = {"consent_id": consent, "interaction_id": "interaction-1", "basis": basis, "rows": 2, "bytes": 64}
        who = iss or (HOLDER if act == "access.release" else RECIPIENT)
        return self.say(who, act, **{**item, "digest": b64u(sha(b"the answer")), **changes})

    def step(self, iss: str, act: str, consent: str, outcome: Json, **changes: Any) -> int:
        return self.say(iss, act, outcome, **{"consent_id": consent, "reason": "asked", "by": "customer", **changes})

    def expire(self, consent: str, outcome: Json | None = None) -> int:
        evidence = {"act": "consent.expire", "outcome": outcome or self.state("EXPIRED"), "statements": []}
        return self.record("consent", consent, evidence)


FIRST, SECOND, THIRD = consent_id(1), consent_id(2), consent_id(3)


def ruleset_1(until: int | None = None) -> Story:
    """The log of `bundles/ruleset-1`, or its first `until` entries."""
    return _told(1, until).copy()


def ruleset_2(until: int | None = None) -> Story:
    """The log of `bundles/ruleset-2`, or its first `until` entries."""
    return _told(2, until).copy()


@cache
def _told(ruleset: int, until: int | None) -> Story:
    log = Story(ruleset, until)
    with suppress(Enough):
        (_tell_1 if ruleset == 1 else _tell_2)(log)
    return log


def two_levels(until: int | None = None) -> Story:
    """A log of more than two full tiles: the beginning of ruleset-2, index-heads, and an access of the first consent."""
    log = _told(2, 16).copy()
    log.until = None
    for _ in range(500):
        log.tick().head()
    log.tick().access(FIRST, log.allow(11, used=1), iss=HELPER, on_behalf_of=RECIPIENT)
    log.tick().head()
    return log.cut(until)


def _tell_1(log: Story) -> None:
    log.operator("ledger.opened", origin="ledger.example/vectors", ruleset=1)
    log.register(HOLDER, ["holder"], Ed25519("bank"))
    log.register(RECIPIENT, ["recipient"], Ed25519("app"))
    log.tick().request(FIRST, frequency_per_day=2)
    log.tick().authorise(FIRST)
    log.companion(FIRST)
    log.tick().access(FIRST, log.allow(6))
    log.tick().access(FIRST, log.allow(6, used=1), customer_present=True)
    log.tick().access(FIRST, log.allow(6, used=1), accounts=[ACCOUNT], permissions=["ReadTransactionsBasic"])
    log.tick().access(FIRST, log.deny(6, "FREQUENCY_EXCEEDED", used=2))
    log.head()
    log.tick().step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED"))
    log.tick().access(FIRST, log.deny(13, "CONSENT_REVOKED", "FREQUENCY_EXCEEDED", used=2))
    log.tick().access(SECOND, log.deny(-1, "CONSENT_UNKNOWN", version=0))
    log.head()


def _tell_2(log: Story) -> None:
    log.operator("ledger.opened", origin="ledger.example/vectors", ruleset=2)
    log.register(HOLDER, ["holder"], Ed25519("bank"))
    log.register(RECIPIENT, ["recipient"], P256("app"))
    log.register(HELPER, ["technology-provider"], Rsa("helper"))
    log.operator("delegation.granted", participant=RECIPIENT, delegate=HELPER, acts=["access.request"])
    bounds = {"max_days": 0, "max_frequency_per_day": 10, "max_history_days": 0, "max_retention_days": 180}
    log.operator("purpose.defined", code="AIS", permissions=PERMISSIONS, **bounds)
    log.tick().enrol()
    log.tick().request(FIRST, frequency_per_day=2)  # 10
    log.tick().authorise(FIRST, beside={"assertion": log.gesture(FIRST)})
    log.companion(FIRST)
    log.tick().access(FIRST, log.allow(11), interaction_id="interaction-1")  # 13
    log.tick().leg("access.release", FIRST, 13)
    log.leg("access.receive", FIRST, 13)
    log.tick().access(FIRST, log.allow(11, used=1), iss=HELPER, on_behalf_of=RECIPIENT)
    log.tick()
    log.batch(
        [log.item(FIRST), log.item(SECOND)],
        [log.deny(11, "FREQUENCY_EXCEEDED", used=2), log.deny(-1, "CONSENT_UNKNOWN", version=0)],
    )
    log.head()  # 19
    log.tick().step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"))
    log.tick().access(FIRST, log.deny(20, "CONSENT_PAUSED", used=2), customer_present=True)
    log.tick().step(HOLDER, "consent.resume", FIRST, log.state("ACTIVE"))
    log.tick()
    log.terms_of[FIRST] = log.terms(frequency_per_day=4)
    active = log.state("ACTIVE")
    log.say(RECIPIENT, "consent.amend", active, consent_id=FIRST, previous_version=1, terms=log.terms_of[FIRST])
    log.tick().authorise(FIRST, log.state("ACTIVE", 2), version=2)  # 24
    log.companion(FIRST)
    log.tick().step(HOLDER, "consent.revoke", FIRST, log.state("REVOKED", 2))  # 26
    log.tick().access(FIRST, log.deny(26, "CONSENT_REVOKED", version=2, used=2))
    log.tick().request(SECOND, expires_at=(log.time + DAY) // 1000, frequency_per_day=10)  # 28
    log.tick().authorise(SECOND)
    log.companion(SECOND)
    log.tick(2 * DAY).expire(SECOND)  # 31
    log.tick().access(SECOND, log.deny(31, "CONSENT_EXPIRED"))
    log.tick(HOUR).operator("reconciliation.reported", **report(0, 32, 2, 1, 1, []))  # 33
    log.tick().request(THIRD)  # 34
    log.tick().authorise(THIRD)
    log.companion(THIRD)
    log.tick().operator("erasure", chains=[chain_text(THIRD)], basis="request", approved_by=["officer-1", "officer-2"])
    log.head()  # 38


def report(first: int, last: int, accesses: int, releases: int, receipts: int, findings: list[Json]) -> Json:
    """The members of a report."""
    digest = tagged("findings", *(encode(finding) + b"\n" for finding in findings))
    return {
        "from_index": first,
        "to_index": last,
        "accesses": accesses,
        "releases": releases,
        "receipts": receipts,
        "findings": len(findings),
        "findings_hash": b64u(digest),
    }


def chain_text(consent: str) -> str:
    return b64u(tagged("chain", consent.encode()))


def erased(log: Log) -> frozenset[int]:
    """The entries of the erased consent."""
    return frozenset(log.chains.get(unb64u(chain_text(THIRD)), []))
