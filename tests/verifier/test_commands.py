"""consent-verify as an auditor runs it: the single file, the exit statuses, each kind of question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.verifier import later_cases
from tests.verifier.cases import CASES, honest
from tests.verifier.forge import DAY, HOLDER, World, b64u, chain_of, tree, write
from tests.verifier.running import run
from verifier.audit.resume import EARLIER
from verifier.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist") / "consent-verify.pyz"
    subprocess.run([sys.executable, ROOT / "scripts" / "build-zipapp", out], check=True, capture_output=True)
    return out


def test_the_single_file_needs_nothing_but_cpython(pyz: Path, place: Path) -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        str(pyz),
        "bundle",
        str(place / "bundle"),
        "--policy",
        str(place / "policy"),
        "--jobs",
        "2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "VALID" in done.stdout
    assert "Ed25519 pure" in done.stdout


def test_the_single_file_is_the_same_each_time(pyz: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "build-zipapp", tmp_path / "again"], check=True, capture_output=True
    )
    assert (tmp_path / "again").read_bytes() == pyz.read_bytes()


def test_exit_status_one_when_refuted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, _ = next(case for case in CASES if case.case == "L03").make()
    write(files, place / "lie")
    status, events = run(capsys, "bundle", place / "lie", "--policy", place / "policy")
    assert status == 1
    assert events[-1] == {
        "event": "verdict",
        "code": "CONSENT_INVALID",
        "status": 1,
        "defects": 1,
        "notices": 0,
        "findings": 0,
        "unchecked": 0,
        "first_bad": 11,
        "reason": None,
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["bundle", "/nowhere", "--policy", "{policy}"],
        ["bundle", "{bundle}"],
        ["bundle", "{bundle}", "--policy", "/nowhere"],
        ["bundle", "{policy}", "--policy", "{policy}"],
        ["receipt", "/nowhere", "--policy", "{policy}"],
        ["explain", "NONSENSE"],
        ["log", "/nowhere", "--policy", "{policy}", "--state", "{state}"],
        ["consent", "urn:forge:not-in-there", "--bundle", "{bundle}", "--policy", "{policy}"],
        ["bundle", "{bundle}", "--policy", "{policy}", "--since", "/nowhere"],
    ],
)
def test_exit_status_two_when_it_could_not_check(
    arguments: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: str(place / name) for name in ("policy", "bundle", "state")}
    status, events = run(capsys, *(argument.format(**names) for argument in arguments))
    assert status == 2
    assert events[-1]["code"] is None
    assert "internal error" not in str(events[-1]["reason"])


def test_m10_exit_status_three_below_the_quorum(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, events = run(capsys, "bundle", place / "bundle", "--policy", place / "quorum")
    assert (status, events[-1]["code"]) == (3, "VALID_UNWITNESSED")
    _, world = honest()
    write(world.files(cosign=True), place / "cosigned")
    status, events = run(capsys, "bundle", place / "cosigned", "--policy", place / "quorum")
    assert (status, events[-1]["code"]) == (0, "VALID")


def test_an_error_of_our_own_is_never_a_success(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda _: 1 / 0)  # the edge: what the operating system answers
    status, events = run(capsys, "bundle", place / "bundle", "--policy", place / "policy")
    assert status == 2
    assert "internal error, please report" in str(events[-1]["reason"])


def test_a_zip_is_read_in_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, _ = honest()
    with zipfile.ZipFile(place / "bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    assert run(capsys, "bundle", place / "bundle.zip", "--policy", place / "policy", "--jobs", 1)[0] == 0
    damaged = bytearray((place / "bundle.zip").read_bytes())
    damaged[5_000] ^= 1
    (place / "bundle.zip").write_bytes(damaged)
    status, events = run(capsys, "bundle", place / "bundle.zip", "--policy", place / "policy", "--jobs", 1)
    assert status in (1, 2)
    assert "internal error" not in str(events[-1]["reason"])


def test_withheld_evidence_is_named_as_not_checked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, world = honest()
    write(world.files("partial", frozenset({40, 41})), place / "partial")
    status, events = run(capsys, "bundle", place / "partial", "--policy", place / "policy", "--jobs", 1)
    unchecked = {event["what"]: event["count"] for event in events if event["event"] == "unchecked"}
    assert (status, unchecked["evidence withheld"]) == (0, 2)
    write(world.files("none"), place / "none")
    status, events = run(capsys, "bundle", place / "none", "--policy", place / "policy", "--jobs", 1)
    assert (status, {event["what"] for event in events if event["event"] == "unchecked"}) == (0, {"evidence withheld"})


def test_p04_an_erased_consent_still_proves_and_is_called_erased(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(3).open()
    consent, other = world.grant(), world.grant()
    gone = frozenset(index for index, entry in enumerate(world.entries) if b64u(chain_of(consent)).encode() in entry)
    world.operator(
        {
            "type": "erasure",
            "chains": [b64u(chain_of(consent))],
            "basis": "request",
            "approved_by": ["officer-1", "officer-2"],
        }
    )
    world.access(other)
    write(world.files(withheld=gone), place / "erased")
    status, events = run(capsys, "bundle", place / "erased", "--policy", place / "policy", "--jobs", 1)
    unchecked = {event["what"]: event["count"] for event in events if event["event"] == "unchecked"}
    assert status == 0, events
    assert unchecked["evidence erased, as an erasure document says"] == len(gone)


def test_l07_a_missing_receipt_is_told_after_a_day_but_refutes_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(3).open()
    consent = world.grant()
    basis = world.access(consent, interaction_id="interaction-1")
    release = world.leg("access.release", consent, basis, "interaction-1")
    world.tick(DAY + 1)
    world.access(consent)
    write(world.files(), place / "legs")
    status, events = run(capsys, "bundle", place / "legs", "--policy", place / "policy", "--jobs", 1)
    [finding] = [event for event in events if event["event"] == "finding"]
    assert (status, finding["code"], finding["index"]) == (0, "DISPUTED", release)
    assert finding["found"] == f"{HOLDER} (entry {release}) alone"
    assert (events[-1]["code"], events[-1]["findings"]) == ("VALID", 1)


def test_a_later_audit_reads_only_what_was_added(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World(4).open()
    consent = world.grant(frequency_per_day=2)
    for _ in range(290):
        world.access(consent)
    world.index_head()
    write(world.files(), place / "first")
    state, policy = place / "state", place / "policy"
    assert run(capsys, "bundle", place / "first", "--policy", policy, "--keep", state, "--jobs", 1)[0] == 0
    world.access(consent)
    world.revoke(consent)
    world.override = lambda given: given.update(
        decision="allow", reasons=[], obligations={"directions": ["credit"], "from": 0, "masks": ["pan"], "to": 0}
    )
    lie = world.access(consent)
    world.index_head()
    write(world.files(), place / "second")
    status, events = run(capsys, "bundle", place / "second", "--policy", policy, "--since", state, "--jobs", 1)
    assert (status, events[-1]["first_bad"], events[-1]["defects"]) == (1, lie, 1)
    assert ["resumed at entry", "301"] in [
        [event["name"], event["value"]] for event in events if event["event"] == "fact"
    ]
    status, events = run(capsys, "bundle", place / "bundle", "--policy", policy, "--since", state, "--jobs", 1)
    assert (status, events[-1]["code"]) in ((1, "ROLLBACK"), (1, "EQUIVOCATION"))


def test_a_resumed_audit_skips_what_was_read_before_and_says_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bundle that lost what lies below the state is whole above it: nobody may take the answer for one about all of it."""
    world = World(4).open()
    consent = world.grant()
    for _ in range(600):
        world.access(consent)
    write(world.files(size=560), place / "first")
    state, policy = place / "state", place / "policy"
    assert run(capsys, "bundle", place / "first", "--policy", policy, "--keep", state, "--jobs", 1)[0] == 0
    files = world.files()
    del files["tile/entries/000"]
    files["tile/0/000"] = bytes(8192)
    write(files, place / "second")
    status, events = run(capsys, "bundle", place / "second", "--policy", policy, "--since", state, "--jobs", 1)
    assert (status, events[-1]["code"], events[-1]["unchecked"]) == (0, "VALID", 560)
    assert {"event": "unchecked", "what": EARLIER, "count": 560} in events
    assert main(["bundle", str(place / "second"), "--policy", str(policy), "--since", str(state), "--lang", "en"]) == 0
    head = capsys.readouterr().out.splitlines()[:4]
    assert "VALID, NOT ALL CHECKED" in head[0]
    assert any("Not checked: 560" in line for line in head)
    assert run(capsys, "bundle", place / "second", "--policy", policy, "--jobs", 1)[0] == 1


