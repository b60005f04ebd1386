"""The words of the Consumer Data Right, Brazil, India and the receipts against their official files: nothing is passed over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance import files
from tests.standards.served import official
from tests.standards.versions import SERVED
from tests.standards.worded import idle, missing, operations, rows


def _members(schemas: dict[str, Any], node: dict[str, Any], place: str, above: tuple[str, ...]) -> Iterator[str]:
    reference = node.get("$ref", "").rpartition("/")[2]
    if reference:
        if reference not in above:
            yield from _members(schemas, schemas[reference], place, (*above, reference))
        return
    for part in (*node.get("allOf", ()), *([node["items"]] if "items" in node else ())):
        yield from _members(schemas, part, place, above)
    for name, below in node.get("properties", {}).items():
        yield f"{place}.{name}"
        yield from _members(schemas, below, f"{place}.{name}", above)


def _all_members(schemas: dict[str, Any], *names: str) -> set[str]:
    return {member for name in names for member in _members(schemas, schemas[name], name, (name,))}


def _is_told(standard: str, table: str, names: set[str], *, other: bool = False) -> None:
    """`other`: the file is of another version than the served one, which may know more."""
    told = rows(standard, table)
    assert (missing(names, told), [] if other else idle(names, told)) == ([], []), (standard, table)


@pytest.mark.conformance
def test_nothing_of_brazils_consents_is_passed_over() -> None:
    document = official("standards/brazil-of/consents-*.yml", "Open Finance Brasil")
    schemas, other = document["components"]["schemas"], document["info"]["version"] != SERVED["brazil"][0]
    _is_told("brazil", "Operations", operations(document), other=other)
    _is_told(
        "brazil",
        "Fields",
        _all_members(
            schemas,
            "CreateConsent",
            "ResponseConsent",
            "ResponseConsentRead",
            "CreateConsentExtensions",
            "ResponseConsentExtensions",
            "ResponseConsentReadExtensions",
            "ResponseError",
        ),
        other=other,
    )
    parameters = document["components"]["parameters"].values()
    _is_told("brazil", "Headers", {one["name"] for one in parameters if one["in"] == "header"}, other=other)
    refusals = (
        "ResponseErrorUnprocessableEntity",
        "ResponseErrorUnprocessableEntityDelete",
        "422ResponseErrorCreateConsent",
    )
    codes = {
        code
        for name in refusals
        for code in schemas[name]["properties"]["errors"]["items"]["properties"]["code"]["enum"]
    }
    rejection = schemas["ResponseConsentRead"]["properties"]["data"]["properties"]["rejection"]["properties"]
    codes |= set(rejection["reason"]["properties"]["code"]["enum"])
    _is_told("brazil", "Error and rejection codes", codes, other=other)


@pytest.mark.conformance
def test_nothing_of_the_account_aggregator_is_passed_over() -> None:
    documents = {name: official(f"standards/india-aa/{name}-*.yaml", "swagger") for name in ("AA", "FIP", "FIU")}
    _is_told("india", "Operations", {f"{name} {one}" for name, whole in documents.items() for one in operations(whole)})
    _is_told(
        "india",
        "Fields",
        _all_members(
            documents["AA"]["definitions"],
            "ConsentsRequestWrapper",
            "ConsentsResponse",
            "ConsentHandleRequestWrapper",
            "ConsentHandleResponse",
            "ConsentFetchRequestWrapper",
            "ConsentArtefact",
            "SignedConsentDetail",
            "ConsentNotificationRequestWrapper",
            "NotificationResponse",
            "ErrorResponse",
            "HeartbeatResponse",
        ),
    )
    codes = {
        code
        for whole in documents.values()
        for one in whole["definitions"].values()
        for code in one.get("properties", {}).get("errorCode", {}).get("enum", ())
    }
    _is_told("india", "Error codes", codes)


@pytest.mark.conformance
def test_nothing_of_the_consumer_data_right_is_passed_over() -> None:
    document = official("standards/au-cds/*/cds_admin.yaml", "openapi")
    assert missing(operations(document), rows("cdr", "Operations")) == []
    _is_told("cdr", "Members of the metrics", _all_members(document["components"]["schemas"], "ResponseMetricsListV5"))
    texts = [path.read_text() for path in files("standards/au-cds/*/errors.md")]
    codes = {
        place + name
        for text in texts
        for place, name in re.findall(r"<code>(urn:au-cds:error:[a-z-]+:)<br/>([A-Za-z/]+)</code>", text)
    }
    _is_told("cdr", "Error codes", codes)


@pytest.mark.conformance
def test_nothing_of_the_receipts_is_passed_over() -> None:
    named = {"kantara": "kantara", "consent-record": "record", "consent-receipt": "receipt"}
    members = set[str]()
    for part, name in named.items():
        for path in files("standards/own/*.schema.json", shape=lambda path, part=part: f"{part}" in path.name):  # type: ignore[misc]
            if part == "consent-receipt" and "kantara" in path.name:
                continue
            members |= set(_members({}, json.loads(path.read_text()), name, ()))
    _is_told("receipts", "Members", members)
