"""Schemathesis against the official descriptions and our own: whatever is sent, the answer is one that the description has."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.standards.kit import Stage, official

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 6
UNDOCUMENTED = {
    400: "a header or a body that is not HTTP's own: answered by the server before anybody reads it",
    404: "an address that is none once it is normalised, such as one with two dots",
    405: "the same, where what is left is the address of the list",
    411: "no length",
}
"""Answers to requests that are not requests of the operation at all."""

pytestmark = pytest.mark.conformance

SERVED = {
    "**/account-info-openapi.yaml": ("/open-banking/v4.0/aisp", ("/account-access-consents",)),
    "**/events-openapi.yaml": ("/open-banking/v4.0", ("/event-subscriptions", "/events")),
    "**/psd2-api*.yaml": ("", ("/v1/consents",)),
    "**/brazil-of/consents-*.yml": ("/open-banking/consents/v3", ("/consents",)),
}
"""Official file → where its paths lie, and which of them are served."""


def described(pattern: str) -> dict[str, Any]:
    """An official file, cut down to what is served and to the media type that is."""
    document = copy.deepcopy(official(pattern))
    _, served = SERVED[pattern]
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith(served)}
    _only_json(document)
    _without_examples_and_schemes(document)
    return document


def _only_json(node: Any) -> None:
    if isinstance(node, dict):
        content = node.get("content")
        if isinstance(content, dict):
            for media in [media for media in content if not media.startswith("application/json")]:
                del content[media]
        for below in node.values():
            _only_json(below)
    elif isinstance(node, list):
        for below in node:
            _only_json(below)


def _without_examples_and_schemes(document: dict[str, Any]) -> None:
    document.pop("security", None)
    document["components"].pop("securitySchemes", None)
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict):
                operation.pop("security", None)


def cases(document: dict[str, Any]) -> st.SearchStrategy[Case]:
    """Requests of all operations, well and badly formed."""
    schema = schemathesis.openapi.from_dict(document)
    found = [operation.ok() for operation in schema.get_all_operations()]
    assert found
    return st.one_of(
        operation.as_strategy(generation_mode=mode)
        for operation in found
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )


def bounded(count: int) -> settings:
    """The same requests each time."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("pattern", sorted(SERVED))
def test_answers_are_those_of_the_official_description(played: Stage, pattern: str) -> None:
    document = described(pattern)
    prefix, _ = SERVED[pattern]
    seen = set[int]()
    operations = sum(len(item) for item in document["paths"].values())

    @bounded(EXAMPLES * operations)
    @given(case=cases(document))
    def answers(case: Case) -> None:
        seen.add(send(played, case, f"/holders/bank-a{prefix}"))

    answers()
    assert seen & {400, 422}  # requests arrived and were read (Brazil says 422 of a body that it has read) …
    assert 401 not in seen  # … by somebody who knew who sent them


def send(played: Stage, case: Case, prefix: str) -> int:
    """Send a case as `tpp-1` with a proof for that address; hold the answer against the description. Its status."""
    client = played.client()
    prepared = requests.Request(**case.as_transport_kwargs(base_url=played.service.base_url + prefix)).prepare()
    path = (prepared.url or "").removeprefix(client.base_url)
    for name, value in client.headers(case.method, path).items():
        prepared.headers[name] = value
    with requests.Session() as session:
        session.trust_env = False
        answer = session.send(prepared, timeout=30)
    if answer.status_code in UNDOCUMENTED and str(answer.status_code) not in case.operation.responses.status_codes:
        return answer.status_code
    case.validate_response(answer, checks=CHECKS)
    return answer.status_code


def own_description(played: Stage) -> dict[str, Any]:
    """Our own description: the operations of the standards, and everything that is read natively with a token."""
    document = copy.deepcopy(played.service.http.get("/openapi.json").json())
    standards = ("uk-open-banking", "berlin-group", "open-finance-brasil")
    for path, item in list(document["paths"].items()):
        kept = {
            method: operation
            for method, operation in item.items()
            if operation["tags"][0] in standards
            or (method == "get" and any("dpop" in scheme for scheme in operation.get("security", ())))
        }
        document["paths"][path] = kept
        if not kept or path in NOT_FOR_A_RECIPIENT:
            del document["paths"][path]
    _without_examples_and_schemes(document)
    return document


NOT_FOR_A_RECIPIENT = {"/bundle", "/tile/entries/{name}", "/metrics"}


def test_answers_are_those_of_our_own_description(played: Stage) -> None:
    document = own_description(played)
    seen = set[int]()

    @bounded(100)
    @given(case=cases(document))
    def answers(case: Case) -> None:
        seen.add(send(played, case, ""))

    answers()
    assert 401 not in seen
