"""`consent-ledger rules try`: what a rule would have denied is what it denies once it is in force; nothing is recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from ledger.errors import InvalidInput, Refused
from ledger.queries.rehearsal import Rehearsed, parse_draft, rehearse
from tests.ledger.supervised import Place, supervised

HOUR = 3_600_000


def tried(place: Place, since: int, **draft: Any) -> Rehearsed:
    _, rule = parse_draft(json.dumps(draft, indent=1).encode())
    ledger = place.node.ledger
    return rehearse(ledger.store, ledger.keystore, rule, since, place.node.clock.now() + 1)


def test_a_freeze_would_have_denied_exactly_what_it_denies_when_it_is_ordered(engine_url: str, tmp_path: Path) -> None:
    with supervised(engine_url, tmp_path) as place:
        node = place.node
        one, other = node.grant(), node.grant()
        node.clock.advance(seconds=60)
        since = node.clock.now()
        asked = [(one, {}), (other, {}), (one, {"customer_present": True}), (other, {"purpose": "marketing"})]
        allowed = [node.access(consent, **says).outcome.decision for consent, says in asked].count("allow")  # type: ignore[union-attr]
        size = node.ledger.tree.size()
        found = tried(place, since, freeze={"recipient": "fintech-b"})
        assert (found.allowed, found.denied) == (allowed, allowed)
        assert found.by_recipient == {"fintech-b": allowed}
        assert found.by_reason["FROZEN"] == allowed
        assert tried(place, since, freeze={"recipient": "somebody"}).denied == 0
        assert tried(place, node.clock.now() + HOUR, freeze={}).allowed == 0, "nothing happened in that period"
        assert node.ledger.tree.size() == size, "nothing was recorded"
        place.freeze(scope={"recipient": "fintech-b"})
        denied = [place.reasons(consent, **says) for consent, says in asked]
        assert sum("FROZEN" in reasons for reasons in denied) == len(asked)


def test_a_cap_tells_which_requests_and_accesses_it_would_have_refused(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path) as place:
        node = place.node
        since = node.clock.now()
        consent = node.grant()
        terms = node.ledger.records.consent("bank-a", consent).terms
        node.access(consent)
        code = terms.purpose.code
        few = [terms.permissions[0]]
        found = tried(place, since, purpose={"code": code, "permissions": few})
        assert found.refused.total() == (1 if len(terms.permissions) > 1 else 0)
        cap = {"code": code, "permissions": list(terms.permissions), "max_retention_days": 1}
        capped = tried(place, since, purpose=cap)
        assert (capped.denied, capped.refused.total(), capped.requests) == (0, 1, 1)
        place.document("purpose.defined", **{**cap, "max_days": 0, "max_frequency_per_day": 0, "max_history_days": 0})
        with pytest.raises(Refused, match="kept 1 days"):
            node.grant()


def test_a_ruleset_is_tried_on_a_log_that_follows_an_older_one(sqlite_url: str, tmp_path: Path) -> None:
    with supervised(sqlite_url, tmp_path, 2) as place:
        node, since = place.node, place.node.clock.now()
        node.access(node.grant())
        same = tried(place, since, ruleset=2)
        assert (same.allowed, same.denied) == (1, 0)
        assert tried(place, since, ruleset=3).allowed == 1
        assert tried(place, since, freeze={}).denied == 1


@pytest.mark.parametrize(
    ("draft", "named"),
    [
        (b"", "does not read"),
        (b"\xff\xfe", "does not read"),
        (b"[" * 60_000, "does not read"),
        (b"[]", "does not read"),
        (b"{}", "exactly one"),
        (b'{"freeze": {}, "ruleset": 3}', "exactly one"),
        (b'{"freeze": {"recipient": "a b"}}', "recipient"),
        (b'{"freeze": {"colour": "red"}}', "colour"),
        (b'{"freeze": null}', "exactly one"),
        (b'{"ruleset": 99}', "no ruleset 99"),
        (b'{"ruleset": "3"}', "ruleset"),
        (b'{"assessment": {"permission": "ReadPAN"}}', "permission"),
        (b'{"purpose": {"code": "x"}}', "permissions"),
        (b'{"purpose": {"code": "x", "permissions": []}}', "permissions"),
        (b'{"purpose": {"code": "x", "permissions": ["b", "a"]}}', "sorted"),
        (b'{"purpose": {"code": "x", "permissions": ["a"], "max_days": -1}}', "max_days"),
        (b" " * 70_000, "70000 bytes"),
    ],
)
def test_a_hostile_draft_is_refused_by_what_is_wrong_with_it(draft: bytes, named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        parse_draft(draft)


def test_the_command_counts_last_month_and_says_so(
    engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    state = str(tmp_path / "state")
    runner = CliRunner()
    assert runner.invoke(app, ["init", "--origin", "bank.example/log", "--state", state]).exit_code == 0
    draft = tmp_path / "draft.json"
    draft.write_text('{"freeze": {}}')
    answer = runner.invoke(app, ["rules", "try", str(draft), "--state", state])
    assert answer.exit_code == 0, answer.output
    this_month = datetime.now(UTC).date().replace(day=1)
    assert "would have denied 0 of 0 allowed accesses" in " ".join(answer.output.split())
    assert f"{this_month}" not in answer.output
    for wrong, named in (("--from", "--from 'x'"), ("--to", "--to 'x'")):
        refused = runner.invoke(app, ["rules", "try", str(draft), wrong, "x", "--state", state])
        assert (refused.exit_code, named in refused.output) == (1, True)
    draft.write_text("{}")
    refused = runner.invoke(app, ["rules", "try", str(draft), "--state", state])
    assert refused.exit_code == 1
    assert "exactly one of" in " ".join(refused.output.split())
