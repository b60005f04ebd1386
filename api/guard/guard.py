"""The guard of a bank's own application: no data leaves a route without a recorded decision that allows it.

    guard = ConsentGuard(client, directory, book)
    guard.install(app)

    @app.get("/accounts/{account}/transactions")
    async def transactions(access: Annotated[GuardedAccess, Depends(guard("ReadTransactionsDetail", account="account"))]):
        rows = access.transactions(load(access.account), when=..., direction=...)

Two ways lead to a decision. Online: the recipient sends its signed `access.request` in `Consent-Statement`, and the guard has
it decided by the ledger. Offline: the recipient had it decided itself and sends the fresh receipt in `Consent-Receipt`; the
guard relies on the log's signature and asks nobody. Both end in the same checks, and both fail closed. A third way is for
recipients that sign nothing: relaying.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request

from api.client.client import LedgerClient
from api.client.digest import request_digest
from api.client.directory import Directory, StatementRefused
from api.client.errors import ClientError, LedgerUnavailable, ReceiptRefused, RefusedByLedger
from api.client.receipts import VerifiedReceipt, open_receipt
from api.client.statements import Question, item_of
from api.guard.access import GuardedAccess, guarded, short_reference
from api.guard.describing import RECEIPT_HEADER, STATEMENT_HEADER, declared, describe
from api.guard.mapped import MappedAnswers
from api.guard.periods import free_after
from api.guard.recording import NOTE, Recording
from api.guard.refusals import RefusedAccess, answer
from api.guard.relaying import TokenWay
from api.guard.replay import AlreadyUsed, MemoryUnavailable, NoRoom, UsedDecisions, UsedInMemory
from ledger.canonical import b64u, unb64u
from ledger.clock import Clock, SystemClock
from ledger.datamaps import DataMap, operation
from ledger.entries.acts import AccessItem, AccessRequest
from ledger.entries.payload import acting_for
from ledger.entries.statement import Statement
from ledger.errors import BadEncoding, LedgerError
from ledger.receipts import RECEIPT_LIMIT

log = logging.getLogger("consent_ledger.guard")

FUTURE_MS: Final = 5_000
"""How far the ledger's clock may be ahead of the bank's."""
BODY_LIMIT: Final = 64 * 1024

NOT_RECORDED: Final = {
    "bad-signature": "SIGNATURE_INVALID",
    "jti-reused": "REPLAYED",
    "not-permitted": "ROLE_NOT_PERMITTED",
}
"""Types of the ledger's problems, and what the recipient is told."""

Guarded = Callable[[Request], Awaitable[GuardedAccess]]


class ConsentBook(Protocol):
    """The bank's knowledge of the consents that it holds."""

    async def accounts(self, consent_id: str) -> Mapping[str, str] | None:
        """Reference → the bank's own account id, for a consent this bank has authorised; None for any other."""
        ...


