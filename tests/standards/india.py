"""What a client of an Indian account aggregator asks, and how it is answered."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx2

from api.standards.india.requests import (
    aa_time,
)
from tests.api.service import Service, TokenClient
from tests.world import DAY, Party

WHERE = "/holders/bank-a/aa/v2"


def wrapped(**members: Any) -> dict[str, Any]:
    return {"ver": "2.1.0", "timestamp": aa_time(time.time_ns() // 1_000_000), "txnid": str(uuid.uuid4())} | members


def detail_of(service: Service, **members: Any) -> dict[str, Any]:
    now = service.world.clock.now()
    return {
        "consentStart": aa_time(now),
        "consentExpiry": aa_time(now + 300 * DAY * 1000),
        "consentMode": "STORE",
        "fetchType": "PERIODIC",
        "consentTypes": ["PROFILE", "SUMMARY", "TRANSACTIONS"],
        "fiTypes": ["DEPOSIT"],
        "DataConsumer": {"id": "tpp-1", "type": "FIU"},
        "Customer": {"id": "user@aa"},
        "Purpose": {
            "code": "101",
            "refUri": "https://api.rebit.org.in/aa/purpose/101.xml",
            "text": "Wealth management service",
            "Category": {"type": "string"},
        },
        "FIDataRange": {"from": "2025-01-01T00:00:00.000Z", "to": "2026-12-31T00:00:00.000Z"},
        "DataLife": {"unit": "MONTH", "value": 6},
        "Frequency": {"unit": "DAY", "value": 4},
        "DataFilter": [{"type": "TRANSACTIONAMOUNT", "operator": ">=", "value": "20000"}],
    } | members


def post(client: TokenClient, path: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    return client.request("POST", WHERE + path, json=body, headers=headers)


def ask(service: Service, app: Party, **members: Any) -> str:
    answer = post(service.as_(app), "/Consent", wrapped(ConsentDetail=detail_of(service, **members)))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ConsentHandle"])


def code_of(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["errorCode"]
