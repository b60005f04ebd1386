"""Posting statements: every act over HTTP, repeats, and what is refused without a trace in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from ledger.documents import KeyRevoked, document_of
from ledger.receipts import check_receipt
from tests.api.service import Service
from tests.keys import ALGORITHMS
from tests.world import ConsentInWorld, Party, Submission


def _entries(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 201, answer.text
    return list(answer.json()["entries"])


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_consent_lives_its_whole_life_over_http(service: Service, alg: str) -> None:
    bank, app = service.world.holder("bank-a", alg=alg), service.world.recipient("tpp-1", alg=alg)
    consent, request = app.request(bank)
    [asked] = _entries(service.post(request))
    assert asked["outcome"]["status"] == "AWAITING"
    authorised, linked = _entries(service.post(bank.authorise(consent)))
    assert (authorised["outcome"]["status"], linked["act"]) == ("ACTIVE", "subject.consent")
    [access] = _entries(service.post(app.access(consent)))
    assert access["outcome"]["decision"] == "allow"
    for step, status in (("pause", "PAUSED"), ("resume", "ACTIVE"), ("suspend", "SUSPENDED"), ("resume", "ACTIVE")):
        assert _entries(service.post(bank.step(step, consent)))[0]["outcome"]["status"] == status
    after, amendment = app.amend(consent, frequency_per_day=1)
    assert _entries(service.post(amendment))[0]["outcome"]["status"] == "ACTIVE"
    assert _entries(service.post(bank.authorise(after)))[0]["outcome"]["consent_version"] == 2
    assert _entries(service.post(bank.step("revoke", after)))[0]["outcome"]["status"] == "REVOKED"
    [denied] = _entries(service.post(app.access(after)))
    assert denied["outcome"]["decision"] == "deny"
    assert denied["outcome"]["reasons"] == ["CONSENT_REVOKED"]


def test_steps_of_refusal_and_end_have_their_addresses(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    for step, status, by in (("reject", "REJECTED", "customer"), ("terminate", "TERMINATED", "holder")):
        consent = world.requested_consent(app, bank)
        [entry] = _entries(sqlite_service.post(bank.step(step, consent, by=by)))
        assert entry["outcome"]["status"] == status


def test_both_legs_of_an_access_and_passkeys_are_recorded(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    [access] = world.record(app.access(consent))
    for leg in (
        bank.leg("release", consent, access),
        app.leg("receive", consent, access),
        bank.enrol(consent.customer),
    ):
        assert len(_entries(sqlite_service.post(leg))) == 1


def test_every_receipt_of_a_submission_verifies(service: Service) -> None:
    bank, app = service.world.holder(), service.world.recipient()
    consent, request = app.request(bank)
    answers = [service.post(request), service.post(bank.authorise(consent)), service.post(app.access(consent))]
    for answer in answers:
        for entry in _entries(answer):
            receipt = json.dumps(entry["receipt"]).encode()
            _, leaf = check_receipt(receipt, service.node.ledger.vkey)
            assert leaf.index == entry["index"]
            assert leaf.time == entry["time"]
        assert answer.headers["location"] == f"/receipts/{_entries(answer)[0]['index']}"


def test_a_batch_is_decided_item_by_item(service: Service) -> None:
    bank, app = service.world.holder(), service.world.recipient()
    consent = service.world.active_consent(app, bank)
    items = [app.item(consent), app.item(consent, permissions=["ReadPAN"]), app.item(consent)]
    decisions = [entry["outcome"]["decision"] for entry in _entries(service.post(app.batch(items)))]
    assert decisions == ["allow", "deny", "allow"]


def test_a_repeated_statement_is_told_its_entries_whose_receipts_are_the_same_bytes(service: Service) -> None:
    """A01."""
    bank, app = service.world.holder(), service.world.recipient()
    consent = service.world.active_consent(app, bank)
    for submission in (app.access(consent), app.batch([app.item(consent), app.item(consent)])):
        first = service.post(submission)
        size = service.size
        service.world.record(app.access(consent))  # the tree grows in between
        again = service.post(submission)
        assert (first.status_code, again.status_code) == (201, 200)
        said = [{name: entry[name] for name in ("act", "consent_id", "index")} for entry in _entries(first)]
        assert again.json() == {"entries": said}
        assert again.headers["location"] == first.headers["location"]
        reader = service.as_(app)
        assert [reader.get(f"/receipts/{entry['index']}").json() for entry in said] == [
            entry["receipt"] for entry in _entries(first)
        ]
        assert service.size == size + 1


def test_a_jti_with_another_payload_is_refused_and_counted(service: Service) -> None:
    """A02."""
    bank, app = service.world.holder(), service.world.recipient()
    consent = service.world.active_consent(app, bank)
    jti = "AAAAAAAAAAAAAAAAAAAAAA"
    assert service.post(app.access(consent, jti=jti)).status_code == 201
    size = service.size
    refused = service.post(app.access(consent, jti=jti, purpose="lending"))
    assert (refused.status_code, refused.json()["type"]) == (409, f"{service.base_url}/errors/jti-reused")
    assert service.size == size
    assert service.node.ledger.figures.jti_reused == 1


def test_a_statement_for_another_address_is_refused(service: Service) -> None:
    bank, app = service.world.holder(), service.world.recipient()
    consent, other = service.world.active_consent(app, bank), service.world.active_consent(app, bank)
    size = service.size
    revocation = bank.step("revoke", consent)
    for path in (
        f"/consents/{other.consent_id}/revoke",
        f"/consents/{consent.consent_id}/pause",
        "/consents",
        "/accesses",
    ):
        answer = service.post(Submission(path, revocation.statement))
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (400, "path-mismatch")
    assert service.size == size


Spoil = Callable[[Party, ConsentInWorld], Submission]


def _raw(payload: bytes) -> Spoil:
    """A correctly signed statement with these payload bytes."""

    def spoil(app: Party, consent: ConsentInWorld) -> Submission:
        return Submission("/accesses", app.key.jws({"kid": app.key.kid, "typ": "consent-statement+jwt"}, payload))

    return spoil


def _access_payload(app: Party, consent: ConsentInWorld, **members: Any) -> bytes:
    from ledger.canonical import unb64u

    return unb64u(app.access(consent, **members).statement.split(".")[1])


def _edited(old: bytes, new: bytes) -> Spoil:
    def spoil(app: Party, consent: ConsentInWorld) -> Submission:
        payload = _access_payload(app, consent)
        assert old in payload
        return _raw(payload.replace(old, new, 1))(app, consent)

    return spoil


def _header(**header: Any) -> Spoil:
    """A statement whose header is spoilt; the signature covers it."""

    def spoil(app: Party, consent: ConsentInWorld) -> Submission:
        given = {"kid": app.key.kid, "typ": "consent-statement+jwt"} | header
        return Submission("/accesses", app.key.jws(given, _access_payload(app, consent)))

    return spoil


def _text(change: Callable[[str], str]) -> Spoil:
    return lambda app, consent: Submission("/accesses", change(app.access(consent).statement))


def _flip(part: int) -> Callable[[str], str]:
    def flip(statement: str) -> str:
        parts = statement.split(".")
        middle = len(parts[part]) // 2
        parts[part] = parts[part][:middle] + ("A" if parts[part][middle] != "A" else "B") + parts[part][middle + 1 :]
        return ".".join(parts)

    return flip


def _with_member(**members: Any) -> Spoil:
    return lambda app, consent: app.access(consent, **members)


def _hs256(app: Party, consent: ConsentInWorld) -> Submission:
    """S02: the public key as an HMAC secret."""
    import hashlib
    import hmac

    from ledger.canonical import b64u, encode, unb64u

    header = b64u(encode({"alg": "HS256", "kid": app.key.kid, "typ": "consent-statement+jwt"}))
    text = f"{header}.{b64u(_access_payload(app, consent))}"
    mac = hmac.new(unb64u(app.key.jwk["x"]), text.encode(), hashlib.sha256).digest()
    return Submission("/accesses", f"{text}.{b64u(mac)}")


def _with_foreign_kid(app: Party, consent: ConsentInWorld) -> Submission:
    """S05: the bank's key says that the recipient speaks."""
    bank = app.world.parties["bank-a"]
    payload = _access_payload(app, consent)
    return Submission("/accesses", bank.key.jws({"kid": bank.key.kid, "typ": "consent-statement+jwt"}, payload))


