"""What was before the demo begins, in the log's own time: a consent that fell asleep, and the week that alerts compare with.

It is written with a clock of its own, before any server runs: whoever looks at the log sees entries of those days.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from api.client import LocalSigner, Pseudonyms, make_item, make_terms, request_digest
from api.client.statements import Question, StatementMaker
from api.demo.bank import SHOWN
from api.demo.recipient import NOTICE, DemoConnection
from api.demo.templates import ACCOUNTS, BALANCES
from api.node.scoring import AlertRaiser
from ledger.app import Ledger
from ledger.canonical import b64u
from ledger.clock import SystemClock
from ledger.documents import DelegationGranted, document_of
from ledger.entries.acts import AccessItem
from ledger.entries.terms import Terms
from ledger.orders import SCORING, ReportDefined, ScoreWeights, ScoringActivated
from ledger.planning.commands import Recorded
from ledger.queries.scoring import AlertReader

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
ASLEEP_DAYS: Final = 71
USUAL: Final = 39
"""Consents that each recipient reads every hour of its working days, so that the demo's own busy minute is not strange. From 40
on that would be an alert itself."""
WORKING_DAYS: Final = (6, 5, 4, 3, 2)
WORKING_HOURS: Final = range(8, 19)
SCRAPED_TIMES: Final = 10
"""How often a scraping recipient reads each of its consents, in as many batches."""
SILENT_DAY: Final = 4
"""How many days ago, late in the evening, a consent ended of which its recipient never takes note. Three days later the past
is over and the demo has not begun: its first entry names the recipient."""
BAD_DAY: Final = 2
"""How many days ago things went wrong that a report counts."""
REPORT: Final = "went-wrong"
QUALITY: Final = "quality"
WEIGHTS: Final = ScoreWeights(acknowledge=200, complaints=200, findings=200, refused=400)
BILLED_DAY: Final = 40
"""In a month that is over, whatever day it is."""
BILLED: Final = 3
"""How often data was given out then."""
MEASURES: Final = ("consents_withdrawn", "accesses_refused", "acknowledged", "acknowledge_seconds_max", "alerts")
HOLDER: Final = "bank-south"
PROVIDER: Final = "sign-house"
SIGNED_THROUGH: Final = 5
"""How many customers confirmed anew with the bank, which its technology provider signed."""
DELEGATIONS: Final = {
    HOLDER: ("consent.reauthenticate", "consent.resume", "consent.suspend"),
    "bank-north": ("consent.reauthenticate", "consent.suspend"),
}
"""What banks let the provider sign."""
PURPOSE: Final = "budgeting"


class PastClock:
    """A clock that goes on when it is told to."""

    def __init__(self, days_ago: int) -> None:
        self._today = SystemClock().now() // DAY * DAY
        self._now = self._today - days_ago * DAY

    def now(self) -> int:
        """Milliseconds."""
        return self._now

    def day(self, days_ago: int) -> str:
        """As 2026-10-01."""
        return datetime.fromtimestamp((self._today - days_ago * DAY) / 1000, UTC).date().isoformat()

    def go_to(self, days_ago: int, hour: int) -> None:
        """This hour of that day."""
        self._now = self._today - days_ago * DAY + hour * HOUR


@dataclass(frozen=True)
class Past:
    """What is there when the demo begins."""

    asleep: DemoConnection
    """Of the second recipient: read once, and then not for ASLEEP_DAYS."""
    ended: DemoConnection
    """Of the first recipient: withdrawn yesterday, which it has not acknowledged."""
    ended_at: int
    """The entry of the withdrawal."""
    usual: Mapping[str, list[DemoConnection]]
    """By recipient."""
    bad_day: str
    """The day that the report is about, as 2026-10-01."""
    alerts: int
    """How many were raised on it."""
    billed_day: str
    """A day of the month that is billed, on which the first recipient was given data BILLED times."""


def live_before(
    ledger: Ledger, clock: PastClock, signers: Mapping[str, LocalSigner], recipients: tuple[str, ...], customers: int
) -> Past:
    """Write it. `signers`: the statement keys, by participant, all of them registered. `customers`: how busy the demo's own
    minute will be; the week before is as full as makes that usual (docs/spec/risk.md, `rate`)."""
    two = ("officer-one", "officer-two")
    ledger.record_documents(document_of(ScoringActivated, scoring=SCORING, approved_by=two))
    told = _Teller(ledger, clock, signers)
    asleep, woken = told.agreed(recipients[1]), told.agreed(recipients[1])
    told.read(recipients[1], [asleep, woken])
    clock.go_to(BILLED_DAY, 9)
    billed = told.agreed(recipients[0])
    for _ in range(BILLED):
        told.deliver(recipients[0], billed, rows=(10, 10))
    clock.go_to(WORKING_DAYS[0], 7)
    stopped = told.stopped(recipients[2])
    usual = {recipient: [told.agreed(recipient) for _ in range(USUAL)] for recipient in recipients}
    told.sign_through(PROVIDER, usual[recipients[0]][:SIGNED_THROUGH])
    hours = [(day, hour) for day in WORKING_DAYS for hour in WORKING_HOURS]
    busy = hours[: max(8, len(hours) * customers // 200)]
    told.work(usual, [(day, hour) for day, hour in busy if day >= SILENT_DAY])
    clock.go_to(SILENT_DAY, 22)
    told.stopped(recipients[1])
    told.work(usual, [(day, hour) for day, hour in busy if day < SILENT_DAY])
    clock.go_to(BAD_DAY, 20)
    alerts = _go_wrong(ledger, told, recipients, usual, woken, stopped)
    clock.go_to(1, 0)
    ended, ended_at = told.stopped(recipients[0])
    return Past(asleep, ended, ended_at, usual, clock.day(BAD_DAY), alerts, clock.day(BILLED_DAY))


def _go_wrong(
    ledger: Ledger,
    told: _Teller,
    recipients: tuple[str, ...],
    usual: Mapping[str, list[DemoConnection]],
    woken: DemoConnection,
    stopped: tuple[DemoConnection, int],
) -> int:
    """An evening with all that the demo will see again, and a report that was defined before; how many alerts were raised."""
    ledger.record_documents(
        document_of(ReportDefined, report=REPORT, period="day", utc_offset=0, by=(), measures=MEASURES, suppress=0),
        document_of(
            ReportDefined,
            report=QUALITY,
            period="day",
            utc_offset=0,
            by=("recipient",),
            measures=("accesses_allowed", "score"),
            suppress=0,
            weights=WEIGHTS,
        ),
    )
    for _ in range(SCRAPED_TIMES):
        told.read(recipients[1], usual[recipients[1]])
    told.read(recipients[1], [woken])
    told.deliver(recipients[0], usual[recipients[0]][0], rows=(40, 41))
    for _ in range(3):
        told.read(recipients[2], [stopped[0]])
    said = told.maker(recipients[2]).make("consent.acknowledge", consent_id=stopped[0].consent_id, basis=stopped[1])
    told.record(said)
    return AlertRaiser(ledger, lambda: AlertReader(ledger.store, ledger.keystore)).turn()


class _Teller:
    def __init__(self, ledger: Ledger, clock: PastClock, signers: Mapping[str, LocalSigner]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._signers = signers
        self._pseudonyms = Pseudonyms.generate()

    def maker(self, participant: str, *, on_behalf_of: str | None = None) -> StatementMaker:
        signer = self._signers[participant]
        return StatementMaker(participant, self._ledger.origin, signer, self._clock, on_behalf_of=on_behalf_of)

    def record(self, said: Question) -> Recorded:
        beside = None if said.companion is None else said.companion.text
        prepared = self._ledger.prepare(said.text, items=said.items or None, companion=beside)
        return self._ledger.submit_and_wait(prepared)[0]

    def sign_through(self, provider: str, connections: list[DemoConnection]) -> None:
        """The banks let a technology provider sign for them; of these consents it signs that their customers confirmed anew."""
        for bank, acts in DELEGATIONS.items():
            granted = document_of(DelegationGranted, participant=bank, delegate=provider, acts=acts)
            self._ledger.record_documents(granted)
        maker = self.maker(provider, on_behalf_of=HOLDER)
        for one in connections:
            sca = {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": self._clock.now() // 1000}
            self.record(maker.make("consent.reauthenticate", consent_id=one.consent_id, sca=sca))

    def agreed(self, recipient: str) -> DemoConnection:
        """A consent that its recipient asked for and its customer gave."""
        consent_id = str(uuid.uuid4())
        terms = self._terms(recipient)
        asked = self.maker(recipient).make("consent.request", consent_id=consent_id, terms=_plain(terms))
        self.record(asked)
        bank, customer = self.maker(HOLDER), f"customer-{consent_id}"
        account = self._pseudonyms.account(customer, consent_id)
        beside = bank.make("subject.consent", consent_id=consent_id, subject=self._pseudonyms.customer(customer))
        said = bank.make(
            "consent.authorise",
            accounts=[account],
            authoriser=self._pseudonyms.authoriser(customer, consent_id),
            consent_id=consent_id,
            sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": self._clock.now() // 1000},
            subject=self._pseudonyms.customer_for(customer, recipient),
            terms_hash=b64u(terms.hash()),
            version=1,
            separate_consents=bank.separately({kind: SHOWN[kind] for kind in terms.separate_consents}) or None,
        )
        self.record(Question(said.text, said.payload, companion=beside))
        return DemoConnection(consent_id, HOLDER, account, PURPOSE)

    def _terms(self, recipient: str) -> Terms:
        return make_terms(
            holder=HOLDER,
            recipient=recipient,
            permissions=[ACCOUNTS, BALANCES],
            purpose=PURPOSE,
            purpose_text="See where your money goes",
            notice=NOTICE,
            expires_at=self._clock.now() // 1000 + 180 * DAY // 1000,
            frequency_per_day=0,
        )

    def work(self, usual: Mapping[str, list[DemoConnection]], hours: list[tuple[int, int]]) -> None:
        """Each recipient reads what it usually reads, at each of these hours."""
        for day, hour in hours:
            self._clock.go_to(day, hour)
            for recipient, connections in usual.items():
                self.read(recipient, connections)

    def stopped(self, recipient: str) -> tuple[DemoConnection, int]:
        """A consent that its customer ended at once, and the entry that says so."""
        connection = self.agreed(recipient)
        said = self.maker(HOLDER).make(
            "consent.revoke", consent_id=connection.consent_id, reason="customer-request", by="customer"
        )
        return connection, self.record(said).index

    def deliver(self, recipient: str, connection: DemoConnection, rows: tuple[int, int]) -> None:
        """An access, and how many rows of it the bank and the recipient tell."""
        asked = reading(connection)
        basis = self.record(self.maker(recipient).batch([asked])).index
        for act, who, count in (("access.release", HOLDER, rows[0]), ("access.receive", recipient, rows[1])):
            said = self.maker(who).make(
                act,
                basis=basis,
                bytes=100,
                consent_id=connection.consent_id,
                digest=b64u(bytes(32)),
                interaction_id=asked.interaction_id,
                rows=count,
            )
            self.record(said)

    def read(self, recipient: str, connections: list[DemoConnection]) -> None:
        """One access of each, in one batch."""
        self.record(self.maker(recipient).batch([reading(each) for each in connections]))


def reading(connection: DemoConnection) -> AccessItem:
    """An access for the balances of a consent, without its customer."""
    return make_item(
        consent_id=connection.consent_id,
        accounts=[connection.account],
        permissions=[BALANCES],
        purpose=connection.purpose,
        request_digest=request_digest(connection.bank, "GET", f"/accounts/{connection.account}/balances"),
        interaction_id=str(uuid.uuid4()),
        customer_present=False,
    )


def _plain(terms: Terms) -> object:
    return msgspec.to_builtins(terms)
