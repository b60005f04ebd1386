"""Who may enter where: every operation there is, the scopes of each role, and what is open to all."""

from __future__ import annotations

from tests.api.service import Service


def routes_of(service: Service) -> list[tuple[str, str, str]]:
    """(method, address, access) of every operation there is."""
    paths = service.http.get("/openapi.json").json()["paths"]
    found = []
    for path, operations in paths.items():
        for method, operation in operations.items():
            scopes = [scheme["dpop"][0] for scheme in operation["security"] if "dpop" in scheme]
            found.append((method.upper(), path, f"token:{scopes[0]}" if scopes else "open"))
    return found


ALLOWED = {
    "holder": {
        "admin:metrics.basic:read",
        "consents:read",
        "consents:write",
        "events:manage",
        "events:read",
        "partners:read",
        "partners:write",
        "receipts:read",
        "reconciliation:read",
        "supervision:read",
    },
    "recipient": {
        "cdr:registration",
        "consents:read",
        "consents:write",
        "events:manage",
        "events:read",
        "grant_management_query",
        "grant_management_revoke",
        "partners:read",
        "partners:write",
        "receipts:read",
        "reconciliation:read",
        "supervision:read",
    },
    "technology-provider": {"partners:read", "partners:write", "receipts:read", "supervision:read"},
    "regulator": {
        "admin:metadata:update",
        "admin:metrics.basic:read",
        "bundle:read",
        "disclosure:open",
        "log:read",
        "partners:read",
        "receipts:read",
        "reconciliation:read",
        "supervision:read",
    },
    "auditor": {"bundle:read", "log:read", "partners:read", "receipts:read", "supervision:read"},
    "operator": {"events:manage", "participants:write", "metrics:read"},
}
OPEN = {
    ("GET", "/checkpoint"),
    ("GET", "/checkpoint/newest"),
    ("GET", "/tile/{path}"),
    ("GET", "/proofs/inclusion"),
    ("GET", "/proofs/consistency"),
    ("GET", "/log"),
    ("GET", "/log/keys"),
    ("GET", "/set"),
    ("GET", "/set/heads"),
    ("GET", "/events/jwks"),
    ("GET", "/checkpoint/witnessed"),
    ("GET", "/witnesses"),
    ("GET", "/participants"),
    ("GET", "/participants/{participant}"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/jwks"),
    ("POST", "/token"),
    ("POST", "/introspect"),
    ("POST", "/revoke"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/errors/{slug}"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("POST", "/consents"),
    ("POST", "/accesses"),
    ("POST", "/accesses/batch"),
    ("POST", "/accesses/release"),
    ("POST", "/accesses/receive"),
    ("POST", "/subjects/enrol"),
    ("POST", "/subjects/unenrol"),
    ("POST", "/partners/histories"),
    ("POST", "/partners/histories/sheets"),
    ("POST", "/partners/histories/withdraw"),
    ("POST", "/partners/join"),
    *(
        ("POST", f"/partners/{declared}")
        for declared in (
            "attestations",
            "attestations/withdraw",
            "maps",
            "tariffs",
            "tariffs/accept",
            "tariffs/end",
            "usage",
            "usage/answer",
        )
    ),
    *(
        ("POST", f"/supervision/{declared}")
        for declared in (
            "freezes",
            "freezes/lift",
            "assessments",
            "assessments/require",
            "assessments/waive",
            "incidents",
            "incidents/update",
            "incidents/close",
            "cases",
            "cases/receive",
            "purposes",
            "blocks",
            "blocks/end",
            "alerts/decide",
        )
    ),
    ("POST", "/subjects/feedback"),
    ("POST", "/subjects/answer"),
    ("POST", "/consents/{consent_id}/acknowledge"),
    *(
        ("POST", f"/consents/{{consent_id}}/{step}")
        for step in (
            "authorise",
            "reject",
            "suspend",
            "resume",
            "pause",
            "revoke",
            "terminate",
            "amend",
            "withdraw_accounts",
            "withdraw_approval",
            "withdraw_separate",
            "reauthenticate",
            "reconfirm",
            "supersede",
        )
    ),
}