def _revoked_key(app: Party, consent: ConsentInWorld) -> Submission:
    """S09."""
    submission = app.access(consent)
    app.world.ledger.record_documents(
        document_of(KeyRevoked, participant=app.id, kid=app.key.kid, reason="compromised")
    )
    return submission


BAD = {
    "E01 duplicate member": _edited(b'"to":0', b'"to":0,"to":0'),
    "E02 float": _edited(b'"to":0', b'"to":0.0'),
    "E02 minus zero": _edited(b'"to":0', b'"to":-0'),
    "E02 exponent": _edited(b'"to":0', b'"to":1E2'),
    "E03 white space": _edited(b'"to":0', b'"to": 0'),
    "E03 escape": _edited(b'"purpose":"budgeting"', b'"purpose":"\\u0062udgeting"'),
    "E04 integer of 2^53": _edited(b'"to":0', b'"to":9007199254740992'),
    "E05 deep array": _raw(b"[" * 8_000),
    "E05 deep object": _raw(b'{"act":' * 1_500),
    "E07 unknown member": _with_member(surprise=1),
    "E07 missing member": _with_member(purpose=None),
    "E08 unknown version": _with_member(v=2),
    "E09 padded base64url": _text(lambda text: text + "="),
    "E09 standard alphabet": _text(lambda text: text.replace("-", "+").replace("_", "/") + "+/"),
    "E09 stray bits": _text(lambda text: text[:-1] + ("B" if text[-1] != "B" else "C")),
    "S01 alg none": _header(alg="none"),
    "S01 alg none, no signature": _text(lambda text: text.rsplit(".", 1)[0] + "."),
    "S02 HS256 with the public key": _hs256,
    "S03 jwk in the header": _header(jwk={"crv": "Ed25519"}),
    "S03 jku in the header": _header(jku="https://keys.example/"),
    "S03 x5u in the header": _header(x5u="https://keys.example/"),
    "S04 crit": _header(crit=["b64"], b64=False),
    "S05 key of another participant": _with_foreign_kid,
    "S06 another algorithm": _header(alg="ES256"),
    "S07 bit in the payload": _text(_flip(1)),
    "S07 bit in the signature": _text(_flip(2)),
    "S09 revoked key": _revoked_key,
    "S10 another log": _with_member(aud="other.example/1"),
    "S11 typ of an access token": _header(typ="at+jwt"),
    "S11 typ JWT": _header(typ="JWT"),
    "two parts": _text(lambda text: text.rsplit(".", 1)[0]),
    "four parts": _text(lambda text: text + ".AAAA"),
    "an hour old": _with_member(iat=1_700_000_000),
    "act of a companion": lambda app, consent: Submission(
        "/accesses", app.sign("subject.consent", consent_id=consent.consent_id, subject=consent.customer)
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_statement_is_a_problem_and_leaves_no_entry(sqlite_service: Service, kind: str) -> None:
    world = sqlite_service.world
    bank, app = world.holder("bank-a"), world.recipient()
    consent = world.active_consent(app, bank)
    submission = BAD[kind](app, consent)
    size = sqlite_service.size
    answer = sqlite_service.post(submission)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["type"].rsplit("/", 1)[1] in {
        "bad-encoding",
        "bad-statement",
        "bad-signature",
        "path-mismatch",
        "not-permitted",
    }
    assert problem["instance"] == f"urn:uuid:{answer.headers['x-request-id']}"
    assert sqlite_service.size == size


def _post(service: Service, content: bytes, path: str = "/accesses", **headers: str) -> tuple[int, str]:
    answer = service.http.post(path, content=content, headers={"content-type": "application/json"} | headers)
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


def test_anything_but_an_envelope_is_refused_before_any_signature(sqlite_service: Service) -> None:
    """E05, E06 and the shape of requests."""
    service, big = sqlite_service, b'{"statement":"' + b"a" * 16_385 + b'"}'
    size = service.size
    for path in ("/accesses", "/accesses/batch", "/consents"):
        assert _post(service, b"", path) == (400, "bad-request")
        assert _post(service, b"[" * 60_000, path) == (400, "bad-request")
        assert _post(service, b'{"statement":1}', path) == (400, "bad-request")
        assert _post(service, b'{"statement":"a.b.c","more":1}', path) == (400, "bad-request")
        assert _post(service, b'\xff{"statement":"a.b.c"}', path) == (400, "bad-request")
        assert _post(service, big, path) == (413, "too-large")
        assert _post(service, b"{}", path, **{"content-type": "text/plain"}) == (415, "unsupported-media-type")
        assert _post(service, b"{}", path, **{"content-encoding": "gzip"}) == (415, "unsupported-media-type")
    assert _post(service, b" " * (64 * 1024 + 1)) == (413, "too-large")
    assert _post(service, b" " * (64 * 1024 + 1), "/consents") == (413, "too-large")
    assert _post(service, b" " * (10 * 1024 * 1024 + 1), "/accesses/batch") == (413, "too-large")
    assert service.size == size


def test_a_body_without_declared_length_is_bounded_too(sqlite_service: Service) -> None:
    def pieces() -> Any:
        for _ in range(80):
            yield b" " * 1024

    answer = sqlite_service.http.post("/accesses", content=pieces(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_batches_that_do_not_fit_their_statement_are_refused(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    size = sqlite_service.size
    right = app.batch([app.item(consent), app.item(consent)])
    assert right.items is not None
    wrong = {
        "an item is missing": (right.statement, right.items[:1]),
        "items are swapped": (right.statement, right.items[::-1]),
        "an item is changed": (right.statement, (right.items[0], right.items[1].replace("budgeting", "gambling"))),
        "no items": (right.statement, None),
        "items with a single access": (app.access(consent).statement, right.items),
    }
    for kind, (statement, items) in wrong.items():
        path = "/accesses" if "single" in kind else "/accesses/batch"
        answer = sqlite_service.post(Submission(path, statement, items))
        assert answer.status_code == 400, kind
    assert sqlite_service.size == size


def test_a_stopped_node_says_so_and_when_to_come_back(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    sqlite_service.node.stop()
    refused = sqlite_service.post(app.access(consent))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["type"].endswith("/errors/sequencer-stopped")
    assert sqlite_service.http.get("/health/ready").status_code == 503
    assert sqlite_service.http.get("/health/live").status_code == 200
