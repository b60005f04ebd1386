"""Scopes, and what is in force over them: freezes, requirements (docs/spec/ruleset-3.md, sections 1 to 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from verifier.bytes.encoding import Object, get_object
from verifier.records.terms import Terms

Name = tuple[str, str]
"""An author (a participant, or the empty string for the operator) and the id that it gave."""


class Scope(NamedTuple):
    """What an access must be about; an empty member is any."""

    country: str = ""
    holder: str = ""
    permission: str = ""
    purpose: str = ""
    recipient: str = ""

    def matches(self, terms: Terms, permissions: tuple[str, ...], region: str) -> bool:
        """Whether an access under these terms, to these permissions, matches all members that there are."""
        return (
            self.holder in ("", terms.holder)
            and self.recipient in ("", terms.recipient)
            and self.purpose in ("", terms.purpose)
            and self.country in ("", region)
            and (not self.permission or self.permission in permissions)
        )


def scope_of(content: Object, name: str = "scope") -> Scope:
    """A scope whose form was checked."""
    return Scope(**{member: str(text) for member, text in get_object(content, name).items()})


class Order(NamedTuple):
    """Something in force over a scope from `start` until `until` (seconds; a requirement has neither)."""

    scope: Scope
    start: int = 0
    until: int = 0


@dataclass(slots=True)
class InForce:
    """Orders by their names, found by the parties that they speak of: a participant that orders much about itself costs
    nobody else anything."""

    _by_name: dict[Name, Order] = field(default_factory=dict)
    _by_parties: dict[tuple[str, str], dict[Name, Order]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._by_parties)

    def put(self, name: Name, order: Order) -> None:
        """One more, or another in place of one of this name."""
        self.end(name)
        self._by_name[name] = order
        self._by_parties.setdefault((order.scope.holder, order.scope.recipient), {})[name] = order

    def end(self, name: Name) -> bool:
        """It is in force no more; False if none of this name was."""
        order = self._by_name.pop(name, None)
        if order is None:
            return False
        self._leave(name, order)
        return True

    def _leave(self, name: Name, order: Order) -> None:
        parties = order.scope.holder, order.scope.recipient
        names = self._by_parties.get(parties, {})
        names.pop(name, None)
        if not names:
            self._by_parties.pop(parties, None)

    def about(self, terms: Terms) -> Iterator[tuple[Name, Order]]:
        """Those whose parties are these, or any."""
        for parties in ((terms.holder, terms.recipient), (terms.holder, ""), ("", terms.recipient), ("", "")):
            names = self._by_parties.get(parties)
            if names:
                yield from names.items()

    def match(self, terms: Terms, permissions: tuple[str, ...], region: str) -> bool:
        """Whether one matches, whatever the time."""
        return any(order.scope.matches(terms, permissions, region) for _, order in self.about(terms))

    def match_at(self, terms: Terms, permissions: tuple[str, ...], region: str, time: int) -> bool:
        """Whether one matches whose times hold `time` (ms). Those that are over are looked at no more."""
        over, found = [], False
        for name, order in self.about(terms):
            if time >= order.until * 1000:
                over.append((name, order))
            elif order.start * 1000 <= time and order.scope.matches(terms, permissions, region):
                found = True
                break
        for name, order in over:
            self._leave(name, order)
        return found