class ConsentGuard:
    """Makes dependencies for routes. One per application; safe for many requests at once."""

    def __init__(
        self,
        client: LedgerClient,
        directory: Directory,
        book: ConsentBook,
        *,
        max_age: float = 30.0,
        timeout: float = 10.0,
        strict: bool = False,
        used: UsedDecisions | None = None,
        tokens: TokenWay | None = None,
        data_map: DataMap | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`client`: the bank's own. `max_age`: seconds for which a decision lets data out. `timeout`: seconds to wait for the
        ledger before the answer is 503.
        `strict`: data leaves only against a fresh receipt that the recipient brings, and only when its release is recorded.
        `tokens`: recipients that sign no statements may bring a token that is bound to their consent. `data_map`: which fields
        of which operation leave, and masked how (`access.give`). Raises ValueError for strictness together with tokens, since
        such a recipient confirms nothing that it received; and for a map of another holder."""
        if strict and tokens is not None:
            raise ValueError("a strict guard takes receipts only: recipients with tokens need a guard of their own")
        self._client = client
        self._directory = directory
        self._book = book
        self._max_age_ms = int(max_age * 1000)
        self._timeout = timeout
        self._strict = strict
        self._used = used or UsedInMemory()
        self._tokens = tokens
        if data_map is not None and data_map.holder != client.participant:
            raise ValueError(f"the data map is {data_map.holder}'s, and this bank is {client.participant}")
        self._mapped = None if data_map is None else MappedAnswers(data_map)
        self._clock = clock or SystemClock()

    def install(self, app: Starlette) -> None:
        """Answer refusals as RFC 9457 problems, and send the receipt with every answer of a guarded route; in strict mode also
        record each release. FastAPI's OpenAPI document then says all this of each guarded route."""
        app.add_exception_handler(RefusedAccess, answer)
        app.add_middleware(Recording, release=self._release if self._strict else None, timeout=self._timeout)
        describe(app)

    def __call__(self, *permissions: str, account: str | None = None) -> Guarded:
        """A dependency for a route that gives out data under exactly these permissions.

        `account`: the path parameter that names one account by its reference, or by that one's short form; without it the route
        is about all accounts of the statement. The dependency raises Refused.
        """
        if not permissions:
            raise ValueError("a guarded route declares the permissions it needs")
        wanted = tuple(sorted(set(permissions)))

        async def dependency(request: Request, **_declared: object) -> GuardedAccess:
            return await self.check(request, wanted, account=account)

        declared(dependency, wanted, strict=self._strict, tokens=self._tokens is not None)
        return dependency

    def lacks_fields_of(self, operation: str) -> bool:
        """Whether there is a data map, and it says nothing of this operation."""
        return self._mapped is not None and self._mapped.of(operation, ()) is None

    async def check(
        self, request: Request, permissions: tuple[str, ...], *, account: str | None = None
    ) -> GuardedAccess:
        """The same for applications without dependencies. Raises Refused."""
        statement = _single(request, STATEMENT_HEADER)
        file = _single(request, RECEIPT_HEADER)
        if self._tokens is not None and statement is None and file is None and self._tokens.is_asked(request):
            access = await self._relayed(self._tokens, request, permissions, account)
        else:
            access = await self._stated(statement, file, request, permissions, account)
        if self._mapped is not None:
            access = replace(access, has_map=True, operation=self._mapped.of(_operation(request), access.permissions))
        note = request.scope.get(NOTE)
        if note is None and self._strict:
            raise RuntimeError("a strict guard records releases: call guard.install(app)")
        if note is not None:
            note["access"] = access
        return access

    async def _stated(
        self,
        statement: str | None,
        file: str | None,
        request: Request,
        permissions: tuple[str, ...],
        account: str | None,
    ) -> GuardedAccess:
        """An access that the recipient has signed, decided now or before."""
        if (statement is None) == (file is None):
            raise RefusedAccess("HEADER_MISSING", f"send one of the headers {STATEMENT_HEADER} and {RECEIPT_HEADER}")
        if self._strict and file is None:
            raise RefusedAccess("HEADER_MISSING", f"this bank gives data out against {RECEIPT_HEADER} only")
        receipt = None if file is None else self._receipt(file)
        text = statement if receipt is None else receipt.statement
        signed = await self._signed(text or "")
        if receipt is None:
            accounts = await self._match(request, _alone(signed), permissions, account)
            receipt = await self._decide(Question(signed.text, signed.payload))
        else:
            accounts = await self._match(request, _proved(receipt), permissions, account)
        await self._accept(receipt)
        said = signed.payload
        return guarded(receipt, acting_for(said.iss, said.on_behalf_of), accounts)

    async def _relayed(
        self, way: TokenWay, request: Request, permissions: tuple[str, ...], account: str | None
    ) -> GuardedAccess:
        """An access of a recipient that has a token: the bank signs it, and what is wrong with the token is on record."""
        bound, proof, why, wrong = await way.bearer(request, self._clock.now())
        held = await self._held(bound.consent_id)
        if held is None:
            raise RefusedAccess("CONSENT_UNKNOWN")
        if proof is not None:
            await self._use(proof.number, self._clock.now(), proof.ends_at)
        named = None if account is None else _named(str(request.path_params[account]), held)
        question = await way.question(
            request,
            self._client,
            bound,
            wrong,
            account=named,
            permissions=permissions,
            digest=await self._digest(request),
        )
        receipt = await self._decide(question)
        await self._accept(receipt, "" if why is None else str(why))
        asked = tuple(sorted(held)) if named is None else (named,)
        if any(reference not in held for reference in asked):
            raise RefusedAccess("ACCOUNT_NOT_IN_CONSENT")
        return guarded(receipt, bound.recipient, {reference: held[reference] for reference in asked})

    async def _release(self, access: GuardedAccess, content: bytes, digest: bytes) -> object:
        return await self._client.release(
            access.receipt, rows=access.rows_given, content=content, digest=digest, masks=access.masks_applied
        )

    def _receipt(self, value: str) -> VerifiedReceipt:
        """The receipt in the header: proved to be in the log, and fresh. Its statement's signature is checked next."""
        try:
            if len(value) > RECEIPT_LIMIT * 4 // 3 + 4:
                raise BadEncoding("the receipt is too large")
            receipt = open_receipt(unb64u(value), self._client.trust)
        except (LedgerError, ReceiptRefused) as error:
            raise RefusedAccess("RECEIPT_INVALID", error.detail) from None
        _proved(receipt)
        return receipt

    async def _signed(self, text: str) -> Statement:
        """The statement, signed by a recipient that this bank knows."""
        try:
            statement = await self._directory.check_statement(text)
        except StatementRefused as error:
            raise RefusedAccess("SIGNATURE_INVALID", error.detail) from None
        except ClientError as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the participants cannot be looked up at present") from error
        payload = statement.payload
        if not self._directory.may_ask(payload) or getattr(payload, "relayed", False) is True:
            raise RefusedAccess("ROLE_NOT_PERMITTED", "a recipient asks for data with a statement of its own")
        return statement

    async def _match(
        self, request: Request, item: AccessItem, permissions: tuple[str, ...], account: str | None
    ) -> Mapping[str, str]:
        """The statement is about this very request, and about accounts of a consent that this bank holds."""
        if await self._digest(request) != item.request_digest:
            raise RefusedAccess("REQUEST_MISMATCH", "request_digest is not the digest of this request")
        if item.permissions != permissions:
            raise RefusedAccess(
                "REQUEST_MISMATCH", f"this route needs a statement for exactly {', '.join(permissions)}"
            )
        held = await self._held(item.consent_id)
        if held is None:
            raise RefusedAccess("CONSENT_UNKNOWN")
        asked = item.accounts or tuple(sorted(held))
        if account is not None:
            named = _named(str(request.path_params[account]), held)
            if named not in asked:
                raise RefusedAccess("REQUEST_MISMATCH", "the statement is about another account than the address")
            asked = (named,)
        if any(reference not in held for reference in asked):
            raise RefusedAccess("ACCOUNT_NOT_IN_CONSENT")
        return {reference: held[reference] for reference in asked}

    async def _digest(self, request: Request) -> str:
        try:
            return request_digest(
                self._client.participant,
                request.method,
                request.url.path,
                request.query_params.multi_items(),
                await _body(request),
            )
        except BadEncoding as error:
            raise RefusedAccess("REQUEST_MALFORMED", error.detail) from None

    async def _held(self, consent_id: str) -> Mapping[str, str] | None:
        try:
            return await self._book.accounts(consent_id)
        except ClientError as error:  # a book that asks the ledger (api/guard/book.py)
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the consents cannot be looked up at present") from error

    async def _decide(self, question: Question) -> VerifiedReceipt:
        """Have the ledger decide. Anything short of a verified decision is a refusal."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.submit_access(question)
        except (LedgerUnavailable, TimeoutError) as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE") from error
        except RefusedByLedger as error:
            raise _refusal_of(error) from None
        except ClientError as error:
            log.exception("the ledger's answer was refused")
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the ledger's answer could not be verified") from error

    async def _accept(self, receipt: VerifiedReceipt, detail: str = "") -> None:
        """Allowed, fresh, and for the first time. A repeated statement gets its first receipt, so age counts online too."""
        decision = receipt.decision
        if decision.decision != "allow":
            reason = next(iter(decision.all_reasons), "ACCESS_DENIED")
            pause = await self._free_after(receipt) if reason == "FREQUENCY_EXCEEDED" else None
            raise RefusedAccess(reason, detail, receipt=b64u(receipt.file), retry_after=pause)
        now = self._clock.now()
        if not now - self._max_age_ms <= receipt.time <= now + FUTURE_MS:
            raise RefusedAccess("RECEIPT_STALE", f"a decision lets data out for {self._max_age_ms // 1000} s")
        await self._use(receipt.index, now, receipt.time + self._max_age_ms + FUTURE_MS)

    async def _free_after(self, receipt: VerifiedReceipt) -> int | None:
        """Seconds until the consent may be used again, as its terms count them; None when nobody can tell just now."""
        if receipt.item is None:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                state = await self._client.consent(receipt.item.consent_id)
            return free_after(state["terms"], receipt.time, self._clock.now())
        except (ClientError, TimeoutError, KeyError, TypeError, AttributeError):
            return None

    async def _use(self, number: int, now: int, until: int) -> None:
        try:
            await self._used.use(number, now=now, until=until)
        except AlreadyUsed:
            raise RefusedAccess("REPLAYED") from None
        except NoRoom as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE", "too many decisions are in use at this bank") from error
        except MemoryUnavailable as error:
            log.exception("the memory of used decisions cannot be asked")
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the bank cannot tell whether the decision was used") from error


def _named(said: str, held: Mapping[str, str]) -> str:
    """The reference that an address names, by itself or by its short form; as it came where it is none of the consent's."""
    if said in held:
        return said
    return next((reference for reference in held if short_reference(reference) == said), said)


def _refusal_of(error: RefusedByLedger) -> RefusedAccess:
    """The ledger did not record the statement: why, in the guard's words."""
    kind = str(error.problem.get("type", "")).rpartition("/")[2]
    return RefusedAccess(
        NOT_RECORDED.get(kind, "REQUEST_MALFORMED"), f"the ledger does not take the statement: {error.detail}"
    )


def _alone(statement: Statement) -> AccessItem:
    """What an `access.request` asks for."""
    if not isinstance(statement.payload, AccessRequest):
        raise RefusedAccess("REQUEST_MALFORMED", "the statement in the header is not an access.request")
    return item_of(statement.payload)


def _proved(receipt: VerifiedReceipt) -> AccessItem:
    """What the access of a receipt asks for, alone or in a batch."""
    if receipt.item is None:
        raise RefusedAccess("RECEIPT_INVALID", "the receipt is not one of an access")
    return receipt.item


def _operation(request: Request) -> str:
    """The operation as a data map names it: method, and path with parameters in braces."""
    path = getattr(request.scope.get("route"), "path", request.url.path)
    return operation("GET" if request.method == "HEAD" else request.method, path)


def _single(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise RefusedAccess("REQUEST_MALFORMED", f"the header {name} came more than once")
    return values[0] if values else None


async def _body(request: Request) -> bytes:
    """The body, which the digest covers; its length must be declared and small."""
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not (length.isascii() and length.isdigit()) or len(length) > 6:
        raise RefusedAccess("REQUEST_MALFORMED", "the body of a guarded request declares its length")
    if int(length) > BODY_LIMIT:
        raise RefusedAccess("REQUEST_MALFORMED", f"the body of a guarded request has at most {BODY_LIMIT} bytes")
    return await request.body() if int(length) else b""


def receipt_header(receipt: VerifiedReceipt) -> dict[str, str]:
    """The header that a recipient sends for the offline path."""
    return {RECEIPT_HEADER: b64u(receipt.file)}
