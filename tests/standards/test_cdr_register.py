"""The Consumer Data Right's register says that it has something new, and its list of recipients is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api.node.registering import watcher_of
from api.registers.cdr import read_feed
from api.registers.plan import RegisterStatus
from ledger.errors import InvalidInput
from tests.api.service import TokenClient
from tests.standards.applicants import Applicant, applying
from tests.standards.kit import official
from tests.standards.registers import open_register
from tests.standards.validation import conforms

PLACE = "/holders/bank-a/cdr/cds-au/v1/admin/register/metadata"
REFRESH = {"data": {"action": "REFRESH"}}


@pytest.fixture(scope="module")
def applicant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applicant]:
    with open_register("cdr") as register, applying(tmp_path_factory.mktemp("cdr") / "l", register) as running:
        yield running


@pytest.fixture(scope="module")
def register_client(applicant: Applicant) -> TokenClient:
    """The register takes part as a regulator."""
    service = applicant.stage.service
    return service.as_(service.world.join("accc", "regulator"))


def tell(client: TokenClient, body: Any = REFRESH, **headers: str) -> httpx2.Response:
    sent = {"x-v": "1", "content-type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request("POST", PLACE, content=content, headers=sent)


def test_a_word_of_the_register_makes_its_keys_read_at_once(applicant: Applicant, register_client: TokenClient) -> None:
    register = applicant.register
    register.down = True
    assert applicant.ask().status_code == 503
    register.down = False
    asked = register.asked
    assert applicant.ask().status_code == 503
    assert register.asked == asked, "not before the wait is over"
    answer = tell(register_client)
    assert (answer.status_code, answer.headers["x-v"]) == (200, "1")
    assert applicant.ask().status_code == 201
    assert register.asked > asked


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({"data": {"action": "DELETE"}}, {}, 400, "Field/Invalid"),
        ({"data": {}}, {}, 400, "Field/Invalid"),
        (b"{", {}, 400, "Field/Missing"),
        (REFRESH, {"x_v": "0"}, 400, "Header/InvalidVersion"),
        (REFRESH, {"x_v": "2", "x_min_v": "2"}, 406, "Header/UnsupportedVersion"),
    ],
)
def test_other_words_are_refused_in_the_standards_form(
    register_client: TokenClient, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    answer = tell(register_client, body, **headers)
    assert answer.status_code == status, answer.text
    conforms(answer.json(), official("standards/au-cds/*/cds_admin.yaml"), "#/components/schemas/ResponseErrorListV2")
    assert answer.json()["errors"][0]["code"].endswith(code)


def test_software_that_the_register_suspends_cannot_register_until_it_is_admitted_again(applicant: Applicant) -> None:
    """A node that serves looks by itself; here the test looks, at times of its own."""
    register, node = applicant.register, applicant.stage.service.node
    watcher = watcher_of(node.settings, node.ledger, node.registering)
    assert watcher is not None
    for status, suspended in (("INACTIVE", True), ("ACTIVE", False)):
        register.status = status
        watcher.refresh()
        assert watcher.turn() == 1
        assert node.ledger.registry.participants[register.participant].suspended is suspended
        assert (applicant.ask().json().get("error") == "unapproved_software_statement") is suspended


def test_only_a_regulator_speaks_as_the_register(applicant: Applicant) -> None:
    service = applicant.stage.service
    for party in (applicant.stage.banks["bank-a"], applicant.stage.recipients["tpp-2"]):
        assert tell(service.as_(party)).status_code == 403


def recipients(**statuses: str) -> dict[str, Any]:
    """An answer of `GET /cdr-register/v1/banking/data-recipients`, of one recipient with one product."""
    product = {
        "softwareProductId": "22222222-bbbb-4bbb-8bbb-222222222222",
        "softwareProductName": "App",
        "softwareProductDescription": "An app",
        "logoUri": "https://app.example/logo.svg",
        "status": statuses.get("product", "ACTIVE"),
    }
    brand = {
        "dataRecipientBrandId": "33333333-cccc-4ccc-8ccc-333333333333",
        "brandName": "Fin",
        "logoUri": "https://app.example/logo.svg",
        "softwareProducts": [product],
        "status": statuses.get("brand", "ACTIVE"),
    }
    entity = {
        "legalEntityId": "44444444-dddd-4ddd-8ddd-444444444444",
        "legalEntityName": "Fin Ltd",
        "accreditationNumber": "ADRBNK000001",
        "accreditationLevel": "UNRESTRICTED",
        "logoUri": "https://app.example/logo.svg",
        "dataRecipientBrands": [brand],
        "status": statuses.get("entity", "ACTIVE"),
        "lastUpdated": "2026-11-30T00:00:00Z",
    }
    return {"data": [entity], "links": {"self": "https://register.example"}, "meta": {}}


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("statuses", "standing"),
    [
        ({}, RegisterStatus.ACTIVE),
        ({"product": "INACTIVE"}, RegisterStatus.SUSPENDED),
        ({"product": "REMOVED"}, RegisterStatus.REMOVED),
        ({"brand": "INACTIVE"}, RegisterStatus.SUSPENDED),
        ({"brand": "REMOVED", "product": "INACTIVE"}, RegisterStatus.REMOVED),
        ({"entity": "SUSPENDED"}, RegisterStatus.SUSPENDED),
        ({"entity": "REVOKED"}, RegisterStatus.REMOVED),
        ({"entity": "SURRENDERED", "brand": "INACTIVE"}, RegisterStatus.REMOVED),
    ],
)
def test_the_registers_own_list_is_read(tmp_path: Path, statuses: dict[str, str], standing: RegisterStatus) -> None:
    feed = recipients(**statuses)
    document = official("standards/au-cds/*/cds_register.yaml")
    conforms(feed, document, "#/components/schemas/ResponseRegisterDataRecipientList")
    (tmp_path / "list.json").write_text(json.dumps(feed))
    [found] = read_feed(tmp_path / "list.json")
    assert (found.id, found.name, found.role) == ("22222222-bbbb-4bbb-8bbb-222222222222", "App (Fin)", "recipient")
    assert found.standing is standing


@pytest.mark.parametrize("body", ["{}", '{"data": [], "legalEntities": []}', '{"data": [{"status": "NEW"}]}'])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, body: str) -> None:
    (tmp_path / "list.json").write_text(body)
    with pytest.raises(InvalidInput, match="register"):
        read_feed(tmp_path / "list.json")
