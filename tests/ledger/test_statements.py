"""Statements as they arrive: one spelling, one header, one key (security cases E01–E09, S01–S11)."""

from __future__ import annotations

import hmac
import json

import pytest

from ledger.canonical import b64u, encode, unb64u
from ledger.documents import parse_document
from ledger.entries.leaf import parse_leaf
from ledger.entries.statement import STATEMENT_LIMIT, parse_statement
from ledger.errors import BadEncoding, BadSignature, BadStatement, InvalidInput, NotPermitted
from ledger.participants import Registry
from tests.clocks import NOW
from tests.world import BANK, FINTECH, ORIGIN, Node, Signer, about, item, new_consent_id, payload, registered, terms

SIGNERS = [Signer.named(FINTECH), Signer.named(FINTECH, "es-1", "ES256"), Signer.named(FINTECH, "ps-1", "PS256")]
EDDSA = SIGNERS[0]


def registry_with(*signers: Signer) -> Registry:
    documents = [
        {"type": "ledger.opened", "v": 1, "origin": ORIGIN, "ruleset": 2},
        registered(FINTECH, "recipient"),
        *(signer.key_added() for signer in signers),
    ]
    registry = Registry()
    for index, document in enumerate(documents):
        registry = registry.after(parse_document(document), index)
    return registry


REGISTRY = registry_with(*SIGNERS)
BODY = payload("consent.request", FINTECH, NOW, consent_id=new_consent_id(), terms=terms())


def read(text: str) -> None:
    parse_statement(text, REGISTRY.check_signature)


def refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read(text)


def with_payload(body: bytes) -> str:
    return EDDSA.jws(body)


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.key.alg)
def test_a_statement_under_each_algorithm_is_read(signer: Signer) -> None:
    statement = parse_statement(signer.jws(BODY), REGISTRY.check_signature)
    assert (statement.kid, statement.payload.iss) == (signer.key.kid, FINTECH)


def test_e01_a_duplicate_member_is_refused() -> None:
    refused(with_payload(BODY.replace(b'"v":1}', b'"v":1,"v":1}')))
    refused(with_payload(BODY.replace(b'{"act"', b'{"act":"consent.request","act"')))
    refused(with_payload(BODY.replace(b'"grade":3', b'"grade":1,"grade":3')))


@pytest.mark.parametrize("number", ["3.0", "-0", "3e0", "3E0", "03", "+3", "3.", "NaN", "Infinity", '"3"', "0x3"])
def test_e02_numbers_have_one_spelling(number: str) -> None:
    changed = BODY.replace(b'"grade":3', f'"grade":{number}'.encode())
    assert changed != BODY
    refused(with_payload(changed))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v": 1'),
        (b'{"act"', b' {"act"'),
        (b'"v":1}', b'"v":1}\n'),
        (b'"en"', b'"\\u0065n"'),
        (b'"budgeting"', b'"budget\\u0069ng"'),
        (b"Budget planning", b"Budget\\tplanning"),
        (b"Budget planning", b"Budget\x7fplanning"),
        (b"Budget planning", b"Budget\xc2\x85planning"),
        (b"Budget planning", b"Budget \\/planning"),
        (b'{"act"', b'\xef\xbb\xbf{"act"'),
        (b"Budget planning", b"Budget \xffplanning"),
        (b"Budget planning", b"Budget \\ud800planning"),
    ],
)
def test_e03_space_escapes_and_controls_are_refused(old: bytes, new: bytes) -> None:
    changed = BODY.replace(old, new)
    assert changed != BODY
    refused(with_payload(changed))


def test_text_of_any_script_and_with_quotes_is_read() -> None:
    words = 'Ünïcödé "quoted" \\ 帳本 🏦'
    text = payload(
        "consent.request", FINTECH, NOW, consent_id=new_consent_id(), terms=terms(purpose={"code": "x", "text": words})
    )
    statement = parse_statement(with_payload(text), REGISTRY.check_signature)
    assert statement.payload.terms.purpose.text == words  # type: ignore[union-attr]


