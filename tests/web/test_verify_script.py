"""The third implementation of the specification, in the browser, against the shared vectors and our own receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ledger.receipts import receipt_bytes
from tests.conformance import files
from tests.web.site import Site

pytestmark = pytest.mark.browser

RUN = """async ([name, cases, vkey]) => {
  const verify = await import('/static/verify.js');
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const run = {
    inclusion: (c) => verify.verifyInclusion(
      BigInt(c.leafIdx), BigInt(c.treeSize), bytes(c.leafHash), (c.proof ?? []).map(bytes), bytes(c.root)),
    proof: async (c) => verify.verifyProof(c.proof, new TextEncoder().encode(c.entry), await verify.readVkey(c.vkey)),
    note: async (c) => (await verify.openNote(c.note, await Promise.all(c.vkeys.map(verify.readVkey)))).verified.length,
    checkpoint: (c) => verify.readCheckpoint(c.body),
    vkey: (c) => verify.readVkey(c),
    leaf: async (c) => verify.hex(await verify.leafHash(new TextEncoder().encode(c))),
    receipt: async (c) => {
      const { genuine, steps } = await verify.checkReceipt(c, vkey);
      return [genuine, steps.filter((s) => s.outcome === 'failed').map((s) => s.step)];
    },
    outcome: async (c) => (await verify.checkReceipt(c, vkey)).outcome,
  }[name];
  const answers = [];
  for (const c of cases) {
    try {
      const value = await run(c);
      const plain = value === undefined || (typeof value === 'object' && !Array.isArray(value));
      answers.push(plain ? 'accepted' : value);
    } catch (error) { if (!(error instanceof verify.Refuted)) throw error; answers.push('refused'); }
  }
  return answers;
}"""


@pytest.fixture(scope="module")
def checking(browser: Browser, shared_site: Site) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{shared_site.url}/verify")
    yield page
    context.close()


def run(page: Page, name: str, cases: list[Any], vkey: str = "") -> list[Any]:
    answers = page.evaluate(RUN, [name, cases, vkey])
    assert len(answers) == len(cases)
    return list(answers)


def listed(pattern: str) -> list[dict[str, Any]]:
    """The cases of all files that are lists of such, whatever they are called."""
    read = [json.loads(path.read_text()) for path in files(pattern)]
    return [case for cases in read if isinstance(cases, list) for case in cases]


def is_worked(path: Path) -> bool:
    """Whether a file has one log from its entries to its cosigned checkpoints."""
    return '"tlog_proof"' in path.read_text()


@pytest.mark.conformance
def test_the_script_gives_the_published_verdict_on_every_inclusion_proof(checking: Page) -> None:
    cases = [
        case
        for case in listed("vectors/merkle/*.json")
        if {"leafIdx", "treeSize"} <= case.keys() and "note" not in case
    ]
    assert len(cases) > 50
    # Numbers beyond 2^53 do not survive JSON into JavaScript: they travel as text.
    sent = [{**case, "leafIdx": str(case["leafIdx"]), "treeSize": str(case["treeSize"])} for case in cases]
    answers = run(checking, "inclusion", sent)
    wrong = [case["file"] for case, said in zip(cases, answers, strict=True) if (said == "refused") != case["wantErr"]]
    assert wrong == []


@pytest.mark.conformance
def test_the_script_follows_the_worked_example_to_the_end(checking: Page) -> None:
    for path in files("vectors/*/*.json", shape=is_worked):
        example = json.loads(path.read_text())
        assert run(checking, "leaf", example["entries"]) == example["leaf_hashes"]
        proof = {"proof": example["tlog_proof"], "entry": example["entries"][2], "vkey": example["log_vkey"]}
        broken = {**proof, "entry": example["entries"][3]}
        assert run(checking, "proof", [proof, broken]) == ["accepted", "refused"]
        notes = [{"note": example[name], "vkeys": [example["log_vkey"]]} for name in ("checkpoint3", "checkpoint5")]
        other = {"note": example["checkpoint5"].replace("\n5\n", "\n6\n"), "vkeys": [example["log_vkey"]]}
        assert run(checking, "note", [*notes, other]) == [1, 1, "refused"]


@pytest.mark.conformance
def test_the_script_gives_the_published_verdict_on_every_proof_file(checking: Page) -> None:
    cases: list[dict[str, Any]] = []
    expected: list[bool] = []
    for path in files(
        "vectors/*/*.json", shape=lambda path: '"proof"' in path.read_text() and '"policy"' in path.read_text()
    ):
        for case in json.loads(path.read_text()):
            policy = (path.parent / case["policy"]).read_text()
            cases.append({"proof": case["proof"], "entry": case["entry"], "vkey": _log_key(policy)})
            expected.append(case["expect"])
        for proof in sorted(path.parent.glob("*.tlog-proof")):
            entry = proof.with_suffix(".entry")
            vkey = _key_of(proof.read_text(), path.parent)
            if entry.exists() and vkey is not None:
                cases.append({"proof": proof.read_text(), "entry": entry.read_text(), "vkey": vkey})
                expected.append(True)
    # A policy's witnesses are not the script's business: it checks the log's own signature.
    answers = run(checking, "proof", cases)
    wrong = [
        case["proof"][:200]
        for case, said, want in zip(cases, answers, expected, strict=True)
        if (said == "accepted") != want
    ]
    assert wrong == []


def _key_of(proof: str, folder: Path) -> str | None:
    """The key of the log that a proof's checkpoint names, from whichever policy of the folder has it."""
    origin = proof.split("\n\n", 1)[1].split("\n", 1)[0]
    keys = [_log_key(policy.read_text()) for policy in sorted(folder.glob("*.policy"))]
    return next((key for key in keys if key.startswith(f"{origin}+")), None)


