"""Ledger and verifier decide alike on every byte of client data, origins and COSE keys: nothing taken spoils an audit."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.entries.assertion import cose_verifier
from ledger.entries.client_data import NumberHere, parse_client_data, require_origin
from ledger.errors import BadSignature, InvalidInput
from tests.devices import RP_ID, Device
from tests.keys import KeyPair
from tests.world import passkey, running_world
from verifier.audit.bundle import Auditor, Options
from verifier.bytes.archive import open_archive
from verifier.crypto.keys import parse_cose_key
from verifier.errors import Refuted
from verifier.records.clientdata import check_origin, read_client_data
from verifier.tlog.trust import parse_trust

BROWSERS = b'{"type":"webauthn.get","challenge":"CHALLENGE","origin":ORIGIN,"crossOrigin":false%s}'
PIECES = [
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"1",
    b"0",
    b"-",
    b"-0",
    b"01",
    b"1.5",
    b"1.",
    b".5",
    b"1e400",
    b"1E+7",
    b"1e",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"true",
    b"false",
    b"null",
    b"nul",
    b"//",
    *(
        mark.encode()
        for mark in ('"a"', '"b"', '"type"', "'a'", r'"\u0061"', r'"\ud83d\ude00"', r'"\ud800"', r'"\udc00x"')
    ),
    rb'"\n\/"',
    rb'"\x"',
    rb'"\u12"',
    b"9" * 400,
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"\x0b",
    b"\x00",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xff",
    b'"\x7f"',
    b'"\x1f"',
    b'"\xf0\x9f\x98\x80"',
    b"\xd9\xa1",
]
"""What JSON texts, and texts that are nearly JSON, are made of."""
SCALARS = [
    b"1",
    b"-1.5e-3",
    b"1e400",
    b'"x"',
    rb'"\ud800"',
    b"NaN",
    b"true",
    b"null",
    b"9" * 20,
    b"1.",
    rb'"\ud83d\ude00"',
]
HOSTS = [
    "bank",
    "Bank",
    "a" * 63,
    "a" * 64,
    ".",
    "..",
    "example",
    "localhost",
    "user@",
    "_",
    "-",
    "[::1]",
    "\u212a",
    " ",
    "\n",
    "%41",
]
ENDS = [
    "",
    ":443",
    ":80",
    ":8443",
    ":0443",
    ":0",
    ":65535",
    ":65536",
    ":",
    "/",
    "/path",
    "?q",
    "#f",
    ":\u0668",
    "\x00",
    ".",
]

values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: b"[" + b", ".join(items) + b"]")
        | st.lists(st.tuples(st.sampled_from([b'"a"', b'"b"', b'"\\u0061"', b'""']), inner), max_size=3).map(
            lambda members: b"{" + b" ,".join(name + b": " + value for name, value in members) + b"}"
        )
    ),
    max_leaves=12,
)
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join),
    values.map(lambda value: b'{"member":' + value + b"}"),
    st.binary(max_size=12).map(lambda raw: b'{"a":"' + raw + b'"}'),
    st.integers(1, 20).map(lambda depth: b'{"a":' + b"[" * depth + b"]" * depth + b"}"),
)


def _taken(read: Callable[..., Any], refusal: type[Exception] | tuple[type[Exception], ...], *given: Any) -> Any:
    try:
        return read(*given)
    except refusal:
        return None


def _texts(found: dict[str, Any] | None) -> Any:
    """What the two readers must agree about: names, and every value that is not a number (those are never looked at)."""
    if found is None:
        return None

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(one) for name, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return "a number" if isinstance(value, NumberHere) or type(value) is int else value

    return plain(found)


@given(texts)
@example(b'{"a":1}')
@example(b'\xef\xbb\xbf{"a":1}')
def test_both_read_the_same_client_data_or_neither_reads_any(data: bytes) -> None:
    assert _texts(_taken(parse_client_data, ValueError, data)) == _texts(_taken(read_client_data, Refuted, data))


@given(
    st.sampled_from(["https://", "http://", "HTTPS://", "ftp://", "https:/", ""]),
    st.lists(st.sampled_from(HOSTS), max_size=5).map("".join),
    st.sampled_from(ENDS),
    st.sampled_from(["bank.example", "localhost", "example", "a"]),
)
def test_both_take_the_same_origins(scheme: str, host: str, rest: str, rp_id: str) -> None:
    for origin in (scheme + host + rest, f"{scheme}{rp_id}{rest}", f"{scheme}{host}.{rp_id}{rest}"):
        ours = _raises(require_origin, ValueError, origin, rp_id)
        assert ours == _raises(check_origin, Refuted, origin, rp_id), origin


@given(st.sampled_from(["ES256", "EdDSA"]), st.integers(0, 80), st.integers(0, 255), st.binary(max_size=2))
def test_both_take_the_same_passkeys(alg: str, place: int, byte: int, behind: bytes) -> None:
    key = bytearray(passkey(KeyPair.generate(alg)))
    if place < len(key):
        key[place] = byte
    spoilt = bytes(key) + behind
    assert _raises(cose_verifier, InvalidInput, spoilt) == _raises(parse_cose_key, Refuted, spoilt)


def _raises(check: Callable[..., Any], refusal: type[Exception], *given: Any) -> bool:
    try:
        check(*given)
    except refusal:
        return True
    return False


MEMBERS = [
    b"",
    b',"a":1.5',
    b',"a":1152921504606846976',
    b',"a":NaN',
    b',"a":-Infinity',
    b',"a":1e400',
    rb',"a":"\ud800"',
    rb',"\udfff":1',
    b',"a":' + b"9" * 2_500,
    b',"a":{"b":[1.0,{"c":-0.0}]}',
    b',"type":"webauthn.get"',
    b',"a":' + b"[" * 30 + b"]" * 30,
    b',"topOrigin":0',
]
ORIGINS = [
    "https://bank.example",
    "https://www.bank.example:8443",
    "https://bank.example:443",
    "https://bank.example/",
    "https://BANK.example",
    "https://a b.bank.example",
    "https://a\tb.bank.example",
    "https://u@bank.example",
]


def test_no_client_data_and_no_origin_that_the_ledger_takes_spoils_an_audit(sqlite_url: str, tmp_path: Path) -> None:
    """Security review, S3: a fraction in a member that nobody looks at was taken, and every audit afterwards failed."""
    with running_world(sqlite_url, tmp_path / "node") as world:
        bank, app = world.holder(), world.recipient()
        taken: list[tuple[bytes, str]] = []
        tries = [(BROWSERS % member, ORIGINS[0]) for member in MEMBERS] + [
            (BROWSERS % b"", origin) for origin in ORIGINS
        ]
        for client, origin in tries:
            device, consent = Device(), world.requested_consent(app, bank)
            world.record(
                bank.enrol(
                    consent.customer, credential_id=device.credential_id, public_key=device.public_key, rp_id=RP_ID
                )
            )
            try:
                gesture = device.agree(consent, client, origin)
                world.record(replace(bank.authorise(consent), assertion=gesture))
                taken.append((client, origin))
            except BadSignature:
                world.record(bank.authorise(consent))  # without the gesture
        bundle = tmp_path / "bundle"
        ledger = world.ledger
        export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(bundle), disclose=Disclose.full())
    trust = parse_trust((bundle / "policy").read_bytes())
    with closing(Auditor(open_archive(bundle), trust, Options(jobs=1))) as auditor:
        audit = auditor.run()
    assert [str(defect) for defect in audit.findings.defects] == []
    assert (
        len(taken) >= 6
    )  # fractions, large numbers, deep members within the bound, a port: none of a browser's are refused
    assert (BROWSERS % b',"a":1e400', ORIGINS[0]) in taken
    assert not [one for one in taken if b"NaN" in one[0] or b"\\ud" in one[0] or one[1].endswith((":443", "/"))]
