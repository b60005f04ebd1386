"""Both programs judge the requests of the vectors as the specification does."""

from __future__ import annotations

from typing import Final

from api.office.translating import differences
from tests.vectors.hashing import Json, unb64u
from tests.vectors.reading import read
from verifier.rules.translating import Mapping

ROWS: Final[list[Json]] = read("requests")["cases"]
AWAITED: Final = {
    ("consent.amend", "au-cds"),
    ("consent.amend", "brazil-of"),
    ("consent.amend", "us-fdx"),
    ("consent.request", "au-cds"),
    ("consent.request", "berlin-group"),
    ("consent.request", "brazil-of"),
    ("consent.request", "eu-psr"),
    ("consent.request", "india-aa"),
    ("consent.request", "us-fdx"),
}
"""Of the vectors, what the verifier counts as not translated for now."""


def test_the_ledger_translates_each_request() -> None:
    for row in ROWS:
        found = [member for member, _ in differences(row["terms"], unb64u(row["request"]), row["asked_at"], row["act"])]
        assert sorted(found) == row["differs"], row["name"]


def test_the_verifier_counts_what_it_does_not_hold() -> None:
    assert {(row["act"], row["terms"]["standard"]) for row in ROWS} >= AWAITED
    for row in ROWS:
        if (row["act"], row["terms"]["standard"]) in AWAITED:
            assert row["act"] == "consent.amend" or not Mapping().holds(row["terms"]), row["name"]
