"""Sahamati's certification cases of the module AA that are about consents, by the ids of their scenarios.

The list, with what is not here and why, is the table «Certification cases» of docs/standards/india.md. Where a scenario is
written for several fields, all of them are tried.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from fnmatch import fnmatchcase
from typing import Any

import httpx2
import pytest

from api.client.signing import LocalSigner
from api.office.configuration import HolderOptions
from api.office.gateway import delegate
from api.office.office import Office
from api.standards.detached import detached
from api.standards.dialects import DialectRefusal
from api.standards.india.operations import Aggregator
from api.standards.india.requests import AaEnvelope, aa_time
from api.standards.india.signatures import Rs256Signer
from api.standards.india.strictness import require_fresh
from api.standards.words import words
from ledger.canonical import b64u, unb64u
from ledger.documents import key_added
from ledger.entries.leaf import consent_chain
from tests.clocks import HandClock
from tests.standards.india_cases import (
    AA,
    NOTICES,
    NOTIFIER,
    OWN,
    REFUSED,
    REQUIRED,
    TAKEN,
    agreed,
    code,
    fetch,
    handle,
    message,
    notice,
    post,
    status,
    wanted,
)
from tests.standards.kit import GATEWAY, Stage, stage
from tests.standards.rs256 import verify_rs256
from tests.world import DAY


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("india-cases")
    holders = {"bank-a": HolderOptions(options={"india_customers": OWN})}
    with stage(f"sqlite:///{folder / 'ledger.sqlite'}", folder / "state", holders=holders) as running:
        more = ("consent.pause", "consent.reject", "consent.resume", "consent.revoke")
        delegate(running.service.node.ledger, "bank-a", GATEWAY, more)
        yield running


# -- POST /Consent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", TAKEN)
def test_a_good_request_is_taken(played: Stage, case: str) -> None:
    handles = set()
    for members in TAKEN[case]:
        asked = message(ConsentDetail=wanted(**members))
        answer = post(played, "/Consent", asked)
        assert answer.status_code == 200, (members, answer.text)
        said = answer.json()
        assert (said["ver"], said["txnid"]) == (asked["ver"], asked["txnid"])
        assert said["Customer"] == asked["ConsentDetail"]["Customer"]
        assert str(uuid.UUID(said["ConsentHandle"])) == said["ConsentHandle"]
        handles.add(said["ConsentHandle"])
    assert len(handles) == len(TAKEN[case])


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_refused_with_the_cases_code_and_recorded_nowhere(played: Stage, case: str) -> None:
    bends, expected = REFUSED[case]
    before = played.recorded
    for bend in bends:
        inner = bend.get("ConsentDetail")
        said = message() | bend
        said["ConsentDetail"] = inner if "ConsentDetail" in bend and inner is None else wanted(**(inner or {}))
        answer = post(played, "/Consent", said)
        assert code(answer) == expected, (bend, answer.text)
        if isinstance(said["txnid"], str) and said["txnid"]:
            assert answer.json()["txnid"] == said["txnid"]
    assert played.recorded == before


@pytest.mark.parametrize(("minutes", "taken"), [(15, False), (-15, False), (14, True), (-14, True)])
def test_1005_fifteen_minutes_are_too_many(minutes: int, taken: bool) -> None:
    at = 1_800_000_000
    envelope = AaEnvelope("2.1.0", aa_time((at + minutes * 60) * 1000), str(uuid.uuid4()))
    with nullcontext() if taken else pytest.raises(DialectRefusal, match="fifteen minutes"):
        require_fresh(envelope, at)


# -- handle and artefact -----------------------------------------------------------------------------------------------

UNKNOWN: dict[str, str] = {"1": "", "2": "-1", "3": "+1", "4": "random"}


@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("operation", ["1016", "1027"])
def test_an_id_that_is_not_one_is_told_by_its_own_code(played: Stage, operation: str, kind: str) -> None:
    made = agreed(played)
    wrong = {"": "", "-1": made[:-1], "+1": made + "a", "random": str(uuid.uuid4())}[UNKNOWN[kind]]
    answer = status(played, wrong) if operation == "1016" else fetch(played, wrong)
    assert code(answer) == (400, "InvalidConsentHandle" if operation == "1016" else "InvalidConsentId")


def test_1015_pending_then_ready(played: Stage) -> None:
    made = handle(played)
    assert status(played, made).json()["ConsentStatus"] == {"status": "PENDING"}
    played.authorise(made)
    assert status(played, made).json()["ConsentStatus"] == {"status": "READY", "id": made}


def test_1017_a_request_that_the_customer_rejected(played: Stage) -> None:
    made = handle(played)
    played.world.record(played.banks["bank-a"].step("reject", played.known(made)))
    assert status(played, made).json()["ConsentStatus"] == {"status": "REJECTED"}


def test_1018_1019_1029_a_request_that_ran_out_before_and_after_the_customer_agreed(played: Stage) -> None:
    waiting, ready = handle(played), handle(played)
    played.authorise(ready)
    node = played.service.node
    assert node.office is not None
    clock = HandClock(node.ledger.clock.now() + 301 * DAY * 1000)
    office = Office(node.ledger, node.office.gateway, node.office.notes, clock)
    then = Aggregator(node.ledger, office, node.once, "tpp-1", "bank-a", node.settings.base_url)

    def later(**members: str) -> bytes:
        return json.dumps(message(timestamp=aa_time(clock.now())) | members).encode()

    assert then.handle(later(ConsentHandle=waiting))["ConsentStatus"] == {"status": "EXPIRED"}
    assert then.handle(later(ConsentHandle=ready))["ConsentStatus"]["status"] == "READY"
    assert then.fetch(later(consentId=ready))["status"] == "EXPIRED"


def test_1020_1021_1030_1031_a_handle_stays_ready_whatever_becomes_of_the_consent(played: Stage) -> None:
    made = agreed(played)
    for said in ("PAUSED", "ACTIVE", "REVOKED"):
        assert post(played, "/Consent/Notification", notice(made, said), "bank-a").status_code == 200
        assert status(played, made).json()["ConsentStatus"]["status"] == "READY"
        assert fetch(played, made).json()["status"] == said


def test_1023_1024_1033_a_customer_who_is_gone(played: Stage) -> None:
    """Her consent was erased: nobody is told that there was one."""
    made = agreed(played)
    played.service.node.ledger.erase([consent_chain(made)], "customer-request", ("anna", "bert"))
    assert code(status(played, made)) == (400, "InvalidConsentHandle")
    assert code(fetch(played, made)) == (400, "InvalidConsentId")


def test_1025_1028_another_fiu(played: Stage) -> None:
    made = agreed(played)
    assert code(status(played, made, "tpp-2")) == (400, "InvalidConsentHandle")
    assert code(fetch(played, made, "tpp-2")) == (400, "InvalidConsentId")


def test_1026_the_artefact_says_what_was_asked_and_which_accounts(played: Stage) -> None:
    asked = wanted()
    made = str(post(played, "/Consent", message(ConsentDetail=asked)).json()["ConsentHandle"])
    consent = played.authorise(made)
    said = fetch(played, made).json()
    assert (said["status"], str(uuid.UUID(said["consentId"]))) == ("ACTIVE", made)
    head, payload, signature = said["signedConsent"].split(".")
    header = json.loads(unb64u(head))
    assert header["alg"] == "RS256"
    verify_rs256(played.service, header["kid"], f"{head}.{payload}".encode(), unb64u(signature))
    shown = json.loads(unb64u(payload))
    same = [one for one in REQUIRED if one != "DataConsumer"]
    assert {one: shown[one] for one in same} == {one: asked[one] for one in same}
    assert shown["DataConsumer"] == {"id": "tpp-1", "type": "FIU"}
    assert [one["linkRefNumber"] for one in shown["Accounts"]] == list(consent.accounts)


# -- signatures --------------------------------------------------------------------------------------------------------

OPERATIONS = {"1041": "/Consent", "1042": "/Consent/handle", "1043": "/Consent/fetch", "3032": "/Consent/Notification"}


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_signature_that_does_not_fit_is_refused_and_one_that_does_is_taken(
    played: Stage, operation: str, alg: str
) -> None:
    made = agreed(played)
    who = "bank-a" if operation == "3032" else "tpp-1"
    body: dict[str, Any] = {
        "1041": message(ConsentDetail=wanted()),
        "1042": message(ConsentHandle=made),
        "1043": message(consentId=made),
        "3032": notice(made),
    }[operation]
    own, other = (LocalSigner.generate(f"{operation}-{alg}-{one}".lower(), "PS256") for one in ("own", "other"))
    played.service.node.ledger.record_documents(key_added(who, own.kid, own.alg, "client", dict(own.jwk)))
    data = json.dumps(body).encode()
    good = detached(Rs256Signer(own) if alg == "RS256" else own, data)
    stranger = detached(Rs256Signer(other) if alg == "RS256" else other, data)
    under_its_name = good.partition(".")[0] + ".." + stranger.rpartition(".")[2]

    def send(signature: str, sent: bytes = data) -> httpx2.Response:
        party = played.banks.get(who) or played.recipients[who]
        headers = {"content-type": "application/json", "x-jws-signature": signature}
        address = f"/holders/bank-a{AA}{OPERATIONS[operation]}"
        return played.service.as_(party).request("POST", address, content=sent, headers=headers)

    before = played.recorded
    for wrong in (good + "A", good[:-1], stranger, under_its_name):  # _1, _2, _3
        assert code(send(wrong)) == (400, "SignatureDoesNotMatch")
    assert code(send(good, data.replace(b"2.1.0", b"2.0.0"))) == (400, "SignatureDoesNotMatch")  # _4
    assert played.recorded == before
    assert send(good).status_code == 200


def test_rs256_is_of_messages_only(played: Stage) -> None:
    """It is no algorithm of statements, of client authentication or of tokens."""
    own = LocalSigner.generate("rs256-elsewhere", "PS256")
    played.service.node.ledger.record_documents(key_added("tpp-1", own.kid, own.alg, "client", dict(own.jwk)))
    claims = {"iss": "tpp-1", "sub": "tpp-1", "aud": played.service.base_url, "exp": int(time.time()) + 50, "jti": "x"}
    head = b64u(json.dumps({"alg": "RS256", "kid": own.kid, "typ": "JWT"}).encode())
    signed = f"{head}.{b64u(json.dumps(claims).encode())}"
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": f"{signed}.{b64u(own.sign_rs256(signed.encode()))}",
    }
    refused = played.service.http.post("/token", data=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


# -- POST /Consent/Notification ----------------------------------------------------------------------------------------


def test_3001_a_notice_is_taken(played: Stage) -> None:
    told = notice(agreed(played))
    said = post(played, "/Consent/Notification", told, "bank-a").json()
    assert (said["response"], said["txnid"], said["ver"]) == ("OK", told["txnid"], told["ver"])


@pytest.mark.parametrize("case", NOTICES)
def test_a_bad_notice_is_refused_and_changes_nothing(played: Stage, case: str) -> None:
    made = agreed(played)
    bends, expected = NOTICES[case]
    for bend in bends:
        text = json.dumps(notice(made) | bend).replace('"made', '"' + made)
        said = json.loads(text.replace(made + "+", made + "a").replace(made + "-", made[:-1]))
        answer = post(played, "/Consent/Notification", said, "bank-a")
        assert code(answer) == expected, (bend, answer.text)
    assert fetch(played, made).json()["status"] == "ACTIVE"


def test_3010_another_fip(played: Stage) -> None:
    made = agreed(played)
    assert code(post(played, "/Consent/Notification", notice(made), "bank-b")) == NOTIFIER
    own = notice(made, Notifier={"type": "FIP", "id": "bank-b"})
    assert code(post(played, "/Consent/Notification", own, "bank-b"))[0] == 400
    assert fetch(played, made).json()["status"] == "ACTIVE"


def test_every_case_that_works_by_the_page_is_tried_here() -> None:
    [table] = [one for one in words("india").tables if one.title == "Certification cases"]
    works = {name for name, what in table.rows.items() if what.startswith("works")}
    by_name = {part for name in globals() if name.startswith("test_") for part in name.split("_") if part.isdigit()}
    tried = {*TAKEN, *REFUSED, *NOTICES, *(f"{one}_{k}" for one in ("1016", "1027") for k in UNKNOWN)}
    tried |= {f"{one}_{k}" for one in OPERATIONS for k in range(1, 5)}
    untried = {one for one in works if one not in tried and one.partition("_")[0] not in by_name}
    assert untried == set()
    assert all(any(fnmatchcase(one, row) for row in table.rows) for one in tried)