def test_e04_integers_stay_below_2_to_the_53() -> None:
    refused(with_payload(BODY.replace(b'"expires_at":0', b'"expires_at":%d' % 2**53)))
    refused(with_payload(BODY.replace(b'"expires_at":0', b'"expires_at":' + b"9" * 5000)))


def test_e05_deep_nesting_is_refused_and_crashes_nothing() -> None:
    for deep in (
        b"[" * 12_000,
        b'{"act":' * 1_700,
        b'{"act":"consent.request","a":' + b"[" * 6_000 + b"]" * 6_000 + b"}",
    ):
        refused(with_payload(deep))


def test_e06_size_is_bounded_before_anything_is_read() -> None:
    with pytest.raises(BadEncoding, match="at most"):
        read("a" * (STATEMENT_LIMIT + 1))
    with pytest.raises(BadEncoding, match="three parts"):
        read("a" * STATEMENT_LIMIT)


LEAF = {
    "chain": b64u(bytes(32)),
    "commitment": b64u(bytes(32)),
    "index": 7,
    "kind": "consent",
    "prev": b64u(bytes(32)),
    "prev_in_chain": b64u(bytes(32)),
    "seq": 1,
    "time": NOW,
    "v": 1,
}


def test_e07_a_leaf_has_exactly_its_members() -> None:
    assert parse_leaf(encode(LEAF)).index == 7
    for name in LEAF:
        with pytest.raises(BadEncoding):
            parse_leaf(encode({key: value for key, value in LEAF.items() if key != name}))
    with pytest.raises(BadEncoding):
        parse_leaf(encode({**LEAF, "who": "alice"}))
    with pytest.raises(BadEncoding):
        parse_leaf(encode({**LEAF, "kind": "index-head"}))


def test_e08_a_leaf_of_another_version_is_refused() -> None:
    for version in (0, 2, True, "1"):
        with pytest.raises(BadEncoding):
            parse_leaf(encode({**LEAF, "v": version}))


def test_e09_base64url_has_one_spelling() -> None:
    head, body, signature = EDDSA.jws(BODY).split(".")
    for bad in (
        signature + "=",
        signature + "==",
        signature[:-1] + _next(signature[-1]),
        signature.replace("_", "/"),
        " " + signature,
    ):
        if bad != signature:
            refused(f"{head}.{body}.{bad}")
    refused(f"{head}.{body}=.{signature}")
    refused(f"{head}=.{body}.{signature}")
    refused(f"{head}.{body}.{signature}\n")
    refused(f"{head}.{body}.")
    refused(f"{head}..{signature}")
    refused(f"{head}.{body}")
    refused(f"{head}.{body}.{signature}.")
    refused(f"{head}.{body}.{signature}é")


def _next(character: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) + 1]


def header(**members: object) -> bytes:
    return json.dumps(
        {"alg": EDDSA.key.alg, "kid": EDDSA.key.kid, "typ": "consent-statement+jwt", **members},
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def test_the_right_header_made_by_hand_is_accepted() -> None:
    read(EDDSA.jws(BODY, header=header()))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(header(alg="none"), id="S01 alg none"),
        pytest.param(header(jwk=EDDSA.key.jwk), id="S03 jwk"),
        pytest.param(header(jku="https://evil.example/keys"), id="S03 jku"),
        pytest.param(header(x5u="https://evil.example/cert"), id="S03 x5u"),
        pytest.param(header(b64=False, crit=["b64"]), id="S04 b64"),
        pytest.param(header(crit=["exp"]), id="S04 crit"),
        pytest.param(header(alg="ES256"), id="S06 algorithm of another key"),
        pytest.param(header(alg="Ed25519"), id="S06 alias"),
        pytest.param(header(typ="JWT"), id="S11 access token"),
        pytest.param(header(typ="at+jwt"), id="S11 access token of RFC 9068"),
        pytest.param(header(kid="unknown"), id="unknown kid"),
        pytest.param(header(kid=SIGNERS[1].key.kid), id="kid of another key"),
        pytest.param(header() + b" ", id="space"),
        pytest.param(header().replace(b'{"alg"', b'{"alg":"EdDSA","alg"'), id="alg twice"),
        pytest.param(b'{"kid":"fintech-b-1","alg":"EdDSA","typ":"consent-statement+jwt"}', id="order"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b"", id="none at all"),
    ],
)
def test_any_other_header_is_a_bad_signature(wrong: bytes) -> None:
    with pytest.raises(BadSignature):
        read(EDDSA.jws(BODY, header=wrong))