def _log_key(policy: str) -> str:
    return next(line.split()[1] for line in policy.splitlines() if line.startswith("log "))


@pytest.mark.conformance
def test_the_script_gives_the_published_verdict_on_notes_and_checkpoints(checking: Page) -> None:
    notes = [
        case
        for path in files("vectors/notes/*.json")
        for case in json.loads(path.read_text())
        if "vkeys" in case
        and case["vkeys"]
        and run(checking, "vkey", case["vkeys"]) == ["accepted"] * len(case["vkeys"])
    ]
    assert len(notes) > 5
    answers = run(checking, "note", notes)
    wrong = [
        case["name"]
        for case, said in zip(notes, answers, strict=True)
        if said != (len(case["verified"]) if case["expect"] == "verified" else "refused")
    ]
    assert wrong == []
    bodies = [case for case in listed("vectors/notes/*.json") if "body" in case]
    answers = run(checking, "checkpoint", bodies)
    assert [
        case["name"] for case, said in zip(bodies, answers, strict=True) if (said == "accepted") != case["valid"]
    ] == []


def test_the_script_accepts_every_receipt_of_the_ledger_and_names_the_step_that_a_change_breaks(
    checking: Page, shared_site: Site
) -> None:
    site = shared_site
    consent = site.shared()
    recorded = [site.read(consent), *site.world.record(site.bank.step("revoke", consent))]
    vkey = site.world.ledger.vkey.format()
    operator = site.world.ledger.records.recorded([0])[0]
    genuine = [receipt_bytes(one).decode() for one in [*recorded, operator]]
    genuine.append(receipt_bytes(recorded[0], disclose=False).decode())
    assert run(checking, "receipt", genuine, vkey) == [[True, []]] * len(genuine)

    whole = json.loads(genuine[0])
    leaf = json.loads(whole["leaf"])
    other = json.loads(genuine[1])
    text = json.dumps
    index_line = f"index {leaf['index']}\n"
    tampered = {
        "commitment": [
            text({**whole, "evidence": whole["evidence"].replace('"allow"', '"deny"')}),
            text({**whole, "opening": other["opening"]}),
            text({**whole, "evidence": whole["evidence"].replace('{"act"', '{ "act"')}),
        ],
        "inclusion": [
            text({**whole, "leaf": whole["leaf"].replace(f'"time":{leaf["time"]}', f'"time":{leaf["time"] + 1}')}),
            text({**whole, "proof": whole["proof"].replace(index_line, f"index {leaf['index'] + 1}\n")}),
            text({**whole, "proof": other["proof"]}),
        ],
        "checkpoint": [
            text({**whole, "proof": _with_another_signature(whole["proof"], other["proof"])}),
        ],
        "read": [
            genuine[0][:-1] + ',"v":1}',
            text({**whole, "more": 1}),
            text({name: value for name, value in whole.items() if name != "opening"}),
            text({**whole, "leaf": whole["leaf"] + " "}),
            "not json",
            "[]",
        ],
    }
    for step, cases in tampered.items():
        assert run(checking, "receipt", cases, vkey) == [[False, [step]]] * len(cases), step
    stranger = json.loads(files("vectors/*/*.json", shape=is_worked)[0].read_text())["log_vkey"]
    assert run(checking, "receipt", genuine[:1], stranger) == [[False, ["checkpoint"]]]

    # What a person is told: four outcomes, each of which calls for something else.
    assert run(checking, "outcome", genuine, vkey) == ["genuine"] * len(genuine)
    assert run(checking, "outcome", genuine, stranger) == ["foreign"] * len(genuine)
    forged = [case for step, cases in tampered.items() if step != "read" for case in cases]
    assert set(run(checking, "outcome", forged, vkey)) == {"altered"}
    altered_abroad = [case for step in ("commitment", "leaf", "inclusion") for case in tampered.get(step, [])]
    assert "foreign" not in run(checking, "outcome", altered_abroad, stranger), (
        "what does not fit itself is not a log's"
    )
    nothing = ["not json", "[]", "{}", '{"a":1}', "", '{"v":1,"leaf":"x","proof":"y"}']
    assert run(checking, "outcome", nothing, vkey) == ["nothing"] * len(nothing)


def _with_another_signature(proof: str, other: str) -> str:
    return proof.rsplit("\n\n", 1)[0] + "\n\n" + other.rsplit("\n\n", 1)[1]
