"""What a guard with a data map lets out of an answer (docs/spec/partners.md, 9)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from msgspec import UNSET

from api.guard.masks import MASKS
from ledger.catalogue import CATALOGUES
from ledger.datamaps import ANY, DataMap, MappedField, step_of

log = logging.getLogger("consent_ledger.guard")

GONE: Final = object()
"""In the place of a value that does not leave."""
REMEMBERED: Final = 1_000
"""Places that nobody graded and that were told of once."""


@dataclass(slots=True)
class Branch:
    """What stands at a place of an answer: a field, or members and elements below it."""

    field: MappedField | None = None
    below: dict[str, Branch] = dataclasses.field(default_factory=dict)

    def step(self, name: str) -> Branch | None:
        """The place of a member; of one whose name is not in the map, that of every member."""
        return self.below.get(step_of(name)) or self.below.get(ANY)


@dataclass(frozen=True, slots=True)
class OperationMap:
    """The part of a map that is about one operation, for accesses under certain permissions."""

    at: str
    root: Branch
    permissions: frozenset[str]
    """Those of the access, and those that they imply."""
    told: set[tuple[str, str]]

    def leaves(self, mapped: MappedField) -> bool:
        """Whether the field leaves at all under these permissions."""
        if mapped.permission is UNSET:
            return mapped.grade == 1
        return mapped.permission in self.permissions

    def let_out(self, body: Any, masks: Iterable[str]) -> Any:
        """The body as it leaves. Raises ValueError for a mask that nobody here can apply, and a body none of which leaves."""
        owed = frozenset(masks)
        if unknown := owed - MASKS.keys():
            raise ValueError(f"the decision names a mask that this guard does not know: {min(unknown)}")
        left = self._passed(body, self.root, "", owed)
        if left is GONE:
            raise ValueError(f"nothing of the answer of {self.at} stands in the data map")
        return left

    def told_to(self, masks: Iterable[str]) -> dict[str, Any]:
        """For an application behind the sidecar: by mask of the decision the places to mask, and the places that do not
        leave."""
        owed = frozenset(masks)
        masked: dict[str, list[str]] = {}
        withheld: list[str] = []
        for each in _fields(self.root):
            if not self.leaves(each):
                withheld.append(each.field)
            elif each.mask is not UNSET and each.mask in owed:
                masked.setdefault(each.mask, []).append(each.field)
        return {"masked": masked, "withheld": withheld}

    def _passed(self, value: Any, here: Branch, place: str, owed: frozenset[str]) -> Any:
        if here.field is not None:
            if not self.leaves(here.field):
                return GONE
            masked = here.field.mask is not UNSET and here.field.mask in owed
            return _hidden(value, str(here.field.mask)) if masked else value
        if value is None:
            return None
        if isinstance(value, Mapping):
            passed = {name: self._member(name, member, here, place, owed) for name, member in value.items()}
            return {name: member for name, member in passed.items() if member is not GONE}
        if isinstance(value, list | tuple):
            every = here.below.get(ANY)
            if every is None:
                return self._ungraded(f"{place}/{ANY}")
            elements = [self._passed(element, every, f"{place}/{ANY}", owed) for element in value]
            return [element for element in elements if element is not GONE]
        return self._ungraded(place)

    def _member(self, name: Any, value: Any, here: Branch, place: str, owed: frozenset[str]) -> Any:
        below = here.step(str(name))
        inside = f"{place}/{step_of(str(name))}"
        return self._ungraded(inside) if below is None else self._passed(value, below, inside, owed)

    def _ungraded(self, place: str) -> object:
        """Nobody graded it: it stays, and is told of once."""
        if (self.at, place) not in self.told and len(self.told) < REMEMBERED:
            self.told.add((self.at, place))
            log.warning("a field that nobody graded is left out of an answer: %s of %s", place, self.at)
        return GONE


class MappedAnswers:
    """A holder's data map, operation by operation."""

    def __init__(self, data_map: DataMap) -> None:
        self.map = data_map
        self._roots: dict[str, Branch] = {}
        self._told: set[tuple[str, str]] = set()
        for each in data_map.fields:
            here = self._roots.setdefault(each.at, Branch())
            for step in each.field.split("/")[1:]:
                here = here.below.setdefault(step, Branch())
            here.field = each

    def of(self, at: str, permissions: Iterable[str]) -> OperationMap | None:
        """What it says of this operation for an access under these permissions; None if it says nothing."""
        root = self._roots.get(at)
        if root is None:
            return None
        granted = frozenset(permissions)
        implied = {weak for weak, strong in CATALOGUES[self.map.ruleset].implied_by.items() if strong in granted}
        return OperationMap(at, root, granted | implied, self._told)


def _hidden(value: Any, mask: str) -> Any:
    """Every value within, masked; what is None stays None."""
    if isinstance(value, Mapping):
        return {name: _hidden(member, mask) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(element, mask) for element in value]
    return None if value is None else MASKS[mask](str(value))


def _fields(branch: Branch) -> Iterable[MappedField]:
    if branch.field is not None:
        yield branch.field
    for below in branch.below.values():
        yield from _fields(below)
