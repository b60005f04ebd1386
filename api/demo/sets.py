"""`consent-ledger demo --shards N`: several logs as one (docs/sets.md). A head log, N logs of a bank each, an app in all of
them; then an auditor who trusts the head log's key alone."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.client import LedgerClient, LedgerSet, LocalSigner, Pseudonyms, Trust, VerifiedReceipt, make_item, make_terms
from api.client.digest import request_digest
from api.demo import audit
from api.demo.servers import command, free_port, ledger_process, wait_until_ready
from api.demo.stage import Stage
from api.demo.table import ClosingTable
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from api.sets.addresses import write_address
from ledger.canonical import b64u
from ledger.documents import document_of, key_added, registration
from ledger.notes.keys import VerifierKey
from ledger.set_documents import HolderPlaced, ShardAdded

APP: Final = "app-purse"
CUSTOMERS: Final = 5
"""At each bank."""
SHOWN: Final = {"provision": b"Give my data to this app.", "sensitive": b"My payments can tell a lot about me."}
DAY: Final = 86_400


@dataclass
class _Log:
    """A log of the demo: where it lies and answers."""

    name: str
    state: Path
    url: str
    vkey: VerifierKey
    bank: str = ""
    signers: dict[str, LocalSigner] = field(default_factory=dict)
    """By participant."""

    @property
    def origin(self) -> str:
        return self.vkey.name


@dataclass
class _Seen:
    """What the app was told."""

    accesses: list[VerifiedReceipt] = field(default_factory=list)
    refused: list[VerifiedReceipt] = field(default_factory=list)
    proved: int = 0


async def play_set(stage: Stage, folder: Path, shards: int) -> ClosingTable:
    """The whole story. Raises DemoFailed, ClientError, LedgerError."""
    begun = time.perf_counter()
    say, facts, seen = stage.say, ClosingTable(stage.say), _Seen()
    async with AsyncExitStack() as stack:
        with stage.act("set.start", shards + 1) as tick:
            head = await asyncio.to_thread(_open, folder / "logs", "head", "")
            logs = [
                await asyncio.to_thread(_open, folder / "logs", f"shard-{number}", f"bank-{number}")
                for number in range(1, shards + 1)
            ]
            await asyncio.to_thread(_found, head, logs)
            for log in (*logs, head):  # who is asked stands before who asks
                await _serve(stack, log, folder)
                tick()
        facts.add("set.start", say("set.start.result", count=shards), good=True, seconds=stage.seconds)
        app = await stack.enter_async_context(_set_of(head, logs, APP))
        await _live(stage, facts, app, logs, seen)
        with stage.act("set.prove", len(seen.accesses)) as tick:
            for receipt in (*seen.accesses, *seen.refused):
                await app.prove(receipt)
                seen.proved += 1
                tick()
        facts.add(
            "set.proved",
            say("set.proved.result", proved=seen.proved, count=len(seen.accesses) + len(seen.refused)),
            good=seen.proved == len(seen.accesses) + len(seen.refused) > 0,
            seconds=stage.seconds,
        )
        await _audit(stage, facts, folder, head, logs, seen.refused[-1])
    facts.add("total", say("set.total.result", logs=shards + 1), good=True, seconds=time.perf_counter() - begun)
    return facts


def _open(folder: Path, name: str, bank: str) -> _Log:
    """A new log, with a bank and the app if it is a shard."""
    state, port = folder / name, free_port()
    initialise(Settings(state_dir=state), f"ledger.demo.example/{name}")
    log = _Log(name, state, f"http://localhost:{port}", _vkey_of(state), bank)
    if bank:
        with short_lived(Settings(state_dir=state)) as node:
            for participant, role in ((bank, "holder"), (APP, "recipient")):
                signer = log.signers[participant] = LocalSigner.generate(f"{participant}-1", "EdDSA")
                node.ledger.record_documents(
                    registration(participant, participant, [role]),
                    key_added(participant, signer.kid, signer.alg, "statement", signer.jwk),
                )
    return log


def _vkey_of(state: Path) -> VerifierKey:
    with short_lived(Settings(state_dir=state)) as node:
        return node.ledger.vkey


def _found(head: _Log, logs: list[_Log]) -> None:
    """What `consent-ledger set add` and `set place` do."""
    settings = Settings(state_dir=head.state)
    with short_lived(settings) as node:
        for log in logs:
            node.ledger.record_documents(
                document_of(ShardAdded, origin=log.origin, key=b64u(log.vkey.public_key)),
                document_of(HolderPlaced, holder=log.bank, origin=log.origin),
            )
            write_address(settings.set_file, log.origin, log.url.replace("localhost", "127.0.0.1"))


async def _serve(stack: AsyncExitStack, log: _Log, folder: Path) -> None:
    policy, said = folder / f"{log.name}.policy", folder / f"{log.name}.log"
    audit.write_policy(policy, log.vkey)
    port = int(log.url.rpartition(":")[2])
    process = stack.enter_context(ledger_process(log.state, port, said, policy, {}))
    await wait_until_ready(log.url, process, said)


def _set_of(head: _Log, logs: list[_Log], participant: str) -> LedgerSet[LedgerClient]:
    """The set as a participant sees it, who knows the head log's address and key."""
    signers = {log.origin: log.signers[participant] for log in logs if participant in log.signers}

    def connect(address: str, trust: Trust) -> LedgerClient:
        return LedgerClient(address, participant, signers[trust.vkey.name], trust)

    return LedgerSet(head.url, Trust(head.vkey), connect)


