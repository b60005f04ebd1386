"""A shard's receipt on the word of the head log (docs/spec/sets.md, 3)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verifier.forge import Json, b64u, encode, signing_key
from tests.verifier.making import refusal
from tests.verifier.set_forge import FIRST, HEAD, ForgedSet, head_of, set_proof
from verifier.audit.set_proof import parse_set_proof
from verifier.cli import main
from verifier.errors import Code

UNNAMED = "the shard's own signature (the policy does not name the shard: the head log alone vouches for it)"


class Scene:
    """A receipt of the first shard's last entry, and a set proof of it; both may be bent before they are judged."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.forged = ForgedSet()
        self.shard = self.forged.first
        self.entry, self.size = len(self.shard.entries) - 1, len(self.shard.entries)
        self.document = self.forged.commit()
        self.forged.head.index_head()
        self.receipt: Json = self.shard.receipt(self.entry)
        self.proof = self.prove()
        self.policy = self.forged.head.policy()
        self.checked: dict[str, int] = {}

    def prove(self, **changes: Any) -> Json:
        asked = {"document": self.document, "entry": self.entry, "size": self.size, "cosign": False, **changes}
        return set_proof(self.forged, shard=self.shard, **asked)

    def judge(self, *more: str) -> tuple[int, str, dict[str, int]]:
        """Exit status, code, and what was not checked."""
        for name, content in (("receipt", encode(self.receipt)), ("proof", encode(self.proof))):
            (self.folder / name).write_bytes(content)
        (self.folder / "policy").write_text(self.policy)
        paths = [str(self.folder / name) for name in ("receipt", "proof", "policy")]
        status = main(["receipt", paths[0], "--set-proof", paths[1], "--policy", paths[2], "--json", *more])
        events = [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]
        counts = {
            event: {one["what"]: one["count"] for one in events if one["event"] == event}
            for event in ("checked", "unchecked")
        }
        self.checked = counts["checked"]
        return status, events[-1]["code"] or "", counts["unchecked"]

    def name_the_shard(self, key: str | None = None) -> None:
        self.policy = f"log {key or self.shard.vkey()}\n{self.forged.head.policy()}"


@pytest.fixture
def scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Scene:
    return Scene(tmp_path, capsys)


def test_the_head_log_vouches_for_a_shard_that_the_policy_does_not_name(scene: Scene) -> None:
    status, code, unchecked = scene.judge()
    assert (status, code, unchecked[UNNAMED]) == (0, "VALID", 1)
    assert scene.checked["heads of shards that the head log committed"] == 1


def test_without_the_set_proof_the_receipt_is_of_nobodys_log(scene: Scene, tmp_path: Path) -> None:
    scene.judge()
    assert main(["receipt", str(tmp_path / "receipt"), "--policy", str(tmp_path / "policy")]) == 1


def test_a_shard_that_the_policy_names_is_held_to_its_own_signature_too(scene: Scene) -> None:
    scene.name_the_shard()
    status, code, unchecked = scene.judge()
    assert (status, code, UNNAMED in unchecked) == (0, "VALID", False)
    scene.shard.log_key = signing_key("stolen name")
    scene.receipt = scene.shard.receipt(scene.entry)
    assert scene.judge()[:2] == (1, "BAD_SIGNATURE")


def test_the_quorum_is_asked_of_the_head_log_alone(scene: Scene) -> None:
    scene.policy = scene.forged.head.policy(quorum=True)
    assert scene.judge()[:2] == (3, "VALID_UNWITNESSED")
    scene.proof = scene.prove(cosign=True)
    assert scene.judge()[:2] == (0, "VALID")
    scene.policy = f"log {scene.shard.vkey()}\n{scene.policy}"
    assert scene.judge()[:2] == (0, "VALID")


def test_a_receipt_made_before_the_head_was_committed_is_proved_as_well(scene: Scene) -> None:
    """The receipt's tree and the one that was committed need not be the same."""
    scene.shard.index_head()
    document = scene.forged.commit()
    scene.proof = scene.prove(document=document, size=scene.size + 1)
    assert scene.judge()[:2] == (0, "VALID")


def bent(**members: Any) -> Callable[[Scene], None]:
    return lambda scene: scene.proof.update(members)


def lie_in_leaf(old: str, new: str) -> Callable[[Scene], None]:
    def change(scene: Scene) -> None:
        scene.proof["leaf"] = scene.proof["leaf"].replace(old, new, 1)

    return change


def another_leaf(scene: Scene) -> None:
    """A document that is there, and commits to nothing."""
    scene.proof = scene.prove(document=scene.document - 1)


def above_the_head(scene: Scene) -> None:
    """An entry that the shard recorded after the head that is shown was committed."""
    entry = scene.shard.index_head()
    scene.receipt = scene.shard.receipt(entry)
    scene.proof = scene.prove(entry=entry, size=scene.size + 1)


