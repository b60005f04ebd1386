"""The bank as an FIP: it opens a session for an artefact, and gives the accounts of the artefact sealed for its asker."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, HTTPException, Request

from api.guard import ConsentGuard, GuardedAccess, TokenWay
from tests.stock.sealing import OneTimeKey

Message = Annotated[dict[str, Any], Body()]


def _said(message: dict[str, Any]) -> dict[str, Any]:
    return {"ver": message["ver"], "txnid": message["txnid"], "timestamp": datetime.now(UTC).isoformat()}


def speak_aa(app: FastAPI, guard: ConsentGuard, way: TokenWay, holder: str, balances: dict[str, str]) -> None:
    """`/FI/request` and `/FI/fetch`. The ledger is the aggregator of consents only: data come from here."""
    sessions: dict[str, tuple[str, dict[str, Any]]] = {}
    may_read = Depends(guard("ReadAccountsDetail", "ReadBalances"))

    @app.post("/aa/v2/FI/request")
    async def request(message: Message, asked: Request) -> dict[str, Any]:
        """No data leave yet: whoever asks must hold the token of the artefact's consent."""
        bound, _, why, _ = await way.bearer(asked, time.time_ns() // 1_000_000)
        if why is not None or bound.consent_id != message["Consent"]["id"]:
            raise HTTPException(401, str(why))
        session = str(uuid.uuid4())
        sessions[session] = bound.consent_id, message["KeyMaterial"]
        return _said(message) | {"consentId": bound.consent_id, "sessionId": session}

    @app.post("/aa/v2/FI/fetch")
    async def fetch(message: Message, access: GuardedAccess = may_read) -> dict[str, Any]:
        consent, theirs = sessions.get(message["sessionId"], ("", {}))
        if consent != access.consent_id:
            raise HTTPException(404, "no such session")
        own = OneTimeKey()
        data = [
            {
                "linkRefNumber": reference,
                "maskedAccNumber": "XXXXXXXX" + account[-1],
                "encryptedFI": own.seal(f'<Summary currentBalance="{balances[account]}"/>', theirs),
            }
            for reference, account in access.accounts.items()
        ]
        return _said(message) | {"FI": [{"fipID": holder, "data": data, "KeyMaterial": own.material}]}
