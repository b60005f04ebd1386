"""A ledger on a real socket, and clients of its participants: what the tests of client, guard and demo stand on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from cryptography.hazmat.primitives.asymmetric import ec

from api.client import LedgerClient, LocalSigner, Patience, Pseudonyms, Trust, make_item, make_terms, request_digest
from api.node.building import build_node
from api.node.node import Node
from api.node.settings import Settings
from api.server.app import create_app
from api.tokens.scopes import OPERATOR
from ledger.canonical import b64u, unb64u
from ledger.clock import Clock, SystemClock
from ledger.documents import key_added, registration
from ledger.entries.terms import Terms
from tests.api.founding import initialised
from tests.ports import free_port, loopback
from tests.world import ORIGIN

NOTICE = b"We show you your spending by category."
IN_A_HURRY = Patience(tries=3, first_pause=0.001, longest_pause=0.002)


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """Any ASGI application on a loopback socket of its own; its base address."""
    listening = loopback(port)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="auto", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


@dataclass
class Member:
    """A registered participant with what it needs to make clients."""

    id: str
    signer: LocalSigner
    client_key: LocalSigner


@dataclass
class Service:
    """A running ledger with its participants."""

    node: Node
    url: str
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        return Trust(self.node.ledger.vkey)

    def join(self, participant: str, *roles: str, alg: Any = "EdDSA") -> Member:
        member = Member(
            participant,
            LocalSigner.generate(f"{participant}-1", alg),
            LocalSigner.generate(f"{participant}-c", "ES256"),
        )
        self.node.ledger.record_documents(
            registration(participant, participant, roles),
            _added(participant, member.signer, "statement"),
            _added(participant, member.client_key, "client"),
        )
        self.members[participant] = member
        return member

    def client(self, participant: str, *, url: str | Sequence[str] | None = None, **options: Any) -> LedgerClient:
        member = self.members[participant]
        options.setdefault("patience", IN_A_HURRY)
        options.setdefault("trust", self.trust)
        return LedgerClient(url or self.url, participant, member.signer, client_key=member.client_key, **options)

    def operator(self) -> LedgerClient:
        """A client of the operator's own, for reads."""
        published = self.node.settings.operator_jwks_file
        private = json.loads(published.with_name("operator.key").read_bytes())
        [public] = json.loads(published.read_bytes())["keys"]
        secret = int.from_bytes(unb64u(private["d"]))
        key = LocalSigner(public["kid"], ec.derive_private_key(secret, ec.SECP256R1()))
        return LedgerClient(self.url, OPERATOR, key, self.trust, client_key=key, patience=IN_A_HURRY)


def _added(participant: str, signer: LocalSigner, use: str) -> dict[str, Any]:
    return key_added(participant, signer.kid, signer.alg, use, dict(signer.jwk))


@contextmanager
def running_service(
    database_url: str,
    folder: Path,
    *,
    clock: Clock | None = None,
    origin: str = ORIGIN,
    banks: Sequence[str] = ("bank-a",),
    apps: Sequence[str] = ("app-1", "app-2"),
    **settings: Any,
) -> Iterator[Service]:
    """A new log behind the real application, with one bank and two recipients. `clock`: what the log's time follows."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    quiet = {"index_interval_ms": 0}  # no entry that the test did not ask for
    chosen = Settings(state_dir=folder, database_url=database_url, port=port, **(quiet | settings))
    initialised(chosen, origin, clock=clock)
    node = build_node(chosen, clock=clock)
    config = uvicorn.Config(create_app(node), port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    started = threading.Event()
    listening = loopback(port)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    node.start()
    thread.start()
    started.set()
    try:
        service = Service(node, url)
        for bank in banks:
            service.join(bank, "holder")
        for app in apps:
            service.join(app, "recipient")
        yield service
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()


def terms_for(recipient: str = "app-1", holder: str = "bank-a", **replaced: Any) -> Terms:
    """Acceptable terms; keyword arguments replace members."""
    members: dict[str, Any] = {
        "holder": holder,
        "recipient": recipient,
        "permissions": ["ReadAccountsBasic", "ReadBalances", "ReadTransactionsCredits", "ReadTransactionsDetail"],
        "purpose": "budgeting",
        "purpose_text": "Budget planning",
        "notice": NOTICE,
        "expires_at": SystemClock().now() // 1000 + 90 * 86_400,
    }
    return make_terms(**(members | replaced))


async def released(bank: LedgerClient, app: LedgerClient, clock: Clock, consent_id: str, many: int) -> list[int]:
    """A consent of one customer, and accesses under it that are asked for and released; the releases' entries."""
    pseudonyms, found = Pseudonyms(bytes(32)), []
    terms = terms_for(app.participant)
    await app.request_consent(consent_id, terms)
    at = {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": clock.now() // 1000}
    await bank.authorise(
        consent_id, terms, customer="c-1", accounts=["a-1"], pseudonyms=pseudonyms, sca=at, separate_consents=SHOWN
    )
    account = pseudonyms.account("a-1", consent_id)
    for number in range(many):
        item = balance_item(consent_id, account, f"interaction-{number}")
        [access] = await app.ask("/accesses", await app.statements.sign_access(item))
        statement = await bank.statements.sign(
            "access.release",
            basis=access.index,
            bytes=120,
            consent_id=consent_id,
            digest=b64u(bytes(32)),
            interaction_id=f"interaction-{number}",
            rows=3,
        )
        [receipt] = await bank.ask("/accesses/release", statement)
        found.append(receipt.index)
    return found


SHOWN = {"provision": b"Give my data to this app.", "sensitive": b"My payments can tell a lot about me."}
"""The words beside the two boxes of their own."""


def sca() -> dict[str, Any]:
    return {"acr": "psd2:sca", "amr": ["pwd", "otp"], "at": SystemClock().now() // 1000}


async def active_consent(
    bank: LedgerClient, app: LedgerClient, consent_id: str, pseudonyms: Pseudonyms, **terms: Any
) -> str:
    """A consent of one customer for one account; the account's reference."""
    agreed = terms_for(app.participant, terms.pop("holder", bank.participant), **terms)
    await app.request_consent(consent_id, agreed)
    await bank.authorise(
        consent_id,
        agreed,
        customer="customer-1",
        accounts=["account-1"],
        pseudonyms=pseudonyms,
        sca=sca(),
        separate_consents=SHOWN,
    )
    return pseudonyms.account("account-1", consent_id)


def balance_item(consent_id: str, account: str, interaction: str = "interaction-1", **replaced: Any) -> Any:
    """An access to one account's balance."""
    path = f"/accounts/{account}/balances"
    members: dict[str, Any] = {
        "consent_id": consent_id,
        "accounts": [account],
        "permissions": ["ReadBalances"],
        "purpose": "budgeting",
        "request_digest": request_digest("bank-a", "GET", path),
        "interaction_id": interaction,
        "customer_present": True,
    }
    return make_item(**(members | replaced))
