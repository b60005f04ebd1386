"""Requests of any official shape, read by their adapter and by the written mapping: the same terms, or a refusal."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.http.refusals import BadRequest
from api.office.configuration import HolderOptions
from api.office.translating import Asking, differences, mapping
from api.office.wish import Wish
from api.standards.berlin.rights import RIGHTS, TYPES, read_consent_2
from api.standards.brazil.permissions import GROUPINGS
from api.standards.brazil.requests import parse_request
from api.standards.brazil.requests import wish_of as brazil_wish
from api.standards.brazil.versions import VERSIONS, BrazilVersion
from api.standards.cdr.requests import SCOPES
from api.standards.cdr.requests import wish_of as cdr_wish
from api.standards.dialects import DialectRefusal
from api.standards.fdx.requests import CLUSTERS, ConsentGrantRequest
from api.standards.fdx.requests import read_as as read_fdx
from api.standards.fdx.requests import wish_of as fdx_wish
from api.standards.india.requests import FI_TYPES, ConsentMessage, parse_body
from api.standards.india.requests import wish_of as india_wish
from api.standards.india.versions import SERIES
from api.standards.psr.requests import CATEGORIES, AnnouncedPermission
from api.standards.psr.requests import read_as as read_psr
from api.standards.psr.requests import wish_of as psr_wish
from api.standards.words import words
from ledger.catalogue import CATALOGUES
from ledger.errors import InvalidInput, LedgerError

NOW: Final = 1_790_000_000
FEW: Final = settings(max_examples=50)
HOLDERS: Final = st.builds(
    HolderOptions,
    zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]),
    frequency_per_day=st.integers(1, 24),
)


def refused_or_same(wish: Wish, text: bytes, ruleset: int = 3, *acts: Asking, at: int = NOW) -> None:
    try:
        terms = wish.terms("bank-a", "tpp-1", text, CATALOGUES[ruleset])
    except InvalidInput:
        return  # no terms can say this
    said: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(terms))
    for act in acts or ("consent.request",):
        held = mapping().standards if act == "consent.request" else mapping().changes
        assert terms.standard_version in held[terms.standard]
        assert [str(why) for _, why in differences(said, text, at, act)] == []


def some(names: Any, most: int = 6) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=most)


def maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=members)


MOMENTS: Final = st.datetimes(datetime(1970, 1, 2), datetime(2286, 1, 1))  # noqa: DTZ001 # written as UTC
DAYS: Final = st.dates(date(2026, 9, 22), date(2280, 1, 1)).map(str)


def test_the_mapping_has_the_words_of_every_adapter() -> None:
    maps = mapping().maps
    assert maps["brazil-permissions"] == words("brazil").permissions
    assert maps["cdr-scopes"] == {**words("cdr").permissions, "openid": []}
    assert maps["fdx-clusters"] == words("fdx").permissions
    assert maps["psr-categories"] == words("psr").permissions
    assert maps["berlin-rights"] == {name: list(codes) for name, codes in RIGHTS.items()}
    assert {name.replace("-", "_") for name in maps["india-kinds"]} == FI_TYPES
    assert set(mapping().standards["india-aa"]) == {number for one in SERIES for number in one.numbers}
    assert set(mapping().standards["brazil-of"]) == {one.number for one in VERSIONS}
    for standard in ("berlin", "cdr", "fdx", "psr", "uk"):
        assert {*words(standard).versions} in [{*versions} for versions in mapping().standards.values()], standard


@st.composite
def brazilian(draw: st.DrawFn, version: BrazilVersion) -> dict[str, Any]:
    groups = draw(st.lists(st.sampled_from(GROUPINGS), min_size=1, max_size=4))
    codes = sorted({code for group in groups for code in group} | {"RESOURCES_READ"})
    data: dict[str, Any] = {
        "permissions": codes,
        "loggedUser": {"document": {"identification": "1" * 11, "rel": "CPF"}},
    }
    if any("BUSINESS" in code for code in codes):
        data["businessEntity"] = {"document": {"identification": "1" * 14, "rel": "CNPJ"}}
    if version.never or draw(st.booleans()):
        moment = draw(MOMENTS)
        month = f"{moment.month:02}" if draw(st.booleans()) else f"{moment.month}"
        plain = f"{moment.year}-{month}-{moment.day}T{moment:%H:%M:%S}Z"
        data["expirationDateTime"] = draw(st.sampled_from([version.never or plain, plain]))
    return {"data": data}


@FEW
@given(st.data(), st.sampled_from(VERSIONS))
def test_brazil(data: st.DataObject, version: BrazilVersion) -> None:
    asked = data.draw(brazilian(version))
    text = json.dumps(asked).encode()
    without = data.draw(st.lists(st.sampled_from(asked["data"]["permissions"]), max_size=3))
    try:
        wish = brazil_wish(parse_request(text, version), now=NOW, not_offered=without, version=version)
    except DialectRefusal:
        return
    refused_or_same(wish, text)


AA_TIMES: Final = st.builds(
    lambda moment, form: f"{moment:%Y-%m-%dT%H:%M:%S}{form}",
    MOMENTS,
    st.sampled_from(["Z", ".999Z", "+05:30", "-0330", ".123456789+0530"]),
)
NUMBERS: Final = st.one_of(st.integers(0, 20_000), st.floats(0, 1e6), st.sampled_from([1e300, 0.0, 1.0]))
INDIAN: Final = st.fixed_dictionaries(
    {
        "consentStart": AA_TIMES,
        "consentExpiry": AA_TIMES,
        "consentMode": st.sampled_from(["QUERY", "STORE", "STREAM", "VIEW"]),
        "fetchType": st.sampled_from(["ONETIME", "PERIODIC"]),
        "consentTypes": some(["PROFILE", "SUMMARY", "TRANSACTIONS"]),
        "fiTypes": some([*FI_TYPES, *(kind.replace("_", "-") for kind in FI_TYPES)]),
        "DataConsumer": st.just({"id": "tpp-1", "type": "FIU"}),
        "Customer": st.just({"id": "a@b"}),
        "Purpose": st.fixed_dictionaries({"code": st.just("101")}, optional={"text": st.text(max_size=250)}),
        "FIDataRange": st.fixed_dictionaries({"from": st.just("2020-01-01T00:00:00Z"), "to": AA_TIMES}),
        "DataLife": st.fixed_dictionaries({"unit": st.sampled_from(["DAY", "INF", "MONTH", "YEAR"]), "value": NUMBERS}),
        "Frequency": st.fixed_dictionaries(
            {"unit": st.sampled_from(["DAY", "HOUR", "INF", "MONTH", "YEAR"]), "value": NUMBERS}
        ),
    },
    optional={
        "DataFilter": st.lists(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["TRANSACTIONAMOUNT", "TRANSACTIONTYPE"]),
                    "operator": st.sampled_from(["!=", "<", "<=", "=", ">", ">="]),
                    "value": st.sampled_from(["DEBIT", "20000", "é"]),
                }
            ),
            max_size=5,
        )
    },
)


@FEW
@given(INDIAN, st.sampled_from([number for one in SERIES for number in one.numbers]), st.sampled_from([2, 3]))
def test_india(detail: dict[str, Any], version: str, ruleset: int) -> None:
    message = {"ver": version, "timestamp": "2026-09-21T14:13:20Z", "txnid": "t", "ConsentDetail": detail}
    text = json.dumps(message).encode()
    try:
        read = parse_body(text, ConsentMessage, (version,))
        wish = india_wish(read.ConsentDetail, now=NOW, version=version)
    except DialectRefusal:
        return
    refused_or_same(wish, text, ruleset)


@FEW
@given(
    some(SCOPES),
    maybe(claims=maybe(sharing_duration=st.sampled_from([0, 1, 86_400, 31_536_000, 10**12]))),
    st.integers(0, 9),
)
def test_australia(scopes: list[str], more: dict[str, Any], later: int) -> None:
    claims = {"scope": " ".join(["openid", *scopes]), **more}
    try:
        wish = cdr_wish(claims, now=NOW)
    except BadRequest:
        return
    refused_or_same(wish, json.dumps(claims).encode(), 3, "consent.request", "consent.amend", at=NOW + later)


GRANTS: Final = st.fixed_dictionaries(
    {
        "durationType": st.sampled_from(["ONE_TIME", "TIME_BOUND"]),
        "resources": st.lists(
            st.fixed_dictionaries({"resourceType": st.just("ACCOUNT"), "dataClusters": some(CLUSTERS)}),
            min_size=1,
            max_size=3,
        ),
        "authorizationDisclosure": st.fixed_dictionaries(
            {"productOrService": st.just("Tax"), "certified": st.just(True), "revocationMethod": st.just("app")},
            optional={"purposeCode": st.just("tax")},
        ),
    },
    optional={"durationPeriod": st.integers(1, 366), "lookbackPeriod": st.integers(0, 36_500)},
)
LEAP: Final = int(datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp())


@FEW
@given(GRANTS, HOLDERS, st.one_of(st.just(LEAP), st.integers(NOW, NOW + 10**8)))
def test_the_united_states(asked: dict[str, Any], options: HolderOptions, now: int) -> None:
    text = json.dumps(asked).encode()
    wish = fdx_wish(read_fdx(text, ConsentGrantRequest), options, now * 1000 + 999)
    refused_or_same(wish, text, 3, "consent.request", "consent.amend", at=now)


@FEW
@given(
    st.fixed_dictionaries(
        {"purpose": st.just({"code": "budgeting", "text": "记账"}), "dataCategories": some(CATEGORIES)},
        optional={
            "validTo": st.one_of(DAYS, st.just("")),
            "frequencyPerDay": st.integers(1, 24),
            "once": st.booleans(),
            "language": st.sampled_from(["de", "zh-CN"]),
        },
    ),
    HOLDERS,
)
def test_the_permission_dashboard(asked: dict[str, Any], options: HolderOptions) -> None:
    text = json.dumps(asked).encode()
    try:
        wish = psr_wish(read_psr(text, AnnouncedPermission), options, NOW * 1000)
    except DialectRefusal:
        return
    refused_or_same(wish, text)


@st.composite
def of_rights(draw: st.DrawFn) -> dict[str, Any]:
    access: dict[str, list[Any]] = {}
    for name in draw(some(RIGHTS)):
        kind, _, right = name.partition(".")
        access.setdefault(kind, []).append({"rights": [right]})
    return {
        "access": access,
        "consentType": draw(st.sampled_from(sorted({*TYPES} - {"detailed"}))),
        "recurringIndicator": draw(st.booleans()),
        "validTo": draw(st.one_of(DAYS, st.just("9999-12-31"))),
        "frequencyPerDay": draw(st.integers(1, 30)),
    }


@FEW
@given(of_rights(), HOLDERS)
def test_open_finance(asked: dict[str, Any], options: HolderOptions) -> None:
    text = json.dumps(asked).encode()
    try:
        wish = read_consent_2(text, options, NOW * 1000)
    except LedgerError:
        return
    refused_or_same(wish, text)


@pytest.mark.parametrize("standard", ["au-cds", "brazil-of", "us-fdx"])
def test_changes_that_a_standard_asks_for_are_held(standard: str) -> None:
    assert mapping().changes[standard].keys() == mapping().standards[standard].keys()
