"""All of a gateway at once: from a file that describes the whole, make what is missing (docs/standards/gateway.md).

Pure but for reading the files of public keys that the file names. What is there already stays; a second run finds nothing to
do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from api.office.configuration import GatewayFile, HolderOptions, RecipientOptions, RegisterOptions
from api.office.gateway import HOLDER_ACTS, RECIPIENT_ACTS
from api.tokens.keys import PublicKey
from ledger.documents import DelegationGranted, document_of, key_added, registration
from ledger.entries.fields import ParticipantId
from ledger.errors import Conflict, InvalidInput, NotFound
from ledger.participants import Registry


class GatewayName(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The gateway's participant id and name."""

    id: ParticipantId = "gateway"
    name: str = "Gateway of this ledger"


class HolderSetup(HolderOptions, frozen=True, kw_only=True):
    """A holder: its decisions, and what the log is to know of it."""

    name: str = ""
    """Its legal name; registered with it, if it is not there yet."""
    statement_keys: str = ""
    """A file with its public keys for statements, a JWK set, beside the setup file."""
    client_keys: str = ""
    """The same for token requests."""
    acts: tuple[str, ...] = ()
    """Acts that the gateway may sign for it beyond what all standards need."""


class RecipientSetup(RecipientOptions, frozen=True, kw_only=True):
    """A recipient: where its customers may be sent back to, and as of a holder."""

    name: str = ""
    statement_keys: str = ""
    client_keys: str = ""
    acts: tuple[str, ...] = ()


class GatewaySetup(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The setup file, TOML."""

    gateway: GatewayName = GatewayName()
    holders: dict[ParticipantId, HolderSetup] = {}
    recipients: dict[ParticipantId, RecipientSetup] = {}
    registers: tuple[RegisterOptions, ...] = ()


@dataclass(frozen=True, slots=True)
class SetupPlan:
    """What is missing: documents for the log, in order, and the gateway's file as it is to be."""

    documents: tuple[Mapping[str, Any], ...]
    file: GatewayFile


_REGISTERED: Final = tuple(field.name for field in structs.fields(RecipientOptions))
_DECISIONS: Final = tuple(field.name for field in structs.fields(HolderOptions))


def read_setup(path: Path) -> GatewaySetup:
    """Raises NotFound, InvalidInput for another content."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), GatewaySetup)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(f"{path} is not a setup of a gateway: {error}") from None


def plan_setup(setup: GatewaySetup, folder: Path, registry: Registry, present: GatewayFile) -> SetupPlan:
    """What is missing in the log and in the gateway's file. `folder` is the setup file's.

    Raises InvalidInput, NotFound, Conflict.
    """
    documents: list[Mapping[str, Any]] = []
    for holder, one in setup.holders.items():
        documents += _party(holder, "holder", HOLDER_ACTS, one, folder, registry, present.participant)
    for recipient, other in setup.recipients.items():
        documents += _party(recipient, "recipient", RECIPIENT_ACTS, other, folder, registry, present.participant)
    holders = {
        holder: HolderOptions(**{name: getattr(one, name) for name in _DECISIONS})
        for holder, one in setup.holders.items()
    }
    recipients = {
        recipient: structs.replace(
            present.recipients.get(recipient, RecipientOptions()),
            **{name: said for name in _REGISTERED if (said := getattr(one, name))},
        )
        for recipient, one in setup.recipients.items()
    }
    file = structs.replace(
        present,
        holders={**present.holders, **holders},
        recipients={**present.recipients, **recipients},
        registers=setup.registers or present.registers,
    )
    return SetupPlan(tuple(documents), file)


def _party(
    participant: str,
    role: str,
    needed: tuple[str, ...],
    said: HolderSetup | RecipientSetup,
    folder: Path,
    registry: Registry,
    gateway: str,
) -> list[Mapping[str, Any]]:
    documents: list[Mapping[str, Any]] = []
    known = registry.participants.get(participant)
    if known is None:
        if not said.name:
            raise NotFound(f"{participant} is not in the log: give its name, and it is registered")
        documents.append(registration(participant, said.name, [role]))
    elif role not in known.roles:
        raise InvalidInput(f"{participant} is in the log, and no {role}")
    for use, name in (("statement", said.statement_keys), ("client", said.client_keys)):
        documents += _keys(participant, use, folder / name, registry) if name else []
    acts = tuple(sorted({*needed, *said.acts}))
    if registry.delegations.get((participant, gateway)) != frozenset(acts):
        documents.append(document_of(DelegationGranted, participant=participant, delegate=gateway, acts=acts))
    return documents


def _keys(participant: str, use: str, path: Path, registry: Registry) -> list[Mapping[str, Any]]:
    try:
        jwks = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])["keys"]
        read = [(str(jwk["kid"]), PublicKey.from_jwk(jwk)) for jwk in jwks]
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
        raise InvalidInput(f"{path} is not a JWK set of public keys, each with its kid") from None
    documents: list[Mapping[str, Any]] = []
    for kid, key in read:
        there = registry.keys.get(kid)
        if there is None:
            documents.append(key_added(participant, kid, key.alg, use, key.jwk))
        elif (there.participant, there.use, dict(there.jwk), there.revoked_at) != (participant, use, key.jwk, None):
            raise Conflict(f"the key id {kid!r} of {path} is another key's in the log, or was revoked")
    return documents