async def _live(stage: Stage, facts: ClosingTable, app: LedgerSet[LedgerClient], logs: list[_Log], seen: _Seen) -> None:
    """Customers of each bank agree, the app reads, one of them stops, the app tries again."""
    with stage.act("set.live", len(logs) * CUSTOMERS) as tick:
        for log in logs:
            bank = LedgerClient(log.url, log.bank, log.signers[log.bank], Trust(log.vkey))
            recipient, pseudonyms = await app.of_holder(log.bank), Pseudonyms.generate()
            async with bank:
                agreed = [await _agree(bank, recipient, pseudonyms, number) for number in range(CUSTOMERS)]
                for consent_id, account in agreed:
                    seen.accesses.append(await _read(recipient, log.bank, consent_id, account))
                    tick()
                await bank.revoke(agreed[0][0])
                seen.refused.append(await _read(recipient, log.bank, *agreed[0]))
    allowed = [one for one in seen.accesses if one.allowed]
    apart = {one.checkpoint.origin for one in allowed}
    facts.add(
        "set.live",
        stage.say("set.live.result", accesses=len(allowed), logs=len(apart)),
        good=len(allowed) == len(seen.accesses) == CUSTOMERS * len(logs) and len(apart) == len(logs),
        seconds=stage.seconds,
    )
    refused = [one for one in seen.refused if "CONSENT_REVOKED" in one.decision.reasons]
    facts.add(
        "set.refused",
        stage.say("set.refused.result", refused=len(refused), count=len(seen.refused)),
        good=len(refused) == len(seen.refused) == len(logs),
    )


async def _agree(bank: LedgerClient, app: LedgerClient, pseudonyms: Pseudonyms, number: int) -> tuple[str, str]:
    """A customer's consent for one account: its id, and the account's reference."""
    now, consent_id = int(time.time()), str(uuid.uuid4())
    terms = make_terms(
        holder=bank.participant,
        recipient=APP,
        permissions=["ReadBalances"],
        purpose="budgeting",
        purpose_text="Budget planning",
        notice=b"We show you your spending by category.",
        expires_at=now // DAY * DAY + 90 * DAY,
    )
    await app.request_consent(consent_id, terms)
    customer, account = f"customer-{number}", f"account-{number}"
    await bank.authorise(
        consent_id,
        terms,
        customer=customer,
        accounts=[account],
        pseudonyms=pseudonyms,
        sca={"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": now},
        separate_consents=SHOWN,
    )
    return consent_id, pseudonyms.account(account, consent_id)


async def _read(app: LedgerClient, bank: str, consent_id: str, account: str) -> VerifiedReceipt:
    item = make_item(
        consent_id=consent_id,
        accounts=[account],
        permissions=["ReadBalances"],
        purpose="budgeting",
        request_digest=request_digest(bank, "GET", f"/accounts/{account}/balances"),
        interaction_id=str(uuid.uuid4()),
        customer_present=True,
    )
    return await app.access(item)


async def _audit(
    stage: Stage, facts: ClosingTable, folder: Path, head: _Log, logs: list[_Log], stopped: VerifiedReceipt
) -> None:
    """Export all, verify the set by the head log's key; then change a byte in one shard, and verify again."""
    say, policy, bundles, last = stage.say, folder / "head.policy", folder / "set", logs[-1]
    with stage.act("set.audit"):
        await audit.run(command("set", "commit", "--state", str(head.state)))  # what the next second would bring
        await audit.export(head.state, bundles / "heads")
        for log in logs:  # after the head log, which must commit to nothing that a bundle lacks
            await audit.export(log.state, bundles / "shards" / log.name)
        whole = await audit.verify_set(bundles, policy)
    facts.add(
        "set.audit",
        say("set.audit.good" if whole.status == 0 else "set.audit.bad", entries=whole.checked("entries")),
        good=whole.status == 0,
        seconds=stage.seconds,
    )
    with stage.act("set.falsify"):
        copy = folder / "falsified"
        await asyncio.to_thread(audit.falsify, last.state, copy, stopped.index)
        changed_bundle = bundles / "shards" / last.name
        await asyncio.to_thread(shutil.rmtree, changed_bundle)
        await audit.export(copy, changed_bundle)
        changed = await audit.verify_set(bundles, policy)
    noticed = changed.status == 1 and changed.names_in(last.origin, stopped.index)
    facts.add(
        "set.falsified",
        say("set.falsified.good" if noticed else "set.falsified.bad", log=last.origin, entry=stopped.index),
        good=noticed,
        seconds=stage.seconds,
    )
