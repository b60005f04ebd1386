"""Clients that register themselves (RFC 7591, RFC 7592) upon the statement of a register (docs/standards/registration.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledger.documents import ParticipantSuspended, document_of
from tests.conformance import files
from tests.keys import KeyPair
from tests.standards.applicants import Applicant, applying
from tests.standards.certificates import certificate, told
from tests.standards.kit import conforms, stage
from tests.standards.registers import BACK, OTHER, SHAPES, open_register, published
from tests.standards.walk import Walk

each_shape = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture
def applicant(shape: Any, tmp_path: Path) -> Iterator[Applicant]:
    with open_register(shape) as register, applying(tmp_path / "ledger", register) as one:
        yield one


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applicant]:
    """For requests that come to nothing."""
    with open_register("uk") as register, applying(tmp_path_factory.mktemp("refused"), register) as one:
        yield one


# -- coming in ------------------------------------------------------------------------------------------------------------


@each_shape
def test_software_of_a_register_is_a_client_at_once(applicant: Applicant) -> None:
    """It authenticates by the key that it has shown, and its customers may be sent back to where it has said."""
    said = applicant.registered()
    assert (said["client_id"], said["redirect_uris"]) == ("tpp-1", [BACK])
    assert said["response_types"] == ["code"], "what is not served is not registered"
    assert said["software_statement"]
    assert applicant.client(scope="consents:read").get("/consents").status_code == 200
    pushed = applicant.walk().push(redirect_uri=BACK)
    assert pushed.status_code == 201, pushed.text
    assert applicant.walk().push(redirect_uri=OTHER).status_code == 400, "its register's, and not registered"
    documents = applicant.stage.service.node.ledger.registry.keys
    assert documents["app-signing-1"].participant == "tpp-1"


@each_shape
def test_a_client_certificate_shows_the_key_as_well_as_a_signature(applicant: Applicant) -> None:
    """Brazil: the request is plain JSON, and the connection's certificate is under a key of the software's."""
    tls = KeyPair.generate("ES256", "app-transport-1")
    place = "transport" if applicant.register.form == "brazil" else "software"
    applicant.register.sets[place] = [published(tls)]
    body = {
        "software_statement": applicant.register.statement(),
        "token_endpoint_auth_method": "tls_client_auth",
        "redirect_uris": [BACK, OTHER],
    }
    assert applicant.http.post("/oauth/register", json=body).json()["error"] == "invalid_client_metadata"
    stranger = told(certificate(KeyPair.generate("ES256", "stranger")))
    assert applicant.http.post("/oauth/register", json=body, headers=stranger).status_code == 400
    answer = applicant.http.post("/oauth/register", json=body, headers=told(certificate(tls)))
    assert answer.status_code == 201, answer.text
    form = {"grant_type": "client_credentials", "client_id": "tpp-1", "scope": "consents:read"}
    given = applicant.http.post("/token", data=form, headers=told(certificate(tls)))
    assert given.status_code == 200, given.text


def test_the_metadata_name_the_endpoint_only_where_a_register_is_named(refused: Applicant, tmp_path: Path) -> None:
    at = "/.well-known/oauth-authorization-server"
    assert refused.http.get(at).json()["registration_endpoint"] == f"{refused.issuer}/oauth/register"
    with stage(f"sqlite:///{tmp_path / 'ledger.sqlite'}", tmp_path / "state") as other:
        assert "registration_endpoint" not in other.service.http.get(at).json()
        assert other.service.http.post("/oauth/register", json={}).status_code == 400


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ({"software_id": "another-software"}, "unapproved_software_statement"),
        ({"org_status": "Revoked"}, "unapproved_software_statement"),
        ({"software_roles": ["PISP"]}, "unapproved_software_statement"),
        ({"iss": "Another register"}, "invalid_software_statement"),
        ({"iat": 1_700_000_000}, "invalid_software_statement"),
        ({"iat": int(time.time()) + 4_000}, "invalid_software_statement"),
        ({"exp": int(time.time()) - 1}, "invalid_software_statement"),
        ({"software_redirect_uris": []}, "invalid_software_statement"),
        ({"software_redirect_uris": ["http://app.example/plain"]}, "invalid_redirect_uri"),
    ],
)
def test_a_statement_that_is_not_good_brings_nobody_in(
    refused: Applicant, statement: dict[str, Any], error: str
) -> None:
    before = refused.stage.recorded
    told_uris = statement.get("software_redirect_uris") or [BACK]
    answer = refused.ask(statement=refused.register.statement(**statement), redirect_uris=told_uris)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert refused.stage.recorded == before


@pytest.mark.parametrize(
    ("request_says", "error"),
    [
        ({"iss": "somebody-else"}, "invalid_client_metadata"),
        ({"aud": "https://another.example"}, "invalid_client_metadata"),
        ({"exp": int(time.time()) - 1}, "invalid_client_metadata"),
        ({"jti": None}, "invalid_client_metadata"),
        ({"redirect_uris": ["https://thief.example/back"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [BACK, f"{BACK}/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
        ({"request_object_signing_alg": "none"}, "invalid_client_metadata"),
        ({"software_statement": None}, "invalid_software_statement"),
        ({"software_statement": "a.b.c"}, "invalid_software_statement"),
    ],
)
def test_a_request_that_is_not_good_registers_nothing(
    refused: Applicant, request_says: dict[str, Any], error: str
) -> None:
    before = refused.stage.recorded
    answer = refused.ask(**request_says)
    assert (answer.status_code, answer.json()["error"]) == (400, error), answer.text
    assert refused.stage.recorded == before


def test_only_keys_of_the_software_sign_for_it(refused: Applicant) -> None:
    before = refused.stage.recorded
    stranger = KeyPair.generate("PS256", "not-published")
    answers = [
        refused.ask(key=stranger),
        refused.ask(signs=KeyPair.generate("PS256", refused.key.kid)),
        refused.ask(statement=refused.register.statement(key=stranger)),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert refused.stage.recorded == before


def test_a_key_id_of_somebody_else_is_refused(refused: Applicant) -> None:
    taken = next(iter(refused.stage.service.node.ledger.registry.keys))
    refused.new_key(taken)
    answer = refused.ask()
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert taken in answer.json()["error_description"]
    refused.new_key("app-signing-1")


def test_a_suspended_recipient_registers_nothing(tmp_path: Path) -> None:
    with open_register("cdr") as register, applying(tmp_path / "l", register) as applicant:
        suspended = document_of(ParticipantSuspended, participant="tpp-1", reason="register-suspended")
        applicant.stage.service.node.ledger.record_documents(suspended)
        assert applicant.ask().json()["error"] == "unapproved_software_statement"


@pytest.mark.conformance
def test_our_answer_is_what_the_official_registration_files_show(tmp_path: Path) -> None:
    """Australia publishes the answer's schema; every version of it that is there."""
    documents = [
        yaml.safe_load(path.read_text())
        for path in files("standards/**/*.yaml", shape=lambda path: "\n    RegistrationProperties:" in path.read_text())
    ]
    with open_register("cdr") as register, applying(tmp_path / "l", register) as applicant:
        said = applicant.registered(client_description="A budget")
        for document in documents:
            conforms(document, "RegistrationProperties", said)


