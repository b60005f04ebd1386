"""Cases: what a holder brings from before the log, and what its sheets give (history.md)."""

from __future__ import annotations

from typing import Any

from tests.histories import BEFORE, Told, row, sheet
from tests.vectors.cases import case
from tests.vectors.hashing import b64u, draw
from tests.vectors.story import HOLDER, RECIPIENT, SUBJECT, chain_text
from tests.vectors.story_3 import MARKS, OFFICERS, Story3
from tests.vectors.told_in_tables import Tell, both, honest, rows

AT = MARKS["active"]
"""Of the `history.attest`; the log has its clock go on before each entry."""
ANN, BOB = (b64u(draw(f"history/{name}", 18)) for name in ("ann", "bob"))


def past(**changes: Any) -> Told:
    return Told(
        sheet(ANN, [row("consent"), row(record=2, time=BEFORE + 5)], 0, 0, 2),
        sheet(ANN, [row("revocation", record=3, time=BEFORE + 9)], 1, 1, 2),
        sheet(BOB, [row(record=4)], 2),
        **changes,
    )


def attest(told: Told, iss: str = HOLDER, **changes: Any) -> Tell:
    return lambda log: log.say(iss, "history.attest", **(told.attest | changes))


def bring(told: Told, position: int, iss: str = HOLDER, at: int = AT, chain: Any = None, **changes: Any) -> Tell:
    members = told.of(position, at) | changes
    return lambda log: log.say(iss, "history.sheet", chain=chain, **members)


def whole(told: Told, *positions: int) -> Tell:
    return both(attest(told), *(bring(told, each) for each in positions or range(len(told.sheets))))


def withdraw(log: Story3) -> int:
    return log.say(HOLDER, "history.withdraw", history="before-2020", reason="wrong-columns")


def erase(subject: str, kind: str = "history") -> Tell:
    chain = chain_text(f"{kind}:{HOLDER}:{subject}")
    return lambda log: log.operator("erasure", chains=[chain], basis="retention", **OFFICERS)


TOLD = past()
honest("a-history-with-all-its-sheets", "In any order.", "active", whole(TOLD, 2, 0, 1), "9.15")
honest("a-history-that-lacks-a-sheet", "Counted.", "active", whole(TOLD, 0, 2), "9.15", unchecked=True)
honest("a-history-that-was-withdrawn", "Told.", "active", both(whole(past(rows=9), 0, 1, 2), withdraw), "9.15")
honest(
    "a-source-that-is-brought-again",
    "Once withdrawn.",
    "active",
    both(attest(TOLD), withdraw, attest(TOLD, history="again")),
    "8.15",
)


def _differs(name: str, why: str, told: Told) -> None:
    def tell(log: Any) -> None:
        whole(told)(log)

    tell.__name__, tell.__doc__ = name, why
    case("9.15", base="ruleset-3", at=AT, exit=0, findings=(("DISPUTED", AT),))(tell)


_differs("a-history-of-more-rows", "As many as there are.", past(rows=5))
_differs("a-history-of-fewer-customers", "Each of them.", past(customers=1))
_differs("a-history-that-began-earlier", "The lowest time.", past(first=BEFORE - 1))
_differs("a-history-that-lasted-longer", "The highest time.", past(last=BEFORE + 10))

rows(
    "active",
    "8.15",
    a_history_that_nobody_attested=("Attested before.", withdraw),
    a_sheet_of_no_history=("One below it.", bring(TOLD, 0, at=AT - 1)),
)
rows(
    "active",
    "8.15",
    more=1,
    a_history_brought_twice=("Once, under whatever name.", both(attest(TOLD), attest(TOLD, history="again"))),
    a_history_of_a_used_name=(
        "A name is used once.",
        both(attest(TOLD), attest(past(source=TOLD.attest["source"] | {"files": 2, "hash": b64u(draw("other"))}))),
    ),
    a_sheet_of_another_root=(
        "Its path leads to the root.",
        both(attest(TOLD), bring(TOLD, 0, path=TOLD.of(1, AT)["path"])),
    ),
    a_sheet_with_a_jti_of_its_own=(
        "Made of root and position.",
        both(attest(TOLD), bring(TOLD, 0, jti=b64u(draw("jti", 16)))),
    ),
    a_row_before_the_first_time=(
        "Within the times.",
        both(attest(past(first=BEFORE + 1)), bring(past(first=BEFORE + 1), 0)),
    ),
)
rows(
    "active",
    "8.15",
    more=2,
    a_sheet_of_a_history_that_was_withdrawn=("None is added.", both(attest(TOLD), withdraw, bring(TOLD, 0))),
    a_sheet_of_a_customer_who_was_erased=(
        "Nothing is added.",
        both(attest(TOLD), erase(ANN, "subject"), bring(TOLD, 0)),
    ),
)
rows("active", "8.7", a_history_of_a_company_that_reads=("A holder's.", attest(TOLD, iss=RECIPIENT)))
LATE = Told(sheet(SUBJECT, [row(time=1_790_000_003)], 0))
rows(
    "active",
    "8.15",
    more=1,
    a_row_after_the_customers_own_record_began=("History ends there.", both(attest(LATE), bring(LATE, 0))),
)
rows(
    "active",
    "7.15",
    code="BAD_CHAIN",
    more=1,
    a_sheet_in_the_customers_own_chain=(
        "In her history chain.",
        both(attest(TOLD), bring(TOLD, 0, chain=("subject", f"subject:{HOLDER}:{ANN}"))),
    ),
)
rows(
    "active",
    "7.8",
    code="BAD_ENCODING",
    more=1,
    a_sheet_without_rows=("One row or more.", both(attest(TOLD), bring(TOLD, 0, sheet=sheet(ANN, [], 0, 0, 2)))),
    a_row_that_decides=(
        "Such a member it has not.",
        both(attest(TOLD), bring(TOLD, 0, sheet=sheet(ANN, [row(decision="allow")], 0, 0, 2))),
    ),
)
