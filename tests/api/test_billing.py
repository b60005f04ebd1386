"""A month is billed over HTTP by both sides' own commands: disputed by three accesses, stated again, agreed, invoiced."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from api.cli.folder import ParticipantFolder
from api.cli.main import app
from api.partners.money import written
from ledger.billing.months import month_with, name_of
from ledger.clock import SystemClock
from tests.client.service import Service, released, running_service
from tests.clocks import HandClock

OFFSET = 480
DAY = 86_400


def run(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == ends, done.output
    return done


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def clock() -> HandClock:
    """In the middle of the month before this one."""
    begin = month_with(SystemClock().now() // 1000, OFFSET).first
    return HandClock((begin - 15 * DAY) * 1000)


@pytest.fixture
def service(engine_url: str, tmp_path: Path, clock: HandClock) -> Iterator[Service]:
    with running_service(engine_url, tmp_path / "operator", clock=clock) as running:
        yield running


def own_folder(service: Service, participant: str, path: Path) -> str:
    """A participant's folder, as «keys new» makes it, with the keys that the log has."""
    member = service.members[participant]
    path.mkdir(mode=0o700)
    member.signer.save(path / "statement.pem")
    member.client_key.save(path / "client.pem")
    kids = member.signer.kid, member.client_key.kid
    ParticipantFolder(path, participant, service.url, service.node.ledger.vkey.format(), *kids).write()
    return str(path)


async def _traffic(service: Service, clock: HandClock, many: int) -> list[int]:
    """Accesses that are asked for and released; the releases' entries."""
    async with service.client("bank-a", clock=clock) as bank, service.client("app-1", clock=clock) as recipient:
        return await released(bank, recipient, clock, "7c9e6679-7425-40de-944b-e07fc1f90ae7", many)


def test_two_sides_that_disagree_by_three_accesses_end_with_a_statement_that_both_have_signed(
    service: Service, tmp_path: Path, clock: HandClock
) -> None:
    month = name_of(clock.now() // 1000, OFFSET)
    releases = asyncio.run(_traffic(service, clock, 8))
    clock.time = SystemClock().now()
    bank, recipient = (own_folder(service, name, tmp_path / name) for name in ("bank-a", "app-1"))
    tariff = tmp_path / "tariff.json"
    lines = [{"free": 1, "tiers": [{"from": 0, "price": 150_000}]}]
    members = {"currency": "CNY", "from": 0, "lines": lines, "recipient": "", "tariff": "t-1", "utc_offset": OFFSET}
    tariff.write_text(json.dumps(members))
    offer = str(told("tariff", "offer", str(tariff), "--as", bank)["index"])
    told("tariff", "accept", offer, "--as", recipient)
    stating = ("usage", "state", offer, "--as", bank, "--month", month, "--recipient", "app-1")
    first = told(*stating)["index"]
    assert told("usage", "count", offer, "--as", recipient, "--month", month)["total"] == 1_050
    disputed = [f"--dispute={index}:never-received" for index in releases[:3]]
    told("usage", "answer", str(first), "--as", recipient, *disputed)
    left_out = [f"--left-out={index}:never-received" for index in releases[:3]]
    second = told(*stating, *left_out)["index"]
    told("usage", "answer", str(second), "--as", recipient)
    assert f"entry {second}" in run("usage", "answer", str(first), "--as", recipient, ends=1).output
    for side in (bank, recipient):
        listed = told("usage", "list", "--as", side)["statements"]
        assert [(one["index"], one["state"], one["count"], one["total"]) for one in listed] == [
            (second, "agreed", 5, 600),
            (first, "replaced", 8, 1_050),
        ]
        counted = run("usage", "entries", str(second), "--as", side).stdout
        assert [int(line) for line in counted.splitlines()] == releases[3:]
    out = tmp_path / "invoice.csv"
    run("usage", "invoice", str(second), "--as", bank, "--out", str(out))
    rows = list(csv.DictReader(io.StringIO(out.read_bytes().decode())))
    assert [(row["line"], row["count"], row["amount"], row["currency"], row["state"]) for row in rows] == [
        ("1", "5", "6.00", "CNY", "agreed"),
        ("total", "5", "6.00", "CNY", "agreed"),
    ]
    xml = ET.fromstring(  # noqa: S314  (our own)
        run("usage", "invoice", str(second), "--as", recipient, "--form", "ubl").stdout
    )
    assert [(one.text, one.get("currencyID")) for one in xml.iter() if one.tag.endswith("PayableAmount")] == [
        ("6.00", "CNY")
    ]


def test_a_stranger_sees_nothing_of_it(service: Service, tmp_path: Path, clock: HandClock) -> None:
    clock.time = SystemClock().now()
    stranger = own_folder(service, "app-2", tmp_path / "app-2")
    assert told("usage", "list", "--as", stranger)["statements"] == []
    assert "not a usage statement" in run("usage", "entries", "3", "--as", stranger, ends=1).output
    assert "tariff" in run("usage", "count", "3", "--as", stranger, "--month", "2026-01", ends=1).output


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(0, "CNY", "0.00"), (7, "EUR", "0.07"), (123_456, "EUR", "1234.56"), (500, "JPY", "500"), (1, "KWD", "0.001")],
)
def test_money_is_written_with_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert written(minor, currency) == text