# -- afterwards -----------------------------------------------------------------------------------------------------------


@each_shape
def test_a_registration_is_read_changed_and_ended_by_its_own_client(applicant: Applicant) -> None:
    said = applicant.registered()
    assert applicant.ask().json()["error"] == "invalid_client_metadata", "it is registered already"
    shown = applicant.own("GET").json()
    assert shown == {name: value for name, value in said.items() if name != "registration_access_token"}
    changed = applicant.change(redirect_uris=[OTHER])
    assert (changed.status_code, changed.json()["redirect_uris"]) == (200, [OTHER]), changed.text
    assert applicant.walk().push(redirect_uri=OTHER).status_code == 201
    assert applicant.walk().push(redirect_uri=BACK).status_code == 400
    assert applicant.own("GET", client="tpp-2").status_code == 403
    assert applicant.own("DELETE").status_code == 204
    assert applicant.own("GET").status_code == 401
    again = applicant.ask()
    assert "revoked" in again.json()["error_description"], "its keys are gone for ever"
    applicant.new_key("app-signing-2")
    assert applicant.registered()["client_id"] == "tpp-1"
    assert applicant.own("GET", token=said["registration_access_token"]).status_code == 401, "of the one before"


def test_the_token_for_ones_registration_may_be_the_consumer_data_rights(tmp_path: Path) -> None:
    with open_register("cdr") as register, applying(tmp_path / "l", register) as applicant:
        applicant.registered()
        own = applicant.client(scope="cdr:registration")
        assert own.get("/oauth/register/tpp-1").json()["client_id"] == "tpp-1"
        assert applicant.client(scope="consents:read").get("/oauth/register/tpp-1").status_code == 403
        other = applicant.stage.service.as_(applicant.stage.recipients["tpp-2"])
        assert other.get("/oauth/register/tpp-1").status_code == 401, "it has none"
        assert own.request("DELETE", "/oauth/register/tpp-1").status_code == 204
        assert own.get("/consents").status_code == 401, "the token was got with a key that is gone"


