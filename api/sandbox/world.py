"""One log of a sandbox with its banks: made at once, thrown away with all that is in it."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

import migrations
from api.client import Directory, LedgerClient, LocalSigner, Trust, make_terms
from api.demo.bank import bank_app
from api.http.wire import App, Receive, Scope, Send
from api.node.building import build_node
from api.node.founding import initialise
from api.node.node import Node
from api.node.settings import Settings
from api.node.web_settings import WebSettings
from api.partners.invitations import admission, invited_by
from api.sandbox.customers import ScriptedBank
from api.sandbox.faults import FaultKind, FaultLayer
from api.server.app import create_app
from ledger.custody.log_key import make_log_key, read_signer
from ledger.documents import KeyRevoked, document_of, key_added, registration
from ledger.errors import NotFound
from ledger.notes.checkpoint import parse_checkpoint, sign_checkpoint
from ledger.notes.sandbox import SANDBOX_ORIGINS

LEDGER: Final = "ledger"
BANKS: Final = {"bank-north": "North Bank (sandbox)", "bank-south": "South Bank (sandbox)"}
PERMISSIONS: Final = (
    "ReadAccountsDetail",
    "ReadBalances",
    "ReadTransactionsCredits",
    "ReadTransactionsDebits",
    "ReadTransactionsDetail",
)
APP: Final = "app-sample"
"""The recipient that the sandbox itself plays, for banks that try themselves out."""
OWN_AFFAIRS: Final = ("/partners/join", "/partners/keys", "/partners/suspension")
INVITER, ADMITTER = "sandbox", "sandbox-second"
PLENTY: Final = 1_000_000
HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Guest:
    """For whom a sandbox is: its id there, its name, `recipient` or `holder`."""

    participant: str
    name: str
    role: str


class Blank:
    """A database without a log, made once: its tables take longer than all the rest."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "blank.sqlite"
        self.one_at_a_time = Lock()
        """Alembic looks at each new database, and knows one at a time."""
        if not self._file.exists():
            migrations.upgrade(f"sqlite:///{self._file}")

    def copy_to(self, file: Path) -> None:
        """For a new log."""
        file.parent.mkdir(mode=0o700, parents=True)
        shutil.copy(self._file, file)
        file.chmod(0o600)


