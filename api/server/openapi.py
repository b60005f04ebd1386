"""The OpenAPI 3.1 document: what the framework knows of the routes, with our schemas, problems and security schemes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.events.polling import Poll, PolledEvents
from api.explaining.explain import ExplanationReply
from api.http.problems import BY_SLUG, MEDIA_TYPE
from api.http.reference import reference_page
from api.http.submission import Envelope, RepeatReply, SubmissionReply
from api.node.version import version
from api.partners.invitations import Joining, ProvedKey
from api.routes.alerts import AlertsReply
from api.routes.bundles import Opening
from api.routes.consents import ConsentReply, ConsentsReply, HistoryReply
from api.routes.events import DeliveriesReply, EndpointReply, NewEndpoint
from api.routes.participants import ChangeReply, NewKey, NewParticipant, ParticipantReply, ParticipantsReply, Why
from api.routes.partners import (
    AttestationsReply,
    MapsReply,
    TariffsReply,
)
from api.routes.reconciliation import FindingsReply
from api.routes.supervision import AssessmentsReply, FreezesReply, IncidentsReply
from api.routes.usage import UsageCountReply, UsagesReply
from api.server.dialect import in_common_words
from api.standards.served import STANDARDS
from api.standards.words import StandardWords, words
from api.tokens.scopes import SCOPES
from ledger.entries.evidence import AccessOutcome, ConsentOutcome
from ledger.queries.completeness import Completeness
from ledger.receipts import Receipt

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
_RENAMED: Final = {
    "RepeatReply": "Repeat", "SubmissionReply": "Submission", "EntryReply": "Entry",
    "ConsentReply": "Consent", "PendingReply": "PendingVersion",
    "ConsentsReply": "Consents", "HistoryReply": "History", "ParticipantReply": "Participant", "KeyReply": "Key",
    "ParticipantsReply": "Participants", "ChangeReply": "Change", "EndpointReply": "Endpoint", "DeliveryReply": "Delivery",
    "DeliveriesReply": "Deliveries", "ExplanationReply": "Explanation", "ReasonReply": "ExplainedReason",
    # Generators of Go call the constructor of a Key NewKey.
    "NewKey": "KeyRegistration", "NewParticipant": "ParticipantRegistration", "NewEndpoint": "EndpointRegistration",
    "StepReply": "ExplainedStep", "FindingReply": "Finding", "FindingsReply": "Findings",
    "FreezesReply": "Freezes", "FreezeReply": "Freeze", "AssessmentsReply": "Assessments", "AssessmentReply": "Assessment",
    "RequirementReply": "Requirement", "IncidentsReply": "Incidents", "IncidentReply": "Incident",
    "ClockReply": "IncidentClock", "AlertsReply": "Alerts", "AlertReply": "Alert", "AlertAnswer": "AlertDecision",
    "AttestationsReply": "Attestations", "AttestationReply": "Attestation", "CertificateReply": "Certificate",
    "MapsReply": "DataMaps", "MapReply": "DataMap", "TariffsReply": "Tariffs", "TariffReply": "Tariff",
    "UsagesReply": "UsageStatements", "UsageReply": "UsageStatement", "UsageCountReply": "UsageCount",
}  # fmt: skip
_ALWAYS: Final = ("internal-error", "overloaded")
_BY_ACCESS: Final = {
    "public": ("rate-limited",),
    "client": (),
    "statement": (),
    "token": ("unauthenticated", "insufficient-scope", "rate-limited"),
}
_RECEIPT_EXAMPLE: Final = {
    "v": 1,
    "leaf": '{"chain":"…","commitment":"…","index":41,"kind":"consent","prev":"…","prev_in_chain":"…","seq":2,'
    '"time":1795392000000,"v":1}',
    "evidence": '{"act":"access.request","outcome":{…},"statements":["eyJ…"],"v":1}',
    "opening": "rcpt0pen1ngOf32RandomBytes_xxxxxxxxxxxxxxxA",
    "proof": "c2sp.org/tlog-proof@v1\nindex 41\n…\n\nledger.example/1\n42\n…\n\n— ledger.example/1 …\n",
}
_SUBMISSION_EXAMPLE: Final = {
    "entries": [
        {
            "act": "access.request",
            "consent_id": "5f3c1a52-8a41-4c2e-9d3e-2f1f6f0a7b11",
            "index": 41,
            "time": 1795392000000,
            "outcome": {
                "basis": 40,
                "consent_version": 1,
                "decision": "allow",
                "obligations": {
                    "directions": ["credit"],
                    "from": 0,
                    "keep_until": 1803168000,
                    "masks": ["pan"],
                    "to": 0,
                },
                "reasons": [],
                "ruleset": 2,
                "used_today": 0,
            },
            "receipt": _RECEIPT_EXAMPLE,
        }
    ]
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
    ours = _schemas()
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


def _schemas() -> dict[str, Any]:
    kinds = [
        RepeatReply,
        Envelope, SubmissionReply, ConsentReply, ConsentsReply, HistoryReply, ParticipantReply, ParticipantsReply, ChangeReply,
        NewParticipant, NewKey, Why, Opening, EndpointReply, NewEndpoint,
        Completeness, DeliveriesReply, FindingsReply, FreezesReply, AssessmentsReply, IncidentsReply, AlertsReply,
        AttestationsReply, MapsReply, TariffsReply, UsagesReply, UsageCountReply, Joining,
        ProvedKey,
        Poll, PolledEvents, ExplanationReply, Receipt, AccessOutcome,
        ConsentOutcome,
    ]  # fmt: skip
    template = "#/components/schemas/{name}"
    _, schemas = msgspec.json.schema_components([*kinds], schema_hook=_schema_of_raw, ref_template=template)
    text = msgspec.json.encode(schemas).decode()
    for old, new in _RENAMED.items():
        text = text.replace(f'"#/components/schemas/{old}"', f'"#/components/schemas/{new}"').replace(
            f'"title":"{old}"', f'"title":"{new}"'
        )
    named = {_RENAMED.get(name, name): schema for name, schema in msgspec.json.decode(text).items()}
    outcomes = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in (AccessOutcome, ConsentOutcome)]
    named["Entry"]["properties"]["outcome"] = {"anyOf": [*outcomes, {"type": "null"}]}
    named["Receipt"]["example"] = _RECEIPT_EXAMPLE
    named["Submission"]["example"] = _SUBMISSION_EXAMPLE
    named["Envelope"]["example"] = {"statement": "eyJhbGciOiJFZERTQSIsImtpZCI6InRwcC0xLTEiLCJ0eXAiOiJjb25zZW50…"}
    return dict(sorted((named | _OURS).items()))


def _schema_of_raw(kind: type) -> dict[str, Any]:
    if kind is msgspec.Raw:
        return {"$ref": "#/components/schemas/Receipt"}
    raise NotImplementedError(kind)


_OURS: Final[dict[str, Any]] = {
    "ForeignObject": {
        "type": "object", "description": "As its own standard defines it: docs/standards names the official file.",
    },
    "Problem": {
        "type": "object", "description": "What was refused, why, and where to read more (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Ends in the type's name; leads to its page."},
            "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
            "instance": {"type": "string", "description": "This request, in the ledger's own log."},
            "member": {"type": "string", "description": "The offending member, where there is one."},
            "error": {"type": "string", "description": "Token endpoint only: the code of RFC 6749 §5.2."},
        },
    },
    "TokenRequest": {
        "type": "object", "required": ["grant_type", "client_assertion_type", "client_assertion"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            "client_assertion": {"type": "string", "description": "A JWT signed by a client key."},
            "scope": {"type": "string", "description": "Some of one's scopes, separated by spaces. Default: all."},
            "client_id": {"type": "string"},
            "authorization_details": {
                "type": "string", "description": "Instead of `scope`: a JSON list of one object of type `account_information` "
                "(RFC 9396) that names a consent.",
            },
        },
    },
    "IntrospectionRequest": {
        "type": "object", "required": ["token", "client_assertion_type", "client_assertion"],
        "properties": {
            "token": {"type": "string"}, "token_type_hint": {"type": "string"},
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            "client_assertion": {"type": "string", "description": "A JWT signed by a client key."},
            "client_id": {"type": "string"},
        },
    },
    "Introspection": {
        "type": "object", "description": "RFC 7662 §2.2; `active`: false stands alone.", "required": ["active"],
        "properties": {
            "active": {"type": "boolean"}, "client_id": {"type": "string"}, "exp": {"type": "integer"},
            "grant_id": {"type": "string"}, "authorization_details": {"type": "array", "items": {"type": "object"}},
            "cdr_arrangement_id": {"type": "string"}, "sharing_expires_at": {"type": "integer"},
        },
    },
    "Grant": {
        "type": "object", "required": ["scopes", "claims", "authorization_details"],
        "properties": {
            "scopes": {"type": "array", "items": {"type": "object"}}, "claims": {"type": "array", "items": {"type": "string"}},
            "authorization_details": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Token": {
        "type": "object", "required": ["access_token", "token_type", "expires_in"],
        "properties": {
            "access_token": {"type": "string"}, "token_type": {"const": "DPoP"}, "expires_in": {"type": "integer"},
            "scope": {"type": "string", "description": "Of a token for this ledger."},
            "grant_id": {"type": "string", "description": "Of a token for one consent: the consent."},
            "authorization_details": {"type": "array", "items": {"type": "object"}},
        },
    },
}  # fmt: skip


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
    }
