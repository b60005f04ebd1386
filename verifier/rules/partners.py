"""Attestations, maps, tariffs and statements of usage, folded in log order (docs/spec/partners.md, 1, 2 and 4).

Raising Refuted(CONSENT_INVALID) says that a step is illegal; it says nothing then. Whether a statement of usage is right
is `usage`'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from verifier.bytes.encoding import Object
from verifier.errors import Code, Refuted, refuted
from verifier.records.partner_acts import MEMBERS
from verifier.rules.tariffs import Line, lines_of, month_of, number

SAID = frozenset(MEMBERS)
AGREED = "agreed"
CERTIFICATE_MS = 365 * 86_400_000
NAMING = {"tariff.accept": "offer", "tariff.end": "offer", "usage.state": "offer", "usage.answer": "statement"}
"""The acts that name an entry, which may be another's, and the member that does."""


@dataclass(slots=True)
class Attestation:
    """Given by `party` as `name`; `valid_until` in seconds."""

    party: str
    name: str
    valid_until: int
    withdrawn: bool = False


@dataclass(slots=True)
class Offer:
    """A `tariff.offer`, which is entry `index`; `start` (s): months that begin earlier are not under it; `recipient` is empty
    for any. `accepted`: by whom; `ends`: by whom, from which second on."""

    index: int
    holder: str
    recipient: str
    start: int
    utc_offset: int
    currency: str
    lines: tuple[Line, ...]
    accepted: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stated:
    """What a `usage.state` says of the month [since, to) (seconds). `amounts`: (count, amount) of each line; `root` in
    base64url."""

    index: int
    offer: Offer
    recipient: str
    since: int
    to: int
    amounts: tuple[tuple[int, int], ...]
    count: int
    total: int
    root: str
    to_index: int
    left_out: frozenset[int]

    @property
    def holder(self) -> str:
        """Who states it."""
        return self.offer.holder

    @property
    def month(self) -> tuple[int, str, int]:
        """Of which there is one statement at a time: the offer's index, the recipient, the first second."""
        return self.offer.index, self.recipient, self.since


@dataclass(frozen=True, slots=True)
class Certificate:
    """A conformance run that was certified at entry `index`; it holds until `until` (ms)."""

    index: int
    version: str
    passed: int
    total: int
    until: int


@dataclass(frozen=True, slots=True)
class PublishedMap:
    """What the `map.publish` at entry `index` commits to."""

    index: int
    fields: int
    hash: str


