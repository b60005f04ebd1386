"""Completeness as a customer or auditor checks it: a real ledger, traffic, a file, the verifier on its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain, subject_chain
from ledger.queries.completeness import Completeness, completeness_bytes
from ledger.receipts import receipt_bytes
from ledger.storage.chainmap import rebuild_map
from ledger.storage.tables import entries
from tests.ledger.meddling import unguarded
from tests.world import BANK, Node, record_index_head, reference, running
from verifier.cli import main

File = dict[str, Any]


@dataclass
class Case:
    """A log with three consents and an index-head, and a place to write files."""

    node: Node
    folder: Path
    consents: list[str]

    def of(self, consent_id: str) -> Completeness:
        return self.node.ledger.completeness.of_consent(BANK, consent_id)

    def file(self, completeness: Completeness, change: Callable[[File], object] | None = None) -> Path:
        members = json.loads(completeness_bytes(completeness))
        if change is not None:
            change(members)
        path = self.folder / "completeness.json"
        path.write_text(json.dumps(members))
        return path


@pytest.fixture
def case(engine_url: str, tmp_path: Path) -> Iterator[Case]:
    with running(engine_url, tmp_path) as node:
        consents = [node.grant() for _ in range(3)]
        for consent in consents[:2]:
            node.access(consent)
        (tmp_path / "policy").write_text(f"log {node.ledger.vkey.format()}\nquorum none\n")
        record_index_head(node.ledger)
        node.access(consents[2])  # above the index-head: not claimed
        yield Case(node, tmp_path, consents)


def told(case: Case, capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    status = main([*map(str, arguments), "--policy", str(case.folder / "policy"), "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return status, {"lines": lines, "text": json.dumps(lines)}


def test_a_chain_is_complete_up_to_an_entry_at_a_time(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    consent = case.consents[0]
    found = case.of(consent)
    assert found.count == 3
    head = json.loads(json.loads(found.index_head)["leaf"])
    status, said = told(case, capsys, "completeness", case.file(found), "--consent", consent)
    assert status == 0, said
    assert f"{head['index']:,}, 2027-01-15 08:00:00 UTC" in said["text"]
    assert '"complete"' in said["text"]


def test_the_absence_of_a_chain_is_provable_too(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = case.node.ledger
    nobody = ledger.completeness.of_chain(subject_chain(BANK, reference("nobody")))
    assert (nobody.count, nobody.leaves) == (0, [])
    assert told(case, capsys, "completeness", case.file(nobody))[0] == 0
    alice = ledger.completeness.of_chain(subject_chain(BANK, reference("alice")))
    assert alice.count == 3
    assert told(case, capsys, "completeness", case.file(alice))[0] == 0


def _drop_last(members: File) -> None:
    members["leaves"].pop()


def _pretend_shorter(members: File) -> None:
    members["leaves"].pop()
    members["count"] -= 1
    members["last"] = json.loads(members["leaves"][-1])["prev_in_chain"]


def _pretend_nothing(members: File) -> None:
    members.update(count=0, leaves=[])
    del members["last"]


LIES: dict[str, tuple[Callable[[File], object], str]] = {
    "the last event dropped": (_drop_last, "INCOMPLETE"),
    "an event in the middle dropped": (lambda file: file["leaves"].pop(1), "INCOMPLETE"),
    "the first event dropped": (lambda file: file["leaves"].pop(0), "INCOMPLETE"),
    "a smaller count": (_pretend_shorter, "INCOMPLETE"),
    "an empty chain": (_pretend_nothing, "BAD_ENCODING INCOMPLETE"),
    "another count": (lambda file: file.update(count=file["count"] + 1), "INCOMPLETE"),
    "another chain": (lambda file: file.update(chain=b64u(bytes(32))), "INCOMPLETE"),
    "a broken map proof": (lambda file: file.update(map_proof=file["map_proof"][:-4]), "INCOMPLETE"),
    "a changed leaf": (
        lambda file: file["leaves"].__setitem__(0, file["leaves"][0].replace('"seq":0', '"seq":7')),
        "INCOMPLETE",
    ),
    "the count as a text": (lambda file: file.update(count="3"), "BAD_ENCODING"),
    "a member too many": (lambda file: file.update(more=1), "BAD_ENCODING"),
    "another log's signature": (
        lambda file: file.update(index_head=file["index_head"].replace("ledger.example/1", "ledger.example/2")),
        "BAD_SIGNATURE POLICY_REJECTED",
    ),
    "an index-head that was not signed": (
        lambda file: file.update(index_head=file["index_head"].replace('\\"map_root\\":\\"', '\\"map_root\\":\\"A')),
        "BAD_ENCODING BAD_PROOF",
    ),
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_lie_about_a_chain_is_refuted(lie: str, case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    change, codes = LIES[lie]
    status, said = told(case, capsys, "completeness", case.file(case.of(case.consents[0]), change))
    assert status == 1, said
    assert any(code in said["text"] for code in codes.split())


def test_a_receipt_of_another_entry_is_not_an_index_head(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    [other] = case.node.ledger.records.recorded([3])

    def exchange(members: File) -> None:
        members["index_head"] = receipt_bytes(other, disclose=False).decode()

    status, said = told(case, capsys, "completeness", case.file(case.of(case.consents[0]), exchange))
    assert (status, "not that of an index-head" in said["text"]) == (1, True)


def test_leaves_that_the_file_leaves_out_may_come_as_receipts(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    consent = case.consents[0]
    path = case.file(case.of(consent), lambda file: file["leaves"].__delitem__(slice(0, 2)))
    assert told(case, capsys, "completeness", path)[0] == 1
    receipts = []
    for recorded in case.node.ledger.records.history_of_chain(consent_chain(consent)):
        receipts.append(case.folder / f"{recorded.index}.json")
        receipts[-1].write_bytes(receipt_bytes(recorded))
    assert told(case, capsys, "completeness", path, *receipts)[0] == 0


def test_the_file_of_another_consent_is_refused(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    path = case.file(case.of(case.consents[0]))
    status, said = told(case, capsys, "completeness", path, "--consent", case.consents[1])
    assert (status, "another chain" in said["text"]) == (1, True)


def test_the_audit_of_a_bundle_replays_every_index_head(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = case.node.ledger
    record_index_head(ledger)
    export_bundle(
        ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(case.folder / "bundle"), disclose=Disclose.none()
    )
    status, said = told(case, capsys, "bundle", case.folder / "bundle", "--jobs", "1")
    assert (status, "completeness maps" in said["text"]) == (0, True), said


def test_a_wrong_map_root_that_a_log_signed_is_refuted(sqlite_url: str, tmp_path: Path) -> None:
    """A log that hides a chain from its map convicts itself: here its operator changes an entry's row before the index-head."""
    with running(sqlite_url, tmp_path) as node:
        consent = node.grant()
        index = node.access(consent).index
        with unguarded(sqlite_url) as connection:
            connection.execute(update(entries).where(entries.c.idx == index).values(leaf_hash=b"x" * 32))
        rebuild_map(sqlite_url)
        record_index_head(node.ledger)
        ledger = node.ledger
        export_bundle(
            ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(tmp_path / "bundle"), disclose=Disclose.none()
        )
        (tmp_path / "policy").write_text(f"log {ledger.vkey.format()}\nquorum none\n")
    status = main(["bundle", str(tmp_path / "bundle"), "--policy", str(tmp_path / "policy"), "--jobs", "1"])
    assert status == 1
