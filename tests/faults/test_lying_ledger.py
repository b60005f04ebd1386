"""A ledger that was changed to lie: its own check finds nothing, and the verifier refutes it from its bundle.

Only here is the ledger's own code replaced: the operator is the adversary, and may run whatever program he likes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import create_engine, delete, insert, select

import ledger.planning.plan
import ledger.sequencer.loop
import ledger.storage.log
from api.checking import examine
from ledger.assembly import open_ledger, read_signer
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.consent.state import Consent
from ledger.documents import ParticipantSuspended, document_of
from ledger.entries.statement import Statement
from ledger.errors import Corrupt, SequencerStopped
from ledger.notes.checkpoint import sign_checkpoint
from ledger.storage.rows import open_consent
from ledger.storage.tables import consents
from ledger.vault.cipher import Cipher
from tests.attacks import tamper
from tests.verifier.forge import leaf_hash, tree
from tests.world import ConsentInWorld, Party, World, node_config, running_world
from verifier.cli import main as verify

DAY_MS = 86_400_000


@dataclass
class Scene:
    """A log with a consent in force and some accesses under it."""

    root: Path
    url: str
    world: World
    bank: Party
    app: Party
    consent: ConsentInWorld
    capsys: pytest.CaptureFixture[str]

    def access(self) -> int:
        return self.world.record(self.app.access(self.consent))[0].index

    def bundle(self, name: str, *, checked: bool = True) -> Path:
        """What the liar hands out, after his own check has found nothing."""
        node = self.world.ledger
        if checked:
            found = examine(node.store, node.keystore, node.vkey)
            assert (found.count, found.defects) == (0, []), "a lie that the ledger's own check finds is none"
        export_bundle(node.store, node.keystore, node.vkey, DirectoryTarget(self.root / name), disclose=Disclose.full())
        (self.root / "policy").write_text(f"log {node.vkey.format()}\nquorum none\n")
        return self.root / name

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """The same log in a new node, which knows only what is stored."""
        first = self.world.ledger
        first.stop()
        self.world.ledger = again = open_ledger(node_config(self.url, self.root))
        again.start()
        try:
            yield
        finally:
            again.stop()
            self.world.ledger = first

    def verdict(self, bundle: Path, *options: str) -> tuple[int, str, int | None]:
        """Exit status, code, first bad entry."""
        self.capsys.readouterr()
        policy = str(self.root / "policy")
        status = verify(["bundle", str(bundle), "--policy", policy, "--json", "--jobs", "1", *options])
        last = json.loads(self.capsys.readouterr().out.splitlines()[-1])
        return status, last["code"], last["first_bad"]


@pytest.fixture
def scene(sqlite_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Scene]:
    with running_world(sqlite_url, tmp_path) as world:
        app, bank = world.recipient(), world.holder()
        made = Scene(
            tmp_path, sqlite_url, world, bank, app, world.active_consent(app, bank, frequency_per_day=0), capsys
        )
        for _ in range(3):
            made.access()
        assert made.verdict(made.bundle("honest"), "--keep", str(tmp_path / "state")) == (0, "VALID", None)
        yield made


def test_an_allow_that_the_rules_deny_is_refuted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = ledger.planning.plan.decide

    def generous(*arguments: Any, **named: Any) -> Any:
        return msgspec.structs.replace(decide(*arguments, **named), decision="allow", reasons=())

    scene.world.record(scene.bank.step("revoke", scene.consent))
    monkeypatch.setattr(ledger.planning.plan, "decide", generous)
    lie = scene.access()
    assert scene.verdict(scene.bundle("lie")) == (1, "CONSENT_INVALID", lie)


def forget_the_last_event(scene: Scene) -> None:
    """Put the rows of consents back to what they were before a revocation, which stands in the log."""
    engine = create_engine(scene.url)
    with engine.connect() as connection:
        before = [dict(row) for row in connection.execute(select(consents)).mappings()]
    scene.world.record(scene.bank.step("revoke", scene.consent))
    with engine.begin() as connection:
        connection.execute(delete(consents))
        connection.execute(insert(consents), before)
    engine.dispose()


def test_a_revocation_that_the_state_forgot_stops_the_node(scene: Scene) -> None:
    forget_the_last_event(scene)
    with scene.restarted():
        with pytest.raises(SequencerStopped, match="older than entry"):
            scene.access()
        with pytest.raises(Corrupt, match="older than entry"):
            scene.world.ledger.records.consent(scene.bank.id, scene.consent.consent_id)
        node = scene.world.ledger
        assert examine(node.store, node.keystore, node.vkey).count == 1
        assert scene.verdict(scene.bundle("stopped", checked=False)) == (0, "VALID", None)


def test_a_revocation_that_the_state_forgot_is_refuted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(_: object, rows: Iterable[Any], ciphers: Mapping[bytes, Cipher], *__: object) -> dict[bytes, Consent]:
        return {row.chain: open_consent(row, ciphers[row.chain]).consent for row in rows}

    forget_the_last_event(scene)
    monkeypatch.setattr(ledger.storage.log, "standing_consents", trusting)
    with scene.restarted():
        lie = scene.access()
        assert scene.verdict(scene.bundle("lie", checked=False)) == (1, "CONSENT_INVALID", lie)


def test_an_entry_that_is_back_dated_is_refuted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    plan_batch = ledger.sequencer.loop.plan_batch

    def yesterday(world: Any, *arguments: Any) -> Any:
        world.time -= DAY_MS
        return plan_batch(world, *arguments)

    monkeypatch.setattr(ledger.sequencer.loop, "plan_batch", yesterday)
    said = scene.world.clock.now() // 1000 - DAY_MS // 1000  # the recipient plays along
    lie = scene.world.record(scene.app.access(scene.consent, iat=said))[0].index
    bundle = scene.bundle("lie", checked=False)  # the ledger's own check finds this one too
    assert scene.verdict(bundle) == (1, "TIME_INVALID", lie)


def test_a_suspended_participants_signature_is_refuted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.world.ledger.record_documents(
        document_of(ParticipantSuspended, participant=scene.app.id, reason="licence-withdrawn")
    )

    def anybody(statement: Statement, *_: Any) -> None:
        """Whoever it is."""

    monkeypatch.setattr(ledger.planning.plan, "check_signer", anybody)
    _, submission = scene.app.request(scene.bank)
    lie = scene.world.record(submission)[0].index
    assert scene.verdict(scene.bundle("lie")) == (1, "POLICY_REJECTED", lie)


def _exchanged(leaves: list[dict[str, Any]], lines: dict[int, Any], a: int, b: int) -> None:
    leaves[a]["commitment"], leaves[b]["commitment"] = leaves[b]["commitment"], leaves[a]["commitment"]
    lines[a], lines[b] = lines[b], lines[a]


def _dropped(leaves: list[dict[str, Any]], lines: dict[int, Any], a: int, _: int) -> None:
    leaves.pop(a)
    del lines[a]
    for index in [index for index in sorted(lines) if index > a]:
        lines[index - 1] = lines.pop(index)


@pytest.mark.parametrize("change", [_exchanged, _dropped], ids=["re-ordered", "dropped"])
def test_a_history_that_was_signed_anew_is_refuted_by_whoever_has_seen_the_old_one(
    scene: Scene, change: Callable[[list[dict[str, Any]], dict[int, Any], int, int], None]
) -> None:
    """The operator has the log's key: everything fits, and only what an auditor has seen before speaks against it."""
    scene.access()
    bundle = tamper.Bundle(scene.bundle("later"))
    first, second = sorted(bundle.rows)[-3:-1]  # two accesses that the auditor has seen in their order
    leaves = [dict(leaf) for leaf in bundle.leaves]
    lines = {index: json.loads(row) for index, row in bundle.rows.items()}
    change(leaves, lines, first, second)
    files = tamper.relinked(bundle, leaves, lines)
    entries = [
        entry
        for name in sorted(files)
        if name.startswith("tile/entries/") and (data := files[name])
        for entry in _split(data)
    ]
    signer = read_signer(node_config(scene.url, scene.root).log_key_file)
    note = sign_checkpoint(scene.world.ledger.origin, len(entries), tree([leaf_hash(e) for e in entries]), signer)
    tamper.write(
        tamper.Tampering(tamper.Expected("signed anew", 1, None), lambda: {**files, "checkpoint": note.encode()}),
        bundle,
        scene.root / "anew",
    )
    assert scene.verdict(scene.root / "later", "--since", str(scene.root / "state"))[:2] == (0, "VALID")
    assert scene.verdict(scene.root / "anew")[:2] == (0, "VALID"), "alone it is a history like any other"
    status, code, _ = scene.verdict(scene.root / "anew", "--since", str(scene.root / "state"))
    assert (status, code in ("EQUIVOCATION", "ROLLBACK")) == (1, True)


def _split(data: bytes) -> list[bytes]:
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2])
        entries.append(data[at + 2 : end])
        at = end
    return entries
