"""Both programs judge the requests of the vectors as the specification does."""

from __future__ import annotations

from typing import Final

from api.office.translating import differences
from tests.vectors.hashing import Json, unb64u
from tests.vectors.reading import read
from verifier.rules.translating import Mapping

ROWS: Final[list[Json]] = read("requests")["cases"]


def test_the_ledger_translates_each_request() -> None:
    for row in ROWS:
        found = [member for member, _ in differences(row["terms"], unb64u(row["request"]), row["asked_at"], row["act"])]
        assert sorted(found) == row["differs"], row["name"]


def test_the_verifier_translates_each_request() -> None:
    mapping = Mapping()
    for row in ROWS:
        assert mapping.holds(row["terms"], row["act"]), row["name"]
        told = mapping.differences(row["terms"], unb64u(row["request"]), row["asked_at"], row["act"])
        assert sorted(member for member, _, _ in told) == row["differs"], row["name"]
