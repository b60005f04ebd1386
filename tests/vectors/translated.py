"""Vectors of requests in the words of standards: which terms are a translation of them (docs/spec/requests.md)."""

from __future__ import annotations

import copy
import json
from typing import Any, Final, NamedTuple

from tests.vectors.hashing import Json, b64u

ASKED_AT: Final = 1_790_000_000
NO_BOUNDS: Final[Json] = {"frequency_per_day": 0, "history_from": 0, "history_to": 0, "once": False}


class Base(NamedTuple):
    """An honest request, and the members of terms that its mapping gives."""

    standard: str
    versions: tuple[str, ...]
    asked: Json
    terms: Json
    act: str = "consent.request"


BRAZIL: Final = Base(
    "brazil-of",
    ("3.3.1", "3.0.1", "2.2.0"),
    {
        "data": {
            "permissions": ["ACCOUNTS_READ", "LOANS_READ", "RESOURCES_READ"],
            "expirationDateTime": "2027-1-5T23:59:59Z",
        }
    },
    {**NO_BOUNDS, "expires_at": 1_799_193_599, "permissions": ["ReadAccountsDetail", "ReadLoans", "ReadResources"]},
)
RENEWED: Final = Base(
    "brazil-of",
    ("3.3.1", "3.0.1", "2.2.0"),
    {**BRAZIL.asked, "extensions": [{"expirationDateTime": "2028-01-05T00:00:00Z"}, {}]},
    {**BRAZIL.terms, "expires_at": 1_830_643_200},
    "consent.amend",
)
INDIA: Final = Base(
    "india-aa",
    ("1.1.2", "1.1.3", "2.0.0", "2.1.0"),
    {
        "ConsentDetail": {
            "consentStart": "2026-09-21T19:43:20.999+0530",
            "consentExpiry": "2027-09-21T14:13:20Z",
            "consentMode": "STORE",
            "fetchType": "PERIODIC",
            "consentTypes": ["TRANSACTIONS", "PROFILE"],
            "fiTypes": ["TERM-DEPOSIT", "MUTUAL_FUNDS"],
            "Purpose": {"code": "101", "text": "\u00a0 Wealth\tmanagement "},
            "FIDataRange": {"from": "2025-09-21T00:00:00+05:30", "to": "2026-09-21T00:00:00Z"},
            "DataLife": {"unit": "MONTH", "value": 1.5},
            "Frequency": {"unit": "HOUR", "value": 2},
            "DataFilter": [
                {"type": "TRANSACTIONTYPE", "operator": "=", "value": "DEBIT"},
                {"type": "TRANSACTIONAMOUNT", "operator": ">=", "value": "20000"},
                {"type": "TRANSACTIONTYPE", "operator": "=", "value": "DEBIT"},
            ],
        }
    },
    {
        "expires_at": 1_821_536_000,
        "filters": [
            {"field": "transaction-amount", "op": "ge", "value": "20000"},
            {"field": "transaction-type", "op": "eq", "value": "DEBIT"},
        ],
        "frequency_per_day": 2,
        "frequency_period": "hour",
        "history_from": 1_758_393_000,
        "history_to": 1_789_948_800,
        "once": False,
        "permissions": [
            "ReadInvestments",
            "ReadParty",
            "ReadTransactionsCredits",
            "ReadTransactionsDebits",
            "ReadTransactionsDetail",
        ],
        "purpose": {"code": "101", "text": "Wealth management"},
        "retention_days": 45,
        "starts_at": 1_790_000_000,
    },
)
CDR: Final = Base(
    "au-cds",
    ("1.36.0",),
    {"scope": "openid  bank:payees:read", "claims": {"sharing_duration": 7_776_000}},
    {**NO_BOUNDS, "expires_at": 1_797_776_000, "permissions": ["ReadBeneficiariesDetail"]},
)
FDX: Final = Base(
    "us-fdx",
    ("6",),
    {
        "durationType": "TIME_BOUND",
        "durationPeriod": 30,
        "lookbackPeriod": 90,
        "resources": [{"dataClusters": ["TAX", "ACCOUNT_BASIC"]}, {"dataClusters": ["CUSTOMER_PERSONAL"]}],
        "authorizationDisclosure": {"productOrService": "Tax return", "certified": True},
    },
    {
        **NO_BOUNDS,
        "expires_at": 1_792_592_000,
        "history_from": 1_782_224_000,
        "permissions": ["ReadAccountsBasic", "ReadParty", "ReadPartyPSU", "ReadTaxRecords"],
        "purpose": {"code": "requested-service", "text": "Tax return"},
    },
)
PSR: Final = Base(
    "eu-psr",
    ("com-2023-367",),
    {
        "purpose": {"code": "budgeting", "text": "Haushaltsbuch"},
        "dataCategories": ["balances", "balances"],
        "language": "de",
    },
    {
        **NO_BOUNDS,
        "expires_at": 0,
        "frequency_per_day": 4,
        "language": "de",
        "permissions": ["ReadBalances"],
        "purpose": {"code": "budgeting", "text": "Haushaltsbuch"},
    },
)
BERLIN_2: Final = Base(
    "berlin-group",
    ("2",),
    {
        "access": {
            "payments": [{"rights": ["balances"]}, {"rights": ["ownerName"]}],
            "cards": [{"rights": ["accountDetails"]}],
        },
        "recurringIndicator": True,
        "validTo": "2027-06-30",
        "frequencyPerDay": 4,
    },
    {
        **NO_BOUNDS,
        "expires_at": 1_814_400_000 - 7_200,
        "frequency_per_day": 4,
        "permissions": ["ReadAccountsDetail", "ReadBalances", "ReadCreditCards", "ReadParty"],
    },
)
BASES: Final = (
    BRAZIL,
    RENEWED,
    INDIA,
    CDR,
    CDR._replace(act="consent.amend"),
    FDX,
    FDX._replace(act="consent.amend"),
    PSR,
    BERLIN_2,
)
LEFT_OUT: Final = object()
OTHERWISE: Final[Json] = {
    "expires_at": 1_990_000_001,
    "filters": [{"field": "transaction-type", "op": "eq", "value": "CREDIT"}],
    "frequency_per_day": 10_001,
    "history_from": 1,
    "history_to": 1,
    "language": "en",
    "once": True,
    "permissions": ["ReadPAN"],
    "purpose": {"code": "marketing", "text": "Advertisement"},
    "retention_days": 46,
    "starts_at": 1,
}
"""Of each member, what no honest request above asks for."""
D: Final = "ConsentDetail"
OFTEN: Final = "frequency_per_day"
Change = tuple[str, Base, dict[str, Any], Json, list[str]]
"""Name, of which, places in the request set anew (separated by slashes), members of the terms, what differs."""
CHANGES: Final[list[Change]] = [
    ("products that the bank does not have fall away", BRAZIL, {}, {"permissions": ["ReadResources"]}, []),
    ("no product at all", BRAZIL, {}, {"permissions": []}, ["permissions"]),
    ("one beside those asked for", BRAZIL, {}, {"permissions": ["ReadAccountsDetail", "ReadPAN"]}, ["permissions"]),
    ("no end", BRAZIL, {"data/expirationDateTime": LEFT_OUT}, {"expires_at": 0}, []),
    ("an end that is null", BRAZIL, {"data/expirationDateTime": None}, {"expires_at": 0}, ["expires_at"]),
    ("the 30th of February", BRAZIL, {"data/expirationDateTime": "2027-2-30T00:00:00Z"}, {}, ["expires_at"]),
    ("an unknown permission", BRAZIL, {"data/permissions": ["PIX_READ"]}, {}, ["permissions"]),
    ("no data", BRAZIL, {"data": LEFT_OUT}, {"expires_at": 0}, ["permissions"]),
    ("data is a list", BRAZIL, {"data": []}, {}, ["expires_at", "permissions"]),
    ("a renewal without an end", RENEWED, {"extensions/0": {}}, {"expires_at": 0}, []),
    ("a renewal that is not there", RENEWED, {"extensions": []}, {"expires_at": 0}, []),
    ("the end of an older renewal", RENEWED, {}, {"expires_at": BRAZIL.terms["expires_at"]}, ["expires_at"]),
    ("renewals are an object", RENEWED, {"extensions": {"0": {}}}, {"expires_at": 0}, ["expires_at"]),
    ("once", INDIA, {f"{D}/fetchType": "ONETIME"}, {"once": True}, []),
    ("no account at a bank", INDIA, {f"{D}/fiTypes": ["NPS"]}, {"permissions": ["ReadParty", "ReadPensions"]}, []),
    ("no kind of data", INDIA, {f"{D}/fiTypes": LEFT_OUT}, {"permissions": ["ReadParty"]}, []),
    ("the kind OTHER", INDIA, {f"{D}/fiTypes": ["OTHER"]}, {}, ["permissions"]),
    (
        "an unknown type without a bank",
        INDIA,
        {f"{D}/fiTypes": ["NPS"], f"{D}/consentTypes": ["ALL"]},
        {},
        ["permissions"],
    ),
    ("a log that counts days", INDIA, {}, {OFTEN: 48, "frequency_period": LEFT_OUT}, []),
    ("the hour's number for a day", INDIA, {}, {"frequency_period": LEFT_OUT}, [OFTEN]),
    ("another period", INDIA, {}, {"frequency_period": "day"}, [OFTEN]),
    (
        "three a month",
        INDIA,
        {f"{D}/Frequency": {"unit": "MONTH", "value": 3.9}},
        {OFTEN: 3, "frequency_period": "month"},
        [],
    ),
    (
        "sixty-one a month, of days",
        INDIA,
        {f"{D}/Frequency": {"unit": "MONTH", "value": 61}},
        {OFTEN: 2, "frequency_period": LEFT_OUT},
        [],
    ),
    (
        "one a year, of days",
        INDIA,
        {f"{D}/Frequency": {"unit": "YEAR", "value": 0.5}},
        {OFTEN: 1, "frequency_period": LEFT_OUT},
        [],
    ),
    (
        "without a bound",
        INDIA,
        {f"{D}/Frequency": {"unit": "INF", "value": 7}},
        {OFTEN: 0, "frequency_period": LEFT_OUT},
        [],
    ),
    ("a number as a text", INDIA, {f"{D}/Frequency/value": "2"}, {}, [OFTEN]),
    ("true is no number", INDIA, {f"{D}/Frequency/value": True}, {OFTEN: 1}, [OFTEN]),
    ("a negative number", INDIA, {f"{D}/Frequency/value": -1}, {OFTEN: 1}, [OFTEN]),
    ("a unit of its own", INDIA, {f"{D}/Frequency/unit": "WEEK"}, {}, [OFTEN]),
    ("a number of 400 digits", INDIA, {f"{D}/DataLife/value": 10**400}, {"retention_days": 36_500}, ["retention_days"]),
    ("a life of ages", INDIA, {f"{D}/DataLife/value": 1e300}, {"retention_days": 36_500}, []),
    ("a life without end", INDIA, {f"{D}/DataLife/unit": "INF"}, {"retention_days": 0}, []),
    ("only to be viewed", INDIA, {f"{D}/consentMode": "VIEW", f"{D}/DataLife/unit": "INF"}, {"retention_days": 1}, []),
    (
        "a view without a life",
        INDIA,
        {f"{D}/consentMode": "VIEW", f"{D}/DataLife": LEFT_OUT},
        {"retention_days": 1},
        [],
    ),
    ("no mode", INDIA, {f"{D}/consentMode": LEFT_OUT}, {}, []),
    ("a life of no number", INDIA, {f"{D}/DataLife": {"unit": "MONTH"}}, {}, ["retention_days"]),
    ("a life of no unit", INDIA, {f"{D}/DataLife": {"value": 1.5}}, {}, ["retention_days"]),
    ("a rate of no number", INDIA, {f"{D}/Frequency": {"unit": "DAY"}}, {}, [OFTEN]),
    ("days beyond counting", INDIA, {f"{D}/DataLife/value": 1.7e308}, {"retention_days": 36_500}, ["retention_days"]),
    (
        "no purpose in words",
        INDIA,
        {f"{D}/Purpose/text": " \u0085\u3000"},
        {"purpose": {"code": "101", "text": "Account Aggregator purpose 101"}},
        [],
    ),
    (
        "no text of a purpose",
        INDIA,
        {f"{D}/Purpose/text": LEFT_OUT},
        {"purpose": {"code": "101", "text": "Account Aggregator purpose 101"}},
        [],
    ),
    (
        "a purpose of 201 signs",
        INDIA,
        {f"{D}/Purpose/text": "💰" * 201},
        {"purpose": {"code": "101", "text": "💰" * 200}},
        [],
    ),
    ("a filter of another field", INDIA, {f"{D}/DataFilter/0/type": "IFSC"}, {}, ["filters"]),
    ("a filter without a value", INDIA, {f"{D}/DataFilter/0/value": LEFT_OUT}, {}, ["filters"]),
    ("no filters", INDIA, {f"{D}/DataFilter": []}, {"filters": LEFT_OUT}, []),
    ("no filters, and terms with some", INDIA, {f"{D}/DataFilter": LEFT_OUT}, {}, ["filters"]),
    ("a quarter of an hour later", CDR, {}, {"expires_at": 1_797_776_900}, []),
    ("a second more than that", CDR, {}, {"expires_at": 1_797_776_901}, ["expires_at"]),
    ("sooner than asked for", CDR, {}, {"expires_at": 1}, []),
    ("no end, where one was asked for", CDR, {}, {"expires_at": 0}, ["expires_at"]),
    ("ten years are one", CDR, {"claims/sharing_duration": 315_360_000}, {"expires_at": 1_821_536_900}, []),
    (
        "ten years are no more than one",
        CDR,
        {"claims/sharing_duration": 315_360_000},
        {"expires_at": 1_821_536_901},
        ["expires_at"],
    ),
    ("no duration is one collection", CDR, {"claims": LEFT_OUT}, {"expires_at": 1_790_086_400, "once": True}, []),
    ("a duration of nothing", CDR, {"claims/sharing_duration": 0}, {"expires_at": 1_790_086_400, "once": True}, []),
    ("a duration of nothing, for longer", CDR, {"claims/sharing_duration": 0}, {"once": True}, ["expires_at"]),
    ("a negative duration", CDR, {"claims/sharing_duration": -1}, {}, ["expires_at", "once"]),
    ("a duration with a point", CDR, {"claims/sharing_duration": 7_776_000.0}, {}, ["expires_at", "once"]),
    ("an unknown scope", CDR, {"scope": "openid energy:electricity.usage:read"}, {}, ["permissions"]),
    ("scopes apart by a tab", CDR, {"scope": "openid\tbank:payees:read"}, {}, ["permissions"]),
    ("no scope", CDR, {"scope": LEFT_OUT}, {}, ["permissions"]),
    ("once", FDX, {"durationType": "ONE_TIME"}, {"once": True}, []),
    ("a year where nothing is said", FDX, {"durationPeriod": LEFT_OUT}, {"expires_at": 1_821_536_000}, []),
    ("a leap year", FDX, {"durationPeriod": 366}, {"expires_at": 1_821_622_400}, []),
    ("367 days", FDX, {"durationPeriod": 400}, {"expires_at": 1_821_712_401}, ["expires_at"]),
    ("all history there is", FDX, {"lookbackPeriod": 0}, {"history_from": 0}, []),
    ("history from before 1970", FDX, {"lookbackPeriod": 36_500}, {"history_from": 0}, []),
    ("all history where days were asked for", FDX, {}, {"history_from": 0}, ["history_from"]),
    ("less history than asked for", FDX, {}, {"history_from": 1_782_224_001}, []),
    ("more history than asked for", FDX, {}, {"history_from": 1_782_223_099}, ["history_from"]),
    ("a purpose with a code of its own", FDX, {"authorizationDisclosure/purposeCode": "tax"}, {}, ["purpose"]),
    ("an unknown cluster", FDX, {"resources/1/dataClusters": ["ALL"]}, {}, ["permissions"]),
    ("resources that are texts", FDX, {"resources": ["TAX"]}, {}, ["permissions"]),
    ("a day of the end", PSR, {"validTo": "2027-06-30"}, {"expires_at": 1_814_400_000}, []),
    ("an empty day", PSR, {"validTo": ""}, {}, []),
    ("an end that nobody asked for", PSR, {}, {"expires_at": 1_814_400_000}, ["expires_at"]),
    ("fewer reads than asked for", PSR, {"frequencyPerDay": 5}, {}, []),
    ("more reads than asked for", PSR, {"frequencyPerDay": 3}, {}, [OFTEN]),
    ("no language said", PSR, {"language": LEFT_OUT}, {"language": "en"}, []),
    ("for ever", BERLIN_2, {"validTo": "9999-12-31"}, {"expires_at": 0}, []),
    ("no day", BERLIN_2, {"validTo": LEFT_OUT}, {"expires_at": 0}, ["expires_at"]),
    (
        "a right of another kind of account",
        BERLIN_2,
        {"access/cards": [{"rights": ["ownerName"]}]},
        {},
        ["permissions"],
    ),
    ("no rights", BERLIN_2, {"access/cards": [{}]}, {}, ["permissions"]),
    ("accounts by number", BERLIN_2, {"access": [{"rights": ["balances"]}]}, {}, ["permissions"]),
]
TEXTS: Final = [
    ("a list", b"[]"),
    ("no JSON", b"{"),
    ("a name twice", b'{"scope":"openid","scope":"openid bank:payees:read"}'),
    ("half a character", b'{"scope":"\\ud800"}'),
    ("not a number", b'{"claims":{"sharing_duration":NaN}}'),
    ("UTF-16", json.dumps(CDR.asked).encode("utf-16")),
]


