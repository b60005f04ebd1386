"""What a client of the Berlin Group's consents asks, and how it is answered."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from api.standards.berlin.succession import Succession
from tests.standards.kit import Stage, conforms, official

PATH = "/v1/consents"
FILE = "**/psd2-api*.yaml"
IBAN = {"iban": "DE40100100103307118608"}
NEXT_YEAR = (datetime.now(UTC).date() + timedelta(days=300)).isoformat()


def asked(**members: Any) -> dict[str, Any]:
    return {
        "access": {"balances": [IBAN], "transactions": [IBAN | {"currency": "EUR"}]},
        "recurringIndicator": True,
        "validUntil": NEXT_YEAR,
        "frequencyPerDay": 4,
        "combinedServiceIndicator": False,
    } | members


def call(played: Stage, method: str, path: str, **kwargs: Any) -> httpx2.Response:
    headers = {"x-request-id": str(uuid.uuid4()), "psu-ip-address": "192.168.8.78"} | kwargs.pop("headers", {})
    headers = {name: value for name, value in headers.items() if value is not None}
    return played.call(method, path, headers=headers, **kwargs)


def create(played: Stage, body: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
    answer = call(played, "POST", PATH, json=body or asked(), **kwargs)
    assert answer.status_code == 201, answer.text
    conforms(official(FILE), "consentsResponse-201", answer.json())
    return dict(answer.json())


def refusal(answer: httpx2.Response) -> tuple[int, str, str | None]:
    [message] = answer.json()["tppMessages"]
    assert message["category"] == "ERROR"
    status = answer.status_code
    conforms(official(FILE), f"Error{status}_NG_AIS", answer.json())
    return status, message["code"], message.get("path")


def succeed(played: Stage) -> None:
    """One turn of what follows the log, as the server builds it."""
    node = played.service.node
    assert node.office is not None
    also = Succession(node.office, node.ledger.records)

    async def turn() -> None:
        sender = node.events.sender(development=False, also=also)
        await sender.turn()
        await sender.aclose()

    asyncio.run(turn())
