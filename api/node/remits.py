"""What each regulator is there for, as the log or else a file of the operator's says (docs/supervision.md, «Several
regulators»)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from ledger.documents import document_of
from ledger.entries.acts import Act, AssessmentRequire, FreezeOrder
from ledger.entries.fields import Country, ParticipantId
from ledger.entries.payload import acting_for
from ledger.entries.scope import Bounds
from ledger.errors import InvalidInput, NotFound
from ledger.orders import RemitEnded, RemitGranted
from ledger.participants import Registry
from ledger.planning.declared import is_about_itself
from ledger.queries.alerts import Seat
from ledger.queries.remit import Remit

LIMIT: Final = 1 << 20
"""Bytes of the file."""
NAMES: Final = 6
"""Participants in one document: so many fit a leaf, however long they are."""


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
    return Remit() if registry.has_role(participant, "auditor") else told_remit(remits, registry, participant)


def told_remit(remits: Mapping[str, Remit], registry: Registry, regulator: str) -> Remit:
    """What the log says that a regulator is there for; where it says nothing, what the file says."""
    bounds = registry.supervision.remits.get(regulator)
    if bounds is None:
        return remits.get(regulator, Remit())
    return Remit(bounds.holders, bounds.recipients, bounds.within)


def check_order(remits: Mapping[str, Remit], registry: Registry, says: Act) -> None:
    """A regulator orders for no consent that it is not there for, even if as an auditor it sees all. Raises NotPermitted."""
    if not isinstance(says, FreezeOrder | AssessmentRequire):
        return
    principal = acting_for(says.iss, says.on_behalf_of)
    if not (isinstance(says, FreezeOrder) and is_about_itself(says, principal, registry)):
        told_remit(remits, registry, principal).check_order(says.scope)


def seat_of(remits: Mapping[str, Remit], registry: Registry, participant: str) -> Seat | None:
    """On which side a participant looks at alerts; None for one that none concerns."""
    known = registry.participants.get(participant)
    roles = () if known is None or known.removed else known.roles
    if "regulator" in roles or "auditor" in roles:
        return Seat(participant, "watcher", remit_of(remits, registry, participant))
    if "holder" in roles:
        return Seat(participant, "holder")
    return Seat(participant, "recipient") if "recipient" in roles else None


def remit_documents(
    regulator: str, wanted: Bounds, known: Bounds | None, approved_by: tuple[str, str]
) -> list[dict[str, Any]]:
    """The documents that lead from what the log says of a regulator to what is wanted: what is missing is granted; what is
    too much is ended with all the rest, and granted anew in the same breath."""
    if wanted == (known or Bounds()):
        return []
    found, granted = [], known or Bounds()
    if not _is_wider(wanted, granted):
        found.append(document_of(RemitEnded, approved_by=approved_by, regulator=regulator))
        granted = Bounds()
    for to, names in (
        ("holder", wanted.holders - granted.holders),
        ("party", wanted.within - granted.within),
        ("recipient", wanted.recipients - granted.recipients),
    ):
        some = sorted(names)
        found += [
            document_of(
                RemitGranted,
                approved_by=approved_by,
                regulator=regulator,
                to=to,  # type: ignore[arg-type]  # one of its three
                names=tuple(some[first : first + NAMES]),
            )
            for first in range(0, len(some), NAMES)
        ]
    return found


def _is_wider(wanted: Bounds, granted: Bounds) -> bool:
    return (
        wanted.holders >= granted.holders
        and wanted.recipients >= granted.recipients
        and wanted.within >= granted.within
    )
