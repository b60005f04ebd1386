"""A world of ruleset 3 with tariffs and statements of usage, counted naively from docs/spec/partners.md over the list of all
that happened. Nothing of ours is imported."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.verifier.forge import HOLDER, RECIPIENT, Json, b64u, leaf_hash, tree
from tests.verifier.supervised import APPROVED, CATALOGUE, Supervised

HASH = b64u(bytes(32))
FLAT: Json = {"free": 0, "tiers": [{"from": 0, "price": 1_000}]}


def month_of(second: int, utc_offset: int = 0) -> tuple[int, int]:
    """The first second of its month and of the next one."""
    local = dt.datetime.fromtimestamp(second, dt.UTC) + dt.timedelta(minutes=utc_offset)
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    return tuple(int(one.timestamp()) - 60 * utc_offset for one in (first, after))  # type: ignore[return-value]


def matches(line: Json, item: Json, rows: int) -> bool:
    resources = {CATALOGUE.get(code, {"resource": code}).get("resource", "") for code in item["permissions"]}
    return (
        line.get("attended", item["customer_present"]) == item["customer_present"]
        and line.get("purpose", item["purpose"]) == item["purpose"]
        and ("resource" not in line or line["resource"] in resources)
        and line.get("rows_from", rows) <= rows <= line.get("rows_to", rows)
    )


class Billed(Supervised):
    """`use` is an access with its release; `state` a statement that is right unless a test says otherwise."""

    def __init__(self, seed: int = 0, ruleset: int = 3) -> None:
        super().__init__(seed, ruleset)
        self.items: dict[int, Json] = {}
        self.given: list[Json] = []
        self.offers: dict[int, Json] = {}
        self.latest: dict[tuple[int, str, int], int] = {}

    # --- attestations, maps, documents ----------------------------------------------------------------------

    def attest(self, iss: str = RECIPIENT, name: str = "licence", **changes: Any) -> int:
        plain = {"attestation": name, "document_hash": HASH, "issuer": "The authority", "kind": "licence"}
        return self.declare(iss, "attestation.give", **{**plain, "valid_until": self.time // 1000 + 600, **changes})

    def unattest(self, iss: str = RECIPIENT, name: str = "licence") -> int:
        return self.declare(iss, "attestation.withdraw", attestation=name, reason="over")

    def approve(self, index: int, participant: str = RECIPIENT, **changes: Any) -> int:
        document = {"participant": participant, "attestation": index, "approved_by": APPROVED}
        return self.operator({"type": "attestation.approved", **document, **changes})

    def certify(self, participant: str = RECIPIENT, **changes: Any) -> int:
        figures = {"suite": "partner", "suite_version": "1.0", "passed": 38, "total": 40, "log_hash": HASH}
        document = {"participant": participant, **figures, "approved_by": APPROVED}
        return self.operator({"type": "conformance.certified", **document, **changes})

    def publish(self, version: int = 1, name: str = "accounts-api", iss: str = HOLDER) -> int:
        return self.declare(iss, "map.publish", fields=12, map=name, map_hash=HASH, map_version=version)

    # --- tariffs --------------------------------------------------------------------------------------------

    def offer(self, *lines: Json, iss: str = HOLDER, name: str = "basic", **changes: Any) -> int:
        plain = {"currency": "EUR", "from": 0, "recipient": RECIPIENT, "tariff": name, "utc_offset": 0}
        members = {**plain, "lines": list(lines) or [FLAT], **changes}
        self.offers[len(self.entries)] = {**members, "holder": iss}
        return self.declare(iss, "tariff.offer", **members)

    def accept(self, offer: int, iss: str = RECIPIENT) -> int:
        return self.declare(iss, "tariff.accept", offer=offer)

    def end_tariff(self, offer: int, iss: str = HOLDER, **changes: Any) -> int:
        return self.declare(
            iss, "tariff.end", **{"from": self.time // 1000 + 1, "offer": offer, "reason": "over", **changes}
        )

    def agreed(self, *lines: Json, **changes: Any) -> int:
        """A tariff that was offered and accepted."""
        offer = self.offer(*lines, **changes)
        self.accept(offer)
        return offer

    # --- usage ----------------------------------------------------------------------------------------------

    def release(self, basis: int, **changes: Any) -> int:
        item = self.items[basis]
        index = self.leg("access.release", item["consent_id"], basis, item["interaction_id"], **changes)
        terms = self.consents[item["consent_id"]]["terms"]
        first = not any(one["basis"] == basis for one in self.given)
        if first:
            parties = terms["holder"], terms["recipient"]
            self.given.append(
                {"index": index, "time": self.time, "basis": basis, "parties": parties, "rows": changes.get("rows", 3)}
            )
        return index

    def access(self, consent_id: str, *arguments: Any, **changes: Any) -> int:
        changes.setdefault("interaction_id", b64u(self.random.randbytes(12)))
        index = super().access(consent_id, *arguments, **changes)
        plain = {"customer_present": False, "permissions": ["ReadBalances"], "purpose": "AIS"}
        self.items[index] = {**plain, **changes, "consent_id": consent_id}
        return index

    def use(self, consent_id: str, rows: int = 3, **changes: Any) -> int:
        return self.release(self.access(consent_id, **changes), rows=rows)

    def figures(
        self,
        offer: int,
        recipient: str,
        since: int,
        to: int,
        left_out: tuple[int, ...] = (),
        twice: tuple[int, ...] = (),
    ) -> Json:
        """What the entries give; `twice`: a lie."""
        tariff = self.offers[offer]
        own = [
            one
            for one in self.given
            if one["parties"] == (tariff["holder"], recipient)
            and since * 1000 <= one["time"] < to * 1000
            and one["index"] not in left_out
        ]
        own = sorted([*own, *(one for one in own if one["index"] in twice)], key=lambda one: one["index"])
        numbers = [0] * len(tariff["lines"])
        thousandths = [0] * len(tariff["lines"])
        for one in own:
            for at, line in enumerate(tariff["lines"]):
                if matches(line, self.items[one["basis"]], one["rows"]):
                    number = numbers[at] - line["free"]
                    numbers[at] += 1
                    if number >= 0:
                        thousandths[at] += [t["price"] for t in line["tiers"] if t["from"] <= number][-1]
                    break
        amounts = [{"amount": (sum_ + 500) // 1000, "count": n} for n, sum_ in zip(numbers, thousandths, strict=True)]
        return {
            "amounts": amounts,
            "count": len(own),
            "root": b64u(tree([leaf_hash(one["index"].to_bytes(8)) for one in own])),
            "to_index": max(index for index, time in enumerate(self.times) if time < to * 1000),
            "total": sum(amount["amount"] for amount in amounts),
        }

    def state(
        self,
        offer: int,
        of: int | None = None,
        recipient: str = RECIPIENT,
        *,
        iss: str = HOLDER,
        left_out: tuple[int, ...] = (),
        twice: tuple[int, ...] = (),
        **lies: Any,
    ) -> int:
        """A statement of the month that second `of` lies in; else of the month before this one."""
        offset = self.offers[offer]["utc_offset"]
        since, to = month_of(month_of(self.time // 1000, offset)[0] - 1 if of is None else of, offset)
        month = offer, recipient, since
        members = {
            "from": since,
            "to": to,
            "offer": offer,
            "recipient": recipient,
            "replaces": self.latest.get(month, -1),
            "left_out": [{"index": index, "reason": "agreed"} for index in left_out],
            **self.figures(offer, recipient, since, to, left_out, twice),
        }
        self.latest[month] = len(self.entries)
        return self.declare(iss, "usage.state", **{**members, **lies})

    def answer_usage(self, statement: int, *disputed: int, iss: str = RECIPIENT) -> int:
        rows = [{"index": index, "reason": "not-received"} for index in disputed]
        return self.declare(
            iss, "usage.answer", answer="disputed" if rows else "agreed", disputed=rows, statement=statement
        )

    def next_month(self, offset: int = 0) -> int:
        """Time goes on to the first second of the next month; that second."""
        self.time = month_of(self.time // 1000, offset)[1] * 1000
        return self.time // 1000


def billed() -> Billed:
    world = Billed(3)
    world.begun()
    return world
