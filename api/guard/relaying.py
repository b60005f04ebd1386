"""The third way to a decision: a recipient that signs nothing brings a token bound to its consent (bound.py).

The bank signs the access in its place (`relayed`, docs/spec/statements.md). The decision, its obligations and its receipt are
those of any other access; what differs is whose word it rests on, and the log says so.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request

from api.client.client import LedgerClient
from api.client.errors import ClientError
from api.client.statements import Question, make_item
from api.guard.bound import BoundToken, NotBound, TokenBook, TokenProof, check_certificate, check_proof
from api.guard.certified import CertifiedRecipients
from api.guard.describing import PROOF_HEADER
from api.guard.refusals import RefusedAccess
from ledger.entries.asserted import Asserted
from ledger.errors import LedgerError

PRESENT_HEADER: Final = "x-fapi-customer-ip-address"
INTERACTION_HEADER: Final = "x-fapi-interaction-id"
ROOM: Final = 100_000


def told_present(request: Request) -> bool:
    """Whether the recipient says that its customer is there, as FAPI says it."""
    return PRESENT_HEADER in request.headers


@dataclass
class TokenWay:
    """How a guard takes tokens. One per guard."""

    tokens: TokenBook
    public_url: str
    """Scheme and authority under which recipients reach the bank: what their proofs name."""
    certificate: str | None = None
    """The header in which the proxy tells the certificate of the connection; it must replace what a caller sends under this
    name. None: tokens that are bound to a certificate are refused."""
    key_header: str | None = None
    """The header in which a standard's own clients bring the token, which send no `Authorization` (India: `client_api_key`)."""
    certified: CertifiedRecipients | None = None
    """Takes recipients that bring a certificate and the id of their consent, and no token (Berlin Group)."""
    customer_present: Callable[[Request], bool] = told_present
    fresh: float = 5.0
    """Seconds for which the purpose of a consent is remembered. It decides nothing: the log compares it with the terms."""
    monotonic: Callable[[], float] = time.monotonic
    _terms: OrderedDict[str, tuple[float, tuple[str, str]]] = field(default_factory=OrderedDict, init=False, repr=False)

    def is_asked(self, request: Request) -> bool:
        """Whether a request brings a token."""
        return self._brings_token(request) or (self.certified is not None and self.certified.is_asked(request))

    async def bearer(
        self, request: Request, now: int
    ) -> tuple[BoundToken, TokenProof | None, NotBound | None, Asserted | None]:
        """Whose token it is; its proof, or why its user does not hold its key. Raises RefusedAccess."""
        if self.certified is not None and not self._brings_token(request):
            return await self.certified.named(request, now), None, None, None
        scheme, token = credentials(request, self._key(request))
        try:
            bound = await self.tokens.look(token)
        except ClientError as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE", "access tokens cannot be looked up at present") from error
        if bound is None:
            raise RefusedAccess("TOKEN_INVALID")
        try:
            return bound, self._held(request, scheme, token, bound, now), None, None
        except NotBound as why:
            return bound, None, why, "TOKEN_BINDING_MISMATCH"

    def _held(self, request: Request, scheme: str, token: str, bound: BoundToken, now: int) -> TokenProof | None:
        """The proof that comes with a token, if its binding is one that is proved. Raises NotBound."""
        if bound.jkt is None:
            check_certificate(request, self.certificate, bound.x5t or "")
            return None
        if scheme != "dpop":
            raise NotBound("a token that is bound to a key comes with the scheme DPoP")
        proofs = request.headers.getlist(PROOF_HEADER)
        if len(proofs) != 1:
            raise NotBound("one proof of possession must come with the token")
        addresses = self._addresses(request)
        return check_proof(proofs[0], token, bound.jkt, method=request.method, addresses=addresses, now=now)

    async def question(
        self,
        request: Request,
        client: LedgerClient,
        bound: BoundToken,
        wrong: Asserted | None,
        *,
        account: str | None,
        permissions: tuple[str, ...],
        digest: str,
    ) -> Question:
        """The access, signed by the bank. It says what is wrong with the token, and the log denies it. Raises
        RefusedAccess."""
        recipient, purpose = await self._agreed(client, bound.consent_id)
        asserted = set[Asserted]() if wrong is None else {wrong}
        if bound.certified and bound.recipient != recipient:
            raise RefusedAccess(
                "CONSENT_UNKNOWN"
            )  # as one that does not exist; nobody has misused what is the recipient's
        if bound.recipient != recipient:
            asserted.add("TOKEN_CONSENT_MISMATCH")
        if bound.permissions is not None and not set(permissions) <= bound.permissions:
            asserted.add("SCOPE_INSUFFICIENT")
        item = make_item(
            consent_id=bound.consent_id,
            accounts=() if account is None else (account,),
            permissions=permissions,
            purpose=purpose,
            request_digest=digest,
            interaction_id=_interaction(request),
            customer_present=self.customer_present(request),
        )
        try:
            return await client.statements.sign_relayed(item, asserted)
        except LedgerError as error:  # an address that names no account reference
            raise RefusedAccess("REQUEST_MALFORMED", error.detail) from None

    def _addresses(self, request: Request) -> tuple[str, ...]:
        """The spellings of this address: as sent, and with its percent-encoding undone."""
        base = self.public_url.rstrip("/")
        raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
        return base + raw.split(b"?")[0].decode("latin-1"), base + str(request.scope["path"])

    def _brings_token(self, request: Request) -> bool:
        return "authorization" in request.headers or bool(self._key(request))

    def _key(self, request: Request) -> str:
        return "" if self.key_header is None else ",".join(request.headers.getlist(self.key_header))

    async def _agreed(self, client: LedgerClient, consent_id: str) -> tuple[str, str]:
        """(recipient, purpose) of a consent that this bank holds."""
        known, now = self._terms.get(consent_id), self.monotonic()
        if known is not None and now - known[0] < self.fresh:
            return known[1]
        try:
            state: Mapping[str, Any] = await client.consent(consent_id)
            agreed = str(state["recipient"]), str(state["terms"]["purpose"]["code"])
        except (ClientError, KeyError, TypeError) as error:
            raise RefusedAccess("LEDGER_UNAVAILABLE", "the consent cannot be looked up at present") from error
        self._terms[consent_id] = now, agreed
        self._terms.move_to_end(consent_id)
        if len(self._terms) > ROOM:
            self._terms.popitem(last=False)
        return agreed


def credentials(request: Request, key: str = "") -> tuple[str, str]:
    """(scheme in small letters, token). `key`: what a standard's own header says; it counts where there is no
    `Authorization`. Raises RefusedAccess."""
    values = request.headers.getlist("authorization")
    if key and not values:
        values = [f"{'DPoP' if PROOF_HEADER in request.headers else 'Bearer'} {key}"]
    scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
    if scheme.lower() not in ("dpop", "bearer") or not token or len(token) > 8192 or not token.isascii():
        raise RefusedAccess("TOKEN_MISSING", "send one access token, with the scheme DPoP or Bearer")
    return scheme.lower(), token


def _interaction(request: Request) -> str:
    """The recipient's own id of this interaction, if it is one; else a new one."""
    try:
        return str(uuid.UUID(request.headers.get(INTERACTION_HEADER, "")))
    except ValueError:
        return str(uuid.uuid4())
