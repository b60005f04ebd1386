"""Statements of usage, recounted: which entries count, what they cost, what a wrong one is told as, and what cannot be known
(docs/spec/partners.md, 3 to 5; verdicts.md, step 9.14)."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.billed import FLAT, Billed, billed, month_of
from tests.verifier.forge import HOLDER, MASKS, OTHER, RECIPIENT, b64u, encode, leaf_hash, sha, tree
from tests.verifier.replaying import replayed, told
from verifier.errors import Code
from verifier.rules.access_legs import RELEASE, Deal, Legs
from verifier.rules.findings import Findings
from verifier.rules.partners import Offer, Partners, Stated
from verifier.rules.tariffs import lines_of
from verifier.rules.usage import UNREAD, WRONG, Usage

DAY = 86_400_000
CHAIN = b64u(bytes(32)).encode()


def refuted(findings: Findings) -> list[tuple[int | None, str | None]]:
    assert told(findings) == []
    wrong = [one for one in findings.disputes if one.sentence == WRONG]
    assert {one.code for one in wrong} <= {Code.DISPUTED}
    return [(one.place.index, one.place.field) for one in wrong]


def line(*tiers: tuple[int, int], free: int = 0, **matched: Any) -> dict[str, Any]:
    return {"free": free, "tiers": [{"from": first, "price": price} for first, price in tiers], **matched}


LINES = [
    line((0, 1_500), (2, 400), free=1, attended=True),
    line((0, 333), purpose="AIS", resource="balances", rows_to=5),
    line((0, 100), (3, 7), resource="transactions", rows_from=2, rows_to=9),
    line((0, 1), rows_from=40),
]


@pytest.mark.parametrize("seed", range(6))
def test_every_statement_of_a_random_life_is_what_the_entries_give(seed: int) -> None:
    dice, world = random.Random(seed), billed()
    offset = dice.choice((0, 480, -840, 840))
    world.register("second.example", ["holder"])
    offers = [
        (world.agreed(*LINES, utc_offset=offset), RECIPIENT, HOLDER),
        (world.agreed(name="flat", recipient=""), RECIPIENT, HOLDER),
        (world.offer(*LINES, recipient=OTHER, name="other"), OTHER, HOLDER),
        (world.agreed(FLAT, iss="second.example"), RECIPIENT, "second.example"),
    ]
    world.accept(offers[2][0], OTHER)
    consents = [(world.grant(), RECIPIENT, HOLDER) for _ in range(2)]
    for recipient, holder in ((OTHER, HOLDER), (RECIPIENT, "second.example")):
        consent = world.request(recipient, recipient=recipient, holder=holder)
        world.authorise(consent, iss=holder)
        consents.append((consent, recipient, holder))
    late: list[int] = []
    for _ in range(3):
        for _ in range(dice.randrange(12, 25)):
            consent, recipient, holder = dice.choice(consents)
            permissions = dice.choice(
                (["ReadBalances"], ["ReadTransactionsDetail"], ["ReadAccountsDetail", "ReadBalances"])
            )
            basis = world.access(consent, recipient, customer_present=dice.random() < 0.4, permissions=permissions)
            if holder != HOLDER:
                continue
            if dice.random() < 0.2:
                late.append(basis)
            elif dice.random() < 0.8:
                world.release(basis, rows=dice.choice((0, 2, 5, 6, 9, 10, 40)))
            if dice.random() < 0.2:
                world.access(consent, recipient, purpose="MKT")  # refused
            world.tick(dice.randrange(DAY))
        world.next_month(dice.choice((0, offset)))
        while late and dice.random() < 0.7:
            world.release(late.pop(), rows=3)
        world.tick(40 * 3_600_000)
        for offer, recipient, holder in offers:
            own = [one["index"] for one in world.given]
            world.state(offer, recipient=recipient, iss=holder, left_out=tuple(sorted(dice.sample(own, 2))))
    findings = replayed(world)
    assert refuted(findings) == []
    assert findings.checked["statements of usage"] == 12
    assert findings.unchecked == {}


def life(times: int = 10) -> tuple[Billed, int, list[int]]:
    """A month of five releases and one of another month, another recipient and a refused access; the tariff, the releases."""
    world = billed()
    offer = world.agreed(line((0, 700 * times), (2, 400 * times), free=1))
    consent, other = world.grant(), world.request(OTHER, recipient=OTHER)
    world.authorise(other)
    world.use(consent)
    world.next_month()
    releases = [world.use(consent) for _ in range(5)]
    world.release(world.access(other, OTHER))
    world.access(consent, purpose="MKT")
    world.next_month()
    world.use(consent)
    return world, offer, releases


WRONGS: list[tuple[str, Callable[[Billed, int, list[int]], int], str]] = [
    ("an entry is counted twice", lambda w, o, r: w.state(o, twice=(r[2],)), "amounts, count, root, total"),
    ("an entry is left out in silence", lambda w, o, r: w.state(o, **fewer(w, o, r[1])), "amounts, count, root, total"),
    ("one of another month takes the place of one", lambda w, o, r: w.state(o, root=exchanged(w, r, 0)), "root"),
    ("one of another recipient takes the place of one", lambda w, o, r: w.state(o, root=exchanged(w, r, 1)), "root"),
    ("a refused one takes the place of one", lambda w, o, r: w.state(o, root=exchanged(w, r, 2)), "root"),
    ("the total is one more", lambda w, o, _: w.state(o, total=23), "total"),
    ("a line counts one more", lambda w, o, _: w.state(o, amounts=[{"amount": 22, "count": 6}]), "amounts"),
    ("a line costs one more", lambda w, o, _: w.state(o, amounts=[{"amount": 23, "count": 5}]), "amounts"),
    ("it ends an entry early", lambda w, o, _: w.state(o, to_index=len(w.entries) - 4), "to_index"),
    ("it ends an entry late", lambda w, o, _: w.state(o, to_index=len(w.entries) - 1), "to_index"),
    ("the left out are counted", lambda w, o, r: w.state(
        o, left_out=(r[0],), **w.figures(o, RECIPIENT, *month_of(month_of(w.time // 1000)[0] - 1))),
     "amounts, count, root, total"),
]  # fmt: skip


def fewer(world: Billed, offer: int, index: int) -> dict[str, Any]:
    return world.figures(offer, RECIPIENT, *month_of(month_of(world.time // 1000)[0] - 1), left_out=(index,))


def exchanged(world: Billed, releases: list[int], which: int) -> str:
    """The root with another entry in the place of one that counts."""
    outside = [one["index"] for one in world.given if one["index"] not in releases]
    others = [outside[0], outside[1], outside[1] + 1]
    return b64u(tree([leaf_hash(index.to_bytes(8)) for index in sorted([*releases[1:], others[which]])]))


@pytest.mark.parametrize(("name", "lie", "fields"), WRONGS, ids=[row[0] for row in WRONGS])
def test_a_wrong_statement_is_a_finding_about_its_holder_at_its_index(
    name: str, lie: Callable[[Billed, int, list[int]], int], fields: str
) -> None:
    world, offer, releases = life()
    index = lie(world, offer, releases)
    world.state(offer)  # the right one
    findings = replayed(world)
    assert refuted(findings) == [(index, fields)], name
    [one] = [one for one in findings.disputes if one.sentence == WRONG]
    assert one.found.startswith(f"{HOLDER} to {RECIPIENT}: ")


def test_the_cost_of_a_statement_is_rounded_once_in_each_line() -> None:
    world, offer, _ = life(1)  # five: one free, two at 0.7, two at 0.4: 2.2
    world.state(offer, amounts=[{"amount": 2, "count": 5}], total=2)
    world.next_month()
    world.state(offer, amounts=[{"amount": 0, "count": 1}], total=0)  # of the month after: one, which is free
    assert refuted(replayed(world)) == []


def test_only_the_first_release_of_an_access_counts_and_at_its_own_time() -> None:
    world = billed()
    offer = world.agreed()
    consent = world.grant()
    basis = world.access(consent)
    world.next_month()
    world.release(basis)
    again = world.release(basis)
    under_none = world.release(world.access(consent, purpose="MKT"))
    world.given.pop()
    first = world.time // 1000 - 1
    world.next_month()
    world.state(offer, first)
    world.state(offer)
    findings = replayed(world)
    assert [row[:2] for row in told(findings)] == [(Code.UNMATCHED, again), (Code.UNMATCHED, under_none)]
    assert not any(one.sentence == WRONG for one in findings.disputes)
    assert findings.checked["statements of usage"] == 2


# --- what cannot be known -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["release", "access", "other", "before", "request"])
def test_a_statement_that_rests_on_an_unread_entry_is_not_checked(what: str) -> None:
    world = billed()
    offer = world.agreed()
    consent, other = world.grant(), world.request(OTHER, recipient=OTHER)
    world.authorise(other)
    request = len(world.entries)
    unknown = world.grant()
    before, late = world.access(consent), world.access(consent)
    world.release(before)
    world.next_month()
    release = world.release(late)
    others = world.access(other, OTHER)
    world.release(others)
    world.access(unknown)
    world.next_month()
    world.state(offer, count=9)
    gone = {"release": release, "access": late, "other": others, "before": before, "request": request}[what]
    findings = replayed(world, withheld=[gone])
    if what == "request":  # nobody knows whose the access of this month is, if that is withheld, too
        assert refuted(findings) == [(len(world.entries) - 1, "count")]
        hidden = next(i for i in range(others, len(world.entries)) if chain_at(world, i) == chain_at(world, request))
        findings = replayed(world, withheld=[request, hidden])
    open_ = what in ("release", "access", "request")
    assert findings.unchecked[UNREAD] == open_
    assert findings.checked["statements of usage"] == 1 - open_


def chain_at(world: Billed, index: int) -> bytes:
    return world.entries[index].split(b'"')[3]


def test_a_leaf_that_nobody_could_read_leaves_its_months_open_and_no_others() -> None:
    world = billed()
    offer = world.agreed()
    consent = world.grant()
    world.use(consent)
    world.next_month()
    world.use(consent)
    lost = world.access(consent)
    world.next_month()
    world.use(consent)
    world.next_month()
    times = [month_of(world.time // 1000)[0] - 1]
    for _ in range(2):
        times.append(month_of(times[-1])[0] - 1)
    for time in times:
        world.state(offer, time)
    findings = replayed(world, lost=[lost])
    # the leaf stands between an entry of the second month and one of the third
    assert findings.unchecked[UNREAD] == 2
    assert findings.checked["statements of usage"] == 1


def test_a_statement_whose_end_could_not_be_read_is_not_checked() -> None:
    world, offer, _ = life()
    index = world.state(offer)
    end = max(at for at, time in enumerate(world.times) if time < month_of(world.time // 1000)[0] * 1000)
    findings = replayed(world, times=lambda at: None if at == end else world.times[at])
    assert (findings.unchecked[UNREAD], findings.checked["statements of usage"]) == (1, 0)
    assert index


# --- masks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("receipt", [False, True])
def test_a_mask_that_a_release_left_out_is_a_finding_about_the_holder_and_stands_in_the_report(receipt: bool) -> None:
    world = billed()
    consent = world.grant(permissions=["ReadAccountsDetail", "ReadBalances"])
    asked = [mask for mask in MASKS if mask != "account-number"]
    every = world.access(consent)
    world.release(every, masks=asked)
    silent = world.access(consent)
    world.release(silent)
    skipped = world.access(consent)
    release = world.release(skipped, masks=sorted([*(mask for mask in asked if mask != "pan"), "some-other"]))
    for basis in (every, silent, *([skipped] if receipt else [])):
        world.leg("access.receive", consent, basis, world.items[basis]["interaction_id"])
    world.tick(3_600_000)
    codes = ["mask-skipped"] if receipt else ["receipt-missing", "mask-skipped"]
    text = b"".join(encode({"access": skipped, "finding": code}) + b"\n" for code in codes)
    findings_hash = b64u(sha(b"consent-ledger/v1/findings\0" + text))
    world.reconcile(findings=len(codes), findings_hash=findings_hash)
    findings = replayed(world)
    assert told(findings) == []
    [one] = findings.disputes
    assert (one.code, one.place.index, one.place.field) == (Code.DISPUTED, release, "masks")
    assert one.found == f"{HOLDER} (entry {release}): without pan"


# --- memory ---------------------------------------------------------------------------------------------------


def test_counts_lie_on_disk_and_the_disk_is_given_back() -> None:
    """More releases than wait in memory."""

    def is_open() -> set[str]:
        return {place.name for place in Path("/dev/fd").iterdir()}

    before, legs, partners = is_open(), Legs(), Partners()
    parties = legs.between(HOLDER, RECIPIENT)
    content = {"interaction_id": "one", "rows": 3, "bytes": 900, "digest": b64u(bytes(32))}
    offer = Offer(0, HOLDER, RECIPIENT, 0, 0, "EUR", lines_of({"lines": [FLAT]}))
    count = 3_000
    wrong = Stated(2 * count, offer, RECIPIENT, 0, 2_678_400, ((0, 0),), 0, 0, "", 1, frozenset())
    partners.stated[2 * count] = wrong
    usage = Usage(partners, legs, lambda index: 0 if index == 1 else 2**50)
    usage.begin(10**9)  # so that all stand in one bucket
    for index in range(0, 2 * count, 2):
        legs.allow(index, CHAIN, content, index, RECIPIENT, Deal(0, b"\0", 0), parties)
        legs.put(index, RELEASE, index + 1, CHAIN, content, index, HOLDER, parties)
        usage.missed(2**45, None)
    findings = Findings()
    with closing(usage), closing(legs):
        legs.finish(findings, 0)
        assert len(is_open()) == len(before) + 2  # the releases, what could not be read
        usage.finish(findings)
    assert is_open() == before
    [one] = findings.disputes
    assert one.expected.startswith(f"amounts {count} for {count}, count {count}, root ")
