"""What a check is given beside the consent: what is asked, and when and under what it is decided."""

from __future__ import annotations

from typing import Protocol

from msgspec import UnsetType

from ledger.consent.state import Consent
from ledger.consent.usage import most_used
from ledger.participants import Registry


class Item(Protocol):
    """What is asked: an `access.request`, or an item of a batch."""

    @property
    def accounts(self) -> tuple[str, ...]: ...
    @property
    def customer_present(self) -> bool: ...
    @property
    def from_(self) -> int: ...
    @property
    def interaction_id(self) -> str: ...
    @property
    def permissions(self) -> tuple[str, ...]: ...
    @property
    def purpose(self) -> str: ...
    @property
    def region(self) -> str | UnsetType: ...
    @property
    def to(self) -> int: ...


class Moment:
    """When and under what an access is decided: the time (ms), the effective status then, the registry."""

    __slots__ = ("_consent", "_item", "registry", "status", "time", "used")

    def __init__(self, consent: Consent, item: Item, registry: Registry, time: int) -> None:
        self._consent = consent
        self._item = item
        self.registry = registry
        self.time = time
        self.status = consent.status_at(time, registry.removed)
        if registry.ruleset < 3:
            self.used = consent.used_on(consent.day_of(time))
        else:  # of most consents nothing is counted, and this is the hot path
            self.used = most_used(consent.used, self.units, consent.period_of(time)) if consent.used else 0

    @property
    def units(self) -> tuple[str, ...]:
        """What the item reads, from ruleset 3 on."""
        return self._consent.units_of(self._item.accounts, self._item.permissions, self.registry.ruleset)