class SandboxWorld:
    """A log that records, and banks that can be entered. `made`, then `enter`, then `close`."""

    def __init__(
        self, guest: Guest, place: Path, node: Node, keys: Mapping[str, tuple[LocalSigner, LocalSigner]]
    ) -> None:
        self.guest = guest
        self.node = node
        self._place = place
        self._keys = keys
        self._first_note = node.ledger.tree.checkpoint()
        self._stack = AsyncExitStack()
        self._later: set[asyncio.Task[None]] = set()
        self._directories: list[Directory] = []
        self.banks: dict[str, ScriptedBank] = {}
        served = _Admitting(create_app(node), node, self._learn)
        self.faults = {LEDGER: FaultLayer(served, node.settings.base_url, self._forged)}
        """By where they happen; each is the application itself too."""

    @classmethod
    def made(cls, guest: Guest, folder: Path, blank: Blank, port: int) -> SandboxWorld:
        """A new log below `folder`, to be served at this port. Raises InvalidInput for a guest that no log would register."""
        place = folder / secrets.token_hex(8)
        settings = _settings(guest, place, port)
        blank.copy_to(settings.state_dir / "ledger.sqlite")
        with blank.one_at_a_time:
            initialise(settings, f"{SANDBOX_ORIGINS}{guest.participant}/{secrets.token_hex(8)}", sandbox=True)
        node = build_node(settings, serves=True, sandbox=True)
        node.start()
        keys = {name: _keys_of(name) for name in (*BANKS, APP)}
        documents = []
        for name, (statement, client) in keys.items():
            documents += [
                registration(
                    name, BANKS.get(name, "Sample App (sandbox)"), ["holder" if name in BANKS else "recipient"]
                ),
                key_added(name, statement.kid, statement.alg, "statement", dict(statement.jwk)),
                key_added(name, client.kid, client.alg, "client", dict(client.jwk)),
            ]
        node.ledger.record_documents(*documents)
        return cls(guest, place, node, keys)

    async def enter(self) -> None:
        """Open the banks; the log is served by now."""
        self.app = await self.client(APP)
        for name, title in BANKS.items():
            bank = self.banks[name] = ScriptedBank.opened(await self.client(name), title, self._in_background)
            self._directories.append(directory := Directory(bank.client))
            app = bank_app(bank, known=directory)
            self.faults[name] = FaultLayer(app, self.node.settings.base_url)
            await self._stack.enter_async_context(app.router.lifespan_context(app))

    async def close(self) -> None:
        """Stop everything, and throw the log away."""
        for task in tuple(self._later):
            task.cancel()
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._stack.aclose()
        await asyncio.to_thread(self.throw_away)

    def throw_away(self) -> None:
        """The same for one that was never entered."""
        self.node.stop()
        shutil.rmtree(self._place, ignore_errors=True)

    async def client(self, name: str) -> LedgerClient:
        """A client of a bank, or of the sandbox's own recipient."""
        statement, client = self._keys[name]
        url, trust = self.node.settings.base_url, Trust(self.node.ledger.vkey)
        return await self._stack.enter_async_context(LedgerClient(url, name, statement, trust, client_key=client))

    async def ask_for_consent(self, holder: str, authorisers: int = 1) -> str:
        """The sandbox's own recipient asks a holder for a consent; its id. Raises ClientError, ValueError."""
        terms = make_terms(
            holder=holder,
            recipient=APP,
            permissions=PERMISSIONS,
            purpose="budgeting",
            purpose_text="Budget planning",
            notice=b"What the sample app shows.",
            frequency_per_day=0,
            authorisers_required=authorisers,
        )
        consent_id = str(uuid.uuid4())
        await self.app.request_consent(consent_id, terms)
        return consent_id

    @property
    def has_joined(self) -> bool:
        """Whether the guest is in the log."""
        return self.guest.participant in self.node.ledger.registry.participants

    def invitation(self) -> str:
        """A link by which the guest comes in with keys of its own."""
        ledger = self.node.ledger
        token = self.node.invitations.make(
            self.guest.participant,
            self.guest.name,
            [self.guest.role],
            invited_by=INVITER,
            hours=HOURS,
            now=ledger.clock.now() // 1000,
            known=ledger.registry.participants.values(),
            meant=True,
        )
        return f"{self.node.settings.base_url}/join#{token}"

    def revoke_key(self) -> str:
        """Revoke the guest's newest key for statements, as after its loss; its id. Raises NotFound."""
        keys = [
            key.kid
            for key in self.node.ledger.registry.keys.values()
            if key.participant == self.guest.participant and key.use == "statement" and key.revoked_at is None
        ]
        if not keys:
            raise NotFound("the guest has no key for statements that is in force: join first")
        document = document_of(KeyRevoked, participant=self.guest.participant, kid=keys[-1], reason="sandbox-fault")
        self.node.ledger.record_documents(document)
        return keys[-1]

    async def _learn(self) -> None:
        """Banks know at once who came, and whose keys changed; elsewhere that takes them some seconds."""
        for directory in self._directories:
            await directory.refresh()

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    def signed_by_another(self, proof: str) -> str:
        """A proof file whose checkpoint somebody else signed, under the log's own name."""
        path, _, note = proof.partition("\n\n")
        checkpoint = parse_checkpoint(note.partition("\n\n")[0] + "\n")
        file = self._place / "another.key"
        if not file.exists():
            make_log_key(file, checkpoint.origin)
        return f"{path}\n\n{sign_checkpoint(checkpoint.origin, checkpoint.size, checkpoint.root, read_signer(file))}"

    def _forged(self, fault: FaultKind) -> str:
        """A checkpoint that the log signed and must never have: another tree of its size, or one that lost its last entries."""
        ledger = self.node.ledger
        if fault == "rollback":
            return self._first_note
        signer = read_signer(self.node.settings.log_key_file)
        return sign_checkpoint(ledger.origin, ledger.tree.size(), secrets.token_bytes(32), signer)


class _Admitting:
    """Around the ledger: whoever has joined is let in at once, as if a second person had been waiting, and the banks learn of
    whatever a partner changes about itself."""

    def __init__(self, app: App, node: Node, learn: Callable[[], Awaitable[None]]) -> None:
        self._app = app
        self._node = node
        self._learn = learn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = scope["type"] == "http" and scope["method"] != "GET" and scope["path"].startswith(OWN_AFFAIRS)

        async def sending(message: Any) -> None:
            if own and message["type"] == "http.response.start" and message["status"] == 201:
                await asyncio.to_thread(self._admit)
                await self._learn()
            await send(message)

        await self._app(scope, receive, sending)

    def _admit(self) -> None:
        ledger = self._node.ledger
        for one in ledger.registry.participants.values():
            if invited_by(one) is not None:
                ledger.record_documents(admission(one, ADMITTER))


def _settings(guest: Guest, place: Path, port: int) -> Settings:
    state, staff = place / "ledger", place / "staff.json"
    people = (("guest", guest.participant, guest.role), ("officer", "operator", "operator"))
    members = [dict(zip(("sub", "participant", "role"), one, strict=True)) | {"name": one[0].title()} for one in people]
    place.mkdir(mode=0o700)
    staff.write_text(json.dumps({"staff": members}))
    return Settings(
        state_dir=state,
        database_url=f"sqlite:///{state / 'ledger.sqlite'}",
        keystore_url=f"sqlite:///{state / 'keys.sqlite'}",
        host="127.0.0.1",
        port=port,
        reads_per_minute=PLENTY,
        token_requests_per_minute=PLENTY,
        web=WebSettings(environment="development", staff_file=staff),
    )


def _keys_of(name: str) -> tuple[LocalSigner, LocalSigner]:
    return LocalSigner.generate(f"{name}-1", "EdDSA"), LocalSigner.generate(f"{name}-client", "ES256")
