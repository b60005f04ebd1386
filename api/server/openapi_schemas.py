"""The schemas of the OpenAPI document: of our own structs, by the names that clients see, with examples."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from api.events.polling import Poll, PolledEvents
from api.explaining.explain import ExplanationReply
from api.http.submission import Envelope, RepeatReply, SubmissionReply
from api.partners.invitations import Joining, ProvedKey
from api.routes.alerts import AlertsReply
from api.routes.bundles import Opening
from api.routes.consents import ConsentReply, ConsentsReply, HistoryReply
from api.routes.delegations import Delegating, DelegationsReply, SignedActsReply
from api.routes.events import DeliveriesReply, DeliveryAttemptsReply, EndpointReply, EndpointTestReply, NewEndpoint
from api.routes.histories import AttestedHistoriesReply, BeginningsQuestion, BeginningsReply
from api.routes.participants import ChangeReply, NewKey, NewParticipant, ParticipantReply, ParticipantsReply, Why
from api.routes.partners import AttestationsReply, MapsReply, TariffsReply
from api.routes.reconciliation import FindingsReply
from api.routes.supervision import AssessmentsReply, FreezesReply, HandoversReply, IncidentsReply
from api.routes.usage import UsageCountReply, UsagesReply
from ledger.entries.evidence import AccessOutcome, ConsentOutcome
from ledger.queries.completeness import Completeness
from ledger.receipts import Receipt

_RENAMED: Final = {
    "RepeatReply": "Repeat",
    "SubmissionReply": "Submission",
    "EntryReply": "Entry",
    "ConsentReply": "Consent",
    "PendingReply": "PendingVersion",
    "ConsentsReply": "Consents",
    "HistoryReply": "History",
    "ParticipantReply": "Participant",
    "KeyReply": "Key",
    "ParticipantsReply": "Participants",
    "ChangeReply": "Change",
    "EndpointReply": "Endpoint",
    # Generators of Java call the test of an Endpoint EndpointTest.
    "EndpointTestReply": "TrialDelivery",
    "DeliveryReply": "Delivery",
    "DeliveriesReply": "Deliveries",
    "DeliveryAttemptReply": "DeliveryAttempt",
    "DeliveryAttemptsReply": "DeliveryAttempts",
    "ExplanationReply": "Explanation",
    "ReasonReply": "ExplainedReason",
    # Generators of Go call the constructor of a Key NewKey.
    "NewKey": "KeyRegistration",
    "NewParticipant": "ParticipantRegistration",
    "NewEndpoint": "EndpointRegistration",
    "StepReply": "ExplainedStep",
    "FindingReply": "Finding",
    "FindingsReply": "Findings",
    "FreezesReply": "Freezes",
    "FreezeReply": "Freeze",
    "AssessmentsReply": "Assessments",
    "AssessmentReply": "Assessment",
    "RequirementReply": "Requirement",
    "HandoversReply": "Handovers",
    "IncidentsReply": "Incidents",
    "IncidentReply": "Incident",
    "ClockReply": "IncidentClock",
    "AlertsReply": "Alerts",
    "AlertReply": "Alert",
    "AlertAnswer": "AlertDecision",
    "AttestationsReply": "Attestations",
    "AttestationReply": "Attestation",
    "CertificateReply": "Certificate",
    "MapsReply": "DataMaps",
    "MapReply": "DataMap",
    "TariffsReply": "Tariffs",
    "TariffReply": "Tariff",
    "AttestedHistoriesReply": "AttestedHistories",
    "AttestedHistoryReply": "AttestedHistory",
    "BeginningsReply": "Beginnings",
    "UsagesReply": "UsageStatements",
    "UsageReply": "UsageStatement",
    "UsageCountReply": "UsageCount",
    "DelegationsReply": "Delegations",
    "DelegationReply": "Delegation",
    "SignedActsReply": "SignedActs",
    "SignedReply": "SignedAct",
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
_OURS: Final[dict[str, Any]] = {
    "ForeignObject": {
        "type": "object",
        "description": "As its own standard defines it: docs/standards names the official file.",
    },
    "Problem": {
        "type": "object",
        "description": "What was refused, why, and where to read more (RFC 9457).",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {
                "type": "string",
                "format": "uri-reference",
                "description": "Ends in the type's name; leads to its page.",
            },
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "This request, in the ledger's own log."},
            "member": {"type": "string", "description": "The offending member, where there is one."},
            "error": {"type": "string", "description": "Token endpoint only: the code of RFC 6749 §5.2."},
        },
    },
    "TokenRequest": {
        "type": "object",
        "required": ["grant_type", "client_assertion_type", "client_assertion"],
        "properties": {
            "grant_type": {"const": "client_credentials"},
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            "client_assertion": {"type": "string", "description": "A JWT signed by a client key."},
            "scope": {"type": "string", "description": "Some of one's scopes, separated by spaces. Default: all."},
            "client_id": {"type": "string"},
            "authorization_details": {
                "type": "string",
                "description": "Instead of `scope`: a JSON list of one object of type `account_information` "
                "(RFC 9396) that names a consent.",
            },
        },
    },
    "IntrospectionRequest": {
        "type": "object",
        "required": ["token", "client_assertion_type", "client_assertion"],
        "properties": {
            "token": {"type": "string"},
            "token_type_hint": {"type": "string"},
            "client_assertion_type": {"const": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
            "client_assertion": {"type": "string", "description": "A JWT signed by a client key."},
            "client_id": {"type": "string"},
        },
    },
    "Introspection": {
        "type": "object",
        "description": "RFC 7662 §2.2; `active`: false stands alone.",
        "required": ["active"],
        "properties": {
            "active": {"type": "boolean"},
            "client_id": {"type": "string"},
            "exp": {"type": "integer"},
            "grant_id": {"type": "string"},
            "authorization_details": {"type": "array", "items": {"type": "object"}},
            "cdr_arrangement_id": {"type": "string"},
            "sharing_expires_at": {"type": "integer"},
        },
    },
    "Grant": {
        "type": "object",
        "required": ["scopes", "claims", "authorization_details"],
        "properties": {
            "scopes": {"type": "array", "items": {"type": "object"}},
            "claims": {"type": "array", "items": {"type": "string"}},
            "authorization_details": {"type": "array", "items": {"type": "object"}},
        },
    },
    "Token": {
        "type": "object",
        "required": ["access_token", "token_type", "expires_in"],
        "properties": {
            "access_token": {"type": "string"},
            "token_type": {"const": "DPoP"},
            "expires_in": {"type": "integer"},
            "scope": {"type": "string", "description": "Of a token for this ledger."},
            "grant_id": {"type": "string", "description": "Of a token for one consent: the consent."},
            "authorization_details": {"type": "array", "items": {"type": "object"}},
        },
    },
}


def schemas() -> dict[str, Any]:
    """Every schema of the document, by name; in the order of their names."""
    kinds = [
        RepeatReply,
        Envelope,
        SubmissionReply,
        ConsentReply,
        ConsentsReply,
        HistoryReply,
        ParticipantReply,
        ParticipantsReply,
        ChangeReply,
        NewParticipant,
        NewKey,
        Why,
        Opening,
        EndpointReply,
        EndpointTestReply,
        NewEndpoint,
        Completeness,
        DeliveriesReply,
        DeliveryAttemptsReply,
        FindingsReply,
        FreezesReply,
        AssessmentsReply,
        HandoversReply,
        IncidentsReply,
        AlertsReply,
        AttestationsReply,
        MapsReply,
        AttestedHistoriesReply,
        BeginningsQuestion,
        BeginningsReply,
        TariffsReply,
        UsagesReply,
        UsageCountReply,
        Joining,
        ProvedKey,
        Delegating,
        DelegationsReply,
        SignedActsReply,
        Poll,
        PolledEvents,
        ExplanationReply,
        Receipt,
        AccessOutcome,
        ConsentOutcome,
    ]
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
