"""Reading: one's own consents and receipts, the public log, participants, bundles."""

from __future__ import annotations

import io
import json
import uuid
import zipfile
from typing import Any

import pytest

from ledger.canonical import b64u, unb64u
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.proofs import verify_consistency, verify_inclusion
from ledger.notes.checkpoint import open_checkpoint
from ledger.receipts import check_receipt
from tests.api.service import Service, TokenClient, opened_by_two
from tests.bundles import decode_bundle
from tests.keys import KeyPair

NEVER = str(uuid.uuid4())


# ----------------------------------------------------------------------------------------------- consents


def test_parties_read_their_consent_and_for_others_it_does_not_exist(service: Service) -> None:
    """A03."""
    world = service.world
    bank, app, other, rival = world.holder(), world.recipient(), world.holder("bank-b"), world.recipient("tpp-2")
    consent = world.active_consent(app, bank)
    for party in (bank, app):
        said = service.as_(party).get(f"/consents/{consent.consent_id}").json()
        assert (said["status"], said["version"], said["terms"]) == ("ACTIVE", 1, consent.terms)
        assert (said["accounts"], said["subject"], said["pending"]) == (list(consent.accounts), consent.subject, None)
        assert said["terms_hash"] == consent.terms_hash
    for party in (other, rival):
        client = service.as_(party)
        for path in (f"/consents/{consent.consent_id}", f"/consents/{consent.consent_id}/history"):
            foreign, absent = client.get(path), client.get(path.replace(consent.consent_id, NEVER))
            assert (foreign.status_code, absent.status_code) == (404, 404)
            hidden = [answer.json() | {"instance": ""} for answer in (foreign, absent)]
            assert hidden[0] == hidden[1]
        assert client.get("/consents").json() == {"consents": []}


def test_an_amended_consent_shows_what_waits(sqlite_service: Service) -> None:
    world = sqlite_service.world
    bank, app = world.holder(), world.recipient()
    after, amendment = app.amend(world.active_consent(app, bank), frequency_per_day=2)
    world.record(amendment)
    said = sqlite_service.as_(app).get(f"/consents/{after.consent_id}").json()
    assert (said["version"], said["pending"]["version"]) == (1, 2)
    assert said["pending"]["terms_hash"] == after.terms_hash


def _walk(client: TokenClient, path: str, member: str) -> list[Any]:
    """All items of a paged resource."""
    found: list[Any] = []
    while path:
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found += answer.json()[member]
        path = answer.links.get("next", {}).get("url", "")
    return found


