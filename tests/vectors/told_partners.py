"""Cases: attestations, maps, tariffs, statements of usage, and masks that were skipped (partners.md)."""

from __future__ import annotations

from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, b64u, leaf_hash, root
from tests.vectors.story import DAY, FIRST, HELPER, HOLDER, RECIPIENT
from tests.vectors.story_3 import BALANCES, MARKS, OFFICERS, WORDS, Story3
from tests.vectors.told_in_tables import BASIS, Tell, both, honest, rows

AT = MARKS["active"]
MONTH: Json = {"from": 1_788_220_800, "to": 1_790_812_800}
"""September 2026, UTC, in which the log begins."""
LINE: Json = {"free": 0, "purpose": "AIS", "resource": "balances", "tiers": [{"from": 0, "price": 1_500}]}


def give(log: Story3, iss: str = RECIPIENT, **changes: Any) -> int:
    members = {"attestation": "licence", "document_hash": WORDS, "issuer": "The authority", "kind": "licence"}
    return log.say(iss, "attestation.give", **{**members, "valid_until": log.now + 60, **changes})


def withdraw(log: Story3, iss: str = RECIPIENT) -> int:
    return log.say(iss, "attestation.withdraw", attestation="licence", reason="over")


def approve(log: Story3, index: int, **changes: Any) -> int:
    return log.operator(
        "attestation.approved", **{"participant": RECIPIENT, "attestation": index, **OFFICERS, **changes}
    )


def certify(log: Story3, **changes: Any) -> int:
    members = {"suite": "partner", "suite_version": "1", "passed": 38, "total": 40, "log_hash": WORDS, **OFFICERS}
    return log.operator("conformance.certified", **{"participant": RECIPIENT, **members, **changes})


WEIGHTS = {"acknowledge": 50, "complaints": 50, "findings": 0, "refused": 900}


def define(log: Story3, **changes: Any) -> int:
    members = {"by": ["recipient"], "measures": ["score"], "period": "month", "suppress": 0, "utc_offset": 0}
    changed = {**members, "report": "scores", "weights": WEIGHTS, **changes}
    return log.operator("report.defined", **{name: value for name, value in changed.items() if value is not None})


def publish(log: Story3, version: int, iss: str = HOLDER) -> int:
    return log.say(iss, "map.publish", fields=12, map="accounts", map_hash=WORDS, map_version=version)


def offer(log: Story3, iss: str = HOLDER, **changes: Any) -> int:
    members = {"currency": "EUR", "from": 0, "recipient": RECIPIENT, "tariff": "basic", "utc_offset": 0}
    return log.say(iss, "tariff.offer", **{**members, "lines": [LINE], **changes})


def accept(log: Story3, index: int, iss: str = RECIPIENT) -> int:
    return log.say(iss, "tariff.accept", offer=index)


def end(log: Story3, index: int, iss: str = HOLDER, **changes: Any) -> int:
    return log.say(iss, "tariff.end", **{"from": log.now + 1, "offer": index, "reason": "over", **changes})


