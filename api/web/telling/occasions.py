"""What of the log is worth telling a customer: the same entries give the same occasions, whoever reads them and how often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET

from api.web.customer import SOON_MS, Connection, Dealings
from api.web.happened import Event
from api.web.subscriptions import Kind
from ledger.consent.state import Status
from ledger.entries.acts import SubjectAnswer
from ledger.entries.declarations import FreezeOrder, IncidentOpen
from ledger.entries.evidence import ConsentOutcome
from ledger.entries.scope import Scope
from ledger.errors import NotFound

DAY_MS: Final = 86_400_000
QUIET_MS: Final = 30 * DAY_MS
"""A read after so long without one is told."""
LOOKED_BACK: Final = 50
REFUSED: Final = 3
"""So many refusals in a day are a burst."""

_CHANGES: Final = frozenset(
    {
        "consent.pause",
        "consent.reauthenticate",
        "consent.resume",
        "consent.suspend",
        "consent.withdraw_accounts",
        "consent.withdraw_approval",
        "consent.withdraw_separate",
    }
)
_ENDS: Final = frozenset({"consent.expire", "consent.revoke", "consent.supersede", "consent.terminate"})
_ANSWERS: Final = frozenset({"answered", "closed"})


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something to tell. `about` tells it from all others; `time` is in ms; `path` is the page that says more."""

    kind: Kind
    about: str
    time: int
    path: str
    recipient: str = ""
    """The app's name, harmless; empty where it is about none."""


def of_entry(dealings: Dealings, index: int) -> Occasion | None:
    """What an entry is to her; None for nothing, and for what is not hers to know. Looks at LOOKED_BACK entries before it."""
    try:
        event = dealings.receipt(index)
    except NotFound:
        return None
    if isinstance(event.says, SubjectAnswer):
        answered = event.says.state in _ANSWERS
        about = f"answer/{index}"
        return Occasion("answer", about, event.time, f"/my/feedback/{event.says.number}") if answered else None
    consent = dealings.consent_of(event)
    key = dealings.key_of(consent.consent_id) if consent else None
    if consent is None or key is None:
        return None
    connection = dealings.connection(key)
    kind = _kind(dealings, connection, event)
    if kind is None:
        return None
    about = f"{kind}/{index}"
    if kind == "refusals":
        about = f"{kind}/{consent.consent_id}/{event.time // DAY_MS}"
    return Occasion(kind, about, event.time, f"/my/connections/{key}", connection.recipient)


def _kind(dealings: Dealings, connection: Connection, event: Event) -> Kind | None:
    if event.is_access:
        if event.allowed and event.seq:  # most reads follow another one, and then one look is enough
            [newest] = dealings.events_from(connection, event.seq - 1, 1)
            if newest.allowed and event.time - newest.time <= QUIET_MS:
                return None
        before = dealings.events_from(connection, max(0, event.seq - LOOKED_BACK), min(LOOKED_BACK, event.seq))
        return _first_read(connection, event, before) if event.allowed else _burst(event, before)
    if event.act == "consent.authorise" and isinstance(event.outcome, ConsentOutcome):
        if event.outcome.status != Status.ACTIVE:
            return None
        return "new" if event.outcome.consent_version <= 1 else "change"
    if event.act in _CHANGES:
        return "change"
    return "stopped" if event.act in _ENDS else None


def _first_read(connection: Connection, event: Event, before: list[Event]) -> Kind | None:
    """After a long time without one. Where that cannot be known from the entries looked at, nothing is said."""
    last = next((one.time for one in reversed(before) if one.allowed), None)
    if last is None:
        if event.seq > len(before):
            return None
        last = connection.consent.authenticated_at * 1000
    return "first-read" if event.time - last > QUIET_MS else None


def _burst(event: Event, before: list[Event]) -> Kind | None:
    lately = [one for one in before if one.is_access and not one.allowed and event.time - one.time < DAY_MS]
    return "refusals" if len(lately) + 1 >= REFUSED else None


def expiring(dealings: Dealings, now: int) -> Iterator[Occasion]:
    """Her consents that end within two weeks."""
    for one in dealings.all_connections():
        ends = one.consent.terms.expires_at * 1000
        if one.status is Status.ACTIVE and ends and now < ends <= now + SOON_MS:
            about = f"expiring/{one.consent.consent_id}/{ends}"
            yield Occasion("expiring", about, ends, f"/my/connections/{one.key}", one.recipient)


def disclosed(dealings: Dealings, index: int, time: int, touched: Iterable[int]) -> Occasion | None:
    """An authority was shown some entries; `touched` are those of her relationship among them."""
    for entry in touched:
        try:
            event = dealings.receipt(entry)
        except NotFound:
            continue
        consent = dealings.consent_of(event)
        key = dealings.key_of(consent.consent_id) if consent else None
        path = "/my/connections" if key is None else f"/my/connections/{key}"
        return Occasion("authority", f"authority/{index}", time, path)
    return None


def scope_of(said: object) -> Scope | None:
    """What an incident or a freeze is about; None for anything else, and for a drill. `said`: a declaration or a document."""
    if isinstance(said, IncidentOpen):
        return said.affected
    if isinstance(said, FreezeOrder):
        return None if said.drill else said.scope
    if isinstance(said, Mapping) and said.get("type") == "freeze.ordered" and not said["drill"]:
        return msgspec.convert(_plain(said["scope"]), Scope)
    return None


def _plain(value: Any) -> dict[str, str]:
    return {str(name): str(member) for name, member in value.items()}


def affected(dealings: Dealings, scope: Scope, index: int, time: int) -> Occasion | None:
    """An incident or a freeze that touches one of her consents in force, wherever the data would go."""
    for one in dealings.all_connections():
        terms = one.consent.terms
        permissions = terms.permissions
        wide = msgspec.structs.replace(scope, country=UNSET)
        if one.is_live and wide.matches(terms.holder, terms.recipient, terms.purpose.code, permissions, UNSET):
            return Occasion("incident", f"incident/{index}", time, f"/my/connections/{one.key}", one.recipient)
    return None