@dataclass(slots=True)
class Partners:
    """`declare` each act in log order. `attested`: by the entry that gave it; `certified`: the last certificate of each, by
    participant and suite; `published`: by holder, map and version; `stated`: the statements of usage by their index; `latest`:
    of each month the last one; `answers`: what the recipient said of each last, `agreed` or `disputed`."""

    attested: dict[int, Attestation] = field(default_factory=dict)
    certified: dict[tuple[str, str], Certificate] = field(default_factory=dict)
    maps: dict[tuple[str, str], int] = field(default_factory=dict)
    published: dict[tuple[str, str, int], PublishedMap] = field(default_factory=dict)
    offers: dict[int, Offer] = field(default_factory=dict)
    stated: dict[int, Stated] = field(default_factory=dict)
    latest: dict[tuple[int, str, int], int] = field(default_factory=dict)
    answers: dict[int, str] = field(default_factory=dict)
    _names: dict[tuple[str, str], int] = field(default_factory=dict)
    _tariffs: set[tuple[str, str]] = field(default_factory=set)

    def declare(self, act: str, party: str, content: Object, index: int, time: int) -> None:
        """An act of `party`, recorded at `time` (ms). Raises Refuted(CONSENT_INVALID)."""
        _DECLARE[act](self, party, content, index, time)

    def counterpart(self, act: str, content: Object) -> str:
        """The other party on whose entries the legality of this act rests; empty if none is known."""
        if act == "usage.state":
            return str(content["recipient"])
        named = number(content[NAMING[act]]) if act in NAMING else -1
        if act == "usage.answer":
            statement = self.stated.get(named)
            return statement.holder if statement is not None else ""
        offer = self.offers.get(named)
        return offer.holder if offer is not None else ""

    # --- attestations, maps ---------------------------------------------------------------------------------

    def _give(self, party: str, content: Object, index: int, _: int) -> None:
        name = party, str(content["attestation"])
        if name in self._names:
            raise _bad("the id was used before", "attestation", "a new id", name[1])
        self._names[name] = index
        self.attested[index] = Attestation(*name, number(content["valid_until"]))

    def _withdraw(self, party: str, content: Object, _: int, __: int) -> None:
        name = str(content["attestation"])
        given = self.attested.get(self._names.get((party, name), -1))
        if given is None or given.withdrawn:
            raise _bad(
                "only an attestation that was given and not withdrawn is withdrawn", "attestation", "one given", name
            )
        given.withdrawn = True

    def approve(self, participant: str, index: int, time: int) -> None:
        """An `attestation.approved` of the one given at entry `index`; `time` (ms): its own."""
        given = self.attested.get(index)
        if given is None or given.party != participant:
            expected = f"an attestation.give of {participant} below this entry"
            raise _bad("no attestation of the participant is approved", "document.attestation", expected, index)
        if given.withdrawn:
            raise _bad("the attestation was withdrawn before", "document.attestation", "one not withdrawn", given.name)
        if time >= given.valid_until * 1000:
            raise _bad(
                "the attestation is no longer valid",
                "document.attestation",
                f"before {given.valid_until}",
                time // 1000,
            )

    def _publish(self, party: str, content: Object, index: int, _: int) -> None:
        name, version = (party, str(content["map"])), number(content["map_version"])
        expected = self.maps.get(name, 0) + 1
        if version != expected:
            raise _bad("the map goes on with another version", "map_version", expected, version)
        self.maps[name] = version
        self.published[*name, version] = PublishedMap(index, number(content["fields"]), str(content["map_hash"]))

    # --- tariffs --------------------------------------------------------------------------------------------

    def _offer(self, party: str, content: Object, index: int, _: int) -> None:
        name = party, str(content["tariff"])
        if name in self._tariffs:
            raise _bad("the id was used before", "tariff", "a new id", name[1])
        self._tariffs.add(name)
        self.offers[index] = Offer(
            index,
            party,
            str(content["recipient"]),
            number(content["from"]),
            number(content["utc_offset"]),
            str(content["currency"]),
            lines_of(content),
        )

    def _named(self, content: Object) -> Offer:
        index = number(content["offer"])
        offer = self.offers.get(index)
        if offer is None:
            raise _bad("the entry is no tariff.offer", "offer", "a tariff.offer below this entry", index)
        return offer

    def _accept(self, party: str, content: Object, _: int, __: int) -> None:
        offer = self._named(content)
        if offer.recipient not in ("", party):
            raise _bad("the tariff was offered to another", "offer", offer.recipient, party)
        if party in offer.accepted:
            raise _bad("the tariff was accepted before", "offer", "one not accepted yet", offer.index)
        if offer.holder in offer.ends:
            raise _bad("the tariff was ended before", "offer", "one that was not ended", offer.index)
        offer.accepted.add(party)

    def _end(self, party: str, content: Object, _: int, __: int) -> None:
        offer = self._named(content)
        if party != offer.holder and party not in offer.accepted:
            raise _bad("only who offered a tariff or accepted it ends it", "iss", offer.holder, party)
        if party in offer.ends:
            raise _bad("the tariff was ended before", "offer", "one that was not ended", offer.index)
        offer.ends[party] = number(content["from"])

    # --- usage ----------------------------------------------------------------------------------------------

    def _state(self, party: str, content: Object, index: int, time: int) -> None:
        offer = self._named(content)
        if offer.holder != party:
            raise _bad("the tariff is another's", "offer", f"a tariff of {party}", offer.holder)
        stated = _stated(content, offer, index)
        _check_month(stated, time)
        if len(stated.amounts) != len(offer.lines):
            raise _bad("not as many amounts as the tariff has lines", "amounts", len(offer.lines), len(stated.amounts))
        if stated.to_index >= index:
            raise _bad("the statement ends at no entry below it", "to_index", f"at most {index - 1}", stated.to_index)
        before, replaces = self.latest.get(stated.month, -1), number(content["replaces"])
        if replaces != before:
            raise _bad("the statement replaces another than the last one of its month", "replaces", before, replaces)
        if self.answers.get(before) == AGREED:
            raise _bad("the statement replaces one that was agreed", "replaces", "one not agreed", before)
        self.stated[index] = stated
        self.latest[stated.month] = index

    def _answer(self, party: str, content: Object, _: int, __: int) -> None:
        index = number(content["statement"])
        stated = self.stated.get(index)
        if stated is None:
            raise _bad("the entry is no usage.state", "statement", "a usage.state below this entry", index)
        if stated.recipient != party:
            raise _bad("the statement is to another", "statement", stated.recipient, party)
        if self.latest[stated.month] != index:
            raise _bad("the statement was replaced", "statement", self.latest[stated.month], index)
        if self.answers.get(index) == AGREED:
            raise _bad("the statement was agreed before", "statement", "one not agreed", index)
        self.answers[index] = str(content["answer"])


def _stated(content: Object, offer: Offer, index: int) -> Stated:
    amounts, left_out = content["amounts"], content["left_out"]
    assert isinstance(amounts, list)  # noqa: S101 - the form was checked when the statement was read
    assert isinstance(left_out, list)  # noqa: S101
    return Stated(
        index,
        offer,
        str(content["recipient"]),
        number(content["from"]),
        number(content["to"]),
        tuple((number(row["count"]), number(row["amount"])) for row in amounts if isinstance(row, dict)),
        number(content["count"]),
        number(content["total"]),
        str(content["root"]),
        number(content["to_index"]),
        frozenset(number(row["index"]) for row in left_out if isinstance(row, dict)),
    )


def _check_month(stated: Stated, time: int) -> None:
    """The tariff is in force for the month, which is over."""
    offer, since = stated.offer, stated.since
    month = month_of(since, offer.utc_offset)
    if month != (since, stated.to):
        raise _bad("the statement is not of a month", "from", f"{month[0]} to {month[1]}", f"{since} to {stated.to}")
    if time < stated.to * 1000:
        raise _bad("the month is not over", "to", f"a time of {stated.to * 1000}", time)
    if stated.recipient not in offer.accepted:
        raise _bad("the recipient did not accept the tariff", "offer", f"accepted by {stated.recipient}", offer.index)
    ends = [offer.ends[one] for one in (offer.holder, stated.recipient) if one in offer.ends]
    if since < offer.start or any(since >= end for end in ends):
        bounds = f"from {offer.start}" + f" and before {min(ends, default=0)}" * bool(ends)
        raise _bad("the tariff is not in force for the month", "from", bounds, since)


_DECLARE: dict[str, Callable[[Partners, str, Object, int, int], None]] = {
    "attestation.give": Partners._give,
    "attestation.withdraw": Partners._withdraw,
    "map.publish": Partners._publish,
    "tariff.offer": Partners._offer,
    "tariff.accept": Partners._accept,
    "tariff.end": Partners._end,
    "usage.state": Partners._state,
    "usage.answer": Partners._answer,
}


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.CONSENT_INVALID, sentence, field=field, expected=expected, found=found)
