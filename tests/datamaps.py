"""A bank's OpenAPI document and its data map, for tests of maps, guards and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.cli.folder import ParticipantFolder
from ledger.datamaps import DataMap, MappedField
from tests.client.service import Service

BALANCES = "GET /accounts/{account}/balances"
TRANSACTIONS = "GET /accounts/{account}/transactions"


def openapi(**more: dict[str, Any]) -> dict[str, Any]:
    """Balances and transactions; `more`: further properties of a transaction."""
    row = {
        "amount": {"type": "string"},
        "booked": {"type": "integer"},
        "card": {"type": "string"},
        "remittanceInformation": {"type": "string"},
        "对方账号": {"type": "string"},
        **more,
    }
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
    balance = {
        "type": "object",
        "properties": {"balance": {"type": "string"}, "links": {"additionalProperties": {"type": "string"}}},
    }

    def operation(schema: dict[str, Any]) -> dict[str, Any]:
        content = {"application/json": {"schema": schema}}
        return {"get": {"responses": {"200": {"description": "", "content": content}, "404": {"description": ""}}}}

    return {
        "openapi": "3.1.0",
        "info": {"title": "Bank A", "version": "1"},
        "paths": {
            "/accounts/{account}/balances": operation(balance),
            "/accounts/{account}/transactions": operation(rows),
        },
        "components": {"schemas": {"Row": {"type": "object", "properties": row}}},
    }


def bank_map(holder: str = "bank-a", **more: str) -> DataMap:
    """The first version of a map of that document; `more`: permission by the name of a further field of transactions."""

    def field(at: str, place: str, permission: str, grade: int = 3, **members: Any) -> MappedField:
        return MappedField(at=at, field=place, grade=grade, permission=permission, since=1, **members)

    basic = "ReadTransactionsBasic"
    fields = [
        field(BALANCES, "/balance", "ReadBalances"),
        MappedField(at=BALANCES, field="/links/*", grade=1, since=1),
        field(TRANSACTIONS, "/*/amount", basic),
        field(TRANSACTIONS, "/*/booked", basic),
        field(TRANSACTIONS, "/*/card", basic, mask="pan"),
        field(TRANSACTIONS, "/*/remittanceInformation", basic, mask="transaction-text"),
        field(TRANSACTIONS, "/*/对方账号", basic, mask="counterparty-account"),
        *(field(TRANSACTIONS, f"/*/{name}", permission) for name, permission in more.items()),
    ]
    fields.sort(key=lambda each: (each.at, each.field))
    return DataMap(fields=tuple(fields), holder=holder, map="api", map_version=1, ruleset=3, v=1)


def own_folder(service: Service, participant: str, path: Path) -> str:
    """A participant's folder, as «keys new» makes it, with the keys that the log has."""
    member = service.members[participant]
    path.mkdir(mode=0o700)
    member.signer.save(path / "statement.pem")
    member.client_key.save(path / "client.pem")
    kids = member.signer.kid, member.client_key.kid
    ParticipantFolder(path, participant, service.url, service.node.ledger.vkey.format(), *kids).write()
    return str(path)
