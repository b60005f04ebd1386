"""How a bank says no: RFC 9457 problems with one reason each (docs/guard.md, «Refusals»).

Only the first reason is told, and a consent that is someone else's looks like one that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """One kind of refusal."""

    status: int
    title: str


REFUSALS: Final[dict[str, RefusalKind]] = {
    # The ledger's decisions (docs/spec/decisions.md); CONSENT_NOT_YOURS is told as CONSENT_UNKNOWN.
    "PARTICIPANT_SUSPENDED": RefusalKind(403, "The participant is suspended"),
    "FROZEN": RefusalKind(403, "Access is frozen by an order in force"),
    "CONSENT_UNKNOWN": RefusalKind(403, "No such consent for this caller"),
    "CONSENT_AWAITING": RefusalKind(403, "The customer has not authorised the consent yet"),
    "CONSENT_PARTIAL": RefusalKind(403, "Not everyone who must authorise the consent has done so"),
    "CONSENT_REJECTED": RefusalKind(403, "The consent was rejected"),
    "CONSENT_PAUSED": RefusalKind(403, "The customer has paused the consent"),
    "CONSENT_SUSPENDED": RefusalKind(403, "The consent is suspended"),
    "CONSENT_EXPIRED": RefusalKind(403, "The consent has expired"),
    "CONSENT_REVOKED": RefusalKind(403, "The consent was revoked"),
    "CONSENT_TERMINATED": RefusalKind(403, "The consent was terminated"),
    "CONSENT_CONSUMED": RefusalKind(403, "The consent was for one access, which has been made"),
    "CONSENT_SUPERSEDED": RefusalKind(403, "Another consent has replaced this one"),
    "CONSENT_NOT_STARTED": RefusalKind(403, "The consent has not begun yet"),
    "REAUTHENTICATION_REQUIRED": RefusalKind(403, "The bank must authenticate the customer again"),
    "RECONFIRMATION_OVERDUE": RefusalKind(403, "The recipient must have the customer confirm the consent again"),
    "SEPARATE_CONSENT_MISSING": RefusalKind(403, "A separate consent of the customer is missing"),
    "ASSESSMENT_OVERDUE": RefusalKind(403, "The bank must assess the impact of this sharing first"),
    "PURPOSE_MISMATCH": RefusalKind(403, "The purpose is not the one consented to"),
    "ACCOUNT_NOT_IN_CONSENT": RefusalKind(403, "The account is not in the consent"),
    "ACCOUNT_APPROVAL_PENDING": RefusalKind(403, "The account waits for another person's approval"),
    "ACCOUNT_APPROVAL_WITHDRAWN": RefusalKind(403, "The account was taken out of the consent"),
    "PERMISSION_MISSING": RefusalKind(403, "The consent does not include this permission"),
    "GRADE_EXCEEDED": RefusalKind(403, "Data of this grade is not shared under this consent"),
    "WINDOW_EXCEEDED": RefusalKind(400, "The period asked for lies outside the one consented to"),
    "FREQUENCY_EXCEEDED": RefusalKind(429, "No more accesses in this period without the customer present"),
    # Facts outside the log, asserted by the holder or the ledger.
    "SOFTWARE_INACTIVE": RefusalKind(403, "The recipient's software product is not active"),
    "SOFTWARE_REMOVED": RefusalKind(403, "The recipient's software product was removed"),
    "CERT_MISSING": RefusalKind(401, "No client certificate came with the request"),
    "CERT_INVALID": RefusalKind(401, "The client certificate is not valid"),
    "CERT_EXPIRED": RefusalKind(401, "The client certificate has expired"),
    "CERT_REVOKED": RefusalKind(401, "The client certificate was revoked"),
    "TOKEN_MISSING": RefusalKind(401, "No access token came with the request"),
    "TOKEN_INVALID": RefusalKind(401, "The access token is not valid"),
    "TOKEN_BINDING_MISMATCH": RefusalKind(401, "The access token is bound to another key"),
    "TOKEN_EXPIRED": RefusalKind(401, "The access token has expired"),
    "TOKEN_REVOKED": RefusalKind(401, "The access token was revoked"),
    "SCOPE_INSUFFICIENT": RefusalKind(403, "The access token does not cover this"),
    "TOKEN_CONSENT_MISMATCH": RefusalKind(403, "The access token belongs to another consent"),
    "RECIPIENT_NOT_NAMED": RefusalKind(403, "The recipient is not one that the customer named"),
    "REGION_NOT_CONSENTED": RefusalKind(403, "The customer did not agree to this region"),
    "ACCOUNT_CLOSED": RefusalKind(403, "The account is closed"),
    "ACCOUNT_BLOCKED": RefusalKind(403, "The account is blocked"),
    "FILTER_EXCEEDED": RefusalKind(403, "The request asks for more than the consent's filters let through"),
    "RATE_LIMITED": RefusalKind(429, "Too many accesses; try again later"),
    "LOW_VELOCITY_LIMIT": RefusalKind(429, "Too many accesses without the customer present"),
    "RISK_BLOCKED": RefusalKind(403, "The access was stopped as a risk"),
    "HOLDER_UNAVAILABLE": RefusalKind(503, "The bank cannot answer at present"),
    # The guard's own.
    "HEADER_MISSING": RefusalKind(401, "No consent statement or receipt came with the request"),
    "ROUTE_UNKNOWN": RefusalKind(403, "No data is given out at this address"),
    "REQUEST_MALFORMED": RefusalKind(400, "The request is not one that can be checked"),
    "REQUEST_MISMATCH": RefusalKind(403, "The statement is about another request than this one"),
    "SIGNATURE_INVALID": RefusalKind(401, "The statement is not signed by a registered recipient"),
    "ROLE_NOT_PERMITTED": RefusalKind(403, "The signer may not ask for data"),
    "RECEIPT_INVALID": RefusalKind(401, "The receipt does not prove an allowed access"),
    "RECEIPT_STALE": RefusalKind(401, "The decision is too old, or from the future"),
    "REPLAYED": RefusalKind(409, "The decision was used before"),
    "LEDGER_UNAVAILABLE": RefusalKind(503, "The ledger cannot be asked at present"),
}
TOLD_AS: Final = {"CONSENT_NOT_YOURS": "CONSENT_UNKNOWN"}


class RefusedAccess(HTTPException):
    """The answer to a request that may not have its data.

    An HTTPException, so that an application that has not installed the guard's handler still answers with the status.
    """

    def __init__(
        self, reason: str, detail: str = "", *, receipt: str | None = None, retry_after: int | None = None
    ) -> None:
        """`receipt`: the header value of the denial's receipt, for its signer. `retry_after`: seconds after which the same
        access may be allowed, where that is known of this refusal; it goes before what is known of its kind."""
        self.reason = TOLD_AS.get(reason, reason)
        refusal = REFUSALS.get(self.reason, RefusalKind(403, "The access was denied"))
        headers = {"Cache-Control": "no-store"}
        if receipt is not None and self.reason != "CONSENT_UNKNOWN":
            headers["Consent-Receipt"] = receipt
        pause = _pause(self.reason, refusal.status) if retry_after is None else retry_after
        if pause is not None:
            headers["Retry-After"] = str(pause)
        if self.reason.startswith("TOKEN_") and refusal.status == 401:
            headers["WWW-Authenticate"] = "DPoP" if self.reason == "TOKEN_MISSING" else 'DPoP error="invalid_token"'
        super().__init__(refusal.status, detail or refusal.title, headers)
        self.title = refusal.title

    def body(self) -> bytes:
        """The problem document."""
        return orjson.dumps(
            {
                "type": f"urn:consent-ledger:refusal:{self.reason.lower().replace('_', '-')}",
                "title": self.title,
                "status": self.status_code,
                "detail": self.detail,
                "reason": self.reason,
            }
        )


async def answer(_request: Request, error: Exception) -> Response:
    """The exception handler that `ConsentGuard.install` registers."""
    if not isinstance(error, RefusedAccess):
        raise error
    return Response(error.body(), error.status_code, error.headers, media_type=MEDIA_TYPE)


def _pause(reason: str, status: int) -> int | None:
    """Seconds to wait after a refusal of this kind. A period that is used up ends when its consent says (periods.py)."""
    if status == 429:
        return None if reason == "FREQUENCY_EXCEEDED" else 60
    return 2 if status == 503 else None