@pytest.mark.parametrize("parts", [1, 3])
def test_a_log_of_ruleset_2_is_taken_up_where_the_last_audit_ended(
    parts: int, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Joint accounts, delegations, purposes, removals and reports outlive the state file."""
    world, state, policy = later_cases.honest_of_2(), place / "state", place / "policy"
    whole = len(world.entries)
    for number in range(1, parts + 1):
        folder = place / f"{number}-of-{parts}"
        write(world.files(size=whole * number // parts), folder)
        more = ["--since", state] if number > 1 else []
        status, events = run(capsys, "bundle", folder, "--policy", policy, "--keep", state, "--jobs", 1, *more)
        assert (status, events[-1]["code"]) == (0, "VALID"), events
    assert {"reconciliation reports": 2}.items() <= {
        str(event["what"]): event["count"] for event in events if event["event"] == "checked"
    }.items()


def test_receipts_of_every_kind_of_entry_verify(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, world = honest()
    for index in (0, 7, 8, 9, 20, 26, 30, len(world.entries) - 1):
        (place / "receipt").write_text(json.dumps(world.receipt(index)))
        status, events = run(
            capsys, "receipt", place / "receipt", "--policy", place / "policy", "--bundle", place / "bundle"
        )
        assert status == 0, events


def test_a_changed_receipt_is_refuted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, world = honest()
    receipt = world.receipt(20)
    changes = {
        "leaf": receipt["leaf"].replace('"seq":', '"seq":1'),
        "opening": b64u(bytes(32)),
        "evidence": receipt["evidence"].replace('"v":1}', '"v":2}'),
        "proof": receipt["proof"].replace("index 20", "index 21"),
        "v": 0,
        "extra": 1,
    }
    for name, value in changes.items():
        (place / "receipt").write_text(json.dumps({**receipt, name: value}))
        status, events = run(capsys, "receipt", place / "receipt", "--policy", place / "policy")
        assert status == 1, (name, events)
    (place / "receipt").write_text(json.dumps(world.receipt(20)))
    assert run(capsys, "receipt", place / "receipt", "--policy", place / "quorum")[0] == 3


def test_a_tlog_proof_needs_the_very_entry(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, world = honest()
    (place / "proof").write_bytes(world.proof(33))
    (place / "entry").write_bytes(world.entries[33])
    arguments = ("proof", place / "proof", "--entry", place / "entry", "--policy", place / "policy")
    assert run(capsys, *arguments)[0] == 0
    (place / "entry").write_bytes(world.entries[34])
    assert run(capsys, *arguments)[0] == 1


def test_a_log_is_followed_and_a_second_history_is_kept_as_evidence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, policy, state = World(5).open(), place / "policy", place / "state"
    world.grant()
    write(world.files(), place / "log")
    arguments = ("log", place / "log", "--policy", policy, "--state", state)
    assert run(capsys, *arguments)[0] == 0
    world.grant()
    write(world.files(), place / "log")
    status, events = run(capsys, *arguments)
    assert status == 0
    assert "grew: 10 → 13" in [event.get("value") for event in events]
    fork = World(6).open()
    fork.grant()
    fork.grant()
    write(fork.files(), place / "fork")
    status, events = run(capsys, "log", place / "fork", "--policy", policy, "--state", state)
    assert (status, events[-1]["code"]) == (1, "EQUIVOCATION")  # M07
    [evidence] = state.glob("*evidence*")
    assert run(capsys, "evidence", evidence, "--policy", policy)[0] == 0


def test_c04_a_smaller_history_is_not_what_the_checkpoint_signs(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last event is withheld: the files are cut, the signed checkpoint is not."""
    files, world = honest()
    shorter = World(7)
    shorter.entries, shorter.hashes, shorter.evidence = world.entries[:-1], world.hashes[:-1], dict(world.evidence)
    cut = {**shorter.files(), "checkpoint": files["checkpoint"], "manifest.json": files["manifest.json"]}
    assert tree(shorter.hashes) != tree(world.hashes)
    write(cut, place / "cut")
    assert run(capsys, "bundle", place / "cut", "--policy", place / "policy", "--jobs", 1)[0] == 1


def test_a_broken_tile_under_a_kept_state_is_told_and_ends_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is taken up is read from tiles before anything else, also from a tile that was not full when it was kept."""
    world = World(4).open()
    consent = world.grant(frequency_per_day=2)
    for _ in range(290):
        world.access(consent)
    write(world.files(), place / "first")
    state, policy = place / "state", place / "policy"
    assert run(capsys, "bundle", place / "first", "--policy", policy, "--keep", state, "--jobs", 1)[0] == 0
    for _ in range(230):
        world.access(consent)
    files = world.files()
    unread = "tile/0/000"  # all of it lies below what was kept, and was checked then
    tiles = [name for name in files if name.startswith("tile/") and "entries" not in name and name != unread]
    assert {"tile/0/001", "tile/1/000.p/2"} <= set(tiles)
    for name in tiles:
        good = files[name]
        for what, bad in (("changed", bytes([good[0] ^ 1]) + good[1:]), ("cut", good[:-5]), ("missing", None)):
            broken = {path: data for path, data in files.items() if path != name}
            if bad is not None:
                broken[name] = bad
            folder = place / f"{what}-{name.replace('/', '-')}"
            write(broken, folder)
            status, events = run(capsys, "bundle", folder, "--policy", policy, "--since", state, "--jobs", 1)
            assert status in (1, 2), (name, what)
            assert "internal" not in json.dumps(events), (name, what)
            assert events[-1]["code"] in (("BAD_ENCODING", "BAD_PROOF", "EQUIVOCATION") if status == 1 else (None,))
