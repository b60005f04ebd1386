"""What partners have declared to each other: a fold over declarations and documents (docs/spec/partners.md).

Like the registry, which holds it, a value never changes: an entry makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar, assert_never

from msgspec import Struct, structs

from ledger.billing.months import month_with
from ledger.entries.partner_acts import (
    AttestationGive,
    AttestationWithdraw,
    MapPublish,
    PartnerAct,
    TariffAccept,
    TariffEnd,
    TariffOffer,
    UsageAnswer,
    UsageState,
)
from ledger.errors import Conflict, IllegalTransition, NotFound
from ledger.orders import AttestationApproved, ConformanceCertified, PartnerDocument

CERTIFICATE_MS: Final = 365 * 86_400_000
"""How long a certificate holds."""

K = TypeVar("K")
V = TypeVar("V")


class Attestation(Struct, frozen=True):
    """What a participant attests of itself at entry `index`."""

    author: str
    says: AttestationGive
    index: int
    withdrawn_at: int | None = None
    approved_at: int | None = None
    """The last document that approves it."""

    def counts(self, time: int) -> bool:
        """Whether it is neither withdrawn nor past at `time` (ms)."""
        return self.withdrawn_at is None and time < self.says.valid_until * 1000


class TariffEnding(Struct, frozen=True):
    """The end of a tariff: by whom, from which second onwards, at which entry."""

    by: str
    from_: int
    index: int


class Tariff(Struct, frozen=True):
    """An offer at entry `index`; `accepted`: the entry, by recipient."""

    author: str
    says: TariffOffer
    index: int
    accepted: Mapping[str, int] = MappingProxyType({})
    ended: tuple[TariffEnding, ...] = ()

    def ended_by(self, participant: str) -> TariffEnding | None:
        """How this participant ended it, if it did."""
        return next((each for each in self.ended if each.by == participant), None)

    def holds_for(self, recipient: str, first: int) -> bool:
        """Whether it is in force between its holder and this recipient for the month that begins at `first` (s)."""
        ends = [each.from_ for each in self.ended if each.by in (self.author, recipient)]
        return recipient in self.accepted and self.says.from_ <= first and all(first < end for end in ends)


class UsageStatement(Struct, frozen=True):
    """A statement at entry `index`, and what became of it."""

    author: str
    says: UsageState
    index: int
    time: int
    """Of its entry (ms)."""
    replaced_by: int | None = None
    answered_at: int | None = None
    answer: UsageAnswer | None = None
    """The recipient's last word."""

    @property
    def is_agreed(self) -> bool:
        """Whether both sides have signed it."""
        return self.answer is not None and self.answer.answer == "agreed"

    @property
    def state(self) -> str:
        """`stated`, `agreed`, `disputed`, or `replaced`."""
        if self.replaced_by is not None:
            return "replaced"
        return "stated" if self.answer is None else self.answer.answer


class PublishedMap(Struct, frozen=True):
    """A version of a holder's data map, published at entry `index` and `time` (ms)."""

    author: str
    says: MapPublish
    index: int
    time: int


class ConformanceCertificate(Struct, frozen=True):
    """A conformance run that the operator certified, at `time` (ms)."""

    says: ConformanceCertified
    index: int
    time: int

    @property
    def valid_until(self) -> int:
        """Milliseconds (docs/spec/partners.md, 2)."""
        return self.time + CERTIFICATE_MS


Of = tuple[str, str]
"""(participant, id): ids are compared within their author."""
Billed = tuple[int, str, int]
"""(offer, recipient, first second of the month): what a statement is of."""


