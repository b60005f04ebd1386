"""Vectors of whole objects: statements, keys, passkey records."""

from __future__ import annotations

import json
from typing import Any

from tests.vectors import hashing as h
from tests.vectors.hashing import Json, b64u, encode, sha
from tests.vectors.log import ORIGIN
from tests.vectors.signing import P256, Ed25519, Key, N, Rsa, jws
from tests.vectors.story import FIRST, HOLDER, RECIPIENT, SECOND, ruleset_2

KID = "key.1"


def statements() -> Json:
    """Statements in each algorithm, each under its key."""
    log, rows = ruleset_2(13), []
    payload = encode(log.payload(RECIPIENT, "access.request", **log.item(FIRST)))

    def add(accept: bool, name: str, key: Key, word: str, code: str = "") -> None:
        row: Json = {"accept": accept, "alg": key.alg, "jwk": key.jwk, "jws": word, "kid": KID, "name": name}
        rows.append(row | ({"payload": payload.decode()} if accept else {"code": code}))

    for key in (Ed25519("one"), P256("one"), Rsa("helper")):
        word = jws(key, KID, payload)
        top, body, signature = word.split(".")
        raw = h.unb64u(signature)
        header: Json = {"alg": key.alg, "kid": KID, "typ": "consent-statement+jwt"}

        def under(changes: Json, key: Key = key, header: Json = header) -> str:
            return jws(key, KID, payload, {**header, **changes})

        def spelled(data: bytes, key: Key = key, header: Json = header) -> str:
            signed = b64u(encode(header)) + "." + b64u(data)
            return signed + "." + b64u(key.sign(signed.encode()))

        add(True, "honest", key, word)
        add(
            False,
            "one bit of the signature",
            key,
            f"{top}.{body}.{b64u(bytes([raw[0] ^ 1]) + raw[1:])}",
            "BAD_SIGNATURE",
        )
        add(
            False,
            "another payload",
            key,
            f"{top}.{b64u(payload.replace(b'false', b'true'))}.{signature}",
            "BAD_SIGNATURE",
        )
        add(False, "a signature cut short", key, f"{top}.{body}.{b64u(raw[:-1])}", "BAD_SIGNATURE")
        add(False, "a byte behind the signature", key, f"{top}.{body}.{b64u(raw + bytes(1))}", "BAD_SIGNATURE")
        add(False, "an empty signature", key, f"{top}.{body}.", "BAD_ENCODING")
        add(False, "alg none", key, under({"alg": "none"}), "BAD_SIGNATURE")
        add(False, "another kid", key, under({"kid": "key.2"}), "BAD_SIGNATURE")
        add(False, "another typ", key, under({"typ": "JWT"}), "BAD_SIGNATURE")
        add(False, "a header with crit", key, under({"crit": ["b64"]}), "BAD_SIGNATURE")
        add(False, "alg as a list", key, under({"alg": [key.alg]}), "BAD_SIGNATURE")
        add(False, "padding", key, word + "=", "BAD_ENCODING")
        add(False, "two parts", key, f"{top}.{body}", "BAD_ENCODING")
        add(False, "a payload with white space", key, spelled(payload.replace(b":", b": ", 1)), "BAD_ENCODING")
        add(False, "a payload that is an array", key, spelled(b"[]"), "BAD_ENCODING")
    ed, ec, rsa = Ed25519("one"), P256("one"), Rsa("helper")
    for alg, good in (("EdDSA", ed), ("ES256", ec)):
        top, body, signature = jws(good, KID, payload).split(".")
        raw = h.unb64u(signature)
        if alg == "EdDSA":
            order = 2**252 + 27742317777372353535851937790883648493
            larger = (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
            add(False, "S + L", good, f"{top}.{body}.{b64u(raw[:32] + larger)}", "BAD_SIGNATURE")
            add(False, "R of small order", good, f"{top}.{body}.{b64u(bytes(32) + raw[32:])}", "BAD_SIGNATURE")
        else:
            r, s = raw[:32], int.from_bytes(raw[32:])
            add(True, "n - s signs the same", good, f"{top}.{body}.{b64u(r + (N - s).to_bytes(32))}")
            add(False, "r = 0", good, f"{top}.{body}.{b64u(bytes(32) + raw[32:])}", "BAD_SIGNATURE")
            add(False, "s = n", good, f"{top}.{body}.{b64u(r + N.to_bytes(32))}", "BAD_SIGNATURE")
            add(False, "DER", good, f"{top}.{body}.{b64u(ec.sign_der(f'{top}.{body}'.encode()))}", "BAD_SIGNATURE")
    top, body, _ = jws(rsa, KID, payload).split(".")
    for length in (0, 31, 33):
        salted = rsa.sign(f"{top}.{body}".encode(), length)
        add(False, f"a salt of {length} bytes", rsa, f"{top}.{body}.{b64u(salted)}", "BAD_SIGNATURE")
    return {
        "about": "Statements (statements.md), read by somebody who knows `kid`'s `alg` and `jwk`.",
        "cases": rows,
        "origin": ORIGIN,
    }


def keys() -> Json:
    """Keys at registration."""
    ed, ec, rsa = Ed25519("one"), P256("one"), Rsa("helper")
    big, odd = Rsa("big", 3072), h.unb64u(rsa.jwk["n"])
    p = 2**255 - 19
    rows: list[tuple[bool, str, str, Json]] = [
        (True, "Ed25519", "EdDSA", ed.jwk),
        (True, "P-256", "ES256", ec.jwk),
        (True, "RSA of 2048 bits", "PS256", rsa.jwk),
        (True, "RSA of 3072 bits", "PS256", big.jwk),
        (False, "an algorithm of another key", "ES256", ed.jwk),
        (False, "a private member", "EdDSA", {**ed.jwk, "d": b64u(bytes(32))}),
        (False, "a member more", "EdDSA", {**ed.jwk, "alg": "EdDSA"}),
        (False, "padding", "EdDSA", {**ed.jwk, "x": ed.jwk["x"] + "="}),
        (False, "31 bytes", "EdDSA", {**ed.jwk, "x": b64u(ed.public[1:])}),
        (False, "the identity", "EdDSA", {**ed.jwk, "x": b64u(b"\1" + bytes(31))}),
        (False, "order 4", "EdDSA", {**ed.jwk, "x": b64u(bytes(32))}),
        (False, "y = p", "EdDSA", {**ed.jwk, "x": b64u(p.to_bytes(32, "little"))}),
        (False, "no point at all", "EdDSA", {**ed.jwk, "x": b64u((2).to_bytes(32, "little"))}),
        (False, "off the curve", "ES256", {**ec.jwk, "y": b64u(bytes(31) + b"\1")}),
        (False, "another curve", "ES256", {**ec.jwk, "crv": "secp256k1"}),
        (False, "x of 33 bytes", "ES256", {**ec.jwk, "x": b64u(bytes(1) + ec.x)}),
        (False, "x and y of 0", "ES256", {**ec.jwk, "x": b64u(bytes(32)), "y": b64u(bytes(32))}),
        (False, "exponent 3", "PS256", {**rsa.jwk, "e": "Aw"}),
        (False, "an even modulus", "PS256", {**rsa.jwk, "n": b64u(odd[:-1] + bytes([odd[-1] ^ 1]))}),
        (False, "2047 bits", "PS256", {**rsa.jwk, "n": b64u(bytes([odd[0] & 0x7F]) + odd[1:])}),
        (False, "a leading zero", "PS256", {**rsa.jwk, "n": b64u(bytes(1) + odd)}),
        (False, "HS256", "HS256", {"k": b64u(bytes(32)), "kty": "oct"}),
    ]
    cases = [{"accept": accept, "alg": alg, "jwk": jwk, "name": name} for accept, name, alg, jwk in rows]
    cose: list[tuple[bool, str, bytes]] = [
        (True, "ES256", ec.cose),
        (True, "EdDSA", ed.cose),
        (False, "nothing", b""),
        (False, "a byte behind", ec.cose + b"\0"),
        (False, "off the curve", ec.cose[:-1] + bytes([ec.cose[-1] ^ 1])),
        (False, "another order of members", bytes.fromhex("a5032601022001215820") + ec.cose[10:]),
        (False, "a long length", bytes.fromhex("a501020326200121590020") + ec.cose[10:]),
        (False, "one member more", b"\xa6" + ec.cose[1:] + b"\x61a\x01"),
        (False, "small order", ed.cose[:10] + bytes(32)),
        (False, "RS256", bytes.fromhex("a401030339010020410121410100")),
    ]
    spelled = [{"accept": accept, "name": name, "public_key": b64u(data)} for accept, name, data in cose]
    return {
        "about": "Keys at registration: JWK in key.added (statements.md), COSE in subject.enrol (passkeys.md).",
        "cose": spelled,
        "jwk": cases,
    }


def passkeys() -> Json:
    """Passkey records beside what they are about."""
    log, rows = ruleset_2(13), []
    statement = log.payload(HOLDER, "consent.authorise", **log.authorisation(FIRST))
    site = f"https://{HOLDER}"

    def add(accept: bool, name: str, record: Json, public: str = "") -> None:
        rows.append({"accept": accept, "name": name, "public_key": public or b64u(log.device.cose), "record": record})

    def told(data: bytes, **changes: Any) -> Json:
        """A record whose client data are these bytes."""
        record = log.gesture(FIRST)
        authenticator = h.unb64u(record["authenticator_data"])
        return {
            **record,
            "client_data": b64u(data),
            "signature": b64u(log.device.sign_der(authenticator + sha(data))),
            **changes,
        }

    def with_data(authenticator: bytes) -> Json:
        record = log.gesture(FIRST)
        signature = log.device.sign_der(authenticator + sha(h.unb64u(record["client_data"])))
        return {**record, "authenticator_data": b64u(authenticator), "signature": b64u(signature)}

    record = log.gesture(FIRST)
    data, authenticator = h.unb64u(record["client_data"]), h.unb64u(record["authenticator_data"])
    text = data.decode()
    add(True, "ES256", record)
    for flags in (0x05, 0x0D, 0x1D, 0x07, 0x25):
        add(True, f"flags {flags:#04x}", with_data(authenticator[:32] + bytes([flags]) + authenticator[33:]))
    for flags in (0x00, 0x01, 0x04, 0x15, 0x45, 0x85):
        add(False, f"flags {flags:#04x}", with_data(authenticator[:32] + bytes([flags]) + authenticator[33:]))
    add(False, "another rp_id's hash", with_data(sha(b"other.example") + authenticator[32:]))
    add(False, "38 bytes of authenticator data", with_data(authenticator + b"\0"))
    add(False, "36 bytes of authenticator data", with_data(authenticator[:-1]))
    for name, changed in (
        ("white space around", f" {text}\n"),
        ("members in another order", json.dumps(dict(reversed(json.loads(text).items())))),
        ("an unknown member", text[:-1] + ',"hint":[1.5,1e400]}'),
        ("crossOrigin absent", text.replace(', "crossOrigin": false', "")),
        ("an escaped type", text.replace("webauthn.get", "webauthn.g\\u0065t")),
        ("16 levels", text[:-1] + ',"x":' + "[" * 15 + "]" * 15 + "}"),
    ):
        add(True, f"client data: {name}", told(changed.encode()))
    for name, changed in (
        ("crossOrigin null", text.replace("false", "null")),
        ("crossOrigin true", text.replace("false", "true")),
        ("crossOrigin 0", text.replace("false", "0")),
        ("topOrigin", text[:-1] + ',"topOrigin":null}'),
        ("type create", text.replace(".get", ".create")),
        ("a name twice", text[:-1] + ',"type":"webauthn.get"}'),
        ("a name twice, deep", text[:-1] + ',"x":{"a":1,"\\u0061":2}}'),
        ("NaN", text[:-1] + ',"x":NaN}'),
        ("a leading zero", text[:-1] + ',"x":01}'),
        ("a final comma", text[:-1] + ",}"),
        ("a lone surrogate", text[:-1] + ',"x":"\\ud800"}'),
        ("17 levels", text[:-1] + ',"x":' + "[" * 16 + "]" * 16 + "}"),
        ("a raw control character", text[:-1] + ',"x":"\t"}'),
        ("a byte-order mark", "\ufeff" + text),
        ("another challenge", text.replace('challenge": "', 'challenge": "A')),
        ("another origin", text.replace(site, site + ".x")),
        ("an array", f"[{text}]"),
        ("a form feed around", text + "\f"),
    ):
        add(False, f"client data: {name}", told(changed.encode()))
    for accept, origin, rp_id in (
        (True, "https://login.bank.example", HOLDER),
        (True, "https://bank.example:8443", HOLDER),
        (True, "http://localhost:8080", "localhost"),
        (True, "http://localhost", "localhost"),
        (False, "https://bank.example/", HOLDER),
        (False, "https://Bank.example", HOLDER),
        (False, "https://bank.example:443", HOLDER),
        (False, "https://bank.example:08443", HOLDER),
        (False, "http://bank.example", HOLDER),
        (False, "https://notbank.example", HOLDER),
        (False, "https://bank.example.", HOLDER),
        (False, "https://bank.example:65536", HOLDER),
        (False, "https://u@bank.example", HOLDER),
        (False, "https://bank..example", HOLDER),
        (False, "https://bank.example?x", HOLDER),
        (False, "https://bank.exampl\u0435", HOLDER),
    ):
        changed = json.dumps({**json.loads(text), "origin": origin}).encode()
        place = sha(rp_id.encode()) + authenticator[32:]
        signature = log.device.sign_der(place + sha(changed))
        members = {
            "authenticator_data": b64u(place),
            "client_data": b64u(changed),
            "origin": origin,
            "rp_id": rp_id,
            "signature": b64u(signature),
        }
        add(accept, f"origin {origin}", {**record, **members})
    raw = h.unb64u(record["signature"])
    add(False, "a signature as r and s", {**record, "signature": b64u(log.device.sign(authenticator + sha(data)))})
    add(False, "a byte behind the signature", {**record, "signature": b64u(raw + b"\0")})
    add(False, "an integer with a zero too many", {**record, "signature": b64u(_padded(raw))})
    add(False, "another key", record, b64u(P256("stranger").cose))
    add(False, "other terms", log.gesture(FIRST, lie={"terms_hash": b64u(bytes(32))}))
    add(False, "other accounts", log.gesture(FIRST, lie={"accounts_hash": b64u(h.accounts_hash([]))}))
    add(False, "another consent", log.gesture(FIRST, lie={"consent_id": SECOND}))
    add(False, "another act", log.gesture(FIRST, lie={"act": "consent.revoke"}))
    add(False, "a locale that is none", log.gesture(FIRST, lie={"locale": "e"}))
    add(False, "one member more", {**record, "more": 1})
    add(False, "a member missing", {name: value for name, value in record.items() if name != "origin"})
    device = Ed25519("device")
    signed = device.sign(authenticator + sha(data))
    add(True, "EdDSA", {**record, "signature": b64u(signed)}, b64u(device.cose))
    add(False, "EdDSA, one bit", {**record, "signature": b64u(bytes([signed[0] ^ 1]) + signed[1:])}, b64u(device.cose))
    about = "Passkey records (passkeys.md, checks 1, 2, 4 and 5) under an authorisation with the members of `statement`, by the enrolled `public_key` and the record's own rp_id."
    return {"about": about, "cases": rows, "statement": statement}


def _padded(raw: bytes) -> bytes:
    """DER whose first integer has a zero byte too many."""
    return bytes([0x30, raw[1] + 1, 2, raw[3] + 1, 0]) + raw[4:]


FILES = {"keys": keys, "passkeys": passkeys, "statements": statements}
