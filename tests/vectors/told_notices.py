"""Cases: a withdrawal that its recipient never acknowledges (risk.md, An end that nobody takes note of)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.cases import Told, case
from tests.vectors.hashing import b64u, sha
from tests.vectors.story import DAY, FIRST, HOLDER, RECIPIENT
from tests.vectors.story_3 import MARKS, OFFICERS, Story3
from tests.vectors.told_in_tables import honest, rows

HOUR = 3_600_000
BEGUN = MARKS["active"]
"""The entry that activates scoring."""
END = BEGUN + 1
LATER = END + 1
"""The first entry after the end."""
Tell = Callable[[Story3], Any]


def ended(log: Story3, scoring: int = 3, by: str = HOLDER) -> Story3:
    """The consent is withdrawn; the time is a second later."""
    log.operator("scoring.activated", scoring=scoring, **OFFICERS)
    log.step(by, "consent.revoke", FIRST, log.state("REVOKED"))
    return log


def silent(log: Story3, at_index: int, **changes: Any) -> int:
    """The alert."""
    about = {"id": RECIPIENT, "kind": "recipient"}
    members = {"about": about, "features": [72], "rule": "no-notice", "score": 900}
    return log.alert(at_index, **{**members, **changes})


def end(name: str, why: str, step: str, tell: Tell, *told: Told, **more: Any) -> None:
    """A case that begins with the withdrawal."""

    def tells(log: Any) -> None:
        tell(log)

    tells.__name__, tells.__doc__ = name, why
    case(step, base="ruleset-3", at=BEGUN, told=told, exit=1 if told else 0, **more)(tells)


def waited(log: Story3, ms: int = 72 * HOUR) -> Story3:
    """An index-head, so long after the end."""
    ended(log).tick(ms).head()
    return log


end(
    "a_withdrawal_that_is_never_acknowledged",
    "Whatever stands in the log three days later makes it due.",
    "8.16",
    lambda log: silent(waited(log), LATER),
)
end(
    "a_silence_that_is_hidden",
    "It is due a minute after the entry at which the end falls due.",
    "9.10",
    lambda log: waited(log).tick(60_001).head(),
    ("INCOMPLETE", LATER),
)
end(
    "a_silence_of_a_millisecond_less_than_three_days",
    "72 hours.",
    "8.16",
    lambda log: silent(waited(log, 72 * HOUR - 1), LATER, features=[71]),
    ("CONSENT_INVALID", LATER + 1),
)
end(
    "a_silence_with_another_score",
    "900.",
    "8.16",
    lambda log: silent(waited(log), LATER, score=1_000),
    ("CONSENT_INVALID", LATER + 1),
)
end(
    "a_silence_under_scoring_2",
    "Rule 14 is one of scoring 3.",
    "8.16",
    lambda log: (ended(log, 2).tick(72 * HOUR).head(), silent(log, LATER)),
    ("CONSENT_INVALID", LATER + 1),
)
end(
    "a_silence_about_an_end_of_the_recipients_own",
    "Who ends a consent itself knows of it.",
    "8.16",
    lambda log: (ended(log, by=RECIPIENT).tick(72 * HOUR).head(), silent(log, LATER)),
    ("CONSENT_INVALID", LATER + 1),
)
end(
    "a_silence_that_an_activation_would_have_ended",
    "At a `scoring.activated` no end falls due, and what follows it remembers none.",
    "8.16",
    lambda log: (ended(log).tick(72 * HOUR).operator("scoring.activated", scoring=3, **OFFICERS), silent(log, LATER)),
    ("CONSENT_INVALID", LATER + 1),
)


def acknowledged(log: Story3) -> Story3:
    """In time, and three days pass."""
    ended(log).acknowledge(FIRST, END, "REVOKED")
    log.tick(72 * HOUR).head()
    return log


end(
    "a_silence_of_a_recipient_that_took_note",
    "Its notice stands below.",
    "8.16",
    lambda log: silent(acknowledged(log), LATER + 1),
    ("CONSENT_INVALID", LATER + 2),
)
for name, tell in (
    ("a_silence_that_a_withheld_notice_may_have_broken", lambda log: acknowledged(log).tick(60_001).head()),
    ("a_silence_told_though_a_withheld_notice_may_have_broken_it", lambda log: silent(acknowledged(log), LATER + 1)),
):
    end(
        name,
        "The entry that is withheld may be the notice: the alert, there or not, is not checked.",
        "8.16",
        tell,
        unchecked=True,
        level="partial",
        gone=frozenset({LATER}),
    )


# --- reports of it ---------------------------------------------------------------------------------------------------


def waiting(*days: tuple[int, int, int]) -> Tell:
    """Nobody acknowledges the end of the log's first consent. Reports of days after it: which, how many wait, how many late."""

    def tell(log: Any) -> None:
        plain = {"report": "waiting", "period": "day", "utc_offset": 0, "by": [], "suppress": 0}
        log.operator("report.defined", **plain, measures=["unacknowledged", "unacknowledged_late"])
        today = log.time // 86_400_000 * 86_400
        log.tick(6 * DAY)
        for day, count, late in days:
            csv = f"measure,value\nunacknowledged,{count}\nunacknowledged_late,{late}\n".encode()
            period = {"from": today + day * 86_400, "to": today + (day + 1) * 86_400}
            figures = {"to_index": len(log.entries) - 1, "rows": 2, "csv_hash": b64u(sha(csv))}
            log.operator("report.issued", report="waiting", **period, **figures)

    return tell


NEVER = (0, 1, 0), (2, 1, 0), (3, 1, 1), (5, 1, 1)
honest(
    "reports-of-an-end-that-nobody-acknowledges",
    "In every period from its own on; late after 72 hours.",
    "ended",
    waiting(*NEVER),
    "9.13",
)
rows(
    "ended",
    "9.13",
    code="UNMATCHED",
    more=1,
    a_report_that_leaves_out_an_end_of_an_earlier_period=("It waits still.", waiting((5, 0, 0))),
    a_report_that_says_an_end_is_not_late=("72 hours.", waiting((3, 1, 0))),
)
