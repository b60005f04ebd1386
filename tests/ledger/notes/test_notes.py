"""Signed notes, note keys and checkpoints: published cases, round trips and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from ledger.canonical import b64, unb64
from ledger.errors import BadEncoding, BadSignature, InvalidInput
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.notes.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from ledger.notes.cosignature import cosigned_message, format_blob, parse_blob
from ledger.notes.keys import (
    COSIGNATURE,
    ED25519,
    Cosigner,
    Ed25519NoteSigner,
    VerifierKey,
    format_secret_key,
    key_id,
    parse_secret_key,
    parse_vkey,
)
from ledger.notes.note import Note, NoteSignature, open_note, parse_note, parse_signature, sign_note
from tests.conformance import files

ORIGIN = "ledger.example/1"
SIGNER = Ed25519NoteSigner(ORIGIN, bytes(range(32)))
WITNESS = Cosigner("witness.example", bytes(range(32, 64)))
SIGNED = sign_checkpoint(ORIGIN, 5, bytes(32), SIGNER)

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=20).filter(
    lambda name: "+" not in name
)
TEXTS = st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12), min_size=1, max_size=5).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def _cosigned(note: str, time: int) -> str:
    parsed = parse_note(note)
    blob = WITNESS.cosign(parsed.text.encode(), time)
    return note + NoteSignature(WITNESS.vkey.name, WITNESS.vkey.key_id, blob).format()


# Notes


@given(
    TEXTS,
    st.lists(st.tuples(NAMES, st.binary(min_size=4, max_size=4), st.binary(min_size=1)), min_size=1, max_size=20),
)
def test_a_note_comes_back_as_it_was_written(text: str, lines: list[tuple[str, bytes, bytes]]) -> None:
    note = Note(text, tuple(NoteSignature(*line) for line in lines))
    assert parse_note(note.format()) == note
    for signature in note.signatures:
        assert parse_signature(signature.format()) == signature


@given(TEXTS)
def test_a_signed_note_opens_under_its_key_alone(text: str) -> None:
    note = sign_note(text, SIGNER).format()
    opened = open_note(note, [SIGNER.vkey, WITNESS.vkey])
    assert opened.note.text == text
    assert [key for key, _ in opened.verified] == [SIGNER.vkey]
    other = Ed25519NoteSigner(ORIGIN, bytes(32)).vkey
    with pytest.raises(BadSignature):
        open_note(note, [other])


@given(st.data())
def test_no_single_change_of_a_signed_note_opens(data: st.DataObject) -> None:
    raw = bytearray(SIGNED.encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        changed = raw.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(InvalidInput):
        open_checkpoint(changed, SIGNER.vkey)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note[:-1],
        lambda note: note + "\n",
        lambda note: note + "x",
        lambda note: note + "unexpected\n",
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note.replace("\u2014 ", "- "),
        lambda note: note.replace("\u2014 ", "\u2014  "),
        lambda note: note.replace("\u2014 " + ORIGIN, "\u2014 \u00a0"),
        lambda note: note.replace("\u2014 " + ORIGIN, "\u2014 a+b"),
        lambda note: note.replace("\u2014 " + ORIGIN + " ", "\u2014 "),
        lambda note: note.replace("\n", "\r\n"),
        lambda note: note.replace("=\n", "\n"),
        lambda note: "\x00" + note,
        lambda note: note.replace("5\n", "5\x1f\n", 1),
        lambda note: "\ud800" + note,
        lambda note: note[: note.index("\u2014")],
        lambda note: note + note[note.index("\u2014") :] * 100,
        lambda note: "x" * 1_000_000 + note,
        lambda note: note[: note.index("\u2014")] + "\u2014 a AAAAAA==\n",
        lambda _: "",
        lambda _: "\n\n",
    ],
)
def test_a_malformed_note_is_refused(change: Any) -> None:
    with pytest.raises(BadEncoding):
        parse_note(change(SIGNED))


def test_lines_end_at_line_feeds_only() -> None:
    text = "one\u2028two\u0085three\n"  # str.splitlines would see three lines
    assert parse_note(sign_note(text, SIGNER).format()).text == text
    assert parse_checkpoint(f"a\u2028b\n1\n{b64(bytes(32))}\n").origin == "a\u2028b"


def test_a_wrong_line_of_a_known_key_spoils_the_note_and_one_of_a_stranger_does_not() -> None:
    forged = NoteSignature(SIGNER.vkey.name, SIGNER.vkey.key_id, bytes(64)).format()
    stranger = NoteSignature(SIGNER.vkey.name, b"\0\0\0\0", bytes(64)).format()
    open_note(SIGNED + stranger, [SIGNER.vkey])
    with pytest.raises(BadSignature):
        open_note(SIGNED + forged, [SIGNER.vkey])
    short = NoteSignature(SIGNER.vkey.name, SIGNER.vkey.key_id, bytes(63)).format()
    with pytest.raises(BadSignature):
        open_note(SIGNED + short, [SIGNER.vkey])


def test_a_note_has_to_be_signed_by_someone_and_its_text_well_formed() -> None:
    for text, signers in (("a\n", ()), ("a", (SIGNER,)), ("a\tb\n", (SIGNER,))):
        with pytest.raises(InvalidInput):
            sign_note(text, *signers)


# Keys


@given(NAMES, st.binary(min_size=32, max_size=32))
def test_keys_come_back_from_their_texts(name: str, seed: bytes) -> None:
    signer = Ed25519NoteSigner(name, seed)
    assert parse_vkey(signer.vkey.format()) == signer.vkey
    assert parse_vkey(Cosigner(name, seed).vkey.format()) == Cosigner(name, seed).vkey
    again = parse_secret_key(format_secret_key(name, seed))
    assert again.vkey == signer.vkey
    assert again.sign(b"x") == signer.sign(b"x") == SigningKey(seed).sign(b"x").signature


VKEY = SIGNER.vkey.format()
_NAME, _ID, _KEY = VKEY.split("+", 2)
_PUBLIC = unb64(_KEY)[1:]


def _vkey(name: str, key_type: int, public: bytes) -> str:
    return f"{name}+{key_id(name, key_type, public).hex()}+{b64(bytes([key_type]) + public)}"


_P = 2**255 - 19


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        VKEY + "\n",
        " " + VKEY,
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",  # upper-case hex
        f"{_NAME}+00000000+{_KEY}",
        f"other+{_ID}+{_KEY}",
        f"{_NAME}+{_ID}+{_KEY}=",
        f"{_NAME}+{_ID}+",
        _vkey("", ED25519, _PUBLIC),
        _vkey("a b", ED25519, _PUBLIC),
        _vkey("a\u3000b", ED25519, _PUBLIC),
        _vkey("x" * 256, ED25519, _PUBLIC),
        _vkey(ORIGIN, ED25519, _PUBLIC[:31]),
        _vkey(ORIGIN, ED25519, _PUBLIC + b"\0"),
        _vkey(ORIGIN, ED25519, b""),
        _vkey(ORIGIN, 0x02, _PUBLIC),
        _vkey(ORIGIN, 0x05, _PUBLIC),
        _vkey(ORIGIN, 0xFF, _PUBLIC),
        _vkey(ORIGIN, ED25519, b"\x01" + bytes(31)),  # the identity
        _vkey(ORIGIN, ED25519, bytes(32)),  # a point of order 4
        _vkey(ORIGIN, ED25519, (_P - 1).to_bytes(32, "little")),  # the point of order 2
        _vkey(ORIGIN, ED25519, (_P + 1).to_bytes(32, "little")),  # the identity, spelled with y = p + 1
        _vkey(ORIGIN, COSIGNATURE, b"\x01" + bytes(31)),
        _vkey(ORIGIN, ED25519, b"\xff" * 32),
        "x" * 100_000 + "+00000000+AAAA",
    ],
)
def test_a_key_that_may_not_be_used_is_refused_when_it_is_loaded(text: str) -> None:
    with pytest.raises(BadEncoding):
        parse_vkey(text)


def test_a_secret_key_is_refused_without_being_quoted() -> None:
    secret = format_secret_key(ORIGIN, bytes(range(32)))
    assert secret.startswith(f"PRIVATE+KEY+{ORIGIN}+{SIGNER.vkey.key_id.hex()}+")
    wrong = [
        secret + "\n",
        secret[:-1],
        secret.replace(SIGNER.vkey.key_id.hex(), "00000000"),
        secret[12:],
        "PRIVATE+KEY+a",
    ]
    wrong.append(secret.replace("+AQAB", "+AgAB"))
    for text in wrong:
        assert text != secret
        with pytest.raises(BadEncoding) as caught:
            parse_secret_key(text)
        assert b64(bytes([1, *range(32)]))[:16] not in caught.value.detail
    assert b64(bytes(range(32)))[:16] not in repr(SIGNER)
    with pytest.raises(InvalidInput):
        Ed25519NoteSigner(ORIGIN, bytes(31))


def test_two_keys_of_one_name_and_key_id_are_ambiguous() -> None:
    twin = Ed25519NoteSigner(ORIGIN, bytes(32)).vkey
    object.__setattr__(twin, "key_id", SIGNER.vkey.key_id)  # a collision of four bytes, which anyone can search
    with pytest.raises(InvalidInput):
        open_note(SIGNED, [SIGNER.vkey, twin])


# Checkpoints and cosignatures


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60),
    st.integers(0, 2**63 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=9), max_size=3),
)
def test_a_checkpoint_comes_back(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint(checkpoint.format()) == checkpoint


@pytest.mark.parametrize("size", ["+5", " 5", "5 ", "1_0", "05", "٣", "-1", "", str(2**63), "9" * 40])
def test_a_size_that_is_not_a_canonical_decimal_below_2_to_the_63_is_refused(size: str) -> None:
    with pytest.raises(BadEncoding):
        parse_checkpoint(f"{ORIGIN}\n{size}\n{b64(bytes(32))}\n")


@pytest.mark.parametrize("root", ["", b64(bytes(31)), b64(bytes(33)), b64(bytes(32))[:-2] + "B=", "!" + b64(bytes(32))])
def test_a_root_that_is_not_32_bytes_of_canonical_base64_is_refused(root: str) -> None:
    with pytest.raises(BadEncoding):
        parse_checkpoint(f"{ORIGIN}\n5\n{root}\n")


def test_an_origin_has_at_most_255_bytes() -> None:
    rest = f"\n5\n{b64(bytes(32))}\n"
    parse_checkpoint("x" * 255 + rest)
    for origin in ("x" * 256, "é" * 128, "\ud800", "a\tb"):
        with pytest.raises(BadEncoding):
            parse_checkpoint(origin + rest)


def test_a_checkpoint_is_signed_for_the_keys_own_origin_and_a_possible_tree_only() -> None:
    assert open_checkpoint(sign_checkpoint(ORIGIN, 0, EMPTY_ROOT, SIGNER), SIGNER.vkey).size == 0
    for origin, size, root in (
        ("other", 5, bytes(32)),
        (ORIGIN, 0, bytes(32)),
        (ORIGIN, -1, bytes(32)),
        (ORIGIN, 5, b""),
    ):
        with pytest.raises(InvalidInput):
            sign_checkpoint(origin, size, root, SIGNER)


def test_a_checkpoint_of_another_origin_is_refused_although_its_signature_is_right() -> None:
    note = sign_note(Checkpoint("other.example", 5, bytes(32)).format(), SIGNER).format()
    with pytest.raises(BadSignature):
        open_checkpoint(note, SIGNER.vkey)
    assert open_checkpoint(note, SIGNER.vkey, origin="other.example").size == 5


@given(st.integers(0, 2**63 - 1))
def test_a_cosignature_opens_with_its_time_and_no_other(time: int) -> None:
    note = _cosigned(SIGNED, time)
    assert open_checkpoint(note, SIGNER.vkey).size == 5
    [(key, line)] = open_note(note, [WITNESS.vkey]).verified
    assert key == WITNESS.vkey
    assert parse_blob(line.blob).time == time
    moved = format_blob(time ^ 1, parse_blob(line.blob).signature)
    with pytest.raises(BadSignature):
        WITNESS.vkey.verify(SIGNED[: SIGNED.index("\n\n") + 1].encode(), moved)


def test_a_cosignature_of_another_length_or_an_impossible_time_is_refused() -> None:
    for blob in (b"", bytes(71), bytes(73), b"\x80" + bytes(71)):
        with pytest.raises(BadEncoding):
            parse_blob(blob)
        with pytest.raises(BadSignature):
            WITNESS.vkey.verify(b"text\n", blob)
    for time in (-1, 2**63):
        with pytest.raises(InvalidInput):
            cosigned_message(b"text\n", time)
        with pytest.raises(InvalidInput):
            format_blob(time, bytes(64))
    with pytest.raises(InvalidInput):
        format_blob(1, bytes(63))


# Published cases


def _note_cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for path in files("vectors/notes/*.json"):
        content = json.loads(path.read_text())
        found += [case for case in content if isinstance(case, dict) and {"note", "vkeys", "expect"} <= case.keys()]
    assert found
    return found


def _supported(vkeys: list[str]) -> list[VerifierKey]:
    """The keys of the types this ledger knows; each of the others is refused by name of its type."""
    keys: list[VerifierKey] = []
    for text in vkeys:
        if unb64(text.split("+", 2)[2])[0] in {ED25519, COSIGNATURE}:
            keys.append(parse_vkey(text))
        else:
            with pytest.raises(BadEncoding, match="not supported"):
                parse_vkey(text)
    return keys


@pytest.mark.conformance
def test_published_notes_have_their_verdicts() -> None:
    for case in _note_cases():
        keys = _supported(case["vkeys"])
        if case["expect"] == "malformed" or case["expect"].startswith("implementation limit"):
            with pytest.raises(BadEncoding):
                open_note(case["note"], keys)
            continue
        assert parse_note(case["note"]).format() == case["note"]
        if case["expect"] == "verified" and keys:
            opened = open_note(case["note"], keys)
            assert {key.format() for key, _ in opened.verified} == {key.format() for key in keys} & set(
                case["verified"]
            )
            if "tree" in case["name"]:
                parse_checkpoint(opened.note.text)
        else:
            with pytest.raises(BadSignature):
                open_note(case["note"], keys)


@pytest.mark.conformance
def test_published_checkpoint_bodies_have_their_verdicts() -> None:
    checked = 0
    for path in files("vectors/notes/*.json"):
        for case in json.loads(path.read_text()):
            if not {"body", "valid"} <= case.keys():
                continue
            checked += 1
            if case["valid"]:
                assert parse_checkpoint(case["body"]).format() == case["body"]
            else:
                with pytest.raises(BadEncoding):
                    parse_checkpoint(case["body"])
    assert checked
