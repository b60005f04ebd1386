"""A partner's own software, as small as it can be: it does the tasks of a conformance run with the client and the guard.

`flaw` plants one mistake, by the behaviour that must find it.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2

from api.cli.folder import ParticipantFolder
from api.cli.joining import proved
from api.client import (
    ClientError,
    Equivocation,
    InMemory,
    LedgerClient,
    LocalSigner,
    ReceiptRefused,
    RefusedByLedger,
    RolledBack,
    make_item,
    make_terms,
    open_receipt,
    request_digest,
)
from api.client.memory import CheckpointMemory
from api.guard import RECEIPT_HEADER, STATEMENT_HEADER
from ledger.canonical import unb64u
from tests.sandbox.kit import IN_A_HURRY, Visitor

NEEDED = ["ReadBalances"]
FINAL = {"REJECTED", "REVOKED", "EXPIRED", "TERMINATED"}


@dataclass
class App:
    """A recipient's software."""

    visitor: Visitor
    flaw: str = ""
    memory: CheckpointMemory = field(default_factory=InMemory)

    async def does(self, task: dict[str, Any]) -> dict[str, Any]:
        """Do a task; what it concludes."""
        work = {
            "read": self._read,
            "stop": self._stop,
            "acknowledge": self._acknowledge,
            "follow": self._follow,
            "check": self._check,
            "rotate": self._rotate,
        }[task["do"]]
        self._doing = task["behaviour"]
        return await work(task["with"])

    def _wrong(self) -> bool:
        return self.flaw == self._doing

    async def _read(self, given: dict[str, Any]) -> dict[str, Any]:
        async with self.visitor.client(memory=self.memory) as client:
            consent_id = await self._asked(client, given)
            if self._wrong() and given.get("fault") == "unavailable":
                return {"consent_id": consent_id, "answer": "declined"}  # one 503, and it gives up
            told = await self.visitor.answers(given["customer"], consent_id, seconds=given.get("seconds", 0))
            state = await self._state(client, consent_id, told["after"])
            said = {"consent_id": consent_id}
            if state in FINAL and not self._wrong():
                return {**said, "answer": "declined"}
            if state in {"AWAITING", "PARTIAL"} and not self._wrong():
                return {**said, "answer": "waiting"}
            if self._wrong() and self._doing == "reads-after-yes":
                return {**said, "answer": "read"}  # it says so, and has read nothing
            [account] = told["accounts"] or ["A" * 22]
            limit = given.get("frequency_per_day", 0)
            for number in range(given.get("reads", 1) + (self._wrong() and "reads" in given)):
                if limit and number >= limit and not self._wrong():
                    break
                if not await self._reads(client, consent_id, account, given) and not self._wrong():
                    return {**said, "answer": "stopped"}
            return {**said, "answer": "stopped" if given["customer"] == "stops" else "read"}

    async def _asked(self, client: LedgerClient, given: dict[str, Any]) -> str:
        members: dict[str, Any] = {
            "holder": given["bank"],
            "recipient": client.participant,
            "permissions": [*NEEDED, "ReadAccountsDetail"] if self._wrong() else NEEDED,
            "purpose": "budgeting",
            "purpose_text": "Budget planning",
            "notice": b"What we show.",
            "frequency_per_day": given.get("frequency_per_day", 0),
            "authorisers_required": 1 if self._wrong() else given.get("authorisers", 1),
        }
        consent_id = str(uuid.uuid4())
        question = await client.statements.sign(
            "consent.request", consent_id=consent_id, terms=json.loads(_terms(members))
        )
        if self._wrong() and given.get("fault") in {
            "lost",
            "slow",
            "unavailable",
        }:  # it signs anew instead of sending the same again
            async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
                await http.post(f"{self.visitor.room['ledger']['url']}/consents", json={"statement": question.text})
                if given["fault"] == "slow":
                    await http.post(f"{self.visitor.room['ledger']['url']}/consents", json={"statement": question.text})
            return consent_id
        try:
            await client.ask("/consents", question)
        except ClientError:
            if not self._wrong():
                raise
        return consent_id

    async def _state(self, client: LedgerClient, consent_id: str, after: int) -> str:
        while True:
            state = str((await client.consent(consent_id))["status"])
            if state != "AWAITING" or not after or self._wrong():
                return state
            await asyncio.sleep(0.2)

    async def _reads(self, client: LedgerClient, consent_id: str, account: str, given: dict[str, Any]) -> bool:
        path = f"/accounts/{account}/balances"
        present = given.get("customer_present", True) or (self._doing == "says-who-is-away" and self._wrong())
        again = self._doing == "is-itself-each-time" and self._wrong()
        item = make_item(
            consent_id=consent_id,
            accounts=[account],
            permissions=["ReadBalances"],
            purpose="budgeting",
            request_digest=request_digest(given["bank"], "GET", path),
            customer_present=present,
            interaction_id="the-same" if again else str(uuid.uuid4()),
        )
        text = client.statements.access(item).text
        async with httpx2.AsyncClient(
            base_url=self.visitor.room["banks"][given["bank"]], trust_env=False, timeout=60
        ) as http:
            answer = await http.get(path, headers={STATEMENT_HEADER: text})
            while answer.status_code == 503 and not (self._doing == "is-patient" and self._wrong()):
                answer = await http.get(path, headers={STATEMENT_HEADER: text})
        if answer.status_code != 200:
            return False
        receipt = open_receipt(unb64u(answer.headers[RECEIPT_HEADER]), client.trust)
        if not self._wrong():
            content = answer.content
            rows = len(answer.json()["rows"])
            await client.receive(receipt, rows=rows, content=content, digest=sha256(content).digest())
        return True

    async def _stop(self, given: dict[str, Any]) -> dict[str, Any]:
        async with self.visitor.client(memory=self.memory) as client:
            consent_id = await self._asked(client, given)
            await self.visitor.answers(given["customer"], consent_id)
            if not self._wrong():
                await client.revoke(consent_id)
            return {"consent_id": consent_id, "answer": "stopped"}

    async def _acknowledge(self, given: dict[str, Any]) -> dict[str, Any]:
        async with self.visitor.client(memory=self.memory) as client:
            consent_id = await self._asked(client, given)
            told = await self.visitor.answers(given["customer"], consent_id)
            await self._reads(client, consent_id, told["accounts"][0], given)
            end = next(one for one in await client.history(consent_id) if one.act == "consent.revoke")
            if not self._wrong():
                said = await client.statements.sign("consent.acknowledge", consent_id=consent_id, basis=end.index)
                await client.ask(f"/consents/{consent_id}/acknowledge", said)
            return {"consent_id": consent_id, "answer": "acknowledged"}

    async def _follow(self, _: dict[str, Any]) -> dict[str, Any]:
        memory = InMemory() if self._wrong() else self.memory
        async with self.visitor.client(memory=memory) as client:
            try:
                await client.checkpoint()
            except Equivocation:
                return {"answer": "fork"}
            except RolledBack:
                return {"answer": "rollback"}
            return {"answer": "fine"}

    async def _check(self, given: dict[str, Any]) -> dict[str, Any]:
        try:
            open_receipt(unb64u(given["receipt"]), self.visitor.client().trust)
        except ReceiptRefused:
            return {"answer": "valid" if self._wrong() else "refused"}
        return {"answer": "refused" if self._wrong() else "valid"}

    async def _rotate(self, given: dict[str, Any]) -> dict[str, Any]:
        own = ParticipantFolder.read(self.visitor.folder)
        async with self.visitor.client(memory=self.memory) as client:
            new = LocalSigner.generate(f"{own.participant}-{os.urandom(4).hex()}", "EdDSA")
            await client.send(
                "POST", "/partners/keys", proved(new, "statement", own.participant, client.statements.origin)
            )
            if not self._wrong() and given.get("fault") is None:
                await client.send("DELETE", f"/partners/keys/{own.statement_kid}")
            if self._wrong() and given.get("fault"):
                return {"answer": "rotated", "consent_id": ""}
        _take(self.visitor.folder, own.statement_kid, new)
        async with self.visitor.client(memory=self.memory) as client:
            return {"answer": "rotated", "consent_id": await self._asked(client, given)}


def _take(folder: Path, old: str, new: LocalSigner) -> None:
    (folder / "statement.pem").unlink()
    new.save(folder / "statement.pem")
    file = folder / "participant.toml"
    file.write_text(file.read_text().replace(json.dumps(old), json.dumps(new.kid)))


def _terms(members: dict[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.encode(make_terms(**members))


async def run_through(visitor: Visitor, does: Any, url: str = "") -> dict[str, Any]:
    """The whole run of a partner's software; its report."""
    service, here = visitor.service, f"{visitor.here}/conformance"
    await asyncio.to_thread(service.post, here, {"url": url})
    while True:
        answer = await asyncio.to_thread(service.http.get, f"{here}/next")
        assert answer.status_code == 200, answer.text
        task = answer.json()
        if task["ended"]:
            report: dict[str, Any] = (await asyncio.to_thread(service.http.get, here)).json()
            return report
        concluded = await does(task)
        await asyncio.to_thread(service.post, f"{here}/{task['behaviour']}", concluded, 200)


__all__ = ["IN_A_HURRY", "App", "RefusedByLedger", "run_through"]