def _set(place: Any, path: str, value: Any) -> None:
    *names, last = path.split("/")
    for name in names:
        place = place[int(name) if isinstance(place, list) else name]
    key = int(last) if isinstance(place, list) else last
    if value is LEFT_OUT:
        del place[key]
    else:
        place[key] = value


def _case(name: str, base: Base, version: str, request: bytes, terms: Json, differs: list[str]) -> Json:
    return {
        "act": base.act,
        "asked_at": ASKED_AT,
        "differs": differs,
        "name": name,
        "request": b64u(request),
        "terms": terms | {"standard": base.standard, "standard_version": version},
    }


def _text(asked: Json) -> bytes:
    return json.dumps(asked, ensure_ascii=False).encode()


def requests() -> Json:
    cases: list[Json] = []
    for base in BASES:
        what = f"{base.standard} {base.act.removeprefix('consent.')}"
        cases += [
            _case(f"{what} {one}: as asked", base, one, _text(base.asked), base.terms, []) for one in base.versions
        ]
        members = sorted({*base.terms, "filters"} & OTHERWISE.keys())
        for member in members:
            terms = base.terms | {member: OTHERWISE[member]}
            cases.append(_case(f"{what}: another {member}", base, base.versions[0], _text(base.asked), terms, [member]))
    for name, base, places, said, differs in CHANGES:
        asked = copy.deepcopy(base.asked)
        for path, value in places.items():
            _set(asked, path, value)
        terms = {member: value for member, value in (base.terms | said).items() if value is not LEFT_OUT}
        cases.append(_case(f"{base.standard} {base.act}: {name}", base, base.versions[0], _text(asked), terms, differs))
    for version, date in (("2.2.0", []), ("3.0.1", ["expires_at"])):
        asked = copy.deepcopy(BRAZIL.asked)
        asked["data"]["expirationDateTime"] = "2300-01-01T00:00:00Z"
        terms = BRAZIL.terms | {"expires_at": 0}
        cases.append(
            _case(f"brazil-of {version}: an open end in the words of 2.2.0", BRAZIL, version, _text(asked), terms, date)
        )
    cases += [_case(f"au-cds: {name}", CDR, "1.36.0", text, CDR.terms, [""]) for name, text in TEXTS]
    return {
        "about": "Are these members of terms what the request asks for? Those that differ; one that is empty: the request gives "
        "no terms. (requests.md)",
        "cases": cases,
    }


FILES = {"requests": requests}
