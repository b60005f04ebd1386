"""The mapping of requests into terms: one file, read by two programs that share no code, which must agree."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.office.configuration import HolderOptions
from api.office.translating import mapping, require_translation
from api.office.wish import Wish
from api.standards.berlin.requests import read_consent as read_berlin
from api.standards.china.requests import Applied, read_request
from api.standards.china.requests import wish_of as china_wish
from api.standards.uk.requests import read_consent as read_uk
from api.standards.words import words
from ledger.catalogue import LATEST
from ledger.entries.terms import Destination, Filter, Purpose, Terms
from ledger.errors import InvalidInput
from tests.conformance import ROOT
from tests.standards import berlin, uk
from verifier.rules.translating import Mapping

NOW = 1_790_000_000_000
UK = uk.asked(TransactionFromDateTime="2025-01-31T23:59:59.999999999-03:30", ExpirationDateTime="2031-02-28t00:00:00z")
BERLIN = berlin.asked(
    validUntil="2030-02-28",
    access={"availableAccounts": "allAccountsWithOwnerName", "restrictedTo": ["TRAN", "CACC", "TRAN"]},
)
CHINA = {
    "request_no": "LS1",
    "data_items": sorted(words("china").permissions)[:2],
    "purpose_code": "budgeting",
    "purpose": "记账",
    "valid_to": "20310228",
    "history_from": "20240229",
    "frequency_per_day": 4,
    "cross_border": [
        {"country": "SG", "mechanism": "standard-contract", "receiver": "Plum Pte", "contact": "+65"},
        {"country": "HK", "mechanism": "security-assessment", "receiver": "Plum Ltd", "contact": "+852"},
    ],
}
ELSEWHERE = HolderOptions(zone="Asia/Kathmandu", frequency_per_day=2)


def terms_of(wish: Wish, text: bytes) -> Terms:
    return wish.terms("bank-a", "tpp-1", text, LATEST)


def said(terms: Terms) -> dict[str, Any]:
    """As the log holds them."""
    return dict(msgspec.json.decode(msgspec.json.encode(terms)))


def translated(asked: dict[str, Any]) -> tuple[Terms, bytes]:
    text = json.dumps(asked).encode()
    if "request_no" in asked:
        wish = china_wish(read_request(text, Applied), now=NOW // 1000)
    else:
        wish = read_uk(text, "v4.0", NOW) if "Data" in asked else read_berlin(text, ELSEWHERE, NOW)
    return terms_of(wish, text), text


def refused(terms: Terms, text: bytes) -> bool:
    """Whether both programs refuse these terms; they never differ."""
    differences = Mapping().differences(said(terms), text)
    refusal: InvalidInput | None = None
    try:
        require_translation(terms, text, NOW // 1000)
    except InvalidInput as error:
        refusal = error
    assert (refusal is not None) is bool(differences), (refusal, differences)
    if refusal is not None:
        assert refusal.member in (None, *(f"terms.{member}" for member, _, _ in differences if member))
    return refusal is not None


def test_both_programs_read_the_file_that_is_published() -> None:
    published = (ROOT / "docs/spec/requests.json").read_bytes()
    for copied in ("api/office/requests.json", "verifier/rules/requests.json"):
        assert (ROOT / copied).read_bytes() == published, f"copy docs/spec/requests.json to {copied}"


def test_the_mapping_has_the_words_of_the_adapters() -> None:
    maps = mapping().maps
    assert maps["uk-permissions"] == words("uk").permissions
    known = {**maps["berlin-access"], **maps["berlin-additional"]}
    told = words("berlin").permissions
    assert {name: codes for name, codes in known.items() if codes} == {
        name: codes for name, codes in told.items() if not name.startswith("v2.")
    }, "the words of 1.3"
    assert maps["berlin-scope"]["allAccountsWithOwnerName"] == words("berlin").permissions["ownerName"]
    assert maps["china-items"] == words("china").permissions
    assert set(mapping().standards["uk-ob"]) == {*words("uk").versions}


OTHERWISE: dict[str, Any] = {
    "authorisers_required": 2,
    "destinations": (Destination("SG", "standard-contract"),),
    "expires_at": 1_900_000_001,
    "filters": (Filter("cashAccountType", "in", "SVGS"),),
    "frequency_per_day": 9,
    "history_from": 1,
    "history_to": 1,
    "once": True,
    "permissions": ("ReadPAN",),
    "purpose": Purpose("budgeting", "理财"),
    "retention_days": 1,
}


@pytest.mark.parametrize("asked", [UK, BERLIN, CHINA], ids=["uk", "berlin", "china"])
def test_each_member_that_the_mapping_holds_is_compared(asked: dict[str, Any]) -> None:
    terms, text = translated(asked)
    assert not refused(terms, text)
    for member in mapping().standards[terms.standard][terms.standard_version]:
        value = OTHERWISE[member]
        changed = msgspec.structs.replace(terms, **{member: value})
        assert refused(changed, text), member
        [(named, _, found)] = Mapping().differences(said(changed), text)
        assert (named, found != "") == (member, True)


@pytest.mark.parametrize(
    ("offset", "good"),
    [(0, True), (345 * 60, True), (-840 * 60, True), (855 * 60, False), (60, False), (86_400, False)],
)
def test_a_day_ends_in_a_zone_that_somebody_lives_in(offset: int, good: bool) -> None:
    terms, text = translated(BERLIN)
    end = 1_898_553_600  # 2030-03-01 in UTC
    assert refused(msgspec.structs.replace(terms, expires_at=end - offset), text) is not good


def test_a_standard_that_the_mapping_does_not_hold_is_not_judged() -> None:
    terms, _ = translated(UK)
    for other in ({"standard": "own"}, {"standard_version": "9.9"}):
        changed = msgspec.structs.replace(terms, **other)
        require_translation(changed, b"nonsense", 0)
        assert not Mapping().holds(said(changed))
    assert Mapping().holds(said(terms))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10_001),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "",
            "ReadPAN",
            "allAccounts",
            "9999-12-31",
            "2030-02-29",
            "20300229",
            "20301231",
            "2031-01-01T00:00:00Z",
            "x" * 200,
            "é",
        ]
    ),
    st.lists(st.sampled_from(["ReadPAN", "CACC", "x"]), max_size=3),
    st.lists(
        st.dictionaries(st.sampled_from(["country", "mechanism", "x"]), st.sampled_from(["SG", "", 7])), max_size=2
    ),
    st.dictionaries(st.sampled_from(["ownerName", "accounts", "balances", "x"]), st.just([]), max_size=2),
)


@given(st.data())
def test_both_programs_judge_any_text_alike(data: st.DataObject) -> None:
    asked = copy.deepcopy(data.draw(st.sampled_from([UK, BERLIN, CHINA])))
    terms, _ = translated(asked)
    places = [asked, *(one for one in asked.values() if isinstance(one, dict))]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places))
        name = data.draw(st.sampled_from([*place, "x"]))
        if data.draw(st.booleans()):
            place.pop(name, None)
        else:
            place[name] = data.draw(VALUES)
    text = data.draw(st.sampled_from([json.dumps(asked).encode(), json.dumps(asked).encode("utf-16"), b"[" * 100_000]))
    refused(terms, text)


TIMES = st.builds(
    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{}".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 25),
    st.integers(0, 60),
    st.integers(0, 60),
    st.sampled_from(["", ".5", ".999999999", ".1234567890"]),
    st.sampled_from(["Z", "z", "+00:00", "-23:59", "+24:00", "+00:60", ""]),
)


@given(TIMES, st.sampled_from([0, 1, 4_102_444_800]))
def test_both_programs_judge_any_moment_alike(moment: str, expires: int) -> None:
    terms, _ = translated(UK)
    text = json.dumps(uk.asked(ExpirationDateTime=moment)).encode()
    refused(msgspec.structs.replace(terms, expires_at=expires, history_from=0), text)
