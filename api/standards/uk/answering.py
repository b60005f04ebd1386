"""Shared by all UK routes: headers, signatures, links."""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import Depends, Request
from starlette.responses import Response

from api.node.admission import NodeHere
from api.node.node import Node
from api.office.office import Office
from api.standards.incoming import BodyHere, HolderHere, OfficeHere, RecipientHere
from api.standards.uk import signatures
from api.standards.uk.dialect import INTERACTION, MEDIA_TYPE, Fault, Faults, interaction_of, version_of

PATHS = {"v4.0": "/open-banking/v4.0", "v3.1": "/open-banking/v3.1"}
RESOURCE = "account-access-consents"


class UkExchange:
    """One request and the way to answer it."""

    def __init__(self, request: Request, node: Node, office: Office, holder: str) -> None:
        self._request = request
        self._node = node
        self._office = office
        self._holder = holder
        self.version = version_of(request)

    def link(self, path: str) -> str:
        """The absolute address of something in this version."""
        return f"{self._node.settings.base_url}/holders/{quote(self._holder)}{PATHS[self.version]}/{path}"

    def consent_link(self, consent_id: str) -> str:
        """The absolute address of a consent."""
        return self.link(f"aisp/{RESOURCE}/{quote(consent_id, safe=':')}")

    def answer(self, status: int, body: Any = None) -> Response:
        """The answer, signed by the gateway when it has a body."""
        headers = {INTERACTION: interaction_of(self._request), "cache-control": "no-store"}
        if body is None:
            return Response(status_code=status, headers=headers)
        encoded = msgspec.json.encode(body)
        gateway = self._office.gateway
        headers[signatures.HEADER] = signatures.sign(
            encoded, gateway.messages, issuer=gateway.participant, anchor=self._node.ledger.origin, now=int(time.time())
        )
        return Response(encoded, status, headers, media_type=MEDIA_TYPE)


def _exchange(request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere) -> UkExchange:
    return UkExchange(request, node, office, holder)


def _signed_body(
    request: Request, node: NodeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, body: BodyHere
) -> bytes:
    """The body, after its signature. Raises Faults."""
    value = request.headers.get(signatures.HEADER)
    if value is not None:
        signatures.verify(
            value,
            body,
            caller=recipient,
            registered=_registered(node, recipient),
            registry=node.ledger.registry,
            anchor=node.ledger.origin,
            now=int(time.time()),
        )
    elif office.gateway.options(holder).signatures_required:
        raise Faults([Fault("U019", "this account provider wants every body signed", signatures.HEADER)])
    return body


def _registered(node: Node, recipient: str) -> str:
    """What the register calls it, «organisation/software»; empty for who has not registered itself."""
    found = node.registrations.of(recipient)
    return "" if found is None else f"{found.metadata.get('org_id', '')}/{found.software_id}"


ExchangeHere = Annotated[UkExchange, Depends(_exchange)]
SignedBody = Annotated[bytes, Depends(_signed_body)]
