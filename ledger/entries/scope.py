"""What an order of a supervisor, or a declaration of a participant, is about (docs/spec/ruleset-3.md, Matching a scope)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from ledger.entries.fields import Code, Country, ParticipantId


class Scope(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All members that are there must match; without any, everything does."""

    country: Country | UnsetType = UNSET
    holder: ParticipantId | UnsetType = UNSET
    permission: Code | UnsetType = UNSET
    purpose: Code | UnsetType = UNSET
    recipient: ParticipantId | UnsetType = UNSET

    def refuse_members(self, *names: str) -> None:
        """Refuse a scope that has one of these members. Raises ValueError."""
        for name in names:
            if getattr(self, name) is not UNSET:
                raise ValueError(f"scope has no {name} here")

    def matches(
        self, holder: str, recipient: str, purpose: str, permissions: tuple[str, ...], country: str | UnsetType
    ) -> bool:
        """Whether an access with these matches; `country`: where it takes the data, absent if nowhere abroad."""
        return (
            (self.holder is UNSET or self.holder == holder)
            and (self.recipient is UNSET or self.recipient == recipient)
            and (self.purpose is UNSET or self.purpose == purpose)
            and (self.permission is UNSET or self.permission in permissions)
            and (self.country is UNSET or self.country == country)
        )
