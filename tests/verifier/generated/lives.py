"""Random lives of a small crowd that keep every rule, under each ruleset: what a reader must never call wrong."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.verifier.forge import DAY, HOLDER, OTHER, PROVIDER, RECIPIENT, Json, b64u, chain_of, leaf_hash
from tests.verifier.gestures import RP, SUBJECT, Passkey
from tests.verifier.scored import Scored
from tests.verifier.supervised import AUTHORITY

HOUR = 3_600_000
DEVICES = [Passkey(f"device {number}") for number in range(3)]


class Life(Scored):
    """A world that is thrown by dice. `busy`: the consents that its random acts are about."""

    def __init__(self, dice: random.Random, ruleset: int | None = None) -> None:
        super().__init__(dice.randrange(2**32), ruleset or dice.choice((1, 2, 2, 3, 3, 3)))
        self.dice = dice
        self.open()
        self.register("third.example", ["holder", "recipient"])
        self.register(PROVIDER, ["technology-provider"])
        self.register(AUTHORITY, ["regulator"])
        self.busy: list[str] = []
        self.devices: list[Passkey] = []
        self.started = len(self.entries)

    def go_on(self, steps: int) -> None:
        """So many random acts, each of them legal."""
        acts: list[Callable[[], object]] = [
            self._grant,
            self._grant,
            self._use,
            self._use,
            self._use,
            self._use,
            self._stranger,
            self._several,
            self._legs,
            self._legs,
            self._pause,
            self._end,
            self._change,
            self.index_head,
            self._enrol,
            self._confirmed,
            self._document,
        ]
        if self.ruleset >= 2:
            acts += [self._reconcile, self._joint, self._provider, self._reconfirmed]
        if self.ruleset >= 3:
            acts += [self._supervise, self._supervise, self._supervise, self._abroad, self._feed]
        for _ in range(steps):
            self.tick(self.dice.choice((0, 1, 900, 30_000, HOUR // 2)))
            self.dice.choice(acts)()
            if self.ruleset >= 3 and self.dice.random() < 0.1:
                self.score(self.dice.choice((0, 1, 1)))
        self.raise_due()

    def some(self) -> str:
        """A consent of theirs."""
        if not self.busy:
            self._grant()
        return self.dice.choice(self.busy)

    def _grant(self) -> None:
        ends = self.dice.choice((0, 0, self.time // 1000 + self.dice.randrange(1, 9_000)))
        more: Json = {
            "expires_at": ends,
            "frequency_per_day": self.dice.choice((0, 0, 1, 3)),
            "once": self.dice.random() < 0.1,
        }
        if self.ruleset >= 3 and self.dice.random() < 0.5:
            more["frequency_period"] = self.dice.choice(("hour", "day", "month", "year"))
        if self.ruleset >= 3 and more["once"]:
            more["once_seconds"] = self.dice.choice((1, 60, 3_600))
        self.busy.append(self.grant(**more))

    def _supervise(self) -> None:
        """A declaration or a document, of something that was not declared before."""
        self.dice.choice((self._freeze, self._freezes, self._require, self._block, self._incident, self._hold))()

    def _freeze(self) -> None:
        name, now = f"x{len(self.entries)}", self.time // 1000
        scope: Json = self.dice.choice(({}, {"recipient": RECIPIENT}, {"purpose": "MKT"}, {"country": "DE"}))
        start = self.dice.choice((0, now + 9))
        self.freeze(name=name, scope=scope, until=now + self.dice.choice((1, 600)), **{"from": start})
        if self.dice.random() < 0.5:
            self.lift(name=name)
        self.freeze(HOLDER, name, drill=True, scope={"holder": HOLDER})

    def _freezes(self) -> None:
        name, now = f"x{len(self.entries)}", self.time // 1000
        frozen = {"freeze_id": name, "scope": {}, "from": 0, "until": now + 5, "reason": "case", "drill": False}
        self.document("freeze.ordered", **frozen)
        if self.dice.random() < 0.5:
            self.document("freeze.lifted", freeze_id=name, reason="over")

    def _require(self) -> None:
        name = f"x{len(self.entries)}"
        self.require(name, recipient=RECIPIENT)
        if self.dice.random() < 0.5:
            self.assess(name=name, next_due=self.time // 1000 + self.dice.choice((1, 9_000)))
        elif self.dice.random() < 0.7:
            self.declare(AUTHORITY, "assessment.waive", requirement_id=name, reason="law")

    def _block(self) -> None:
        self.block(
            about=self.dice.choice(("consent", "recipient")), rule=self.dice.choice(("refused", "rate")), level=0
        )
        if self.dice.random() < 0.3:
            for _ in range(51):  # enough for two rules
                self.access(self.some(), customer_present=True)
        for alert in self.raise_due():
            if self.dice.random() < 0.5:
                self.decide_alert(alert, decision=self.dice.choice(("cleared", "confirmed")))

    def _incident(self) -> None:
        name = f"x{len(self.entries)}"
        self.incident(name=name)
        self.update(name=name)
        if self.dice.random() < 0.5:
            self.close(name=name)
        self.define(name)

    def _hold(self) -> None:
        name = f"x{len(self.entries)}"
        self.document("hold.placed", hold=name, chains=[b64u(bytes(32))], basis="court", until=0)
        self.document("hold.lifted", hold=name, reason="over")

    def _abroad(self) -> None:
        kinds = ["cross-border", "provision", "sensitive"]
        consent = self.grant(destinations=[{"country": "DE", "mechanism": "m"}], separate_consents=kinds)
        self.access(consent, region=self.dice.choice(("DE", "FR")))
        self.busy.append(consent)

    def _feed(self) -> None:
        consent, number = self.grant(), f"n{len(self.entries)}"
        self.feedback(consent, number)
        self.answer(number)
        self.acknowledge(consent, self.revoke(consent))

    def _use(self) -> None:
        permissions = self.dice.choice((["ReadBalances"], ["ReadBalances"], ["ReadParty"], ["ReadEverything"]))
        self.access(self.some(), customer_present=self.dice.random() < 0.3, permissions=permissions)

    def _stranger(self) -> None:
        consent = self.some() if self.dice.random() < 0.7 else self.consent_id()
        self.access(consent, OTHER)

    def _several(self) -> None:
        self.batch([self.some() for _ in range(self.dice.randrange(1, 4))])

    def _legs(self) -> None:
        """An access and what was given and got, the same or not, now or never: none of it is the log's fault."""
        consent, interaction = self.some(), b64u(self.random.randbytes(9))
        basis = self.access(consent, interaction_id=interaction)
        if basis not in self.legs:
            return
        if self.dice.random() < 0.8:
            self.leg("access.release", consent, basis, interaction)
        if self.dice.random() < 0.8:
            self.leg("access.receive", consent, basis, interaction, rows=self.dice.choice((3, 3, 4)))

    def _pause(self) -> None:
        consent = self.some()
        if (status := self.status(consent)) == "ACTIVE":
            self.end(consent, "consent.pause", "PAUSED")
        elif status == "PAUSED":
            self.end(consent, "consent.resume", "ACTIVE")

    def _end(self) -> None:
        consent = self.some()
        if self.status(consent) in ("ACTIVE", "PAUSED"):
            self.revoke(consent)
        elif self.status(consent) == "EXPIRED" and self.consents[consent]["status"] in ("ACTIVE", "PAUSED"):
            self.expire(consent)

    def _change(self) -> None:
        consent = self.some()
        if self.status(consent) in ("ACTIVE", "PAUSED"):
            self.amend(consent, frequency_per_day=self.dice.randrange(4))
            if self.dice.random() < 0.7:
                self.authorise(consent)

    def _enrol(self) -> None:
        if len(self.devices) < len(DEVICES):
            device = DEVICES[len(self.devices)]
            self.devices.append(device)
            self.enrol(device)

    def enrol(self, device: Passkey, act: str = "subject.enrol", subject: str = SUBJECT, **changes: object) -> int:
        more: Json = {"reason": "lost"}
        if act == "subject.enrol":
            sca = {"acr": "sca", "amr": ["otp"], "at": self.time // 1000}
            more = {"public_key": device.cose, "rp_id": RP, "sca": sca}
        payload = self.payload(HOLDER, act, **{"credential_id": device.id, "subject": subject, **more, **changes})
        return self.submit(payload, None, kind="subject", name=f"subject:{HOLDER}:{subject}")

    def _confirmed(self) -> None:
        if self.devices:
            self.busy.append(self.confirmed(self.devices[0]))

    def confirmed(self, device: Passkey, **lies: int) -> str:
        """A consent that the customer signed herself."""
        consent, accounts = self.request(), [self.reference()]
        record = device.agree(consent, self.consents[consent]["terms"], accounts, **lies)

        def beside(_: int, evidence: Json) -> None:
            if evidence["act"] == "consent.authorise":
                evidence["assertion"] = record

        self.bend_evidence = beside
        self.authorise(consent, accounts)
        self.bend_evidence = None
        return consent

    def _document(self) -> None:
        document = self.dice.choice(
            (
                {"type": "disclosure", "participant": HOLDER, "case": "case-1", "from_index": 0, "to_index": 3},
                {"type": "pack.issued", "commitment": b64u(bytes(32)), "items_count": 2, "scope": "all"},
            )
        )
        self.operator(document, "operator:ledger")

    def _reconcile(self) -> None:
        self.tick(HOUR + 1)
        last = max(index for index, time in enumerate(self.times) if time <= self.time - HOUR)
        if last > self.reported:
            self.reconcile()

    def _joint(self) -> None:
        a, b = sorted((self.reference(), self.reference()))
        consent = self.request()
        self.authorise(consent, [a, b], joint_accounts=[a])
        self.access(consent, accounts=[a])
        self.authorise(consent, [a], joint_accounts=[a])
        self.access(consent, accounts=[a, b])
        self.withdraw_accounts(consent, [b])
        self.busy.append(consent)

    def _provider(self) -> None:
        self.delegate(RECIPIENT, ["access.request"])
        self.access(self.some(), PROVIDER, behalf=RECIPIENT)
        self.undelegate(RECIPIENT)

    def _reconfirmed(self) -> None:
        consent = self.grant(reconfirm_days=1)
        self.tick(DAY + HOUR)
        self.access(consent)
        self.reconfirm(consent)
        self.access(consent)
        self.busy.append(consent)

    def erase(self, consents: list[str]) -> frozenset[int]:
        """The operator erases consents; the entries whose bodies are gone."""
        chains = {b64u(chain_of(consent)) for consent in consents}
        document = {"chains": sorted(chains), "basis": "request", "approved_by": ["a1", "b2"]}
        self.operator({"type": "erasure", **document})
        self.busy = [consent for consent in self.busy if consent not in consents]
        return frozenset(index for index in self.evidence if self.chain_at(index) in chains)

    def chain_at(self, index: int) -> str:
        """The chain of an entry, as its leaf spells it."""
        at = self.entries[index].index(b'"chain":"') + 9
        return self.entries[index][at : at + 43].decode()

    def reseal(self) -> None:
        """The hashes of all entries anew, after one was exchanged: the log's key signs whatever it is told."""
        self.hashes = [leaf_hash(entry) for entry in self.entries]