def test_s02_a_mac_keyed_with_the_public_key_is_refused() -> None:
    signed = f"{b64u(header(alg='HS256'))}.{b64u(BODY)}"
    tag = hmac.digest(unb64u(EDDSA.key.jwk["x"]), signed.encode(), "sha256")
    refused(f"{signed}.{b64u(tag)}")
    right = f"{b64u(header())}.{b64u(BODY)}"
    refused(f"{right}.{b64u(hmac.digest(unb64u(EDDSA.key.jwk['x']), right.encode(), 'sha256') * 2)}")


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.key.alg)
def test_s07_one_flipped_bit_is_refused(signer: Signer) -> None:
    head, body, signature = signer.jws(BODY).split(".")
    flipped = bytearray(unb64u(body))
    flipped[len(flipped) // 2] ^= 1
    with pytest.raises(BadSignature):
        read(f"{head}.{b64u(bytes(flipped))}.{signature}")


def test_the_signature_is_checked_before_the_payload_is_read() -> None:
    forged = Signer.named("someone-else")
    with pytest.raises(BadSignature):
        read(forged.jws(b"not even json", header=header()))
    with pytest.raises(BadStatement):
        read(EDDSA.jws(b"not even json"))


def test_s09_a_revoked_key_signs_nothing_more(sqlite_node: Node) -> None:
    node = sqlite_node
    spare = node.party(FINTECH, "spare")
    node.ledger.record_documents(spare.key_added())
    early = node.ledger.prepare(spare.sign("access.request", **item(new_consent_id())))
    node.ledger.record_documents(about("key.revoked", FINTECH, kid="spare", reason="rotated"))
    with pytest.raises(BadSignature):
        spare.record("access.request", **item(new_consent_id()))
    with pytest.raises(NotPermitted):  # prepared before, and planned after the revocation: log order decides
        node.ledger.submit_and_wait(early)


def test_s05_a_key_signs_for_its_owner_only(sqlite_node: Node) -> None:
    node = sqlite_node
    body = payload("access.request", FINTECH, NOW, **item(new_consent_id()))
    with pytest.raises(BadSignature):
        node.ledger.record(node.stranger.jws(body))
    node.ledger.record(node.fintech.jws(body))
    with pytest.raises(BadSignature):  # nor does a stranger get the receipt of what another has signed
        node.ledger.record(node.stranger.jws(body))


def test_s10_a_statement_for_another_log_is_refused(sqlite_node: Node) -> None:
    with pytest.raises(BadStatement, match="aud"):
        sqlite_node.fintech.record("access.request", **item(new_consent_id()), aud="ledger.example/2")


def test_a_key_for_client_authentication_signs_no_statement(sqlite_node: Node) -> None:
    client = sqlite_node.party(BANK, "client")
    sqlite_node.ledger.record_documents(client.key_added(use="client"))
    with pytest.raises(BadSignature):
        client.record("access.request", **item(new_consent_id()))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_statement_that_is_not_of_this_moment_is_refused(sqlite_node: Node, seconds: int) -> None:
    with pytest.raises(BadStatement, match="300 s"):
        sqlite_node.fintech.record("access.request", **item(new_consent_id()), iat=NOW // 1000 + seconds)


@pytest.mark.parametrize("seconds", [-300, 300])
def test_clocks_may_differ_by_five_minutes(sqlite_node: Node, seconds: int) -> None:
    sqlite_node.fintech.record("access.request", **item(new_consent_id()), iat=NOW // 1000 + seconds)
