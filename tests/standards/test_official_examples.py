"""The official examples: refused for exactly what the official schemas have against them, and taken once that is mended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import files
from tests.standards.berlin import NEXT_YEAR, call, refusal
from tests.standards.kit import Stage
from tests.standards.uk import V4, errors_of, later

pytestmark = pytest.mark.conformance


def examples(pattern: str) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, json.loads(path.read_text())) for path in files(pattern)]


def test_the_uks_examples_of_requests_lack_risk_and_are_taken_with_it(played: Stage) -> None:
    for path, example in examples("**/account-access-consents/*request*.json"):
        answer = played.call("POST", V4, json=example)
        assert ("U004", "Risk") in errors_of(answer), path.name
        assert ("U003", "Data.ExpirationDateTime") in errors_of(answer), path.name
        inner = example["Data"] | {"ExpirationDateTime": later()}
        taken = played.call("POST", V4, json={"Data": inner, "Risk": {}})
        assert taken.status_code == 201, path.name
        made = taken.json()["Data"]
        assert made["Permissions"] == sorted(inner["Permissions"])
        for name in ("TransactionFromDateTime", "TransactionToDateTime"):
            assert made[name] == inner[name]


def test_our_answer_has_the_members_of_the_uks_example_of_one(played: Stage) -> None:
    answers = [
        example for path, example in examples("**/account-access-consents/*response*.json") if "post" in path.name
    ]
    example = max(answers, key=lambda answer: len(answer["Data"]["Permissions"]))
    asked = {
        name: example["Data"][name] for name in ("Permissions", "TransactionFromDateTime", "TransactionToDateTime")
    }
    made = played.call("POST", V4, json={"Data": asked | {"ExpirationDateTime": later()}, "Risk": {}}).json()
    assert made.keys() == example.keys()
    assert made["Data"].keys() == example["Data"].keys()
    assert made["Data"]["Status"] == example["Data"]["Status"]
    # The example shows one object where the schema has an array of them.
    assert made["Data"]["StatusReason"][0]["StatusReasonCode"] == example["Data"]["StatusReason"]["StatusReasonCode"]


def test_the_berlin_groups_examples_are_taken_once_complete(played: Stage) -> None:
    for path, example in examples("**/berlin-group/examples/consentsExample*.json"):
        assert refusal(call(played, "POST", "/v1/consents", json=example)) == (
            400,
            "FORMAT_ERROR",
            "combinedServiceIndicator",
        ), path.name
        whole = example | {"combinedServiceIndicator": False}
        assert refusal(call(played, "POST", "/v1/consents", json=whole)) == (
            400,
            "FORMAT_ERROR",
            "recurringIndicator",
        ), path.name
        said = whole | {"recurringIndicator": True}
        assert refusal(call(played, "POST", "/v1/consents", json=said)) == (400, "PERIOD_INVALID", "validUntil")
        taken = call(played, "POST", "/v1/consents", json=said | {"validUntil": NEXT_YEAR})
        assert taken.status_code == 201, taken.text
        shown = call(played, "GET", f"/v1/consents/{taken.json()['consentId']}").json()
        assert shown["access"] == example["access"]
