"""A ledger with a gateway, two banks and two recipients, and official schemas to hold answers against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from jsonschema import Draft202012Validator, FormatChecker
from sqlalchemy import func, select

from api.node.building import build_node
from api.node.settings import Settings
from api.office.configuration import (
    GatewayFile,
    HolderOptions,
    RegisterOptions,
    read_gateway_file,
    write_gateway_file,
)
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS, delegate, make_gateway, register_redirect
from api.server.app import create_app
from api.standards.served import OUTWARD
from ledger.canonical import b64u, unb64u
from ledger.entries.leaf import Kind
from ledger.planning.commands import Recorded
from ledger.storage.tables import entries
from tests.api.founding import initialised
from tests.api.service import Service, TokenClient, serving
from tests.keys import KeyPair
from tests.ports import loopback
from tests.standards.served import REDIRECT
from tests.standards.versions import official_file
from tests.world import ORIGIN, ConsentInWorld, Party, World, reference

GATEWAY = "gateway"
SEPARATE = ("provision", "sensitive")


@dataclass
class Stage:
    """Who plays: banks `bank-a` and `bank-b`, recipients `tpp-1` and `tpp-2`, and the gateway that acts for all four."""

    service: Service
    banks: dict[str, Party]
    recipients: dict[str, Party]
    tokens: dict[str, TokenClient]
    customers: dict[str, str] = field(default_factory=dict)
    """Whose subject chain each authorised consent is in."""

    @property
    def world(self) -> World:
        return self.service.world

    @property
    def recorded(self) -> int:
        """How many entries somebody made; index-heads come by themselves."""
        with self.service.node.ledger.store.read() as connection:
            query = select(func.count()).select_from(entries).where(entries.c.kind != Kind.INDEX_HEAD.value)
            return int(connection.execute(query).scalar_one())

    def client(self, recipient: str = "tpp-1") -> TokenClient:
        return self.tokens[recipient]

    def call(
        self, method: str, path: str, *, holder: str = "bank-a", recipient: str = "tpp-1", **kwargs: Any
    ) -> httpx2.Response:
        return self.client(recipient).request(method, f"/holders/{holder}{path}", **kwargs)

    def known(self, consent_id: str, holder: str = "bank-a", **said: Any) -> ConsentInWorld:
        """A consent made through a standard, as the kit of statements knows it."""
        consent = self.service.node.ledger.records.consent(holder, consent_id)
        terms = consent.pending.terms if consent.pending is not None else consent.terms
        version = consent.version + (consent.pending is not None)
        return ConsentInWorld(consent_id, msgspec.to_builtins(terms), version=version, **said)

    def authorise(self, consent_id: str, holder: str = "bank-a", **said: Any) -> ConsentInWorld:
        """The customer agrees to all of it, at the bank."""
        consent = self.known(consent_id, holder, **said)
        self.customers[consent_id] = consent.customer
        self.world.record(self.banks[holder].authorise(consent, **separate(consent, self.world)))
        return consent

    def access(self, consent: ConsentInWorld, recipient: str = "tpp-1", **members: Any) -> Recorded:
        """The recipient asks for balances now."""
        said = {"purpose": consent.terms["purpose"]["code"]} | members
        [recorded] = self.world.record(self.recipients[recipient].access(consent, **said))
        return recorded

    def last_statement(self, consent_id: str) -> dict[str, Any]:
        """The payload of the statement that led to the present state."""
        ledger = self.service.node.ledger
        holder = next(
            bank for bank in self.banks if any(c.consent_id == consent_id for _, c in ledger.records.consents(bank))
        )
        [entry] = ledger.records.recorded([ledger.records.consent(holder, consent_id).basis])
        assert entry.evidence is not None
        [text] = json.loads(entry.evidence)["statements"]
        payload: dict[str, Any] = json.loads(unb64u(text.split(".")[1]))
        return payload


def separate(consent: ConsentInWorld, world: World) -> dict[str, Any]:
    """The separate consents that the terms ask for, given."""
    kinds = consent.terms["separate_consents"]
    if not kinds:
        return {}
    given = {"given_at": world.clock.now() // 1000, "text_hash": b64u(hashlib.sha256(b"shown").digest())}
    return {"separate_consents": [{"kind": kind, **given} for kind in kinds]}


@contextmanager
def stage(
    database_url: str,
    folder: Path,
    *,
    holders: dict[str, HolderOptions] | None = None,
    registers: tuple[RegisterOptions, ...] = (),
    events: bool = False,
    decoupled: tuple[str, ...] = (),
    **settings: Any,
) -> Iterator[Stage]:
    """A served ledger in an empty database, with everybody registered and delegating. `decoupled`: recipients that may ask a
    customer without a browser."""
    listening = loopback()
    quiet = {"index_interval_ms": 0} | settings  # no entry that the test did not ask for
    chosen = Settings(state_dir=folder, database_url=database_url, port=listening.getsockname()[1], **quiet)
    initialised(chosen, ORIGIN)
    node = build_node(chosen)
    node.start()
    file = make_gateway(node.ledger, chosen.gateway_file, GATEWAY, "Gateway")
    node.stop()
    decided = msgspec.structs.replace(file, holders=holders or {}, registers=registers)
    chosen.gateway_file.write_bytes(msgspec.json.encode(decided))
    for recipient in ("tpp-1", "tpp-2"):
        register_redirect(chosen.gateway_file, recipient, REDIRECT)
    file = read_gateway_file(chosen.gateway_file)
    may = {name: msgspec.structs.replace(file.recipients[name], backchannel=True) for name in decoupled}
    write_gateway_file(chosen.gateway_file, msgspec.structs.replace(file, recipients={**file.recipients, **may}))
    node = build_node(chosen, serves=events, outward=OUTWARD)
    with (
        serving(create_app(node), listening),
        httpx2.Client(base_url=chosen.base_url, timeout=30, trust_env=False) as http,
    ):
        http.get("/health/live").raise_for_status()
        service = Service(node, chosen.base_url, http)
        banks = {name: service.world.holder(name) for name in ("bank-a", "bank-b")}
        recipients = {name: service.world.recipient(name) for name in ("tpp-1", "tpp-2")}
        for name in banks:
            delegate(node.ledger, name, GATEWAY, HOLDER_ACTS)
        for name in recipients:
            delegate(node.ledger, name, GATEWAY, RECIPIENT_ACTS)
        tokens = {name: service.as_(party) for name, party in recipients.items()}
        yield Stage(service, banks, recipients, tokens)


def message_key(service: Service, participant: str) -> KeyPair:
    """A PS256 client key, registered: what a recipient signs messages with."""
    key = KeyPair.generate("PS256", f"{participant}-messages")
    service.node.ledger.record_documents(World.key_added(participant, key, "client"))
    return key


# -- official files -----------------------------------------------------------------------------------------------------


def official(pattern: str) -> dict[str, Any]:
    """The official OpenAPI file of this name, of the version that is served."""
    return official_file(pattern)


def conforms(document: dict[str, Any], schema: str, value: Any) -> None:
    """Fails unless the value is valid against a schema of an official OpenAPI 3.0 file."""
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    checker = Draft202012Validator(_as_json_schema(whole), format_checker=FormatChecker())
    errors = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in checker.iter_errors(value)]
    assert errors == [], errors


def _as_json_schema(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` and boolean `exclusiveMinimum` in the words of JSON Schema."""
    if isinstance(node, list):
        return [_as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: _as_json_schema(one) for name, one in node.items() if not (name == "exclusiveMinimum" and one is False)
    }


__all__ = ["GatewayFile", "Stage", "conforms", "message_key", "official", "reference", "separate", "stage"]