def test_pages_of_consents_lead_through_all_of_them_once(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    consents = [world.requested_consent(app, bank) for _ in range(5)]
    world.record(bank.authorise(consents[1]))
    world.record(bank.authorise(consents[3]))
    client = service.as_(app)
    ids = [consent.consent_id for consent in consents]
    for limit in (1, 2, 5, 50):
        assert [one["consent_id"] for one in _walk(client, f"/consents?limit={limit}", "consents")] == ids
        active = _walk(client, f"/consents?status=ACTIVE&limit={limit}", "consents")
        assert [one["consent_id"] for one in active] == [ids[1], ids[3]]


def test_a_history_tells_every_event_with_its_receipt(service: Service) -> None:
    world = service.world
    bank, app, rival = world.holder(), world.recipient(), world.recipient("tpp-2")
    consent = world.active_consent(app, bank)
    world.record(app.access(consent))
    world.record(rival.access(consent))  # refused, and the recipient does not learn of it
    world.record(bank.step("revoke", consent))
    acts = {}
    for party in (bank, app):
        entries = _walk(service.as_(party), f"/consents/{consent.consent_id}/history?limit=2", "entries")
        acts[party.id] = [entry["act"] for entry in entries]
        for entry in entries:
            check_receipt(json.dumps(entry["receipt"]).encode(), service.node.ledger.vkey)
    told = ["consent.request", "consent.authorise", "access.request", "consent.revoke"]
    assert acts == {app.id: told, bank.id: [*told[:3], "access.request", *told[3:]]}


def test_strange_parameters_are_problems(sqlite_service: Service) -> None:
    client = sqlite_service.as_(sqlite_service.world.holder())
    for query in ("limit=0", "limit=101", "limit=x", "after=-2", "after=9007199254740993", "status=ALIVE"):
        answer = client.get(f"/consents?{query}")
        assert (answer.status_code, answer.json()["member"]) == (400, query.split("=")[0])
        assert "ALIVE" not in answer.json()["detail"]


# ----------------------------------------------------------------------------------------------- receipts


def test_a_receipt_is_the_same_bytes_wherever_it_is_fetched(service: Service) -> None:
    world = service.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    answer = service.post(app.access(consent))
    [entry] = answer.json()["entries"]
    world.record(app.access(consent))
    for party in (bank, app):
        fetched = service.as_(party).get(answer.headers["location"])
        assert fetched.headers["content-type"] == "application/vnd.consent-ledger.receipt+json"
        assert fetched.content in answer.content
        check_receipt(fetched.content, service.node.ledger.vkey)
        proof = service.as_(party).get(f"{answer.headers['location']}.tlog-proof")
        assert proof.headers["content-type"] == "text/plain; charset=utf-8"
        assert proof.text == entry["receipt"]["proof"]


def test_receipts_of_others_and_of_no_entry_are_not_found(service: Service) -> None:
    """A03."""
    world = service.world
    consent = world.active_consent(world.recipient(), world.holder())
    [access] = world.record(world.parties["tpp-1"].access(consent))
    client = service.as_(world.recipient("tpp-2"))
    for name in (access.index, f"{access.index}.tlog-proof", 10**9):
        assert client.get(f"/receipts/{name}").status_code == 404
    for name in ("01", "-1", "1.5", "x", "1.tlog-proof.tlog-proof", "9" * 40):
        assert client.get(f"/receipts/{name}").status_code == 404


def test_a_receipt_is_served_in_its_own_media_type_only(sqlite_service: Service) -> None:
    client = sqlite_service.as_(sqlite_service.world.holder())
    for accept, status in (
        ("application/vnd.consent-ledger.receipt+json", 200),
        ("application/json", 200),
        ("*/*", 200),
        ("text/html", 406),
    ):
        assert client.get("/receipts/1", headers={"accept": accept}).status_code == status


# -------------------------------------------------------------------------------------------- public log


def test_proofs_and_tiles_lead_to_the_signed_root(service: Service) -> None:
    world, http = service.world, service.http
    bank, app = world.holder(), world.recipient()
    vkey = service.node.ledger.vkey
    old = open_checkpoint(http.get("/checkpoint").text, vkey)
    consent = world.active_consent(app, bank)
    [access] = world.record(app.access(consent))
    new = open_checkpoint(http.get("/checkpoint").text, vkey)
    assert http.get("/log").json() == {"origin": vkey.name, "ruleset": 3, "size": new.size, "vkey": vkey.format()}
    said = http.get(f"/proofs/inclusion?index={access.index}&size={new.size}").json()
    proof = [unb64u(text) for text in said["hashes"]]
    verify_inclusion(access.index, new.size, leaf_hash(access.leaf), proof, new.root)
    said = http.get(f"/proofs/consistency?old={old.size}&new={new.size}").json()
    verify_consistency(old.size, new.size, [unb64u(text) for text in said["hashes"]], old.root, new.root)
    tile = http.get(f"/tile/0/000.p/{new.size}")
    assert tile.content[access.index * 32 :][:32] == leaf_hash(access.leaf)
    assert "immutable" in tile.headers["cache-control"]
    auditor = service.as_(world.join("auditor-1", "auditor"))
    bundle = auditor.get(f"/tile/entries/000.p/{new.size}").content
    assert decode_bundle(bundle, new.size)[access.index] == access.leaf


def test_a_checkpoint_that_has_not_changed_is_not_sent_again(sqlite_service: Service) -> None:
    first = sqlite_service.http.get("/checkpoint")
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    known = {"if-none-match": first.headers["etag"]}
    assert sqlite_service.http.get("/checkpoint", headers=known).status_code == 304
    sqlite_service.world.holder()
    assert sqlite_service.http.get("/checkpoint", headers=known).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "0/000",
        "0/000.p/255",
        "0/1",
        "0/0000",
        "64/000",
        "0/x001/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "-1/000",
        "0/x000/000",
        "1/000.p/1",
        "data/000",
        "0/%30%30%30.p/200",
        "",
    ],
)
def test_tiles_that_do_not_exist_or_are_spelled_otherwise_are_not_found(sqlite_service: Service, path: str) -> None:
    answer = sqlite_service.http.get(f"/tile/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_proofs_of_impossible_sizes_are_refused(sqlite_service: Service) -> None:
    for query in (
        "inclusion?index=5&size=2",
        "inclusion?index=0&size=99",
        "consistency?old=2&new=1",
        "consistency?old=0&new=1",
    ):
        assert sqlite_service.http.get(f"/proofs/{query}").status_code == 400


# ------------------------------------------------------------------------------------------- participants


def test_the_operator_registers_rotates_suspends_and_everybody_sees_it(service: Service) -> None:
    operator, http = service.operator(), service.http
    first, second = KeyPair.generate("EdDSA", "bank-z-1"), KeyPair.generate("PS256", "bank-z-2")

    def key(pair: KeyPair) -> dict[str, Any]:
        return {"kid": pair.kid, "alg": pair.alg, "use": "statement", "jwk": pair.jwk}

    new = {"participant": "bank-z", "name": "Bank Z", "roles": ["holder"], "keys": [key(first)]}
    made = operator.request("POST", "/participants", json=new)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/participants/bank-z"
    assert [entry["act"] for entry in made.json()["entries"]] == ["participant.registered", "key.added"]
    assert operator.request("POST", "/participants", json=new).status_code == 409
    twin = new | {"participant": "bank-zed", "keys": []}
    warned = operator.request("POST", "/participants", json=twin)
    assert (warned.status_code, warned.json()["type"].rsplit("/", 1)[1]) == (409, "looks-alike")
    assert "'bank-z'" in warned.json()["detail"]
    assert "'bank-zed'" in warned.json()["detail"]
    assert operator.request("POST", "/participants", json=twin | {"confirm_likeness": True}).status_code == 201
    assert operator.request("POST", "/participants/bank-z/keys", json=key(second)).status_code == 201
    revoked = operator.request("DELETE", "/participants/bank-z/keys/bank-z-1?reason=compromised")
    assert revoked.status_code == 201
    assert operator.request("POST", "/participants/bank-z/suspend", json={"reason": "test"}).status_code == 201
    said = http.get("/participants/bank-z").json()
    assert said["suspended"] is True
    assert [(one["kid"], one["revoked_at"] is None) for one in said["keys"]] == [
        ("bank-z-1", False),
        ("bank-z-2", True),
    ]
    assert said["keys"][1]["jwk"] == second.jwk
    assert operator.request("POST", "/participants/bank-z/suspend", json={"reason": "test"}).status_code == 409
    assert operator.request("POST", "/participants/bank-z/reinstate", json={"reason": "test"}).status_code == 201
    assert [one["suspended"] for one in http.get("/participants").json()["participants"]] == [False, False]
    assert http.get("/participants/bank-y").status_code == 404


SMALL_ORDER = b64u(bytes(32))
NOT_CANONICAL = b64u((2**255 - 19 + 1).to_bytes(32, "little"))


@pytest.mark.parametrize(
    "change",
    [
        {"jwk": {"crv": "Ed25519", "kty": "OKP", "x": SMALL_ORDER}},
        {"jwk": {"crv": "Ed25519", "kty": "OKP", "x": NOT_CANONICAL}},
        {"alg": "none"},
        {"alg": "RS256"},
        {"use": "both"},
        {"kid": "a b"},
        {"more": 1},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"jwk": {"crv": "Ed25519", "kty": "OKP", "x": "A" * 42, "d": "A" * 43}},
    ],
)
def test_keys_that_may_not_be_used_are_not_registered(sqlite_service: Service, change: dict[str, Any]) -> None:
    """S08."""
    sqlite_service.world.holder()
    size = sqlite_service.size
    key = {"kid": "k-1", "alg": "EdDSA", "use": "statement", "jwk": KeyPair.generate().jwk} | change
    answer = sqlite_service.operator().request("POST", "/participants/bank-a/keys", json=key)
    assert answer.status_code == 400, answer.text
    assert sqlite_service.size == size