def of_another_shard(scene: Scene) -> None:
    scene.receipt = scene.forged.second.receipt(0)


def of_another_entry(scene: Scene) -> None:
    scene.proof = scene.prove(entry=scene.entry - 1)


def by_another_key(scene: Scene) -> None:
    scene.forged.head.log_key = signing_key("stolen name")
    scene.proof = scene.prove()


def another_index(scene: Scene) -> None:
    scene.proof["proof"] = scene.proof["proof"].replace(f"index {scene.document}\n", f"index {scene.document - 1}\n")


def another_path(scene: Scene) -> None:
    lines = scene.proof["proof"].split("\n")
    lines[2] = lines[3]
    scene.proof["proof"] = "\n".join(lines)


def with_extra(scene: Scene) -> None:
    scene.proof["proof"] = scene.proof["proof"].replace("@v1\n", "@v1\nextra AAAA\n")


def another_root(scene: Scene) -> None:
    document = scene.forged.commit_to(head_of(scene.shard, scene.size + 1, root=b64u(bytes(32))))
    scene.proof = scene.prove(document=document)


def another_chain(scene: Scene) -> None:
    heads = [head_of(scene.shard)]
    document = scene.forged.head.operator({"v": 2, "type": "heads.committed", "heads": heads}, "operator:set")
    scene.proof = scene.prove(document=document)


def other_evidence(scene: Scene) -> None:
    scene.receipt["evidence"] = scene.receipt["evidence"].replace('"v":1', '"v":1 ')


def cut_receipt(scene: Scene) -> None:
    """A path of the receipt that does not lead to the root in its own checkpoint."""
    scene.receipt["proof"] = scene.receipt["proof"].replace(f"\n{scene.size}\n", f"\n{scene.size + 1}\n")


REFUSED: list[tuple[str, str, Callable[[Scene], object]]] = [
    ("1", "BAD_ENCODING", bent(proof="nonsense")),
    ("1", "BAD_ENCODING", with_extra),
    ("1", "BAD_SIGNATURE", by_another_key),
    ("2", "BAD_ENCODING", bent(leaf="{}")),
    ("2", "BAD_ENCODING", lie_in_leaf(",", ", ")),
    ("2", "BAD_ENCODING", another_leaf),
    ("2", "BAD_ENCODING", another_chain),
    ("2", "BAD_PROOF", another_index),
    ("2", "BAD_PROOF", another_path),
    ("2", "BAD_PROOF", lie_in_leaf('"time":1', '"time":2')),
    ("3", "BAD_PROOF", above_the_head),
    ("4", "BAD_PROOF", of_another_entry),
    ("4", "BAD_PROOF", bent(path=[])),
    ("4", "BAD_PROOF", bent(path=[b64u(bytes(32))] * 63)),
    ("4", "BAD_PROOF", another_root),
    ("4", "BAD_PROOF", of_another_shard),
    ("5", "BAD_COMMITMENT", other_evidence),
    ("5", "BAD_PROOF", cut_receipt),
    ("form", "BAD_ENCODING", bent(more=1)),
    ("form", "BAD_ENCODING", bent(path=["AAAA"])),
    ("form", "BAD_ENCODING", bent(path=[b64u(bytes(32))] * 64)),
    ("form", "BAD_ENCODING", bent(v="1")),
]


@pytest.mark.parametrize(("step", "code", "change"), REFUSED, ids=[f"{row[0]}-{n}" for n, row in enumerate(REFUSED)])
def test_each_check_refuses(step: str, code: str, change: Callable[[Scene], object], scene: Scene) -> None:
    change(scene)
    assert scene.judge()[:2] == (1, code)


def test_a_set_proof_has_65536_bytes_at_most(scene: Scene) -> None:
    text = encode(scene.proof)
    parse_set_proof(text.ljust(65_536))
    with refusal(Code.BAD_ENCODING):
        parse_set_proof(text.ljust(65_537))


@pytest.mark.parametrize("change", [bent(v=2), lie_in_leaf('"v":1}', '"v":2}'), lie_in_leaf('"v":2}', '"v":3}')])
def test_another_version_leaves_the_question_open(change: Callable[[Scene], None], scene: Scene) -> None:
    change(scene)
    assert scene.judge()[:2] == (2, "")


def test_people_are_told_which_head_was_committed_and_what_was_not_checked(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.judge()
    paths = [str(tmp_path / name) for name in ("receipt", "proof", "policy")]
    assert main(["receipt", paths[0], "--set-proof", paths[1], "--policy", paths[2], "--lang", "en"]) == 0
    told = capsys.readouterr().out
    assert HEAD in told
    assert f"{FIRST}: {scene.size:,} / " in told
    assert UNNAMED in told
