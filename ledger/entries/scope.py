"""What an order of a supervisor, or a declaration of a participant, is about, and what a regulator may order
(docs/spec/ruleset-3.md, Matching a scope, Remits)."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from ledger.entries.fields import Code, Country, ParticipantId
from ledger.errors import NotPermitted


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


class Bounds(Struct, frozen=True, forbid_unknown_fields=True):
    """Consents of these holders, with these recipients, of which a party is among `within` (the participants of some
    jurisdictions). What names nobody leaves nobody out."""

    holders: frozenset[str] = frozenset()
    recipients: frozenset[str] = frozenset()
    within: frozenset[str] = frozenset()

    @property
    def is_limited(self) -> bool:
        """Whether anything is outside them."""
        return bool(self.holders or self.recipients or self.within)

    @property
    def named(self) -> frozenset[str]:
        """The participants that they name."""
        return self.holders | self.recipients | self.within

    def check_order(self, scope: Scope) -> None:
        """No consent outside them can match this scope. Raises NotPermitted, which says what the scope must name."""
        named = {one for one in (scope.holder, scope.recipient) if one is not UNSET}
        for mine, member, value in (
            (self.holders, "holder", scope.holder),
            (self.recipients, "recipient", scope.recipient),
        ):
            if mine and value not in mine:
                raise NotPermitted(
                    f"this regulator is there for some {member}s only: the scope of its order names one of them as "
                    f"`{member}`",
                    member="scope",
                )
        if self.within and self.within.isdisjoint(named):
            raise NotPermitted(
                "this regulator is there for some jurisdictions only: the scope of its order names as `holder` or as "
                "`recipient` a participant that the operator counts among them",
                member="scope",
            )
