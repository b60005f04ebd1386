"""The guard in the bank's own OpenAPI document: which headers a route takes, how it refuses, what comes with an answer.

FastAPI is not needed for a guard; where it is there, dependencies declare their headers to it, and `describe` adds to each
operation that takes them what the guard answers by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final

from starlette.requests import Request

from api.guard.refusals import MEDIA_TYPE, REFUSALS

STATEMENT_HEADER: Final = "Consent-Statement"
RECEIPT_HEADER: Final = "Consent-Receipt"
PROOF_HEADER: Final = "DPoP"
SCHEMA: Final = "ConsentRefusal"
_REFUSAL: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Why the data was not given out (RFC 9457).",
    "required": ["type", "title", "status", "detail", "reason"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:consent-ledger:refusal:consent-revoked"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string", "examples": ["CONSENT_REVOKED"]},
    },
}
_RECEIPT: Final[dict[str, Any]] = {
    "description": "The receipt of the decision: base64url of a receipt file.",
    "schema": {"type": "string"},
}
_MEANING: Final = {
    400: "The request cannot be checked.",
    401: "The request is not signed, or its receipt is not valid.",
    403: "The consent does not let this data out.",
    409: "The decision was used before.",
    429: "Too many accesses.",
    503: "Nobody can decide at present.",
}


def declared(
    dependency: Callable[..., Any], permissions: tuple[str, ...], *, strict: bool, tokens: bool = False
) -> None:
    """Let FastAPI see the headers that a dependency reads from the request. Without FastAPI nothing is done."""
    try:
        from fastapi import Header  # noqa: PLC0415  (optional)
    except ImportError:
        return
    needed = ", ".join(permissions)
    told = {
        STATEMENT_HEADER: f"The recipient's signed `access.request` for this very request, under: {needed}.",
        RECEIPT_HEADER: f"A fresh receipt of an allowed access for this very request, under: {needed}.",
    }
    if strict:
        del told[STATEMENT_HEADER]
    if tokens:
        told[PROOF_HEADER] = (
            f"In place of both: the proof for a token in `Authorization` that is bound to a consent, under: {needed}."
        )
    parameters = [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
    for name, description in told.items():
        kind: Any = Annotated[str | None, Header(alias=name, description=description)]
        parameters.append(
            inspect.Parameter(
                name.lower().replace("-", "_"), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind
            )
        )
    dependency.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # (read by inspect)


def describe(app: Any) -> None:
    """Complete the document of a FastAPI application, however it makes it; other applications have none."""
    make = getattr(app, "openapi", None)
    if make is None:
        return

    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = make()
        complete(document)
        return document

    app.openapi = openapi


def complete(document: dict[str, Any]) -> None:
    """Add refusals and receipts to each guarded operation of an OpenAPI document. Doing it twice changes nothing."""
    guarded = [
        operation
        for item in document.get("paths", {}).values()
        for operation in item.values()
        if isinstance(operation, dict) and _takes_receipts(operation)
    ]
    if guarded:
        document.setdefault("components", {}).setdefault("schemas", {})[SCHEMA] = _REFUSAL
    for operation in guarded:
        responses = operation.setdefault("responses", {})
        for status, answer in responses.items():
            if status.startswith("2"):
                answer.setdefault("headers", {})[RECEIPT_HEADER] = _RECEIPT
        for status, meaning in _MEANING.items():
            reasons = sorted(reason for reason, kind in REFUSALS.items() if kind.status == status)
            answer = responses.setdefault(str(status), {"description": f"{meaning} `reason`: {', '.join(reasons)}"})
            answer.setdefault("content", {})[MEDIA_TYPE] = {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}}
            if status == 403:
                answer.setdefault("headers", {})[RECEIPT_HEADER] = _RECEIPT


def _takes_receipts(operation: dict[str, Any]) -> bool:
    return any(
        parameter.get("in") == "header" and parameter.get("name") == RECEIPT_HEADER
        for parameter in operation.get("parameters", [])
    )
