"""Client data and origins have one reading (docs/spec/passkeys.md): whatever a reader could take in two ways is refused, and
what a browser may add tomorrow is left alone."""

from __future__ import annotations

import pytest

from tests.verifier.making import accepts
from verifier.records.clientdata import MAX_CLIENT_DATA, check_origin, read_client_data

PLACE = "bank.example"
"""Twelve characters: an origin has at most 255."""


@pytest.mark.parametrize(
    ("origin", "rp_id", "accepted"),
    [
        ("https://bank.example", PLACE, True),
        ("https://bank.example:8443", PLACE, True),
        ("https://bank.example:80", PLACE, True),
        ("https://bank.example:65535", PLACE, True),
        ("https://login.bank.example", PLACE, True),
        ("https://my_app.bank.example", PLACE, True),
        ("https://xn--bcher-kva.bank.example", PLACE, True),
        ("http://localhost:3000", "localhost", True),
        ("http://localhost:443", "localhost", True),
        ("http://localhost", "localhost", True),
        ("https://localhost", "localhost", True),
        ("https://" + "a." * 117 + "b" + PLACE, "b" + PLACE, True),
        ("https://" + "a." * 117 + "bb" + PLACE, "bb" + PLACE, False),
        ("https://" + "a" * 63 + "." + PLACE, PLACE, True),
        ("https://" + "a" * 64 + "." + PLACE, PLACE, False),
        ("https://bank.example:443", PLACE, False),
        ("https://bank.example:0443", PLACE, False),
        ("https://bank.example:0", PLACE, False),
        ("https://bank.example:65536", PLACE, False),
        ("https://bank.example:99999", PLACE, False),
        ("https://bank.example:", PLACE, False),
        ("https://bank.example:8443:8443", PLACE, False),
        ("https://bank.example:+8443", PLACE, False),
        ("https://bank.example:\u0668", PLACE, False),
        ("https://bank.example/", PLACE, False),
        ("https://bank.example/path", PLACE, False),
        ("https://bank.example?q", PLACE, False),
        ("https://bank.example#f", PLACE, False),
        ("https://Bank.example", PLACE, False),
        ("HTTPS://bank.example", PLACE, False),
        ("https://user@bank.example", PLACE, False),
        ("https://@bank.example", PLACE, False),
        ("https://bank.example ", PLACE, False),
        (" https://bank.example", PLACE, False),
        ("https://bank.example\n", PLACE, False),
        ("https://bank\t.example", PLACE, False),
        ("https://bank.example\x00", PLACE, False),
        ("https://bank.example\x7f", PLACE, False),
        ("https://bank.example.", PLACE, False),
        ("https://a..bank.example", PLACE, False),
        ("https://.bank.example", PLACE, False),
        ("https://b\u00fccher.bank.example", PLACE, False),
        ("https://\u212aevin.bank.example", PLACE, False),
        ("http://localhost:80", "localhost", False),
        ("http://bank.example", PLACE, False),
        ("http://app.localhost", "localhost", False),
        ("http://localhost", PLACE, False),
        ("ftp://localhost", "localhost", False),
        ("ftp://bank.example", PLACE, False),
        ("https://evilbank.example", PLACE, False),
        ("https://bank.example.evil", PLACE, False),
        ("https://evil.example/bank.example", PLACE, False),
        ("https://bank.example@evil.example", PLACE, False),
        ("https://[bank.example", PLACE, False),
        ("https://[::1]", "::1", False),
        ("bank.example", PLACE, False),
        ("https://", PLACE, False),
        ("https:bank.example", PLACE, False),
        ("https:///bank.example", PLACE, False),
        ("", PLACE, False),
    ],
)
def test_an_origin_has_one_spelling_and_lies_at_its_place_or_below_it(origin: str, rp_id: str, accepted: bool) -> None:
    assert accepts(check_origin, origin, rp_id) is accepted


def nested(levels: int) -> bytes:
    """An object whose arrays make it `levels` deep."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (b"{}", True),
        (b' \t\r\n{"a" : 1 }\n', True),
        (b'{"a":1.5,"b":1e400,"c":-0,"d":1152921504606846976,"e":-1E-7}', True),
        (b'{"a":' + b"9" * 3_000 + b"}", True),
        (b'{"":0,"__proto__":{},"\xc3\xbc":"\x7f\xc2\x80"}', True),
        (rb'{"a":"\u0000\/\"\\","b":"\ud83d\ude00"}', True),
        (nested(16), True),
        (nested(17), False),
        (nested(1_400), False),
        (b'{"a":NaN}', False),
        (b'{"a":[Infinity]}', False),
        (b'{"a":-Infinity}', False),
        (b'{"a":01}', False),
        (b'{"a":1.}', False),
        (b'{"a":.5}', False),
        (b'{"a":+1}', False),
        (b'{"a":1,}', False),
        (b'{"a":[1,]}', False),
        (b"{'a':1}", False),
        (b'{"a":1}//', False),
        (b'{"a":1}{}', False),
        (b'{"a":1}\x00', False),
        (b'\x0b{"a":1}', False),
        (b'\xef\xbb\xbf{"a":1}', False),
        (b'{"a":1,"a":1}', False),
        (rb'{"a":1,"\u0061":1}', False),
        (b'{"b":{"a":1,"a":2}}', False),
        (b'{"b":[{"a":1,"a":2}]}', False),
        (rb'{"a":"\ud800"}', False),
        (rb'{"\udfff":1}', False),
        (rb'{"b":[["\ude00\ud83d"]]}', False),
        (b'{"a":"\xed\xa0\x80"}', False),
        (b'{"a":"\xff"}', False),
        (b'{"a":"\n"}', False),
        (rb'{"a":"\x41"}', False),
        (rb'{"a":"\u+041"}', False),
        (rb'{"a":"\u 041"}', False),
        (b"[]", False),
        (b"1", False),
        (b"null", False),
        (b'"x"', False),
        (b"", False),
    ],
)
def test_client_data_are_one_json_object_with_one_reading(data: bytes, accepted: bool) -> None:
    assert accepts(read_client_data, data) is accepted


def test_client_data_have_a_bound() -> None:
    filler = b'{"a":"' + b"x" * (MAX_CLIENT_DATA - 8) + b'"}'
    assert len(filler) == MAX_CLIENT_DATA
    assert accepts(read_client_data, filler)
    assert not accepts(read_client_data, filler + b" ")
