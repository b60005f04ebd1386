"""The OpenAPI 3.1 document: what the framework knows of the routes, with our schemas, problems and security schemes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.problems import BY_SLUG, MEDIA_TYPE
from api.http.reference import reference_page
from api.node.version import version
from api.server.dialect import in_common_words
from api.server.openapi_schemas import schemas
from api.standards.served import STANDARDS
from api.standards.words import StandardWords, words
from api.tokens.scopes import SCOPES

TAGS: Final = {
    "consents": "Asking for consents, every step of their life, and reading one's own.",
    "accesses": "Each access is decided in log order and recorded, allowed or denied.",
    "subjects": "Customers' passkeys, bound by their holders.",
    "receipts": "One entry with its proof, to be checked by anyone who has the log's key.",
    "log": "The public log: checkpoints, tiles and proofs, as C2SP specifies them.",
    "participants": "Who may sign, with which keys.",
    "events": "Notices of what happens to one's consents: pushed (RFC 8935) or polled (RFC 8936).",
    "reconciliation": "Where the decision, the release and the receipt of an access do not agree.",
    "partners": "Attestations, data maps, tariffs and usage statements: what partners owe each other, and prove.",
    "supervision": "Freezes, impact assessments and incidents: who ordered what, and what is due.",
    "bundles": "The whole log, to be checked elsewhere.",
    "tokens": "Access tokens for reading: client credentials, `private_key_jwt`, DPoP.",
    "operations": "Health, figures, explanations.",
}
DESCRIPTION: Final = """\
An append-only, provable record of open-banking consents, revocations and data accesses.

**Writing needs no token.** A participant signs a statement (a compact JWS) and posts it in an envelope; the statement
authenticates itself. The answer comes after the commit, with a receipt for each entry: leaf, evidence, Merkle proof and
signed checkpoint, which anyone can check offline.

**Repeating is safe.** The same statement again is recorded once: 200 instead of 201, and the indexes of its entries. Their
receipts are then read with a token, since whoever has a copy of a statement can repeat it.

**A denied access is not an error.** It is recorded, and `outcome` says why.

**Reading** one's own consents and receipts needs an access token bound to a key (DPoP). The log itself is public.

**Errors** are problems (RFC 9457); `type` leads to a page that says what to do.
"""
_ALWAYS: Final = ("internal-error", "overloaded")
_BY_ACCESS: Final = {
    "public": ("rate-limited",),
    "client": (),
    "signed": ("rate-limited",),
    "statement": (),
    "token": ("unauthenticated", "insufficient-scope", "rate-limited"),
}


@dataclass(frozen=True)
class Documentation:
    """The document and the page made from it, made when first asked for."""

    app: FastAPI
    base_url: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document."""
        return openapi_document(self.app, self.base_url)

    @cached_property
    def json(self) -> bytes:
        """The document's bytes."""
        return msgspec.json.encode(self.document)

    @cached_property
    def page(self) -> str:
        """The page."""
        return reference_page(self.document)


def openapi_document(app: FastAPI, base_url: str) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="Consent ledger",
        version=version(),
        summary="Consents, accesses and their proofs",
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in (TAGS | _standards_tags()).items()],
        servers=[{"url": base_url}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    for path, operations in document["paths"].items():
        standard = next((one for one in STANDARDS if one.dialect.place.match(path)), None)
        for operation in operations.values():
            _complete(operation, None if standard is None else words(standard.name))
    paths = {path.replace(":path}", "}"): operations for path, operations in document["paths"].items()}
    document["paths"] = {}
    for path, operations in paths.items():
        document["paths"].setdefault(path, {}).update(operations)
    ours = schemas()
    guessed = document.get("components", {}).get("schemas", {})
    document["components"] = {
        "schemas": {name: schema for name, schema in guessed.items() if "ValidationError" not in name} | ours,
        "securitySchemes": _security_schemes(),
    }
    said: dict[str, Any] = in_common_words(document)
    return said


def _standards_tags() -> dict[str, str]:
    return {standard.tag: standard.about for standard in STANDARDS}


def _complete(operation: dict[str, Any], said: StandardWords | None) -> None:
    """Add problems and security to one operation; take away what the framework guesses. `said`: its standard's words."""
    operation["responses"].pop("422", None)
    access = operation.pop("x-access")
    kind, _, scope = access.partition(":")
    if kind == "token":
        operation["security"] = [{"dpop": [scope], "proof": []}]
    elif kind == "client":
        operation["security"] = [{"proof": []}]
    elif kind == "signed":
        operation["security"] = [{"signature": []}]
    else:
        operation["security"] = []
    slugs = dict.fromkeys((*operation.pop("x-problems"), *_BY_ACCESS[kind], *_ALWAYS))
    if said is not None:
        _complete_foreign(operation, said, slugs)
        return
    by_status: dict[str, list[str]] = {}
    for slug in slugs:
        by_status.setdefault(str(BY_SLUG[slug].status), []).append(slug)
    for status, names in sorted(by_status.items()):
        examples = {
            name: {
                "summary": BY_SLUG[name].title,
                "value": {
                    "type": f"/errors/{name}",
                    "title": BY_SLUG[name].title,
                    "status": int(status),
                    "detail": BY_SLUG[name].meaning,
                    "instance": "urn:uuid:0a4f0b5e-6c1d-4f0e-9a53-9d1b6f1c2a77",
                },
            }
            for name in names
        }
        operation["responses"][status] = {
            "description": "; ".join(f"{BY_SLUG[name].title} (`{name}`)" for name in names),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
        }


def _complete_foreign(operation: dict[str, Any], said: StandardWords, slugs: Iterable[str]) -> None:
    """The refusals of an operation of an outward standard, which are worded by the standard."""
    by_status: dict[str, list[str]] = {}
    for slug in slugs:
        told = said.problems[slug]
        by_status.setdefault(str(told.status), []).append(f"`{told.code}` ({slug})" if told.code else slug)
    for status, names in sorted(by_status.items()):
        operation["responses"].setdefault(
            status,
            {
                "description": "; ".join(names),
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ForeignObject"}}},
            },
        )


def _security_schemes() -> dict[str, Any]:
    return {
        "dpop": {
            "type": "oauth2",
            "description": "An access token bound to a key: `Authorization: DPoP <token>`.",
            "flows": {"clientCredentials": {"tokenUrl": "/token", "scopes": SCOPES}},
        },
        "proof": {
            "type": "apiKey",
            "in": "header",
            "name": "DPoP",
            "description": "A fresh DPoP proof (RFC 9449) for this method and address; with a token, with its hash in `ath`.",
        },
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "An SM2 signature over the whole request (docs/standards/china.md).",
        },
    }
