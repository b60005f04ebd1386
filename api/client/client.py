"""A participant's client: signs, submits, and returns nothing that it has not verified (docs/client.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote, urlencode

import msgspec

from api.client.addresses import Addresses
from api.client.answers import AnsweredEntry, entries_of, key_leaves_of
from api.client.errors import ReceiptRefused
from api.client.legs import leg_of
from api.client.memory import CheckpointMemory, CheckpointWatch, InMemory
from api.client.pseudonyms import Pseudonyms
from api.client.public import PublicLog
from api.client.receipts import Trust, VerifiedReceipt, check_answer, open_receipt
from api.client.signing import AnySigner
from api.client.statements import Question, StatementMaker
from api.client.tokens import Tokens
from api.client.transport import Answer, Headers, Patience, Transport, as_form, open_http
from ledger.canonical import b64u
from ledger.clock import Clock, SystemClock
from ledger.entries.acts import AccessItem
from ledger.entries.terms import Terms
from ledger.notes.checkpoint import Checkpoint, open_checkpoint

if TYPE_CHECKING:  # HTTP costs a third of what importing this does: it is loaded by the first client
    import httpx2

    from api.client.succession import KeySuccession

PAGE: Final = 100
STEPS: Final = frozenset({"pause", "reject", "resume", "revoke", "suspend", "terminate"})


class LedgerClient:
    """One participant's way to one ledger.

    Every method raises RefusedByLedger, LedgerUnavailable, ReceiptRefused and Equivocation (api/client/errors.py). A method
    that raised LedgerUnavailable may have been recorded: `ask` the same Question again to be sure.
    """

    def __init__(
        self,
        base_url: str | Sequence[str],
        participant: str,
        signer: AnySigner,
        trust: Trust,
        *,
        client_key: AnySigner | None = None,
        memory: CheckpointMemory | None = None,
        evidence: Path | None = None,
        patience: Patience | None = None,
        clock: Clock | None = None,
        on_behalf_of: str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = 65.0,
    ) -> None:
        """`base_url`: the ledger's address, or those of its nodes: what one does not answer goes to the next, the same bytes.
        `signer` and `client_key` may answer at once or be waited for. `client_key`: registered for `client` use; needed for
        reads, by a guard and its directory, and for the receipts of what was recorded in an earlier try whose answer was lost.
        `memory`: where the newest checkpoint is kept. `on_behalf_of`: whom this participant, a technology provider, signs for
        (a delegation in the log must allow it). `evidence`: a folder for checkpoints that contradict each other. `patience`:
        by default THROUGH_A_FAILOVER with several addresses. `timeout`: seconds for one try; the ledger answers within 60."""
        addresses = Addresses(base_url)
        clock = clock or SystemClock()
        self.participant = participant
        self.trust = trust
        self.statements = StatementMaker(participant, trust.vkey.name, signer, clock, on_behalf_of=on_behalf_of)
        self._http = open_http(timeout, transport)
        self._transport = Transport(self._http, addresses, patience, sleep=sleep)
        every = addresses.all()
        self._tokens = None if client_key is None else Tokens(self._http, participant, client_key, every, clock)
        self._public = PublicLog(self._transport)
        fetch = self._public.consistency, self._public.tile
        self.watch = CheckpointWatch(trust, memory or InMemory(), *fetch, evidence=evidence)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    # -- writing ----------------------------------------------------------------------------------------------------

    async def ask(self, path: str, question: Question) -> list[VerifiedReceipt]:
        """Submit a signed question; its receipts, each verified and compared with what was asked.

        Safe to call again with the same question: it is recorded once. Its receipts are then read with a token, which needs
        the `client_key`.
        """
        answer = await self._transport.ask("POST", path, body=question.body)
        receipts = await self._open_all(answer)
        check_answer(question, receipts)
        return receipts

    async def request_consent(self, consent_id: str, terms: Terms) -> VerifiedReceipt:
        """As recipient: ask for a consent under these terms."""
        return await self._one("/consents", "consent.request", consent_id=consent_id, terms=msgspec.to_builtins(terms))

    async def amend(self, consent_id: str, terms: Terms, *, previous_version: int) -> VerifiedReceipt:
        """As recipient: propose new terms for an existing consent."""
        members = {"previous_version": previous_version, "terms": msgspec.to_builtins(terms)}
        return await self._one(_consent(consent_id, "amend"), "consent.amend", consent_id=consent_id, **members)

    async def authorise(
        self,
        consent_id: str,
        terms: Terms,
        *,
        customer: str,
        accounts: Iterable[str],
        pseudonyms: Pseudonyms,
        sca: Mapping[str, Any],
        version: int = 1,
        assertion: str | None = None,
        owner: str | None = None,
        separate_consents: Mapping[str, bytes] | None = None,
        joint_accounts: Iterable[str] = (),
        acting_role: str | None = None,
        suppress_notify: bool = False,
    ) -> tuple[VerifiedReceipt, VerifiedReceipt]:
        """As holder: say that `customer` agreed to these terms for these accounts, and link the consent to the customer.

        `customer`, `owner` and `accounts` are the holder's own names for them and never leave this process: the ledger gets
        references of `pseudonyms`. `owner`: whose consent it is, when the customer is a further authoriser. `sca`: `acr`,
        `amr` and `at` (seconds) of the strong authentication. `assertion`: the customer's passkey assertion, as CL-JSON.
        `separate_consents`: for each kind that the customer gave by a control of its own, just now, the words that were
        shown (terms of grade 3 need `provision` and `sensitive`). `joint_accounts`: those of the accounts that are shared
        only once two people gave them. `acting_role`: in what quality this person acts. `suppress_notify`: nobody else is
        to be told.
        Returns the receipts of the authorisation and of its companion.
        """
        whose = owner or customer
        said = await self.statements.sign(
            "consent.authorise",
            accounts=sorted({pseudonyms.account(account, consent_id) for account in accounts}),
            authoriser=pseudonyms.authoriser(customer, consent_id),
            consent_id=consent_id,
            sca=dict(sca),
            subject=pseudonyms.customer_for(whose, terms.recipient),
            terms_hash=b64u(terms.hash()),
            version=version,
            joint_accounts=sorted({pseudonyms.account(account, consent_id) for account in joint_accounts}) or None,
            acting_role=acting_role,
            separate_consents=self.statements.separately(separate_consents or {}) or None,
        )
        beside = await self.statements.sign(
            "subject.consent",
            consent_id=consent_id,
            subject=pseudonyms.customer(whose),
            suppress_notify=suppress_notify or None,
        )
        question = Question(said.text, said.payload, companion=beside, assertion=assertion)
        first, second = await self.ask(_consent(consent_id, "authorise"), question)
        return first, second

    async def step(self, step: str, consent_id: str, *, by: str, reason: str) -> VerifiedReceipt:
        """`pause`, `reject`, `resume`, `revoke`, `suspend` or `terminate` a consent; `by` is who wanted it."""
        if step not in STEPS:
            raise ValueError(f"{step!r} is not one of {', '.join(sorted(STEPS))}")
        return await self._one(
            _consent(consent_id, step), f"consent.{step}", consent_id=consent_id, by=by, reason=reason
        )

    async def revoke(
        self, consent_id: str, *, by: str = "customer", reason: str = "customer-request"
    ) -> VerifiedReceipt:
        """End a consent for ever: no access is allowed at any higher index."""
        return await self.step("revoke", consent_id, by=by, reason=reason)

    async def withdraw_accounts(
        self, consent_id: str, accounts: Iterable[str], *, by: str = "customer", reason: str = "customer-request"
    ) -> VerifiedReceipt:
        """As holder: some accounts (references) leave a consent that continues with the others."""
        return await self._change("withdraw_accounts", consent_id, accounts=sorted(set(accounts)), by=by, reason=reason)

    async def withdraw_approval(
        self, consent_id: str, authoriser: str, *, by: str = "customer", reason: str = "customer-request"
    ) -> VerifiedReceipt:
        """As holder: one of several authorisers (a reference) no longer agrees."""
        return await self._change("withdraw_approval", consent_id, authoriser=authoriser, by=by, reason=reason)

    async def withdraw_separate(
        self, consent_id: str, kind: str, *, by: str = "customer", reason: str = "customer-request"
    ) -> VerifiedReceipt:
        """As holder or recipient: a separate consent of this kind is withdrawn."""
        return await self._change("withdraw_separate", consent_id, separate=kind, by=by, reason=reason)

    async def reauthenticate(self, consent_id: str, sca: Mapping[str, Any]) -> VerifiedReceipt:
        """As holder: the customer was strongly authenticated again (`acr`, `amr`, `at` in seconds)."""
        return await self._change("reauthenticate", consent_id, sca=dict(sca))

    async def reconfirm(self, consent_id: str, *, reason: str = "customer-request") -> VerifiedReceipt:
        """As recipient: the customer has said that the consent is still wanted."""
        return await self._change("reconfirm", consent_id, by="customer", reason=reason)

    async def supersede(
        self, consent_id: str, superseded_by: str, *, by: str = "customer", reason: str = "replaced"
    ) -> VerifiedReceipt:
        """As holder: another consent, ACTIVE, of the same parties and customer takes the place of this one."""
        return await self._change("supersede", consent_id, superseded_by=superseded_by, by=by, reason=reason)

    async def _change(self, change: str, consent_id: str, **members: object) -> VerifiedReceipt:
        return await self._one(_consent(consent_id, change), f"consent.{change}", consent_id=consent_id, **members)

    async def access(self, item: AccessItem) -> VerifiedReceipt:
        """As recipient: ask to read data now; the decision, allowed or denied, is in the receipt."""
        return (await self.ask("/accesses", await self.statements.sign_access(item)))[0]

    async def access_many(self, items: Sequence[AccessItem]) -> list[VerifiedReceipt]:
        """As recipient: up to 1,000 accesses under one signature; a decision and a receipt for each, in their order."""
        return await self.ask("/accesses/batch", await self.statements.sign_batch(items))

    async def submit_access(self, question: Question) -> VerifiedReceipt:
        """As holder: submit the `access.request` that a recipient has signed and handed over."""
        return (await self.ask("/accesses", question))[0]

    async def release(
        self,
        access: VerifiedReceipt,
        *,
        rows: int,
        content: bytes,
        digest: bytes,
        masks: Iterable[str] | None = None,
    ) -> VerifiedReceipt:
        """As holder: record what was given out under a decision. `digest`: SHA-256 of `content`; `masks`: those that were
        applied, None to say nothing of them (they need ruleset 3)."""
        members = leg_of(access, rows, content, digest, masks)
        return await self._one("/accesses/release", "access.release", **members)

    async def receive(self, access: VerifiedReceipt, *, rows: int, content: bytes, digest: bytes) -> VerifiedReceipt:
        """As recipient: record what arrived under a decision."""
        return await self._one("/accesses/receive", "access.receive", **leg_of(access, rows, content, digest))

    async def _one(self, path: str, act: str, **members: object) -> VerifiedReceipt:
        return (await self.ask(path, await self.statements.sign(act, **members)))[0]

    # -- reading ----------------------------------------------------------------------------------------------------

    async def checkpoint(self) -> Checkpoint:
        """The log's newest checkpoint, consistent with all seen before. Raises RolledBack when it is smaller than those."""
        before = self.watch.newest
        wanted = 0 if before is None else before.size
        checkpoint, note = await self._transport.newest(
            self._public.newest, lambda note: open_checkpoint(note, self.trust.vkeys), wanted
        )
        self.watch.check_not_smaller(checkpoint, note, before)
        await self.watch.observe(checkpoint, note)
        return checkpoint

    async def learn_keys(self) -> list[KeySuccession]:
        """The keys of the log that the trusted ones lead to by its own documents; from now on they are trusted, too. Keep
        them with the others: what is remembered of the log may be signed by the new one only.

        Raises ReceiptRefused when they do not prove it, or when a key ended because somebody else may have it.
        """
        from api.client.succession import successors  # noqa: PLC0415  (once in years)

        leaves = key_leaves_of(await self._public.keys())
        found = await successors(self.trust.vkeys, leaves, self._public.inclusion)
        if found:
            newest, *others = (*(one.vkey for one in reversed(found)), *self.trust.vkeys)
            self.trust = replace(self.trust, vkey=newest, further=tuple(others))
            self.watch.believe(self.trust)
        return found

    async def receipt(self, index: int) -> VerifiedReceipt:
        """The receipt of an entry that this participant signed or is a party of, verified."""
        answer = await self._read(f"/receipts/{index}")
        receipt = await self._open(answer.body)
        if receipt.index != index:
            raise ReceiptRefused(f"entry {index} was asked for, and the receipt of {receipt.index} came")
        return receipt

    async def consent(self, consent_id: str) -> Mapping[str, Any]:
        """A consent's present state as the ledger tells it; `history` proves it."""
        state = (await self._read(_consent(consent_id))).json()
        if not isinstance(state, dict) or state.get("consent_id") != consent_id:
            raise ReceiptRefused("another consent was asked for than the one that came")
        return state

    async def history(self, consent_id: str) -> list[VerifiedReceipt]:
        """The events of a consent that this participant may see, oldest first, each verified."""
        receipts: list[VerifiedReceipt] = []
        path = _consent(consent_id, "history")
        after = -1
        while True:
            answer = await self._read(path, {"after": after, "limit": PAGE} if after >= 0 else {"limit": PAGE})
            page = await self._open_all(answer)
            receipts += page
            seqs = [seq for receipt in page if (seq := getattr(receipt.leaf, "seq", None)) is not None]
            if not page or min(seqs, default=-1) <= after:
                return receipts
            after = max(seqs)

    async def participants(self) -> list[Mapping[str, Any]]:
        """The ledger's list of participants. Nothing in it is verified: Directory does that."""
        listed = (await self._transport.ask("GET", "/participants")).json()
        try:
            found = list(listed["participants"])
        except (KeyError, TypeError):
            raise ReceiptRefused("the list of participants has another shape than this client knows") from None
        return found

    async def read(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """Any other GET of the native API, as JSON. Nothing in it is verified."""
        return (await self._read(path, query)).json()

    async def introspect(self, token: str) -> Mapping[str, Any]:
        """What the ledger says of one of its tokens (RFC 7662), as holder or recipient of the consent it is bound to: `active`
        is false for any other. Raises ValueError without a `client_key`."""
        tokens = self._tokens
        if tokens is None:
            raise ValueError("to ask about a token, a client needs its client_key")

        async def form(address: str) -> bytes:
            return urlencode(await tokens.identified(address) | {"token": token}).encode()

        answer = await self._transport.ask("POST", "/introspect", body=form, headers=as_form)
        return dict(answer.json())

    async def text(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """Any other GET, as text. Nothing in it is verified."""
        return (await self._read(path, query)).body.decode("utf-8", "replace")

    async def _read(self, path: str, query: Mapping[str, Any] | None = None) -> Answer:
        import httpx2  # noqa: PLC0415  (see above)

        address = path if not query else f"{path}?{httpx2.QueryParams(dict(query))}"
        return await self._transport.ask("GET", address, headers=self._authorise(path))

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Any other request of the native API that needs a token, as JSON. Nothing in the answer is verified."""
        content = None if body is None else msgspec.json.encode(body)
        return (await self._transport.ask(method, path, body=content, headers=self._authorise(path, method))).json()

    def _authorise(self, path: str, method: str = "GET") -> Headers | None:
        return None if self._tokens is None else self._tokens.headers(method, path)

    async def _open_all(self, answer: Answer) -> list[VerifiedReceipt]:
        return await asyncio.gather(*map(self._open_entry, entries_of(answer.body)))

    async def _open_entry(self, entry: AnsweredEntry) -> VerifiedReceipt:
        if receipt := bytes(entry.receipt):
            return await self._open(receipt)
        if self._tokens is None:
            raise ReceiptRefused(
                f"the statement was recorded before, as entry {entry.index}: reading its receipt needs a client key"
            )
        return await self.receipt(entry.index)

    async def _open(self, file: bytes) -> VerifiedReceipt:
        receipt = open_receipt(file, self.trust)
        await self.watch.observe(receipt.checkpoint, receipt.note)
        return receipt


def _consent(consent_id: str, step: str = "") -> str:
    """The address of a consent, or of a step of it."""
    path = f"/consents/{quote(consent_id, safe='')}"
    return f"{path}/{step}" if step else path
