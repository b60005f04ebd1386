"""A service with a gateway, and participants that have let it speak for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from api.node.building import build_node, short_lived
from api.node.settings import Settings
from api.office.configuration import read_gateway_file, write_gateway_file
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS, delegate, make_gateway, register_redirect
from api.server.app import create_app
from ledger.canonical import unb64u
from tests.api.founding import initialised
from tests.api.service import Service, serving
from tests.ports import loopback
from tests.standards.versions import official_file
from tests.world import ORIGIN, ConsentInWorld, Party

GATEWAY = "gateway"
REDIRECT = "https://app.example/back"
"""Registered for tpp-1 and tpp-2."""
CODE = {
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    "code_challenge_method": "S256",
}
"""The members of a pushed request that lead to a code; the challenge is that of RFC 7636, appendix B."""
HOLDERS_MORE = (
    "consent.authorise",
    "consent.pause",
    "consent.reject",
    "consent.resume",
    "consent.revoke",
    "subject.consent",
)


@contextmanager
def served(database_url: str, folder: Path, *, asks_again: bool = False, **settings: Any) -> Iterator[Service]:
    """A new log, served with outward standards; `asks_again`: the recipients let customers share again from their bank."""
    listening = loopback()
    quiet = {"index_interval_ms": 0} | settings  # no entry that the test did not ask for
    chosen = Settings(state_dir=folder, database_url=database_url, port=listening.getsockname()[1], **quiet)
    initialised(chosen, ORIGIN)
    with short_lived(chosen) as node:
        make_gateway(node.ledger, chosen.gateway_file, GATEWAY, "Gateway")
    for recipient in ("tpp-1", "tpp-2"):
        register_redirect(chosen.gateway_file, recipient, REDIRECT)
    if asks_again:
        file = read_gateway_file(chosen.gateway_file)
        again = {name: msgspec.structs.replace(one, asks_again=True) for name, one in file.recipients.items()}
        write_gateway_file(chosen.gateway_file, msgspec.structs.replace(file, recipients=again))
    node = build_node(chosen)
    with (
        serving(create_app(node), listening),
        httpx2.Client(base_url=chosen.base_url, timeout=30, trust_env=False) as http,
    ):
        http.get("/health/live").raise_for_status()
        yield Service(node, chosen.base_url, http)


def consent_of(pushed: httpx2.Response) -> str:
    """The consent that a pushed request is about: its reference is signed, and can be read."""
    claims = json.loads(unb64u(pushed.json()["request_uri"].rsplit(":", 1)[1].split(".")[1]))
    return str(claims["consent_id"])


def bank_and_app(service: Service, bank: str = "bank-a", app: str = "tpp-1") -> tuple[Party, Party]:
    """A holder and a recipient, each with its delegation to the gateway."""
    holder, recipient = service.world.holder(bank), service.world.recipient(app)
    let_speak(service, holder, recipient)
    return holder, recipient


def let_speak(service: Service, holder: Party, recipient: Party) -> None:
    """Record both delegations."""
    delegate(service.node.ledger, holder.id, GATEWAY, (*HOLDER_ACTS, *HOLDERS_MORE))
    delegate(service.node.ledger, recipient.id, GATEWAY, RECIPIENT_ACTS)


def found(service: Service, party: Party, consent_id: str) -> ConsentInWorld:
    """A consent as its parties know it, for the native acts of `tests.world`."""
    consent = service.node.ledger.records.consent(party.id, consent_id)
    terms = consent.pending.terms if consent.pending else consent.terms
    version = consent.version + (1 if consent.pending else 0)
    known = ConsentInWorld(consent_id, msgspec.to_builtins(terms), version)
    if not consent.subject:
        return known
    [companion, *_] = service.node.ledger.records.history_of_chain(consent.subject_chain)
    statement = json.loads(companion.evidence or b"")["statements"][0]
    customer = json.loads(unb64u(statement.split(".")[1]))["subject"]
    return replace(known, subject=consent.subject, customer=customer)


def authorise(service: Service, holder: Party, consent_id: str, **members: Any) -> ConsentInWorld:
    """The customer agrees at the holder, natively."""
    consent = found(service, holder, consent_id)
    at = service.world.clock.now() // 1000
    kinds = consent.terms["separate_consents"]
    if kinds:
        given = [{"given_at": at, "kind": kind, "text_hash": consent.terms["notice_hash"]} for kind in kinds]
        members = {"separate_consents": given} | members
    service.world.record(holder.authorise(consent, **members))
    return consent


def official(pattern: str, named: str) -> dict[str, Any]:
    """An official OpenAPI or Swagger document: of the files that match and whose text holds `named`, the one of the version
    that is served."""
    return official_file(pattern, named)
