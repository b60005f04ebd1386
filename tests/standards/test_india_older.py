"""The Account Aggregator's series 1.x: other addresses and other names, and the same consent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from api.standards.india.versions import SERIES
from api.standards.words import words
from tests.standards.india_cases import fetch, message, wanted
from tests.standards.kit import Stage, stage

V1 = "/aa/v1"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("india-older")
    with stage(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state") as running:
        yield running


def older(**members: Any) -> dict[str, Any]:
    return message(**members) | {"ver": "1.1.2"}


def handle(played: Stage, **members: Any) -> str:
    answer = played.call("POST", f"{V1}/Consent", json=older(ConsentDetail=wanted(**members)))
    assert (answer.status_code, answer.json().get("ver")) == (200, "1.1.2"), answer.text
    return str(answer.json()["ConsentHandle"])


def state(played: Stage, made: str, **kwargs: Any) -> httpx2.Response:
    answer = played.call("GET", f"{V1}/Consent/handle/{made}", **kwargs)
    assert answer.headers["x-jws-signature"].count(".") == 2
    assert answer.json()["ver"] == "1.1.3"
    return answer


def test_a_handle_becomes_ready_and_the_artefact_is_the_one_that_2_gives(played: Stage) -> None:
    made = handle(played, fiTypes=["DEPOSIT", "TERM-DEPOSIT"])
    assert played.known(made).terms["standard_version"] == "1.1.2"
    assert state(played, made).json()["ConsentStatus"] == {"status": "PENDING"}
    played.authorise(made)
    assert state(played, made).json()["ConsentStatus"] == {"status": "READY", "id": made}
    artefact = played.call("GET", f"{V1}/Consent/{made}").json()
    assert (artefact["ver"], artefact["consentId"], artefact["status"]) == ("1.1.3", made, "ACTIVE")
    assert fetch(played, made).json()["signedConsent"] == artefact["signedConsent"]


def test_1017_1018_what_was_rejected_has_failed(played: Stage) -> None:
    made = handle(played)
    played.world.record(played.banks["bank-a"].step("reject", played.known(made)))
    assert state(played, made).json()["ConsentStatus"] == {"status": "FAILED"}


def test_1016_1027_an_address_without_an_id_is_404_and_one_with_another_400(played: Stage) -> None:
    made = handle(played)
    for place, code in (("Consent/handle/", "InvalidConsentHandle"), ("Consent/", "InvalidConsentId")):
        for identifier, status in (("", 404), (made[:-1], 400), (made + "a", 400), ("unknown", 400)):
            answer = played.call("GET", f"{V1}/{place}{identifier}")
            assert (answer.status_code, answer.json()["errorCode"]) == (status, code), (place, identifier)
    assert played.call("GET", f"{V1}/Consent/handle/{made}", recipient="tpp-2").status_code == 400


def test_a_version_has_its_own_address(played: Stage) -> None:
    """No FIU of 1.x asks an aggregator of 2.x, and the other way round."""
    for path, ver in ((V1, "2.1.0"), ("/aa/v2", "1.1.3"), (V1, "1.0.0")):
        answer = played.call("POST", f"{path}/Consent", json=message(ConsentDetail=wanted()) | {"ver": ver})
        assert (answer.status_code, answer.json()["errorCode"]) == (404, "NoSuchVersion"), (path, ver)


def test_the_fiu_tells_that_its_customer_has_revoked(played: Stage) -> None:
    made = handle(played)
    played.authorise(made)
    told = {"consentId": made, "consentStatus": "REVOKED"}
    body = older(Notifier={"type": "FIU", "id": "tpp-1"}, ConsentStatusNotification=told)
    assert played.call("POST", f"{V1}/Consent/Notification", json=body).json()["response"] == "OK"
    assert played.call("GET", f"{V1}/Consent/{made}").json()["status"] == "REVOKED"


def test_the_versions_of_the_page_are_the_served_ones() -> None:
    assert set(words("india").versions) == {number for one in SERIES for number in one.numbers}
