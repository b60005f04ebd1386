"""A history of consents and accesses that reports count, in a log of the ledger."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from ledger.errors import Refused
from ledger.orders import MEASURES
from tests.ledger.supervised import Place, supervised
from tests.world import item, reference

HOUR, DAY = 3_600, 86_400
OF_CONSENTS = [name for name in MEASURES if name not in ("findings", "erasures", "alerts", "score")]
OF_PARTIES = [name for name in MEASURES if name not in ("findings", "erasures", "score")]
WEIGHTS = {"acknowledge": 157, "complaints": 211, "findings": 94, "refused": 503}
DEFINITIONS: dict[str, tuple[list[str], list[str]]] = {
    "all": ([], [name for name in MEASURES if name != "score"]),
    "recipient": (["recipient"], OF_PARTIES),
    "holder-purpose": (["holder", "purpose"], OF_CONSENTS),
    "reason": (["reason"], ["accesses_refused"]),
    "permission": (["permission"], OF_CONSENTS),
    "quality": (["recipient"], [*OF_PARTIES, "score"]),
    "bank-quality": (["holder"], ["score"]),
    "three": (["grade", "recipient", "standard"], OF_CONSENTS),
}


@dataclass
class ReportStory:
    """A history of consents that are asked for, used, ended and acknowledged."""

    place: Place
    draw: random.Random
    consents: list[str] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    """Those that a customer has authorised."""
    ended: list[tuple[str, int]] = field(default_factory=list)
    complaints: int = 0
    purposes: dict[str, str] = field(default_factory=dict)

    def grant(self) -> None:
        draw = self.draw
        code = draw.choice(["account-aggregation", "lending", "other"])
        expires = draw.choice([0, 0, self.place.now + draw.randint(2 * HOUR, 2 * DAY)])
        made = self.place.node.request(
            purpose={"code": code, "text": "as asked"}, frequency_per_day=draw.choice([0, 2]), expires_at=expires
        )
        if draw.random() < 0.8:
            self.place.node.authorise(made)
            self.listed.append(made)
        self.consents.append(made)
        self.purposes[made] = code

    def asked(self, consent: str) -> dict[str, Any]:
        """What mostly fits the consent."""
        purpose = self.purposes[consent] if self.draw.random() < 0.8 else "other"
        return {"customer_present": self.draw.random() < 0.5, "purpose": purpose}

    def forget(self) -> None:
        """Ends that nobody will acknowledge, one that its recipient made itself, and one that is acknowledged days later."""
        node = self.place.node
        gone = [node.grant(expires_at=0) for _ in range(8)]
        for consent in gone[:7]:
            self.ended.append((consent, node.revoke(consent).index))
        node.step("consent.revoke", gone[7], signer=node.fintech)
        del self.ended[:-2]  # chance may acknowledge these later
        node.clock.advance(seconds=3 * DAY)

    def plant(self) -> None:
        """Of what chance may leave out, one each."""
        node = self.place.node
        given = node.grant(expires_at=0)
        interaction = "interaction-planted"
        access = node.access(given, customer_present=False, interaction_id=interaction).index
        node.bank.record(
            "access.release",
            consent_id=given,
            interaction_id=interaction,
            basis=access,
            rows=3,
            bytes=120,
            digest="A" * 43,
        )
        basis = node.revoke(given).index
        node.clock.advance(seconds=60)
        node.fintech.record("consent.acknowledge", consent_id=given, basis=basis)

    def step(self, waits: list[int]) -> None:
        draw, node = self.draw, self.place.node
        consent = draw.choice(self.consents)
        match draw.randrange(10):
            case 0 | 1:
                self.grant()
            case 2 | 3:
                node.access(consent, **self.asked(consent))
            case 4:
                some = draw.choices(self.consents, k=draw.randint(1, 6))
                many = [item(one, **self.asked(one)) for one in some]
                node.ledger.submit_and_wait(node.batch(*many))
            case 5:
                node.access("00000000-0000-4000-8000-000000000000")
            case 6:
                self.end(consent)
            case 7 if self.ended:
                gone, basis = draw.choice(self.ended)
                node.fintech.record("consent.acknowledge", consent_id=gone, basis=basis)
            case 8 if self.complaints:
                state = draw.choice(["received", "answered", "closed"])
                with suppress(Refused):
                    node.bank.record(
                        "subject.answer",
                        by="holder",
                        state=state,
                        number=f"n-{draw.randint(1, self.complaints)}",
                        subject=reference("alice"),
                    )
            case _ if self.listed:
                self.complaints += 1
                node.bank.record(
                    "subject.feedback",
                    about=-1,
                    consent_id=draw.choice(self.listed),
                    due=self.place.now + draw.choice([HOUR, DAY]),
                    kind="other",
                    number=f"n-{self.complaints}",
                    subject=reference("alice"),
                )
            case _:
                self.grant()
        node.clock.advance(seconds=draw.choice(waits))

    def end(self, consent: str) -> None:
        act, by = self.draw.choice(
            [("revoke", "customer"), ("revoke", "holder"), ("terminate", "system"), ("pause", "customer")]
        )
        try:
            if self.draw.random() < 0.3:
                self.place.node.ledger.record_expiry(consent)
            entry = self.place.node.step(f"consent.{act}", consent, by=by)
        except Refused:
            return
        if act != "pause":
            self.ended.append((consent, entry.index))


@contextmanager
def history(folder: Path, url: str, seed: int) -> Iterator[tuple[Place, date, set[tuple[str, int]]]]:
    """The day on which the periods begin, the one after the definitions; and what a verifier says of alerts of that day."""
    with supervised(url, folder) as place:
        for least in (0, 5):
            for code, (by, measures) in DEFINITIONS.items():
                place.document(
                    "report.defined",
                    report=f"{code}-{least}",
                    period="day",
                    utc_offset=480,
                    by=by,
                    measures=measures,
                    suppress=least,
                    **({"weights": WEIGHTS} if "score" in measures else {}),
                )
        story = ReportStory(place, random.Random(seed))
        story.grant()
        story.forget()
        tomorrow = (place.now + 480 * 60) // DAY + 1
        while (place.now + 480 * 60) // DAY < tomorrow:
            story.step([HOUR, 4 * HOUR])
        # no rule gives these: they are refuted, and counted all the same
        alerts = [place.alert("recipient", "fintech-b"), place.alert("holder", "bank-a", rule="many")]
        story.plant()
        reconciled = False
        while (place.now + 480 * 60) // DAY == tomorrow:
            if not reconciled and (place.now + 480 * 60) % DAY > 20 * HOUR:
                reconciled = place.node.ledger.reconcile() is not None
            story.step([1, 60, HOUR, HOUR])
        place.node.clock.advance(seconds=2 * DAY)
        yield (
            place,
            datetime.fromtimestamp(tomorrow * DAY, UTC).date(),
            {("CONSENT_INVALID", one.index) for one in alerts},
        )
