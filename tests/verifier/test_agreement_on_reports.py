"""The ledger counts its reports and the verifier recounts them, each from docs/spec/reports.md alone: on random histories they
get the same bytes; and a report that says one more is refuted at its place."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import b64u
from ledger.errors import InvalidInput, Refused
from ledger.orders import MEASURES
from ledger.planning.commands import RecordComposed
from ledger.queries.reports import PreparedReport, ReportIssue, prepare_report
from tests.ledger.kit import item, reference
from tests.ledger.supervised import Place, supervised
from tests.verdicts import audited

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

    def plant(self) -> None:
        """Of what chance may leave out, one each."""
        node = self.place.node
        given = node.grant(expires_at=0)
        interaction = "interaction-planted"
        access = node.access(given, customer_present=False, interaction_id=interaction).index
        node.record(
            node.bank,
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
        node.record(node.fintech, "consent.acknowledge", consent_id=given, basis=basis)

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
                node.record(node.fintech, "consent.acknowledge", consent_id=gone, basis=basis)
            case 8 if self.complaints:
                state = draw.choice(["received", "answered", "closed"])
                with suppress(Refused):
                    node.record(
                        node.bank,
                        "subject.answer",
                        by="holder",
                        state=state,
                        number=f"n-{draw.randint(1, self.complaints)}",
                        subject=reference("alice"),
                    )
            case _ if self.listed:
                self.complaints += 1
                node.record(
                    node.bank,
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
    with supervised(folder, url) as place:
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


def issue(place: Place, code: str, day: date) -> tuple[PreparedReport, int]:
    ledger = place.node.ledger
    prepared = prepare_report(ledger.store, ledger.keystore, code, day)
    return prepared, ledger.submit_and_wait(RecordComposed(ReportIssue(prepared)))[0].index


@pytest.mark.parametrize("seed", [1, 2])
def test_the_verifier_gets_every_report_that_the_ledger_issues(seed: int, sqlite_url: str, tmp_path: Path) -> None:
    with history(tmp_path, sqlite_url, seed) as (place, day, invented):
        for least in (0, 5):
            for code in DEFINITIONS:
                prepared, _ = issue(place, f"{code}-{least}", day)
                assert prepared.unread == 0
                if least == 0:
                    assert prepared.csv.rows > 0, code
                if code == "all":
                    never = [line for line in prepared.csv.content.decode().splitlines() if line.endswith(",0")]
                    assert never == ["accesses_after_withdrawal,0", "erasures,0"]
        audit = audited(place, tmp_path / "bundle")
        assert {(str(one.code), one.place.index) for one in audit.findings.defects} == invented
        assert dict(audit.findings.unchecked) == {}


def test_a_report_that_says_one_more_is_refuted_at_its_own_index(sqlite_url: str, tmp_path: Path) -> None:
    with history(tmp_path, sqlite_url, 4) as (place, day, invented):
        prepared, index = issue(place, "recipient-0", day)
        head, number = prepared.csv.content.decode().splitlines()[1].rsplit(",", 1)
        better = prepared.csv.content.decode().replace(f"{head},{number}\n", f"{head},{int(number) + 1}\n", 1)
        wrong = place.document(
            "report.issued",
            report="recipient-0",
            **{"from": prepared.period.first},
            to=prepared.period.end,
            to_index=index,
            rows=prepared.csv.rows,
            csv_hash=b64u(sha256(better.encode()).digest()),
        ).index
        told = {(str(one.code), one.place.index) for one in audited(place, tmp_path / "bundle").findings.defects}
        assert told == {("UNMATCHED", wrong), *invented}


def test_a_report_is_not_issued_before_its_end_nor_counted_as_nobody_could(engine_url: str, tmp_path: Path) -> None:
    with supervised(tmp_path, engine_url) as place:
        members: dict[str, Any] = {"period": "month", "utc_offset": 0, "suppress": 0}
        place.document("report.defined", report="open", by=[], measures=["complaints"], **members)
        place.document("report.defined", report="erased", by=["holder"], measures=["erasures"], **members)
        month = datetime.fromtimestamp(place.now, UTC).date().replace(day=1)
        with pytest.raises(Refused, match="not over"):
            issue(place, "open", month)
        with pytest.raises(InvalidInput, match="no period"):
            issue(place, "open", month.replace(day=2))
        with pytest.raises(InvalidInput, match="erasures cannot be counted by holder"):
            issue(place, "erased", month)
        place.node.clock.advance(seconds=40 * DAY)
        prepared, _ = issue(place, "open", month)
        assert prepared.csv.content == b"measure,value\ncomplaints,0\n"
