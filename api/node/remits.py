"""What each regulator is there for, as a file of the operator's says (docs/supervision.md, «Several regulators»)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from ledger.entries.acts import Act, AssessmentRequire, FreezeOrder
from ledger.entries.fields import Country, ParticipantId
from ledger.entries.payload import acting_for
from ledger.errors import InvalidInput, NotFound
from ledger.participants import Registry
from ledger.planning.declared import is_about_itself
from ledger.queries.alerts import Seat
from ledger.queries.remit import Remit

LIMIT: Final = 1 << 20
"""Bytes of the file."""


class _Stored(Struct, frozen=True, forbid_unknown_fields=True):
    holders: frozenset[ParticipantId] = frozenset()
    recipients: frozenset[ParticipantId] = frozenset()
    jurisdictions: frozenset[Country] = frozenset()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    regulators: dict[ParticipantId, _Stored]
    jurisdictions: dict[Country, frozenset[ParticipantId]] = {}


def read_remits(path: Path | None) -> Mapping[str, Remit]:
    """By regulator; one that is not named sees all. Raises NotFound, InvalidInput, which name what is wrong: a file that does
    not read must not open everything."""
    if path is None:
        return {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"the file of regulators {path} does not exist") from None
    if len(data) > LIMIT:
        raise InvalidInput(f"the file of regulators {path} is larger than {LIMIT} bytes")
    try:
        stored = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the file of regulators {path} does not read: {error}") from None
    return {name: _remit(path, name, one, stored.jurisdictions) for name, one in stored.regulators.items()}


def _remit(path: Path, name: str, one: _Stored, known: Mapping[str, frozenset[str]]) -> Remit:
    within = frozenset[str]().union(*(known.get(place, frozenset()) for place in one.jurisdictions))
    missing = sorted(place for place in one.jurisdictions if not known.get(place))
    if missing:
        raise InvalidInput(
            f"{path}: {name} is there for {', '.join(missing)}, and `jurisdictions` names no participant of it"
        )
    return Remit(one.holders, one.recipients, within)


def remit_of(remits: Mapping[str, Remit], registry: Registry, participant: str) -> Remit:
    """What this participant may see as a regulator. An auditor, who reads the whole log, sees all."""
    return Remit() if registry.has_role(participant, "auditor") else remits.get(participant, Remit())


def check_order(remits: Mapping[str, Remit], registry: Registry, says: Act) -> None:
    """A regulator orders for no consent that it is not there for, even if as an auditor it sees all. Raises NotPermitted."""
    if not isinstance(says, FreezeOrder | AssessmentRequire):
        return
    principal = acting_for(says.iss, says.on_behalf_of)
    if not (isinstance(says, FreezeOrder) and is_about_itself(says, principal, registry)):
        remits.get(principal, Remit()).check_order(says.scope)


def seat_of(remits: Mapping[str, Remit], registry: Registry, participant: str) -> Seat | None:
    """On which side a participant looks at alerts; None for one that none concerns."""
    known = registry.participants.get(participant)
    roles = () if known is None or known.removed else known.roles
    if "regulator" in roles or "auditor" in roles:
        return Seat(participant, "watcher", remit_of(remits, registry, participant))
    if "holder" in roles:
        return Seat(participant, "holder")
    return Seat(participant, "recipient") if "recipient" in roles else None
