"""Scores of holders and recipients: what stands behind one, when it is suppressed, and what a better one is told
(docs/spec/partners.md, 6)."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import DAY, HOLDER, OTHER, RECIPIENT, b64u, encode, sha, write
from tests.verifier.reported import HOUR, Reported, begun, told
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.rules.findings import Findings
from verifier.rules.reporting import UNREAD
from verifier.tlog.trust import parse_trust

WEIGHTS = {"acknowledge": 300, "complaints": 200, "findings": 100, "refused": 400}


def defined(world: Reported, *measures: str, by: str = "recipient", suppress: int = 0, weights: Any = None) -> None:
    world.define_report(by=[by], measures=[*measures, "score"], weights=weights or WEIGHTS, suppress=suppress)


def rows(*lines: str, by: str = "recipient") -> str:
    return "\n".join([f"{by},measure,value", *lines]) + "\n"


def busy(world: Reported) -> str:
    """Of the recipient: three of four accesses allowed, two ends of which one is acknowledged in time, a finding, and two
    complaints of which one is late. The consent."""
    consent, other = world.grant(), world.grant()
    for _ in range(3):
        world.access(consent)
    world.access(consent, purpose="MKT")
    basis = world.access(other, interaction_id="interaction-1", customer_present=True)
    world.leg("access.release", other, basis, "interaction-1")
    due = world.time // 1000 + 3_600
    world.feedback(other, "n1", due=due)
    world.feedback(other, "n2", due=due)
    world.answer("n1")
    world.answer("n2", "forwarded")
    world.tick(HOUR)
    world.answer("n2")
    text = encode({"access": basis, "finding": "receipt-missing"}) + b"\n"
    world.reconcile(findings=1, findings_hash=b64u(sha(b"consent-ledger/v1/findings\0" + text)))
    ends = [world.revoke(consent), world.revoke(other)]
    world.acknowledge(consent, ends[0])
    return other


SCORE = 1_000 - (300 * 500 + 200 * 500 + 100 * 250 + 400 * 200) // 1_000
"""Of `busy`: an end of two, a complaint of two, a finding to four accesses, a refusal to five."""


@pytest.mark.parametrize("by", ["recipient", "holder"])
def test_a_score_is_what_the_page_says(by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = begun()
    defined(world, "accesses_refused", by=by)
    busy(world)
    world.tick(DAY)
    name = {"recipient": RECIPIENT, "holder": HOLDER}[by]
    world.issue(rows(f"{name},accesses_refused,1", f"{name},score,{SCORE}", by=by))
    lie = world.issue(rows(f"{name},accesses_refused,1", f"{name},score,{SCORE + 1}", by=by))
    assert told(world, tmp_path, capsys) == ([("UNMATCHED", lie)], {}, [])


@pytest.mark.parametrize(("after", "in_time"), [(86_400_000, True), (86_400_001, False)])
def test_an_end_is_acknowledged_within_a_day_though_the_period_be_over(
    after: int, in_time: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    defined(world, weights={"acknowledge": 1_000, "complaints": 0, "findings": 0, "refused": 0})
    consent = world.grant()
    world.time = world.day(1) * 1000 - 1
    end = world.revoke(consent)
    world.tick(after)
    early = world.issue(rows(f"{RECIPIENT},score,0"))  # by its index there is no acknowledgement
    world.acknowledge(consent, end)
    world.acknowledge(consent, end)
    world.issue(rows(f"{RECIPIENT},score,{1_000 * in_time}"))
    assert told(world, tmp_path, capsys)[0] == []
    assert early


def test_an_end_that_is_acknowledged_late_does_not_count_when_it_is_acknowledged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    defined(world, "acknowledged", weights={"acknowledge": 1_000, "complaints": 0, "findings": 0, "refused": 0})
    consents = [world.grant(), world.grant()]
    ends = [world.revoke(consent) for consent in consents]
    world.acknowledge(consents[0], ends[0])
    world.tick(DAY + 1)
    world.acknowledge(consents[1], ends[1])
    world.tick(DAY)
    world.issue(rows(f"{RECIPIENT},acknowledged,1", f"{RECIPIENT},score,500"))
    assert told(world, tmp_path, capsys)[0] == []


def test_a_complaint_is_late_if_nobody_answered_before_it_was_due(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    defined(world, "complaints", weights={"acknowledge": 0, "complaints": 1_000, "findings": 0, "refused": 0})
    consent = world.grant()
    world.access(consent)
    now = world.time // 1000
    for number, due in enumerate([now + 60, now + 60, now + 60, world.day(1), world.day(1) + 1]):
        world.feedback(consent, f"n{number}", due=due)
    for state in ("forwarded", "answered", "answered"):  # it counts once
        world.answer("n0", state)
    world.time = (now + 60) * 1000 - 1
    world.answer("n1", "closed")
    world.tick(1)
    world.answer("n2", "answered")  # the moment at which it is due
    world.tick(DAY)
    # late: n2 and n3; n4 is due after the period
    world.issue(rows(f"{RECIPIENT},complaints,5", f"{RECIPIENT},score,600"))
    assert told(world, tmp_path, capsys)[0] == []


def test_too_few_accesses_and_ends_give_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = begun()
    defined(world, "complaints", suppress=3)
    consent, other = world.grant(), world.request(OTHER, recipient=OTHER)
    world.authorise(other)
    for _ in range(2):
        world.access(other, OTHER)
    world.access(consent)
    for number in range(4):
        world.feedback(consent, f"n{number}", due=world.day(9))
    world.tick(DAY)
    world.issue(
        rows(
            f"{RECIPIENT},complaints,4",
            f"{RECIPIENT},score,<3",  # one access stands behind it
            "other,complaints,0",
            "other,score,<3",  # of the other one all counts are small
        )
    )
    assert told(world, tmp_path, capsys)[0] == []
    world = begun()
    defined(world, suppress=3)
    consent = world.grant()
    for _ in range(3):
        world.access(consent, purpose="MKT")
    world.tick(DAY)
    world.issue(rows(f"{RECIPIENT},score,600"))
    assert told(world, tmp_path, capsys)[0] == []


def test_scores_of_groups_that_are_put_together_are_those_of_their_sums(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    defined(world, suppress=3)
    world.register("third.example", ["recipient"])
    for recipient in (OTHER, "third.example"):
        consent = world.request(recipient, recipient=recipient)
        world.authorise(consent)
        world.access(consent, recipient)
        world.access(consent, recipient, purpose="MKT")
    world.tick(DAY)
    world.issue(rows("other,score,800"))
    assert told(world, tmp_path, capsys)[0] == []


def test_findings_are_parted_by_participant_without_a_score_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = begun()
    world.define_report(by=["holder", "recipient"], measures=["findings"])
    busy(world)
    world.tick(DAY)
    head = "holder,recipient,measure,value\n"
    world.issue(f"{head}{HOLDER},{RECIPIENT},findings,1\n")
    lie = world.issue(f"{head}{HOLDER},{RECIPIENT},findings,2\n")
    assert told(world, tmp_path, capsys)[:2] == ([("UNMATCHED", lie)], {})


# --- what cannot be known, and the command --------------------------------------------------------------------


def test_a_score_that_rests_on_an_unread_entry_is_not_checked(tmp_path: Path) -> None:
    """An acknowledgement after the period, and the reconciliation that rests on an entry before it."""
    for what in ("acknowledgement", "access"):
        world = begun()
        defined(world)
        before = world.access(world.grant())
        world.time = world.day(1) * 1000
        consent = world.grant()
        world.tick(2 * HOUR)
        world.reconcile()
        end = world.revoke(consent)
        world.time = world.day(2) * 1000
        late = world.acknowledge(consent, end)
        lie = world.issue(rows(f"{RECIPIENT},score,7"), first=1, last=2)
        gone = late if what == "acknowledgement" else before
        world.tick(1)
        findings = replayed_with_reports(world, gone, tmp_path / what)
        assert (findings.unchecked[UNREAD], findings.count) == (1, 0), what
        assert lie


def replayed_with_reports(world: Reported, gone: int, place: Path) -> Findings:
    """As `replayed`, in a bundle: reports are planned from the files."""
    bundle = write(world.files("partial", frozenset({gone})), place)
    auditor = Auditor(open_archive(bundle), parse_trust(world.policy().encode()), Options(jobs=1))
    with closing(auditor):
        return auditor.run().findings


def test_the_command_lists_scores_with_what_became_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = begun()
    defined(world, "accesses_allowed")
    world.define_report("plain")
    busy(world)
    world.tick(DAY)
    right = rows(f"{RECIPIENT},accesses_allowed,4", f"{RECIPIENT},score,{SCORE}")
    given = world.issue(right)
    lie = world.issue(right.replace(str(SCORE), "999"))
    world.issue("measure,value\naccesses_allowed,4\n", "plain")
    lines = told(world, tmp_path, capsys, command="scores")[2]
    assert lines == [
        f"daily 2026-09-22/2026-09-23 (entry {given}): as the entries give it",
        f"  {RECIPIENT}: {SCORE}",
        f"daily 2026-09-22/2026-09-23 (entry {lie}): REFUTED: the entries give other figures",
        f"  {RECIPIENT}: {SCORE}",
    ]
    world = begun()
    assert told(world, tmp_path, capsys, command="scores")[2] == ["The bundle holds no score."]


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_of_random_lives_are_those_of_a_naive_count(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice, world = random.Random(seed), begun()
    weights = dict(zip(WEIGHTS, (dice.randrange(250) for _ in range(4)), strict=True))
    defined(world, weights=weights)
    counts = {
        name: dict.fromkeys(("allowed", "refused", "ends", "in time", "said", "late"), 0) for name in (RECIPIENT, OTHER)
    }
    live: list[tuple[str, str]] = []
    ended: list[tuple[str, str, int, int]] = []
    said = 0
    while world.time // 1000 < world.day(1) - 3_600:
        act = dice.randrange(6)
        if act == 0 or not live:
            who = dice.choice((RECIPIENT, OTHER))
            consent = world.request(who, recipient=who)
            world.authorise(consent)
            live.append((consent, who))
        elif act < 3:
            consent, who = dice.choice(live)
            fine = dice.random() < 0.6
            world.access(consent, who, purpose="AIS" if fine else "MKT")
            counts[who]["allowed" if fine else "refused"] += 1
        elif act == 3:
            consent, who = live.pop(dice.randrange(len(live)))
            ended.append((consent, who, world.revoke(consent), world.time))
            counts[who]["ends"] += 1
        elif act == 4:
            consent, who = dice.choice(live)
            said += 1
            world.feedback(consent, f"n{said}", due=world.time // 1000 + 60)
            counts[who]["said"] += 1
            if dice.random() < 0.5:
                world.answer(f"n{said}", dice.choice(("answered", "closed")))
            else:
                counts[who]["late"] += 1
        world.tick(dice.choice((1_000, HOUR // 2, HOUR)))
    world.time = (world.day(1) + dice.choice((0, 36_000, 86_400))) * 1000
    for consent, who, index, time in ended:
        if dice.random() < 0.7:
            world.acknowledge(consent, index, who)
            counts[who]["in time"] += world.time - time <= DAY
    lines = []
    for who, n in sorted(counts.items()):
        if n["allowed"] + n["refused"] + n["ends"] + n["said"]:
            shares = {
                "acknowledge": share(n["ends"] - n["in time"], n["ends"]),
                "complaints": share(n["late"], n["said"]),
                "findings": 0,
                "refused": share(n["refused"], n["allowed"] + n["refused"]),
            }
            lines.append(f"{who},score,{1_000 - sum(weights[name] * value for name, value in shares.items()) // 1_000}")
    world.issue(rows(*lines))
    assert told(world, tmp_path, capsys)[0] == []


def share(part: int, whole: int) -> int:
    return 1_000 * part // whole if whole else 0
