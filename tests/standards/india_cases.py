"""Sahamati's cases as data, by the ids of their scenarios, and an FIU and an FIP that try them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from api.standards.india.requests import aa_time
from tests.standards.kit import Stage
from tests.world import DAY

AA = "/aa/v2"
OWN = "aa"
"""The identifier of this aggregator."""


def now(seconds: float = 0) -> str:
    return aa_time(int((time.time() + seconds) * 1000))


def message(**members: Any) -> dict[str, Any]:
    return {"ver": "2.1.0", "timestamp": now(), "txnid": str(uuid.uuid4())} | members


def wanted(**members: Any) -> dict[str, Any]:
    """A ConsentDetail, with members replaced."""
    return {
        "consentStart": now(),
        "consentExpiry": now(300 * DAY),
        "consentMode": "STORE",
        "fetchType": "PERIODIC",
        "consentTypes": ["PROFILE", "SUMMARY", "TRANSACTIONS"],
        "fiTypes": ["DEPOSIT"],
        "DataConsumer": {"id": "tpp-1", "type": "FIU"},
        "Customer": {"id": f"user@{OWN}"},
        "Purpose": _purpose("101"),
        "FIDataRange": {"from": "2025-01-01T00:00:00.000Z", "to": "2026-12-31T00:00:00.000Z"},
        "DataLife": {"unit": "MONTH", "value": 6},
        "Frequency": {"unit": "DAY", "value": 4},
        "DataFilter": [{"type": "TRANSACTIONAMOUNT", "operator": ">=", "value": "20000"}],
    } | members


def _purpose(code: str) -> dict[str, Any]:
    return {"code": code, "refUri": f"https://api.rebit.org.in/aa/purpose/{code}.xml", "text": "why"}


def post(played: Stage, path: str, body: dict[str, Any], who: str = "tpp-1", **headers: str) -> httpx2.Response:
    service = played.service
    client = service.as_(played.banks[who]) if who in played.banks else played.client(who)
    return client.request("POST", f"/holders/bank-a{AA}{path}", json=body, headers=headers)


def code(answer: httpx2.Response) -> tuple[int, str]:
    """Of a refusal, which has its time, its version and the request's own txnid (every case asks that)."""
    said = answer.json()
    assert abs(datetime.fromisoformat(said["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=15)
    assert said["ver"] in ("2.0.0", "2.1.0")
    return answer.status_code, said["errorCode"]


def handle(played: Stage, **members: Any) -> str:
    answer = post(played, "/Consent", message(ConsentDetail=wanted(**members)))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ConsentHandle"])


def agreed(played: Stage, **members: Any) -> str:
    made = handle(played, **members)
    played.authorise(made)
    return made


def status(played: Stage, made: str, who: str = "tpp-1") -> httpx2.Response:
    return post(played, "/Consent/handle", message(ConsentHandle=made), who)


def fetch(played: Stage, made: str, who: str = "tpp-1") -> httpx2.Response:
    return post(played, "/Consent/fetch", message(consentId=made), who)


def notice(made: str, said: str = "PAUSED", **members: Any) -> dict[str, Any]:
    """What the FIP tells."""
    told = {"consentId": made, "consentStatus": said}
    return message(Notifier={"type": "FIP", "id": "bank-a"}, ConsentStatusNotification=told) | members


TAKEN: dict[str, list[dict[str, Any]]] = {
    "1001_1": [{"consentMode": "STORE"}, {"consentMode": "VIEW", "DataLife": {"unit": "DAY", "value": 0}}],
    "1001_2": [{"Purpose": _purpose(one)} for one in ("101", "102", "103", "104", "105")],
    "1001_3": [
        *({"DataLife": {"unit": unit, "value": 1}} for unit in ("DAY", "MONTH", "YEAR")),
        {"DataLife": {"unit": "INF", "value": 0}},
        *({"consentMode": "VIEW", "DataLife": {"unit": unit, "value": 0}} for unit in ("DAY", "MONTH", "YEAR", "INF")),
    ],
}


REQUIRED = (
    "consentStart",
    "consentExpiry",
    "consentMode",
    "fetchType",
    "consentTypes",
    "fiTypes",
    "DataConsumer",
    "Customer",
    "Purpose",
    "FIDataRange",
    "DataLife",
    "Frequency",
)
HOURS = 5 * 3_600
"""For the cases of fifteen minutes: they are written down when the tests are collected, long before they are sent."""
OTHER_TIMES = ("30-11-2030 10:00:00", "Sat, 30 Nov 2030 10:00:00 GMT", "20301130T100000Z", "2030-W48-6T10:00:00Z")
FUTURE = "2030-11-30T10:00:00.000Z"


def detail(**members: Any) -> dict[str, Any]:
    return {"ConsentDetail": members}


def _times(text: str) -> list[dict[str, Any]]:
    ranges = [{"from": text, "to": FUTURE}, {"from": "2020-01-01T00:00:00Z", "to": text}]
    return [
        {"timestamp": text},
        detail(consentStart=text),
        detail(consentExpiry=text),
        *(detail(FIDataRange=one) for one in ranges),
    ]


def _filters(*second: str) -> list[dict[str, Any]]:
    kind, operator, value = second
    first = {"type": "TRANSACTIONAMOUNT", "operator": "=", "value": "2000"}
    return [detail(DataFilter=[first, {"type": kind, "operator": operator, "value": value}])]


def _lives(unit: str, value: float) -> list[dict[str, Any]]:
    return [detail(DataLife={"unit": unit, "value": value})]


def _rates(unit: str) -> list[dict[str, Any]]:
    return [detail(Frequency={"unit": unit, "value": 0})]


REQUEST, PURPOSE, CUSTOMER = (400, "InvalidRequest"), (400, "InvalidConsentPurpose"), (400, "InvalidCustomerAddress")
VERSION = (404, "NoSuchVersion")
REFUSED: dict[str, tuple[list[dict[str, Any]], tuple[int, str]]] = {
    "1002_1": (
        [
            *({one: None} for one in ("ver", "timestamp", "txnid", "ConsentDetail")),
            *(detail(**{one: None}) for one in REQUIRED),
        ],
        REQUEST,
    ),
    "1002_2": (
        [
            *({one: ""} for one in ("ver", "timestamp", "txnid")),
            *(detail(**{one: ""}) for one in REQUIRED),
            detail(DataConsumer={"id": "", "type": "FIU"}),
            detail(Customer={"id": ""}),
        ],
        REQUEST,
    ),
    "1002_3": (
        [
            detail(consentMode="STREAMx"),
            detail(consentMode="VIE"),
            detail(fetchType="PERIODICx"),
            detail(fetchType="ONETIM"),
            detail(consentTypes=["TRANSACTIONSx"]),
            detail(consentTypes=["PROFIL"]),
            detail(fiTypes=["OTHERx"]),
            detail(fiTypes=["DEPOSI"]),
            detail(DataConsumer={"id": "tpp-1", "type": "AAx"}),
            detail(DataConsumer={"id": "tpp-1", "type": "FI"}),
            *_lives("INFx", 1),
            *_rates("HOU"),
        ],
        REQUEST,
    ),
    "1002_4": ([detail(consentTypes=[]), detail(fiTypes=[])], REQUEST),
    "1002_5": (
        [{"ConsentDetail": None}, *(detail(**{one: {}}) for one in REQUIRED[6:])],
        REQUEST,
    ),
    "1002_6": ([*_lives("MONTH", 1.5), detail(Frequency={"unit": "DAY", "value": 1.5})], REQUEST),
    "1003_1": ([one for text in OTHER_TIMES for one in _times(text)], REQUEST),
    "1003_2": (_times(FUTURE + "x"), REQUEST),
    "1004_1": ([{"ver": "9.9.9"}], VERSION),
    "1004_2": ([{"ver": "2.1.00"}], VERSION),
    "1004_3": ([{"ver": "2.1."}], VERSION),
    "1005_1": ([{"timestamp": now(HOURS)}], REQUEST),
    "1005_2": ([{"timestamp": now(-HOURS)}], REQUEST),
    "1006_1": ([{"txnid": str(uuid.uuid4()) + "a"}], REQUEST),
    "1006_2": ([{"txnid": str(uuid.uuid4())[:-1]}], REQUEST),
    "1007_1": ([detail(consentStart="2030-01-02T00:00:00Z", consentExpiry="2030-01-01T00:00:00Z")], REQUEST),
    "1007_2": ([detail(consentStart=FUTURE, consentExpiry=FUTURE)], REQUEST),
    "1008_1": ([detail(DataConsumer={"id": "somebody", "type": "FIU"})], REQUEST),
    "1008_2": ([detail(DataConsumer={"id": "tpp-1x", "type": "FIU"})], REQUEST),
    "1008_3": ([detail(DataConsumer={"id": "tpp-", "type": "FIU"})], REQUEST),
    "1008_4": ([detail(DataConsumer={"id": "tpp-2", "type": "FIU"})], REQUEST),
    "1009_1": ([detail(Customer={"id": "9999999999"}), detail(Customer={"id": "@aa"})], CUSTOMER),
    "1009_2": ([detail(Customer={"id": f"user@{OWN[:-1]}"})], CUSTOMER),
    "1009_3": ([detail(Customer={"id": f"user@{OWN}x"})], CUSTOMER),
    "1010_1": ([detail(Purpose=_purpose("199"))], PURPOSE),
    "1010_2": ([detail(Purpose=_purpose("101") | {"refUri": one}) for one in ("101.xml", "http//x")], PURPOSE),
    "1011_1": ([detail(FIDataRange={"from": "2026-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"})], REQUEST),
    "1012_1": (_lives("DAY", 0), REQUEST),
    "1012_2": (_lives("MONTH", 0), REQUEST),
    "1012_3": (_lives("YEAR", 0), REQUEST),
    "1012_4": (_lives("INF", 1), REQUEST),
    "1013_1": (_rates("DAY"), REQUEST),
    "1013_2": (_rates("MONTH"), REQUEST),
    "1013_3": (_rates("YEAR"), REQUEST),
    "1013_4": (_rates("HOUR"), REQUEST),
    "1014_1": (_filters("TRANSACTIONAMOUNT", "=", "CREDIT"), REQUEST),
    "1014_2": (_filters("TRANSACTIONTYPE", "=", "1000"), REQUEST),
    "1014_3": (_filters("TRANSACTIONAMOUNT", "==", "1000"), REQUEST),
}


NOTIFIER = (400, "InvalidNotifier")
STATUS = "ConsentStatusNotification"
NOTICES: dict[str, tuple[list[dict[str, Any]], tuple[int, str]]] = {
    "3002_1": ([{one: None} for one in ("ver", "timestamp", "txnid", "Notifier", STATUS)], REQUEST),
    "3002_2": ([{one: ""} for one in ("ver", "timestamp", "txnid", "Notifier", STATUS)], REQUEST),
    "3002_3": ([{STATUS: {"consentId": "made", "consentStatus": one}} for one in ("ACTIVx", "REVOKE")], REQUEST),
    "3002_5": ([{"Notifier": {}}, {STATUS: {}}], REQUEST),
    "3003_1": ([{"ver": "9.9.9"}], VERSION),
    "3003_2": ([{"ver": "2.1.00"}], VERSION),
    "3003_3": ([{"ver": "2.1."}], VERSION),
    "3004_1": ([{"timestamp": one} for one in OTHER_TIMES], REQUEST),
    "3004_2": ([{"timestamp": FUTURE + "x"}], REQUEST),
    "3004_3": ([{"timestamp": now(HOURS)}], REQUEST),
    "3004_4": ([{"timestamp": now(-HOURS)}], REQUEST),
    "3005_1": ([{"txnid": str(uuid.uuid4()) + "a"}], REQUEST),
    "3005_2": ([{"txnid": str(uuid.uuid4())[:-1]}], REQUEST),
    "3006_1": ([{"Notifier": {"type": "FIU", "id": "bank-a"}}], NOTIFIER),
    "3006_2": ([{"Notifier": {"type": "AA", "id": "bank-a"}}], NOTIFIER),
    "3006_3": ([{"Notifier": {"type": "FIP", "id": "bank-ax"}}], NOTIFIER),
    "3006_4": ([{"Notifier": {"type": "FIP", "id": "bank-"}}], NOTIFIER),
    "3007_1": ([{STATUS: {"consentId": str(uuid.uuid4()), "consentStatus": "PAUSED"}}], REQUEST),
    "3007_2": ([{STATUS: {"consentId": "made+", "consentStatus": "PAUSED"}}], REQUEST),
    "3007_3": ([{STATUS: {"consentId": "made-", "consentStatus": "PAUSED"}}], REQUEST),
}