def state(log: Story3, released: list[int], last: int, iss: str = HOLDER, **changes: Any) -> int:
    """Of September, under the offer at `AT`; it counts the releases that are named."""
    members = {
        "amounts": [{"amount": (1_500 * len(released) + 500) // 1_000, "count": len(released)}],
        "count": len(released),
        "left_out": [],
        "offer": AT,
        "recipient": RECIPIENT,
        "replaces": -1,
        "to_index": last,
        **MONTH,
        "root": b64u(root([leaf_hash(index.to_bytes(8)) for index in released])),
        "total": (1_500 * len(released) + 500) // 1_000,
    }
    return log.say(iss, "usage.state", **{**members, **changes})


def answer(log: Story3, index: int, *disputed: int, iss: str = RECIPIENT, **changes: Any) -> int:
    named = [{"index": one, "reason": "not-received"} for one in disputed]
    members = {"answer": "disputed" if named else "agreed", "disputed": named, "statement": index}
    return log.say(iss, "usage.answer", **{**members, **changes})


def used(log: Story3) -> None:
    """A tariff that was offered and accepted; two accesses with both legs; September is over. The releases are entries AT + 3
    and AT + 6, the last entry of September is AT + 7, the next AT + 8."""
    offer(log)
    accept(log, AT)
    for name, before in (("interaction-1", 0), ("interaction-2", 1)):
        basis = log.tick().access(FIRST, log.allow(BASIS, used=before), interaction_id=name, **BALANCES)
        for act in ("access.release", "access.receive"):
            log.leg(act, FIRST, basis, interaction_id=name)
    log.tick(10 * DAY)


BOTH, LAST, NEXT = [AT + 3, AT + 6], AT + 7, AT + 8


def then(*tells: Tell) -> Tell:
    """What comes after September."""
    return both(used, *tells)


honest(
    "partners-who-attest-and-map",
    "Given, approved, certified, withdrawn; a map and its second version.",
    "active",
    both(
        give,
        lambda log: approve(log, AT),
        certify,
        withdraw,
        lambda log: publish(log, 1),
        lambda log: publish(log, 2),
    ),
    "8.3",
    "8.15",
)
honest(
    "a-month-that-is-billed-disputed-and-agreed",
    "Two entries; then one of them left out; the second statement is agreed, and the tariff ends.",
    "active",
    then(
        lambda log: state(log, BOTH, LAST),
        lambda log: answer(log, NEXT, BOTH[0]),
        lambda log: state(log, BOTH[1:], LAST, replaces=NEXT, left_out=[{"index": BOTH[0], "reason": "agreed"}]),
        lambda log: answer(log, NEXT + 2),
        lambda log: end(log, AT),
        lambda log: end(log, AT, RECIPIENT),
    ),
    "8.15",
    "9.14",
)

# --- form --------------------------------------------------------------------------------------------------------

rows(
    "active",
    "7.8",
    code="BAD_ENCODING",
    an_attestation_that_is_over=("`valid_until` above `iat`.", lambda log: give(log, valid_until=log.now)),
    a_map_of_version_0=("From 1 on.", lambda log: publish(log, 0)),
    a_tariff_in_small_letters=("Three letters A–Z.", lambda log: offer(log, currency="eur")),
    a_tariff_without_lines=("1–16.", lambda log: offer(log, lines=[])),
    a_tariff_whose_line_has_no_tier_from_0=(
        "The first tier is from 0.",
        lambda log: offer(log, lines=[{**LINE, "tiers": [{"from": 1, "price": 1}]}]),
    ),
    a_tariff_whose_tiers_do_not_rise=(
        "Each above the one before.",
        lambda log: offer(log, lines=[{**LINE, "tiers": [{"from": 0, "price": 1}, {"from": 0, "price": 2}]}]),
    ),
    a_tariff_at_a_price_without_bound=(
        "At most 10^12.",
        lambda log: offer(log, lines=[{**LINE, "tiers": [{"from": 0, "price": 10**12 + 1}]}]),
    ),
    a_tariff_whose_rows_run_backwards=(
        "`rows_from` ≤ `rows_to`.",
        lambda log: offer(log, lines=[{**LINE, "rows_from": 2, "rows_to": 1}]),
    ),
    a_tariff_that_ends_in_the_past=("`from` above `iat`.", lambda log: end(log, 9, **{"from": log.now})),
    a_statement_that_leaves_out_one_twice=(
        "Sorted by index, each once.",
        lambda log: state(log, [], 9, left_out=[{"index": 3, "reason": "x"}] * 2),
    ),
    an_answer_that_disputes_nothing=("Empty exactly if agreed.", lambda log: answer(log, 9, answer="disputed")),
)
rows(
    "active",
    "8.2",
    code="BAD_ENCODING",
    a_certificate_of_more_than_there_is=("`passed` ≤ `total`.", lambda log: certify(log, passed=41)),
)
rows(
    "active",
    "8.2",
    code="BAD_ENCODING",
    a_score_without_weights=("`weights` where `score` is.", lambda log: define(log, weights=None)),
    a_score_of_a_purpose=("By holder or by recipient.", lambda log: define(log, by=["purpose"])),
    a_score_that_weighs_too_much=(
        "Of sum at most 1,000.",
        lambda log: define(log, weights={**WEIGHTS, "refused": 901}),
    ),
)
honest("a-score-that-is-defined", "By recipient, with weights.", "active", define, "8.2")

# --- legality ----------------------------------------------------------------------------------------------------

rows(
    "active",
    "8.7",
    a_map_of_a_recipient=("A holder.", lambda log: publish(log, 1, RECIPIENT)),
    an_attestation_for_another_without_a_delegation=(
        "The delegation names another act.",
        lambda log: give(log, HELPER, on_behalf_of=HOLDER),
    ),
)
rows(
    "active",
    "8.3",
    an_approval_of_nothing=("An `attestation.give` of it.", lambda log: approve(log, AT - 1)),
    a_certificate_of_a_stranger=("Registered.", lambda log: certify(log, participant="nobody.example")),
)
rows(
    "active",
    "8.3",
    more=1,
    an_approval_of_anothers_attestation=(
        "Of its own.",
        both(lambda log: give(log, HOLDER), lambda log: approve(log, AT)),
    ),
    an_approval_of_what_is_over=(
        "time < `valid_until`·1000.",
        both(give, lambda log: approve(log.tick(60_000), AT)),
    ),
)
rows(
    "active",
    "8.15",
    a_withdrawal_of_nothing=("Given, not withdrawn.", withdraw),
    a_map_that_begins_at_2=("1 for a new map.", lambda log: publish(log, 2)),
    an_acceptance_of_nothing=("A `tariff.offer`.", lambda log: accept(log, AT - 1)),
    an_answer_to_nothing=("A `usage.state`.", lambda log: answer(log, AT - 1)),
)
rows(
    "active",
    "8.15",
    more=1,
    an_attestation_given_twice=("Unique.", both(give, give)),
    a_map_whose_version_is_left_out=("One more.", both(lambda log: publish(log, 1), lambda log: publish(log, 3))),
    an_acceptance_of_what_was_offered_to_another=(
        "To this recipient or any.",
        both(lambda log: offer(log, recipient=HELPER), lambda log: accept(log, AT)),
    ),
    an_end_by_who_did_not_accept=("Who accepted it.", both(offer, lambda log: end(log, AT, RECIPIENT))),
)
rows(
    "active",
    "8.15",
    more=2,
    an_acceptance_after_the_end=(
        "Nor ended.",
        both(offer, lambda log: end(log, AT), lambda log: accept(log, AT)),
    ),
    a_second_end=("Each ends one once.", both(offer, lambda log: end(log, AT), lambda log: end(log, AT))),
    a_statement_of_a_month_that_is_not_over=(
        "Its time is not below `to`·1000.",
        both(offer, lambda log: accept(log, AT), lambda log: state(log, [], AT + 1)),
    ),
)
rows(
    "active",
    "8.15",
    more=NEXT - AT,
    a_statement_of_half_a_month=("A month.", then(lambda log: state(log, BOTH, LAST, to=MONTH["to"] - 86_400))),
    a_statement_up_to_itself=("Below its own index.", then(lambda log: state(log, BOTH, NEXT))),
    a_statement_with_an_amount_too_many=(
        "One for each line.",
        then(lambda log: state(log, BOTH, LAST, amounts=[{"amount": 3, "count": 2}] * 2)),
    ),
    a_first_statement_that_replaces_one=("−1 if there is none.", then(lambda log: state(log, BOTH, LAST, replaces=3))),
)
rows(
    "active",
    "8.15",
    more=NEXT - AT + 1,
    a_second_statement_that_replaces_none=(
        "It replaces the one that there is.",
        then(lambda log: state(log, BOTH, LAST), lambda log: state(log, BOTH, LAST)),
    ),
)
rows(
    "active",
    "8.15",
    more=NEXT - AT + 2,
    a_statement_that_replaces_an_agreed_one=(
        "Not agreed.",
        then(
            lambda log: state(log, BOTH, LAST),
            lambda log: answer(log, NEXT),
            lambda log: state(log, BOTH, LAST, replaces=NEXT),
        ),
    ),
)

# --- what is wrong is a finding ----------------------------------------------------------------------------------


def _wrong(name: str, why: str, tell: Tell) -> None:
    def told(log: Any) -> None:
        then(tell)(log)

    told.__name__, told.__doc__ = name, why
    case("9.14", base="ruleset-3", at=AT, exit=0, findings=(("DISPUTED", NEXT),))(told)


_wrong("a-statement-that-counts-one-twice", "Each once.", lambda log: state(log, [BOTH[0], *BOTH], LAST))
_wrong("a-statement-that-counts-an-access", "First releases.", lambda log: state(log, [BOTH[0], BOTH[1] - 1], LAST))
_wrong("a-statement-that-forgets-one", "All of the month.", lambda log: state(log, BOTH[:1], LAST))
_wrong("a-statement-that-costs-more", "3 for two at 1.5.", lambda log: state(log, BOTH, LAST, total=4))
_wrong("a-statement-that-ends-early", "The last entry of the month.", lambda log: state(log, BOTH, LAST - 1))


@case("9.5", base="ruleset-3", at=AT, exit=0, findings=(("DISPUTED", AT + 1),))
def _a_mask_that_was_skipped(log: Any) -> None:
    """The release has `masks`, and one of the decision is not among them."""
    asked = log.allow(BASIS)
    log.access(FIRST, asked, interaction_id="interaction-1", **BALANCES)
    log.leg("access.release", FIRST, AT, masks=asked["obligations"]["masks"][1:])