# ------------------------------------------------------------------------------------------------ bundles


def test_an_auditor_takes_the_log_home_without_evidence(service: Service) -> None:
    world = service.world
    world.active_consent(world.recipient(), world.holder())
    answer = service.as_(world.join("auditor-1", "auditor")).get("/bundle")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert (manifest["size"], manifest["evidence"]) == (service.size, "none")
        assert bundle.read("checkpoint").decode() == service.http.get("/checkpoint").text
        assert not [name for name in bundle.namelist() if name.startswith("evidence/")]
        leaves = decode_bundle(bundle.read(f"tile/entries/000.p/{service.size}"), service.size)
    assert len(leaves) == service.size


def test_evidence_is_given_only_of_what_two_people_opened_on_record(service: Service) -> None:
    world = service.world
    consent = world.active_consent(world.recipient(), world.holder())
    [access] = world.record(world.parties["tpp-1"].access(consent))
    regulator = service.as_(world.join("fca", "regulator"))
    asked = {"case": "case-7", "from_index": access.index, "to_index": access.index}
    size = service.size
    refused = regulator.request("POST", "/bundles", json=asked)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "not-permitted")
    assert service.size == size
    opened_by_two(service, "fca", **asked)
    answer = regulator.request("POST", "/bundles", json=asked)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert json.loads(bundle.read("manifest.json"))["evidence"] == "partial"
        [shard] = [name for name in bundle.namelist() if name.startswith("evidence/")]
        [last, *_] = decode_bundle(bundle.read(f"tile/entries/000.p/{service.size}"), service.size)[::-1]
        import gzip

        lines = gzip.decompress(bundle.read(shard)).splitlines()
    assert [json.loads(line)["index"] for line in lines] == [access.index]
    told = json.loads(last)["document"]
    told.pop("approved_by", None)
    assert told == {"type": "disclosure", "v": 1, "participant": "fca", **asked}
    size = service.size
    for other in ({"to_index": 10**6}, {"case": "case-8"}, {"from_index": 0}):
        assert regulator.request("POST", "/bundles", json=asked | other).status_code == 403
    stranger = service.as_(world.join("state", "regulator"))
    assert stranger.request("POST", "/bundles", json=asked).status_code == 403
    size = service.size
    assert regulator.request("POST", "/bundles", json={"case": "x"}).status_code == 400
    assert service.size == size