@dataclass(frozen=True, slots=True)
class Partners:
    """All that partners have declared as of some index."""

    attestations: Mapping[Of, Attestation] = field(default_factory=dict)
    maps: Mapping[Of, tuple[PublishedMap, ...]] = field(default_factory=dict)
    """All versions of each, the first one first."""
    tariffs: Mapping[int, Tariff] = field(default_factory=dict)
    """By the offer's index."""
    tariff_codes: frozenset[Of] = frozenset()
    statements: Mapping[int, UsageStatement] = field(default_factory=dict)
    """By index."""
    last_of_month: Mapping[Billed, int] = field(default_factory=dict)
    certificates: Mapping[str, tuple[ConformanceCertificate, ...]] = field(default_factory=dict)
    """By participant, in the order of their entries."""

    def after_declaration(self, principal: str, says: PartnerAct, index: int, time: int) -> Partners:
        """What this declaration, recorded at `index` and `time` (ms), leads to.

        Raises Conflict, NotFound, IllegalTransition.
        """
        match says:
            case AttestationGive():
                name = principal, says.attestation
                if name in self.attestations:
                    raise Conflict("this participant gave an attestation of this name before", member="attestation")
                return self._attested(Attestation(principal, says, index))
            case AttestationWithdraw():
                given = self.attestations.get((principal, says.attestation))
                if given is None or given.withdrawn_at is not None:
                    raise NotFound("this participant has given no such attestation that stands", member="attestation")
                return self._attested(structs.replace(given, withdrawn_at=index))
            case MapPublish():
                return self._mapped(PublishedMap(principal, says, index, time))
            case TariffOffer():
                name = principal, says.tariff
                if name in self.tariff_codes:
                    raise Conflict("this holder offered a tariff of this name before: choose another", member="tariff")
                changed = replace(self, tariff_codes=self.tariff_codes | {name})
                return changed._offered(Tariff(principal, says, index))
            case TariffAccept():
                return self._accepted(principal, says, index)
            case TariffEnd():
                return self._ended(principal, says, index)
            case UsageState():
                return self._stated(principal, says, index, time)
            case UsageAnswer():
                return self._answered(principal, says, index)
            case _:
                assert_never(says)

    def after_document(self, document: PartnerDocument, index: int, time: int) -> Partners:
        """What this document, recorded at `index` and `time` (ms), leads to. Raises NotFound, IllegalTransition."""
        match document:
            case AttestationApproved():
                given = next(
                    (
                        each
                        for (author, _), each in self.attestations.items()
                        if author == document.participant and each.index == document.attestation
                    ),
                    None,
                )
                if given is None:
                    raise NotFound(
                        f"entry {document.attestation} is not an attestation of {document.participant!r}",
                        member="attestation",
                    )
                if not given.counts(time):
                    raise IllegalTransition("the attestation was withdrawn, or has expired", member="attestation")
                return self._attested(structs.replace(given, approved_at=index))
            case ConformanceCertified():
                before = self.certificates.get(document.participant, ())
                certified = (*before, ConformanceCertificate(document, index, time))
                return replace(self, certificates=_with(self.certificates, document.participant, certified))
            case _:
                assert_never(document)

    def tariff(self, offer: int) -> Tariff:
        """The tariff that was offered at this entry. Raises NotFound."""
        found = self.tariffs.get(offer)
        if found is None:
            raise _no_tariff(offer)
        return found

    # -- the parts ------------------------------------------------------------------------------------------------------

    def _attested(self, attestation: Attestation) -> Partners:
        name = attestation.author, attestation.says.attestation
        return replace(self, attestations=_with(self.attestations, name, attestation))

    def _mapped(self, published: PublishedMap) -> Partners:
        name = published.author, published.says.map
        before = self.maps.get(name, ())
        if published.says.map_version != len(before) + 1:
            raise IllegalTransition(f"the next version of this map is {len(before) + 1}", member="map_version")
        return replace(self, maps=_with(self.maps, name, (*before, published)))

    def _offered(self, tariff: Tariff) -> Partners:
        return replace(self, tariffs=_with(self.tariffs, tariff.index, tariff))

    def _accepted(self, principal: str, says: TariffAccept, index: int) -> Partners:
        tariff = self.tariffs.get(says.offer)
        if tariff is None or tariff.says.recipient not in ("", principal):
            raise _no_tariff(says.offer)
        if principal in tariff.accepted:
            raise Conflict("this participant accepted the offer before", member="offer")
        if tariff.ended_by(tariff.author) is not None:
            raise IllegalTransition("the holder has ended this tariff", member="offer")
        return self._offered(structs.replace(tariff, accepted=_with(tariff.accepted, principal, index)))

    def _ended(self, principal: str, says: TariffEnd, index: int) -> Partners:
        tariff = self.tariffs.get(says.offer)
        if tariff is None or (principal != tariff.author and principal not in tariff.accepted):
            raise _no_tariff(says.offer)
        if tariff.ended_by(principal) is not None:
            raise IllegalTransition("this participant has ended the tariff already", member="offer")
        return self._offered(structs.replace(tariff, ended=(*tariff.ended, TariffEnding(principal, says.from_, index))))

    def _stated(self, principal: str, says: UsageState, index: int, time: int) -> Partners:
        tariff = self.tariffs.get(says.offer)
        if tariff is None or tariff.author != principal:
            raise _no_tariff(says.offer)
        if len(says.amounts) != len(tariff.says.lines):
            raise IllegalTransition(f"the tariff has {len(tariff.says.lines)} lines: one amount each", member="amounts")
        month = month_with(says.from_, tariff.says.utc_offset)
        if (says.from_, says.to) != month:
            raise IllegalTransition("from and to are the first seconds of a month and of the next one", member="from")
        if time < says.to * 1000:
            raise IllegalTransition("the month is not over: a statement is made after its end", member="to")
        if not tariff.holds_for(says.recipient, says.from_):
            raise IllegalTransition(
                "the tariff is not in force for this month between the two: it is accepted, the month begins at or after "
                "its `from`, and before that of its end",
                member="offer",
            )
        if says.to_index >= index:
            raise IllegalTransition("to_index is the last entry of the month, below this one", member="to_index")
        key = says.offer, says.recipient, says.from_
        last = self.last_of_month.get(key)
        if says.replaces != (-1 if last is None else last):
            raise IllegalTransition(
                "there is no statement of this month yet: replaces is -1"
                if last is None
                else f"this month was stated at entry {last}: another statement replaces that one",
                member="replaces",
            )
        statements = {**self.statements, index: UsageStatement(principal, says, index, time)}
        if last is not None:
            before = statements[last]
            if before.is_agreed:
                raise IllegalTransition(
                    "both sides have signed the statement of this month: put what is left into the next one",
                    member="replaces",
                )
            statements[last] = structs.replace(before, replaced_by=index)
        return replace(
            self,
            statements=MappingProxyType(statements),
            last_of_month=_with(self.last_of_month, key, index),
        )

    def _answered(self, principal: str, says: UsageAnswer, index: int) -> Partners:
        stated = self.statements.get(says.statement)
        if stated is None or stated.says.recipient != principal:
            raise NotFound(f"entry {says.statement} is not a usage statement to this participant", member="statement")
        if stated.replaced_by is not None:
            raise IllegalTransition(f"entry {stated.replaced_by} has replaced this statement", member="statement")
        if stated.is_agreed:
            raise IllegalTransition("this participant has agreed to the statement already", member="statement")
        answered = structs.replace(stated, answered_at=index, answer=says)
        return replace(self, statements=_with(self.statements, stated.index, answered))


def _no_tariff(offer: int) -> NotFound:
    return NotFound(
        f"entry {offer} is not a tariff that this participant offered, was offered, or accepted", member="offer"
    )


def _with(known: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    changed: dict[Any, Any] = {**known, key: value}
    return MappingProxyType(changed)
