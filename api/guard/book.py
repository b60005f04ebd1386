"""A book that fills itself: consents agreed anywhere, on the ledger's own pages too, are found when they are used.

`ConsentGuard` asks its book which accounts stand behind a consent. This one asks the ledger, and remembers the answer for
some seconds. It decides nothing: whether an access is allowed is the log's decision, which the guard verifies. What the ledger
says here can only shut a door, or open one onto an account that the bank itself has shown under this reference: references
are keyed by the bank's secret, and each is computed anew before it counts.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.client.client import LedgerClient
from api.client.errors import RefusedByLedger
from api.client.pseudonyms import Pseudonyms

ROOM: Final = 100_000
"""Consents that are remembered at the most; the one unused for the longest goes first."""


@dataclass(frozen=True, slots=True)
class AgreedConsent:
    """The data by which a bank finds the accounts of a consent that it holds."""

    consent_id: str
    recipient: str
    subject: str | None
    """The customer, under the pseudonym made for this recipient (`Pseudonyms.customer_for`)."""
    references: tuple[str, ...]
    """Of all accounts that were agreed on, those that wait for another person included: the decision tells them apart."""


AccountsBehind = Callable[[AgreedConsent], Awaitable[Mapping[str, str]]]
"""Reference → the bank's own account id, for the references of a consent that the bank knows."""


class LedgerBook:
    """A `ConsentBook` fed by the ledger. One per application; safe for many requests at once."""

    def __init__(
        self,
        client: LedgerClient,
        behind: AccountsBehind | None = None,
        *,
        fresh: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`client`: the bank's own, with a client key. `behind`: finds the bank's accounts (`KnownAccounts` does); without it
        an account is known to the application by its reference, and the application finds it. `fresh`: seconds for which an
        answer is used again: so long an account that was added to a consent may be refused, and no longer."""
        self._client = client
        self._behind = behind
        self._fresh = fresh
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, Mapping[str, str] | None]] = OrderedDict()

    async def accounts(self, consent_id: str) -> Mapping[str, str] | None:
        """See ConsentBook. Raises what LedgerClient raises when the ledger cannot be asked."""
        now = self._monotonic()
        known = self._known.get(consent_id)
        if known is not None and now - known[0] < self._fresh:
            return known[1]
        found = await self._find(consent_id)
        self._known[consent_id] = now, found
        self._known.move_to_end(consent_id)
        if len(self._known) > ROOM:
            self._known.popitem(last=False)
        return found

    async def _find(self, consent_id: str) -> Mapping[str, str] | None:
        try:
            state = await self._client.consent(consent_id)
        except RefusedByLedger as error:
            if error.status in (403, 404):  # no consent, or one of others
                return None
            raise
        if state.get("holder") != self._client.participant or not state.get("accounts"):
            return None
        agreed = _agreed(consent_id, state)
        if self._behind is None:
            return {reference: reference for reference in agreed.references}
        return await self._behind(agreed)


def _agreed(consent_id: str, state: Mapping[str, Any]) -> AgreedConsent:
    references = {
        str(reference) for name in ("accounts", "waiting", "withdrawn") for reference in state.get(name) or ()
    }
    subject = state.get("subject")
    return AgreedConsent(
        consent_id, str(state.get("recipient")), None if subject is None else str(subject), tuple(sorted(references))
    )


class KnownAccounts:
    """Finds accounts among those of the bank, by the references that the bank's secret makes of them.

    To look through them costs some two microseconds an account, once for each consent in `fresh` seconds. A bank with
    millions keeps who agreed to what in its own database, and is its own `AccountsBehind`.
    """

    def __init__(self, pseudonyms: Pseudonyms, accounts: Iterable[str]) -> None:
        """`accounts`: the bank's own ids of all accounts that can be shared."""
        self._pseudonyms = pseudonyms
        self._accounts = tuple(accounts)

    async def __call__(self, consent: AgreedConsent) -> Mapping[str, str]:
        """See AccountsBehind."""
        wanted, found = set(consent.references), dict[str, str]()
        for account in self._accounts:
            reference = self._pseudonyms.account(account, consent.consent_id)
            if reference in wanted:
                found[reference] = account
                if len(found) == len(wanted):
                    break
        return found
