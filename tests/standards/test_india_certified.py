"""What the certification of aggregators asks: fresh messages, one signature of an artefact, frequencies by their own unit."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from api.standards.india.requests import ConsentDetail, aa_time, wish_of
from ledger.canonical import unb64u
from ledger.catalogue import CATALOGUES
from tests.api.service import Service
from tests.standards.india import ask, code_of, detail_of, post, wrapped
from tests.standards.served import authorise, bank_and_app, served


@pytest.fixture
def service(sqlite_url: str, tmp_path: Path) -> Iterator[Service]:
    with served(sqlite_url, tmp_path / "state") as running:
        yield running


@pytest.mark.parametrize(
    "envelope",
    [
        {"timestamp": aa_time((int(time.time()) - 16 * 60) * 1000)},
        {"timestamp": aa_time((int(time.time()) + 3_600) * 1000)},
        {"txnid": "one-of-mine"},
    ],
)
def test_a_message_of_another_time_or_without_a_transaction_of_its_own_is_refused(
    service: Service, envelope: dict[str, str]
) -> None:
    _, app = bank_and_app(service)
    before = service.size
    answer = post(service.as_(app), "/Consent", wrapped(ConsentDetail=detail_of(service)) | envelope)
    assert code_of(answer) == (400, "InvalidRequest")
    assert service.size == before


def test_an_artefact_is_signed_once_and_both_sides_hold_the_same(service: Service) -> None:
    """The signature is PS256, so a second one would be another text."""
    bank, app = bank_and_app(service)
    handle = ask(service, app)
    authorise(service, bank, handle)
    told = [
        post(client, "/Consent/fetch", wrapped(consentId=handle)).json()["signedConsent"]
        for client in (service.as_(app), service.as_(bank), service.as_(app))
    ]
    assert len(set(told)) == 1
    detail = json.loads(unb64u(told[0].split(".")[1]))
    assert detail["Accounts"]


def test_a_notifier_is_what_the_log_knows_the_caller_as(service: Service) -> None:
    bank, app = bank_and_app(service)
    handle = ask(service, app)
    authorise(service, bank, handle)
    for kind in ("FIP", "AA", "BANK"):
        body = wrapped(
            Notifier={"type": kind, "id": app.id},
            ConsentStatusNotification={"consentId": handle, "consentStatus": "REVOKED"},
        )
        assert code_of(post(service.as_(app), "/Consent/Notification", body)) == (400, "InvalidNotifier")


@pytest.mark.parametrize(
    ("said", "counted", "before_ruleset_3"),
    [
        ({"unit": "HOUR", "value": 2}, (2, "hour"), 48),
        ({"unit": "DAY", "value": 4}, (4, UNSET), 4),
        ({"unit": "MONTH", "value": 3}, (3, "month"), 1),
        ({"unit": "MONTH", "value": 45}, (45, "month"), 1),
        ({"unit": "YEAR", "value": 12}, (12, "year"), 1),
        ({"unit": "INF", "value": 0}, (0, UNSET), 0),
    ],
)
def test_a_frequency_counts_by_its_own_unit(
    service: Service, said: dict[str, Any], counted: tuple[int, object], before_ruleset_3: int
) -> None:
    """Three a month were one a day, which is thirty."""
    detail = msgspec.convert(detail_of(service, Frequency=said), ConsentDetail)
    wish = wish_of(detail, now=service.world.clock.now() // 1000, version="2.1.0")
    terms = wish.terms("bank-a", "tpp-1", b"{}", CATALOGUES[3])
    assert (terms.frequency_per_day, terms.frequency_period) == counted
    older = wish.terms("bank-a", "tpp-1", b"{}", CATALOGUES[2])
    assert (older.frequency_per_day, older.frequency_period) == (before_ruleset_3, UNSET)
