"""Each row of the tables of exit statuses in docs/spec/verdicts.md, walked with bundles and with the command line."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import ROOT
from tests.verifier import later_cases
from tests.verifier.forge import DAY, OTHER, RECIPIENT, World, b64u, chain_of, encode, write
from tests.verifier.generated.damage import DAMAGES
from tests.verifier.generated.judge import damaged
from tests.verifier.gestures import Signing
from tests.verifier.historical import Historical, usual
from verifier.audit.resume import EARLIER
from verifier.cli import main
from verifier.rules.sheets import NOT_WHOLE

Files = dict[str, bytes]


@dataclass(frozen=True)
class Row:
    """A bundle and the exit status that its row gives; what must be counted or found beside it. `words`: more arguments."""

    name: str
    exit: int
    make: Callable[[], tuple[Files, World]]
    unchecked: str = ""
    found: str = ""
    words: tuple[str, ...] = ()
    policy: str = "policy"


def begun() -> tuple[World, str]:
    world = World(3).open()
    return world, world.grant()


def honest(**shape: Any) -> Callable[[], tuple[Files, World]]:
    def make() -> tuple[Files, World]:
        world, consent = begun()
        world.access(consent)
        world.revoke(consent)
        world.access(consent)
        world.index_head()
        return world.files(**shape), world

    return make


def changed(change: Callable[[Files], object]) -> Callable[[], tuple[Files, World]]:
    def make() -> tuple[Files, World]:
        files, world = honest()()
        change(files)
        return files, world

    return make


def manifest(**members: Any) -> Callable[[], tuple[Files, World]]:
    return changed(
        lambda files: files.update({"manifest.json": encode({**json.loads(files["manifest.json"]), **members})})
    )


def hurt(name: str) -> Callable[[], tuple[Files, World]]:
    [damage] = [damage for damage in DAMAGES if damage.name == name]
    return lambda: (damaged(random.Random(5), damage).files, World(3))


def truncated() -> tuple[Files, World]:
    """The first entries under the checkpoint of all."""
    files, world = honest()()
    files["tile/entries/000.p/15"] = b"".join(len(entry).to_bytes(2) + entry for entry in world.entries[:9])
    return files, world


def shorter() -> tuple[Files, World]:
    """The first entries under their own checkpoint: an honest log, a while ago."""
    _, world = honest()()
    return world.files(size=11), world


def reordered() -> tuple[Files, World]:
    files, world = honest()()
    entries = [*world.entries[:11], world.entries[12], world.entries[11], *world.entries[13:]]
    [name] = [name for name in files if name.startswith("tile/entries/")]
    files[name] = b"".join(len(entry).to_bytes(2) + entry for entry in entries)
    return files, world


def erased() -> tuple[Files, World]:
    world, consent = begun()
    world.access(consent)
    chain = b64u(chain_of(consent))
    world.operator({"type": "erasure", "chains": [chain], "basis": "request", "approved_by": ["a1", "b2"]})
    return world.files(withheld=frozenset({7, 8, 10})), world


def rests(kind: str) -> Callable[[], tuple[Files, World]]:
    """Something that rests on a withheld body."""

    def make() -> tuple[Files, World]:
        world = Signing() if kind == "passkey" else World(3).open()
        if kind == "passkey":
            enrolment = len(world.entries) - 1
            assert isinstance(world, Signing)
            world.signed_consent()
            return world.files("partial", frozenset({enrolment})), world
        consent = world.grant()
        basis = world.access(consent, interaction_id="interaction-9")
        if kind == "leg":
            world.leg("access.release", consent, basis, "interaction-9")
        if kind == "report":
            world.tick(DAY)
            world.reconcile()
        return world.files("partial", frozenset({9 if kind == "companion" else basis})), world

    return make


def unknown_rules() -> tuple[Files, World]:
    world, consent = begun()
    world.activate(4)
    world.access(consent)
    return world.files(), world


def legs(**figures: int) -> Callable[[], tuple[Files, World]]:
    def make() -> tuple[Files, World]:
        world, consent = begun()
        basis = world.access(consent, interaction_id="interaction-9")
        world.leg("access.release", consent, basis, "interaction-9")
        if figures:
            world.leg("access.receive", consent, basis, "interaction-9", **figures)
        world.tick(2 * DAY)
        world.index_head()
        return world.files(), world

    return make


def untranslated() -> tuple[Files, World]:
    """A request in the words of a standard, of which there is only the hash."""
    world = World(3).open()
    world.grant(standard_version="v4.0", details_hash=b64u(bytes(32)))
    return world.files(), world


def asserted() -> tuple[Files, World]:
    world = later_cases.honest_of_2()
    return world.files(), world


def later(what: str) -> Callable[[], tuple[Files, World]]:
    """Something of version 2, and a lie above it that nobody can be sure of."""

    def make() -> tuple[Files, World]:
        world, consent = begun()
        if what == "document":
            world.operator({"type": "participant.suspended", "participant": OTHER, "reason": "case", "v": 2})
        elif what == "statement":
            payload = {**world.payload(RECIPIENT, "access.request", **world.item(consent)), "v": 2, "more": 1}
            world.submit(payload, world.decide(RECIPIENT, payload))
        else:
            world.bend = lambda leaf: leaf.update(v=2, more=1) if what == "leaf" else None
            world.bend_evidence = lambda _, evidence: evidence.update(v=2, more=1) if what == "evidence" else None
            world.access(consent)
            world.bend = world.bend_evidence = None
        world.end(consent, "consent.resume", "ACTIVE")
        return world.files(), world

    return make


def half_a_history() -> tuple[Files, World]:
    world = Historical(3)
    world.begun()
    world.attest(usual())
    world.sheet(0)
    return world.files(), world


def wrong_history() -> tuple[Files, World]:
    world = Historical(3)
    world.begun()
    world.history(rows=9)
    return world.files(), world


UNKNOWN = "the log is under a ruleset, or holds an object of a version, that the reader does not know"
STATE = "entries of consents whose state is unknown since an entry was withheld, erased or unreadable"
DEFECT, OTHERWISE = "there is a defect, of whatever kind", "otherwise"
REST = "reports, statements of usage, legs, companions, passkeys that rest on an unreadable entry"
OF_A_SET = "entries of a shard that the head log has not committed ([sets.md](sets.md))"
"""Of no bundle: `test_sets.py` has it."""
FAILED = "a report that was asked for cannot be written; the reader was interrupted, ran out of memory or failed"
ROWS = [
    *(Row(DEFECT, 1, make) for make in (truncated, reordered, hurt("an opening is another"), hurt("the checkpoint is missing"),
                                        hurt("a line is missing"), hurt("an entry is nonsense"))),
    Row("the manifest is missing", 2, changed(lambda files: files.pop("manifest.json"))),
    Row("the bundle is of an unknown format or version", 2, manifest(format="consent-ledger-bundle/9")),
    Row("the bundle is of an unknown format or version", 2, manifest(v=2)),
    Row("neither manifest nor checkpoint can be read", 2,
        changed(lambda files: files.update({"manifest.json": b"x", "checkpoint": b"x"}))),
    Row("the policy is missing, expired or unreadable", 2, honest(), policy="nowhere"),
    Row("the policy is missing, expired or unreadable", 2, honest(), policy="nonsense"),
    Row("a state file cannot be used", 2, honest(), words=("--since", "nonsense")),
    Row(UNKNOWN, 2, unknown_rules, "entries under a ruleset this verifier does not know"),
    *(Row(UNKNOWN, 2, later(what), "entries of a version this verifier does not know") for what in
      ("leaf", "evidence", "statement", "document")),
    Row(FAILED, 2, honest(), words=("--report", "nowhere/at/all.html")),
    Row("cosignatures are below the policy's quorum", 3, honest(), policy="quorum"),
    Row(OTHERWISE, 0, honest()),
    Row(OTHERWISE, 0, shorter),
    Row(OTHERWISE, 0, honest(cosign=True), policy="quorum"),
    Row("bodies withheld (`partial`, `none`)", 0, honest(level="partial", withheld=frozenset({10})), "evidence withheld"),
    Row("bodies withheld (`partial`, `none`)", 0, honest(level="none"), "evidence withheld"),
    Row("bodies withheld (`partial`, `none`)", 3, honest(level="none"), "evidence withheld", policy="quorum"),
    Row("bodies erased, with an erasure document", 0, erased, "evidence erased, as an erasure document says"),
    Row("entries of consents whose state is unknown", 0, honest(level="partial", withheld=frozenset({10})), STATE),
    Row("requests that were not translated ([requests.md](requests.md))", 0, untranslated,
        "requests in the words of a standard, whose texts are not in the bundle"),
    Row(REST, 0, rests("leg"), "legs of accesses that may be withheld"),
    Row(REST, 0, rests("companion"), "authorisations whose companion may be withheld"),
    Row(REST, 0, rests("passkey"), "passkey confirmations whose enrolment may be withheld"),
    Row(REST, 0, rests("report"), "reconciliation reports over evidence that was withheld, erased or unreadable"),
    Row("attested histories of which a sheet is missing or cannot be read ([history.md](history.md))", 0, half_a_history,
        NOT_WHOLE),
    Row("asserted reasons (the holder's word, the ledger's)", 0, asserted, "asserted reasons: the holder's word, signed by it"),
    Row("signatures or evidence left out on request", 0, honest(), "signatures of statements (left out on request)",
        words=("--no-signatures",)),
    Row("signatures or evidence left out on request", 0, honest(), "evidence and rules (left out on request)",
        words=("--no-evidence",)),
    Row("an audit that goes on from an earlier one", 0, honest(), EARLIER, words=("--since", "state")),
    Row("the policy lies in the bundle that is judged", 0, honest(),
        "whose log this is: the policy comes out of the bundle itself, not from somebody you trust", policy="bundle/policy"),
    Row("findings about participants", 0, legs(rows=4), found="DISPUTED"),
    Row("findings about participants", 0, legs(), found="DISPUTED"),
    Row("findings about participants", 0, wrong_history, found="DISPUTED"),
    Row("an entry that cannot be read", 1, hurt("an entry is nonsense")),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_row_of_the_tables_gives_its_exit_status(
    row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files, _ = row.make()
    write(files, tmp_path / "bundle")
    (tmp_path / "policy").write_text(World(3).policy())
    (tmp_path / "quorum").write_text(World(3).policy(quorum=True))
    (tmp_path / "nonsense").write_bytes(b"\xff nonsense")
    if "state" in row.words:
        write(shorter()[0], tmp_path / "earlier")
        assert main(["bundle", "earlier", "--policy", row.policy, "--jobs", "1", "--keep", "state"]) == 0
        capsys.readouterr()
    status = main(["bundle", "bundle", "--policy", row.policy, "--jobs", "1", "--json", *row.words])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    verdict, counts = events[-1], {event["what"]: event["count"] for event in events if event["event"] == "unchecked"}
    found = [event["code"] for event in events if event["event"] == "finding"]
    assert (status, verdict["status"]) == (row.exit, row.exit), verdict
    assert "internal error" not in str(verdict["reason"])
    assert (verdict["code"] is None, bool(verdict["reason"])) == (row.exit == 2, row.exit == 2)
    assert verdict["unchecked"] == sum(counts.values())
    assert (row.unchecked in counts) is bool(row.unchecked)
    assert found == [row.found] * bool(row.found)
    assert verdict["findings"] == len(found)
    assert [event["code"] for event in events if event["event"] == "defect"][1:] == [] or row.exit == 1
    if row.exit in (0, 3):
        assert verdict["code"] == ("VALID" if row.exit == 0 else "VALID_UNWITNESSED")
        assert main(["bundle", "bundle", "--policy", row.policy, "--jobs", "1", "--lang", "en", *row.words]) == row.exit
        head = capsys.readouterr().out.splitlines()
        told = f"Not checked: {verdict['unchecked']:,}; what and why is listed below."
        assert (told in "\n".join(head[1:4])) is bool(counts)
        assert ("VERIFIED" in head[0]) is (row.exit == 0 and not counts)


def test_no_row_is_left_out() -> None:
    page = (ROOT / "docs/spec/verdicts.md").read_text()
    section = page[page.index("## Exit statuses") : page.index("So exit status 0 says")]
    first = re.findall(r"^\| [0-3] \| ([^|]+) \|", section, re.MULTILINE)
    second = re.findall(r"^\| ([^|]+) \| (?:stays|1: it is a defect) \|", section, re.MULTILINE)
    assert len(first) + len(second) == len(re.findall(r"^\|", section, re.MULTILINE)) - 4
    assert {row.name for row in ROWS} | {OF_A_SET} == {*first, *second}