def test_a_key_that_left_the_software_is_revoked_by_the_change_that_says_so(tmp_path: Path) -> None:
    with open_register("uk") as register, applying(tmp_path / "l", register) as applicant:
        applicant.registered()
        old, own = applicant.key, applicant.client(scope="consents:read")
        applicant.new_key("app-signing-2")
        assert applicant.change().status_code == 200
        assert applicant.token(old, scope="consents:read").status_code == 401
        assert own.get("/consents").status_code == 401
        assert applicant.client(scope="consents:read").get("/consents").status_code == 200


def test_the_end_of_a_registration_ends_its_tokens_at_once(engine_url: str, tmp_path: Path) -> None:
    """Access tokens for the ledger and for a consent's data, and refresh tokens, in the commit that revokes the keys."""
    with open_register("brazil") as register, applying(tmp_path / "l", register, engine_url) as applicant:
        applicant.registered(redirect_uris=[BACK])
        own, walk = applicant.client(scope="consents:read"), applicant.walk()
        said = walk.redeem(walk.code()).json()
        assert walk.introspected(said["access_token"])["active"] is True
        assert own.get("/consents").status_code == 200
        assert applicant.own("DELETE").status_code == 204
        assert own.get("/consents").status_code == 401
        assert walk.introspected(said["access_token"]) == {"active": False}
        assert walk.refresh(said["refresh_token"]).status_code == 401
        applicant.new_key("app-signing-2")
        applicant.registered()
        again = applicant.walk().refresh(said["refresh_token"])
        assert again.json()["error"] == "invalid_grant", "a later registration is another one"
        assert applicant.stage.service.node.ledger.records.consent("tpp-1", walk.grant).status.value == "ACTIVE"


def test_a_row_that_the_ledger_has_not_signed_is_no_registration(tmp_path: Path) -> None:
    from sqlalchemy import create_engine, text

    with open_register("uk") as register, applying(tmp_path / "l", register) as applicant:
        applicant.registered()
        engine = create_engine(f"sqlite:///{tmp_path / 'l' / 'ledger.sqlite'}")
        with engine.begin() as connection:
            connection.execute(text("UPDATE client_registrations SET client = 'tpp-2'"))
        engine.dispose()
        stage = applicant.stage
        assert Walk(stage, "tpp-2").push(redirect_uri=BACK).status_code == 400
        assert applicant.own("GET").status_code == 401
