"""The standards' words against official files, specification and pages: nothing official is passed over in silence."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.http.problems import BY_SLUG
from api.standards.documents import pages, standards
from api.standards.words import words
from ledger.catalogue import LATEST
from ledger.consent.state import Status
from tests.conformance import files
from tests.standards.kit import official
from tests.standards.worded import idle, missing, operations, rows

ROOT = Path(__file__).resolve().parents[2]
CELL = re.compile(r"(works(: .+)?|by design not: .+)")


def fields(document: dict[str, Any], schema: str) -> set[str]:
    """Dotted names of all members of a schema; arrays are looked into; a schema inside itself is not."""
    schemas = document["components"]["schemas"]

    def walk(node: dict[str, Any], place: str, above: tuple[str, ...]) -> Iterator[str]:
        reference = node.get("$ref", "").rpartition("/")[2]
        if reference:
            if reference not in above:
                yield from walk(schemas[reference], place, (*above, reference))
            return
        yield from walk(node["items"], place, above) if "items" in node else ()
        for name, below in node.get("properties", {}).items():
            yield f"{place}.{name}"
            yield from walk(below, f"{place}.{name}", above)

    return set(walk(schemas[schema], schema, (schema,)))


def parameters(document: dict[str, Any], wanted: set[str]) -> set[str]:
    """Names of the header parameters of operations."""
    found = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if f"{method.upper()} {path}" in wanted:
                for one in operation.get("parameters", ()):
                    name = one.get("$ref", "").rpartition("/")[2]
                    parameter = document["components"]["parameters"][name] if name else one
                    found |= {parameter["name"]} if parameter["in"] == "header" else set()
    return found


def working(standard: str) -> set[str]:
    return {name for name, what in rows(standard, "Operations").items() if what.startswith("works")}


@pytest.mark.parametrize("standard", standards())
def test_every_row_says_works_or_why_not(standard: str) -> None:
    for table in words(standard).tables:
        wrong = {name: what for name, what in table.rows.items() if not CELL.fullmatch(what)}
        assert wrong == {}, table.title


@pytest.mark.parametrize("standard", standards())
def test_every_state_reason_and_problem_has_a_word(standard: str) -> None:
    said = words(standard)
    assert set(said.states) == {status.value for status in Status}
    assert all(set(told) == set(said.versions) for told in said.states.values())
    spec = (ROOT / "docs/spec/decisions.md").read_text()
    reasons = {name for name in re.findall(r"`([A-Z]+(?:_[A-Z]+)+|FROZEN)`", spec) if name.isupper()}
    assert set(said.reasons) == reasons
    assert set(said.problems) == set(BY_SLUG)


@pytest.mark.parametrize("standard", standards())
def test_permissions_lead_to_codes_of_the_catalogue_that_may_be_shared(standard: str) -> None:
    for name, codes in words(standard).permissions.items():
        grade = LATEST.highest_grade(codes)
        assert grade is not None, name
        assert grade <= LATEST.max_grade, name


def test_the_pages_are_those_of_the_words() -> None:
    folder = ROOT / "docs/standards"
    assert {name: (folder / name).read_text() for name in pages()} == pages(), (
        "python -m api.standards.documents docs/standards"
    )


@pytest.mark.conformance
def test_no_operation_field_header_or_code_of_the_uk_is_passed_over() -> None:
    accounts, events = official("**/account-info-openapi.yaml"), official("**/events-openapi.yaml")
    told = rows("uk", "Operations")
    every = operations(accounts) | operations(events) | operations(official("**/event-notifications-openapi.yaml"))
    assert (missing(every, told), idle(every, told)) == ([], [])
    named = set[str]()
    for name in ("OBReadConsent1", "OBReadConsentResponse1", "OBErrorResponse1"):
        named |= fields(accounts, name)
    for name in (
        "OBEventSubscription1",
        "OBEventSubscriptionResponse1",
        "OBEventSubscriptionsResponse1",
        "OBEventPolling1",
        "OBEventPollingResponse1",
    ):
        named |= fields(events, name)
    told = rows("uk", "Fields")
    assert (missing(named, told), idle(named, told)) == ([], [])
    headers = parameters(accounts, working("uk")) | parameters(events, working("uk"))
    assert missing(headers, rows("uk", "Headers")) == []
    [codeset] = files("**/OB_Internal_Codeset.csv")
    with codeset.open(encoding="utf-8-sig", newline="") as file:
        codes = {row[1] for row in csv.reader(file) if len(row) > 1 and row[0] == "OBExternalStatusReason1Code"}
    wanted = {code for code in codes if re.fullmatch(r"U0\d\d", code)}
    assert set(rows("uk", "Error and reason codes")) == wanted


@pytest.mark.conformance
def test_the_uks_permissions_are_the_official_ones_and_states_are_of_the_enumeration() -> None:
    for table in files("standards/uk-ob/**/permissions-*.json"):
        assert set(words("uk").permissions) == set(json.loads(table.read_text())["permissions"]), table.name
    document = official("**/account-info-openapi.yaml")
    inner = document["components"]["schemas"]["OBReadConsentResponse1"]["properties"]["Data"]
    version = "v4.0" if document["info"]["version"].lstrip("v").startswith("4") else "v3.1"
    assert {told[version] for told in words("uk").states.values()} == set(inner["properties"]["Status"]["enum"])


@pytest.mark.conformance
def test_codes_that_the_uk_adapter_sends_have_their_official_names() -> None:
    from api.standards.uk.dialect import NAMES

    [codeset] = files("**/OB_Internal_Codeset.csv")
    with codeset.open(encoding="utf-8-sig", newline="") as file:
        named = {row[1]: row[2] for row in csv.reader(file) if len(row) > 2 and row[0] == "OBExternalStatusReason1Code"}
    assert {code: named[code] for code in NAMES} == NAMES
    said = words("uk")
    assert {one.code for one in said.problems.values()} - {""} <= set(NAMES)
    assert {one.code for one in said.reasons.values()} - {""} <= set(named)


@pytest.mark.conformance
def test_no_operation_field_header_or_code_of_the_berlin_group_is_passed_over() -> None:
    document = official("**/psd2-api*.yaml")
    told = rows("berlin", "Operations")
    assert (missing(operations(document), told), idle(operations(document), told)) == ([], [])
    named = set[str]()
    for name in (
        "consents",
        "consentsResponse-201",
        "consentInformationResponse-200_json",
        "consentStatusResponse-200",
        "startScaprocessResponse",
        "authorisations",
        "scaStatusResponse",
    ):
        named |= fields(document, name)
    told = rows("berlin", "Fields")
    assert (missing(named, told), idle(named, told)) == ([], [])
    headers = parameters(document, working("berlin"))
    assert (missing(headers, rows("berlin", "Headers")), idle(headers, rows("berlin", "Headers"))) == ([], [])
    [listed] = files("**/error-codes-ais*.json")
    by_status = json.loads(listed.read_text())["by_http_status"]
    codes = {f"{status} {code}" for status, names in by_status.items() for code in names}
    told = rows("berlin", "Message codes")
    assert (missing(codes, told), idle(codes, told)) == ([], [])
    for one in (*words("berlin").problems.values(), *words("berlin").reasons.values()):
        assert not one.code or f"{one.status} {one.code}" in codes, one


@pytest.mark.conformance
def test_the_states_of_the_berlin_group_are_of_the_enumeration() -> None:
    known = official("**/psd2-api*.yaml")["components"]["schemas"]["consentStatus"]["enum"]
    assert {told["1.3"] for told in words("berlin").states.values()} == set(known)
