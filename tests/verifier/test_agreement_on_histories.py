"""The ledger records attested history and the verifier judges it, each from docs/spec/history.md alone: they take the same
forms, an honest log has no defect, and what its holder said wrongly is a finding about the holder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.canonical import encode
from ledger.entries.leaf import history_chain, subject_chain
from ledger.entries.statement import parse_payload
from ledger.errors import LedgerError
from tests.histories import BEFORE, Told, bring, row, sheet
from tests.ledger.supervised import supervised
from tests.verdicts import audited
from tests.verifier.history_forms import FORMS, changed
from tests.world import BANK, reference
from verifier.errors import Code
from verifier.rules.sheets import NOT_WHOLE

ALICE, BOB = reference("alice"), reference("bob")


@pytest.mark.parametrize(("act", "changes", "accepted"), FORMS)
def test_both_take_the_same_forms(act: str, changes: dict[str, Any], accepted: bool) -> None:
    payload = changed(act, changes)
    try:
        parse_payload(encode(payload))
        taken = True
    except LedgerError:
        taken = False
    assert taken == accepted


def told(name: str = "before", **changes: Any) -> Told:
    return Told(
        sheet(ALICE, [row("consent"), row(record=2, time=BEFORE + 5)], 0, 0, 2, name),
        sheet(ALICE, [row("revocation", record=3, time=BEFORE + 9, reason="moved")], 1, 1, 2, name),
        sheet(BOB, [row(record=4, result="refused")], 2, salt=name),
        name=name,
        **changes,
    )


def test_an_honest_log_with_histories_has_no_defect_and_wrong_totals_are_the_holders(
    sqlite_url: str, tmp_path: Path
) -> None:
    with supervised(sqlite_url, tmp_path) as place:

        def say(act: str, **members: Any) -> int:
            return place.node.bank.record(act, **members).index

        place.node.access(place.node.grant())
        whole = bring(say, told())
        wrong = bring(say, told(name="wrong", rows=7))
        half = told(name="half")
        at = say("history.attest", **half.attest)
        say("history.sheet", **half.of(1, at))
        say("history.withdraw", history="wrong", reason="wrong-count")
        again = bring(say, told(name="again", rows=7))
        findings = audited(place.node.ledger, tmp_path / "before").findings
        assert [str(defect) for defect in findings.defects] == []
        assert [(one.code, one.place.index, one.place.field) for one in findings.disputes] == [
            (Code.DISPUTED, again, "rows")
        ]
        assert findings.checked["attested histories"] == 2
        assert findings.unchecked[NOT_WHOLE] == 1
        assert findings.checked["access decisions"] == 1
        assert whole < wrong
        place.node.ledger.erase([history_chain(BANK, BOB), subject_chain(BANK, ALICE)], "gdpr-17", ("one", "two"))
        findings = audited(place.node.ledger, tmp_path / "after").findings
        assert [str(defect) for defect in findings.defects] == []
        assert findings.disputes == []
        assert findings.unchecked[NOT_WHOLE] == 3
