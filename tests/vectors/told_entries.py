"""Cases: evidence that is not of its form, not signed, or not of its leaf (verdicts.md, step 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.vectors.cases import case
from tests.vectors.hashing import Json, b64u, encode, sha
from tests.vectors.signing import P256, Ed25519, Key, Rsa, jws
from tests.vectors.story import FIRST, HELPER, HOLDER, RECIPIENT, SECOND, Story


def evidence(log: Story, **members: Any) -> None:
    """An access whose evidence has members set."""
    log.access(FIRST, log.allow(11), {"beside": members})


def outcome(log: Story, **members: Any) -> None:
    log.access(FIRST, {**log.allow(11), **members})


def word(log: Story, change: Callable[[str], str]) -> None:
    """An access whose JWS is spelled otherwise."""
    log.access(FIRST, log.allow(11), {"signed": lambda payload: change(log.sign(payload))})


def header(log: Story, **members: Any) -> None:
    top = {"alg": "ES256", "kid": f"{RECIPIENT}.1", "typ": "consent-statement+jwt", **members}
    key = log.keys[RECIPIENT][1]
    signed = lambda payload: jws(key, "", encode(payload), {k: v for k, v in top.items() if v != "absent"})  # noqa: E731
    log.access(FIRST, log.allow(11), {"signed": signed})


def signed_by(log: Story, key: Key, kid: str = f"{RECIPIENT}.1") -> None:
    log.access(FIRST, log.allow(11), {"signed": lambda payload: jws(key, kid, encode(payload))})


def says(log: Story, **members: Any) -> None:
    """An access whose payload has members set, signed as it stands."""
    log.access(FIRST, log.allow(11), **members)


def spelled(log: Story, change: Callable[[bytes], bytes]) -> None:
    """An access whose payload is spelled otherwise and signed like that."""
    kid, key = log.keys[RECIPIENT]
    log.access(FIRST, log.allow(11), {"signed": lambda payload: jws(key, kid, change(encode(payload)))})


def _der(log: Story, text: str) -> str:
    signed = text.rpartition(".")[0]
    key = log.keys[RECIPIENT][1]
    assert isinstance(key, P256)
    return signed + "." + b64u(key.sign_der(signed.encode()))


def _changed(text: str) -> str:
    from tests.vectors.hashing import unb64u

    top, body, signature = text.split(".")
    changed = unb64u(body).replace(b'"customer_present":false', b'"customer_present":true')
    return f"{top}.{b64u(changed)}.{signature}"


BAD_ENCODING, BAD_SIGNATURE = (("BAD_ENCODING", 13),), (("BAD_SIGNATURE", 13),)

FORMS: list[tuple[str, str, tuple[tuple[str, int | str], ...], str, Callable[[Story], None]]] = [
    ("7.4", "evidence-with-one-member-more", BAD_ENCODING, "Exactly its members.", lambda log: evidence(log, more=1)),
    ("7.4", "evidence-without-an-outcome", BAD_ENCODING, "A decision has an outcome.", lambda log: log.access(FIRST, None)),  # type: ignore[arg-type]
    ("7.4", "evidence-whose-act-is-none", BAD_ENCODING, "The act is one of those of statements.md.", lambda log: evidence(log, act="access.nothing")),
    ("7.4", "evidence-with-two-statements", BAD_ENCODING, "One statement, none for consent.expire.", lambda log: evidence(log, statements=["a.b.c", "a.b.c"])),
    ("7.4", "evidence-without-a-statement", BAD_ENCODING, "Only consent.expire has none.", lambda log: evidence(log, statements=[])),
    ("7.4", "evidence-whose-statements-are-text", BAD_ENCODING, "A list.", lambda log: evidence(log, statements="a.b.c")),
    ("7.4", "a-leg-with-an-outcome", BAD_ENCODING, "A leg has none.", lambda log: log.say(RECIPIENT, "access.receive", log.allow(11), consent_id=FIRST, interaction_id="interaction-1", basis=13, rows=1, bytes=1, digest=b64u(bytes(32))) and None),
    ("7.4", "an-outcome-whose-basis-is-text", BAD_ENCODING, "An index, or -1.", lambda log: outcome(log, basis="11")),
    ("7.4", "an-outcome-with-one-member-more", BAD_ENCODING, "Exactly its members.", lambda log: outcome(log, more=1)),
    ("7.4", "an-outcome-whose-reasons-are-numbers", BAD_ENCODING, "Codes.", lambda log: outcome(log, reasons=[1])),
    ("7.5", "a-statement-of-two-parts", BAD_ENCODING, "Header, payload, signature.", lambda log: word(log, lambda text: text.rpartition(".")[0])),
    ("7.5", "a-statement-that-is-padded", BAD_ENCODING, "base64url without padding.", lambda log: word(log, lambda text: text + "==")),
    ("7.5", "a-statement-with-white-space", BAD_ENCODING, "Nothing around it.", lambda log: word(log, lambda text: " " + text)),
    ("7.5", "a-statement-of-more-than-16384-bytes", BAD_ENCODING, "The bound comes first.", lambda log: word(log, lambda text: text + "A" * 16_384)),
    ("7.6", "a-header-with-alg-none", BAD_SIGNATURE, "Three algorithms exist.", lambda log: header(log, alg="none")),
    ("7.6", "a-header-whose-alg-is-a-list", BAD_SIGNATURE, "An ill-typed member is no reason to stop.", lambda log: header(log, alg=["ES256"])),
    ("7.6", "a-header-without-a-kid", BAD_SIGNATURE, "Exactly its members.", lambda log: header(log, kid="absent")),
    ("7.6", "a-header-with-a-key", BAD_SIGNATURE, "No key is ever taken from the message.", lambda log: header(log, jwk=log.keys[RECIPIENT][1].jwk)),
    ("7.6", "a-header-of-another-typ", BAD_SIGNATURE, "`typ` keeps statements apart from other tokens.", lambda log: header(log, typ="JWT")),
    ("7.7", "a-statement-of-an-unknown-key", BAD_SIGNATURE, "The kid is registered nowhere in the log.", lambda log: signed_by(log, P256("app"), "nobody.1")),
    ("7.7", "a-signature-of-another-key", BAD_SIGNATURE, "The kid's key did not sign this.", lambda log: signed_by(log, P256("stranger"))),
    ("7.7", "an-algorithm-that-is-not-the-keys", BAD_SIGNATURE, "A kid has one algorithm.", lambda log: signed_by(log, Ed25519("app"))),
    ("7.7", "a-signature-as-der", BAD_SIGNATURE, "ES256 is 64 bytes, r and s.", lambda log: word(log, lambda text: _der(log, text))),
    ("7.7", "a-signature-of-zeros", BAD_SIGNATURE, "0 is no r and no s.", lambda log: word(log, lambda text: text.rpartition(".")[0] + "." + b64u(bytes(64)))),
    ("7.7", "a-payload-that-was-changed", BAD_SIGNATURE, "One member, after it was signed. Reading goes on.", lambda log: word(log, _changed)),
    ("7.8", "a-payload-with-white-space", BAD_ENCODING, "The payload is CL-JSON, however it was signed.", lambda log: spelled(log, lambda body: body.replace(b":", b": ", 1))),
    ("7.8", "a-payload-with-a-name-twice", BAD_ENCODING, "Names are unique.", lambda log: spelled(log, lambda body: body.replace(b'"v":1', b'"v":1,"v":1'))),
    ("7.8", "a-payload-with-an-unknown-member", BAD_ENCODING, "Exactly the members of its act.", lambda log: says(log, more=1)),
    ("7.8", "a-payload-whose-permissions-are-not-sorted", BAD_ENCODING, "Sorted, each once.", lambda log: says(log, permissions=["ReadBalances", "ReadAccountsDetail"])),
    ("7.8", "a-payload-without-permissions", BAD_ENCODING, "1 to 64.", lambda log: says(log, permissions=[])),
    ("7.8", "a-payload-whose-flag-is-a-number", BAD_ENCODING, "true or false.", lambda log: says(log, customer_present=1)),
    ("7.8", "a-payload-whose-relayed-is-false", BAD_ENCODING, "true or absent.", lambda log: says(log, relayed=False)),
    ("7.8", "a-payload-whose-digest-is-short", BAD_ENCODING, "32 bytes.", lambda log: says(log, request_digest=b64u(bytes(31)))),
    ("7.8", "a-payload-whose-jti-is-long", BAD_ENCODING, "16 bytes.", lambda log: says(log, jti=b64u(bytes(17)))),
    ("7.8", "a-payload-whose-time-is-negative", BAD_ENCODING, "0 or more.", lambda log: says(log, to=-1)),
    ("7.8", "a-payload-whose-number-is-2-53", BAD_ENCODING, "At most 2^53-1.", lambda log: spelled(log, lambda body: body.replace(b'"to":0', b'"to":9007199254740992'))),
    ("7.8", "a-payload-whose-interaction-is-short", BAD_ENCODING, "8 to 64 characters.", lambda log: says(log, interaction_id="short")),
    ("7.8", "a-by-that-is-a-list", BAD_ENCODING, "An ill-typed member must not end the audit.", lambda log: log.step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"), by=["customer"]) and None),
    ("7.11", "a-statement-for-another-log", BAD_SIGNATURE, "`aud` is the origin.", lambda log: says(log, aud="ledger.example/other")),
    ("7.14", "a-statement-300-seconds-and-one-too-early", (("TIME_INVALID", 13),), "|iat·1000 − time| ≤ 300,000.", lambda log: says(log, iat=log.time // 1000 - 301)),
    ("7.14", "a-statement-300-seconds-and-one-too-late", (("TIME_INVALID", 13),), "|iat·1000 − time| ≤ 300,000.", lambda log: says(log, iat=log.time // 1000 + 301)),
]  # fmt: skip

for _step, _name, _told, _why, _tell in FORMS:

    def _written(log: Story, tell: Callable[[Story], None] = _tell) -> None:
        tell(log)

    _written.__name__, _written.__doc__ = _name, _why
    case(_step, told=_told)(_written)


@case("7.6", "7.7", exit=0)
def _a_statement_exactly_300_seconds_early(log: Story) -> None:
    """The bound is inside."""
    says(log, iat=log.time // 1000 - 300)


@case("7.9", told=(("TIME_INVALID", 13),))
def _a_customer_who_authenticates_later(log: Story) -> None:
    """`sca.at` is at most `iat` + 300."""
    late = {"acr": "sca", "amr": [], "at": log.time // 1000 + 301}
    log.say(HOLDER, "consent.reauthenticate", log.state("ACTIVE"), consent_id=FIRST, sca=late)


@case("7.10", told=BAD_ENCODING)
def _a_passkey_off_the_curve(log: Story) -> None:
    """(x, y) is a point of P-256."""
    log.enrol(
        credential_id=b64u(sha(b"another")), public_key=b64u(log.device.cose[:-1] + bytes([log.device.cose[-1] ^ 1]))
    )


@case("7.10", told=BAD_ENCODING)
def _a_passkey_with_a_byte_behind(log: Story) -> None:
    """One spelling, and nothing behind it."""
    log.enrol(credential_id=b64u(sha(b"another")), public_key=b64u(log.device.cose + b"\0"))


@case("7.10", told=BAD_ENCODING)
def _a_passkey_in_another_order(log: Story) -> None:
    """alg before kty."""
    swapped = bytes.fromhex("a5032601022001215820") + log.device.cose[10:]
    log.enrol(credential_id=b64u(sha(b"another")), public_key=b64u(swapped))


@case("7.10", told=BAD_ENCODING)
def _a_passkey_of_small_order(log: Story) -> None:
    """An Ed25519 key passes the gate for registration."""
    log.enrol(credential_id=b64u(sha(b"another")), public_key=b64u(bytes.fromhex("a4010103272006215820") + bytes(32)))


@case("7.12", told=(("CONSENT_INVALID", 13),))
def _evidence_of_another_act(log: Story) -> None:
    """What the evidence says is what was signed."""
    members = {"act": "consent.resume"}
    log.step(HOLDER, "consent.pause", FIRST, log.state("PAUSED"), beside=members)


@case("7.13", told=(("BAD_PROOF", 13),))
def _an_item_in_another_position(log: Story) -> None:
    """Position and path lead elsewhere than `items_root`."""
    log.batch([log.item(FIRST)], [log.allow(11)], position=1)


@case("7.13", told=(("BAD_PROOF", 13),))
def _an_item_with_another_path(log: Story) -> None:
    """A sibling too many."""
    log.batch([log.item(FIRST)], [log.allow(11)], path=[b64u(bytes(32))])


@case("7.13", told=BAD_ENCODING)
def _an_item_that_is_not_of_its_form(log: Story) -> None:
    """The members of an access item, each of its form."""
    log.batch([{**log.item(FIRST), "more": 1}], [log.allow(11)])


@case("7.13", told=BAD_ENCODING)
def _an_item_whose_position_is_text(log: Story) -> None:
    """A number from 0."""
    log.batch([log.item(FIRST)], [log.allow(11)], position="0")


@case("7.15", told=(("BAD_CHAIN", 13),))
def _an_access_in_another_consents_chain(log: Story) -> None:
    """The chain is the hash of the consent id in the statement."""
    log.access(FIRST, log.allow(11), {"chain": ("consent", SECOND)})


@case("7.15", told=(("BAD_CHAIN", 13),))
def _an_access_in_a_customers_chain(log: Story) -> None:
    """The kind of the leaf follows from the act."""
    log.access(FIRST, log.allow(11), {"chain": ("subject", FIRST)})


@case("7.7", told=BAD_SIGNATURE)
def _a_ps256_signature_with_a_longer_salt(log: Story) -> None:
    """The salt has 32 bytes."""
    _, key = log.keys[HELPER]
    assert isinstance(key, Rsa)

    def signed(payload: Json) -> str:
        text = jws(key, f"{HELPER}.1", encode(payload)).rpartition(".")[0]
        return text + "." + b64u(key.sign(text.encode(), 33))

    log.access(FIRST, log.allow(11), {"signed": signed}, HELPER, on_behalf_of=RECIPIENT)
