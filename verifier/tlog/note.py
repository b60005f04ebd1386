"""Signed notes and their verifier keys (C2SP signed-note v1.0.0, tlog-cosignature v1.0.1, static-ct-api v1.1.0).

Known signature types: 0x01 Ed25519, 0x02 ECDSA P-256 (legacy Rekor), 0x04 cosignature with time, 0x05 RFC 6962 tree
head. A line counts only for a key with its name AND its key id; a line of such a key that does not verify refuses
the whole note; lines of unknown keys are ignored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.bytes.encoding import decode_base64
from verifier.crypto import p256
from verifier.crypto.backend import Backend, select
from verifier.crypto.keys import Ed25519Key, MlDsa44Key, P256Key, ed25519_key, parse_spki
from verifier.errors import Code, Refuted, refuted
from verifier.tlog import ct
from verifier.tlog.checkpoint import parse_checkpoint

MAX_NOTE = 1_000_000
MAX_LINES = 100
ED25519, ECDSA, COSIGNATURE, TREE_HEAD, ML_DSA_44 = 0x01, 0x02, 0x04, 0x05, 0x06
COSIGNERS = (COSIGNATURE, ML_DSA_44)
"""The types of witnesses' keys."""
MAX_VKEY = 2_300
"""Characters of a verifier key: an ML-DSA-44 key has 1,312 bytes, a name at most 255."""

ML_DSA_44_BYTES = 1_312

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY = re.compile(r"([^+]+)\+([0-9a-f]{8})\+(.+)")


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A verifier key: `vkey` is its text, `key_id` the 4 bytes of the signature lines, `kind` the signature type."""

    vkey: str
    name: str
    key_id: bytes
    kind: int
    key: Ed25519Key | P256Key | MlDsa44Key


@dataclass(frozen=True, slots=True)
class UncountedKey:
    """A verifier key that is parsed but cannot verify here: ML-DSA-44, where no library has it. `raw`: its 1,312 bytes."""

    vkey: str
    name: str
    raw: bytes


ANOTHER_KEY = (
    "no signature by a known key, but a line by another key of the same name: if the log changed its key, «consent-verify log» "
    "leads to the new one, and so does --bundle beside a receipt or a pack"
)


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature line: who claims to have signed, and the bytes behind the key id."""

    name: str
    key_id: bytes
    blob: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """`text` (with its final newline) is what is signed."""

    text: bytes
    lines: tuple[SignatureLine, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that verified. `time_ms`: the signer's time, milliseconds since 1970 (types 0x04, 0x05)."""

    key: NoteKey
    time_ms: int | None = None


def is_key_name(name: str) -> bool:
    """1 to 255 bytes, no Unicode space, no plus sign, no control character."""
    return 1 <= len(name.encode("utf-8")) <= 255 and "+" not in name and not any(c.isspace() or c < " " for c in name)


def parse_vkey(text: str) -> NoteKey:
    """Read `name+hex id+base64(type || key)`; the id must be the one computed from the rest.
    Raises Refuted: BAD_ENCODING for the form, BAD_SIGNATURE for a key that must not be used."""
    key = parse_any_vkey(text)
    if isinstance(key, UncountedKey) or key.kind == ML_DSA_44:
        raise _bad("a verifier key of a type that cannot be used", f"0x{ML_DSA_44:02x}")
    return key


def parse_any_vkey(text: str) -> NoteKey | UncountedKey:
    """As `parse_vkey`, for files that may also name keys that do not count."""
    match = _VKEY.fullmatch(text)
    if not match or len(text) > MAX_VKEY or not is_key_name(match[1]):
        raise _bad("not a verifier key", text)
    name, key_id, data = match[1], bytes.fromhex(match[2]), decode_base64(match[3])
    kind, public = data[0], data[1:]
    identity = name.encode("utf-8") + b"\n" + data
    key: Ed25519Key | P256Key | MlDsa44Key | None = None
    if kind in (ED25519, COSIGNATURE):
        key = ed25519_key(public)
    elif kind == ECDSA:
        key, identity = parse_spki(public), public
    elif kind == TREE_HEAD:
        key = parse_spki(public)
        identity = name.encode("utf-8") + b"\n" + bytes([kind]) + hashlib.sha256(public).digest()
    elif kind != ML_DSA_44 or len(public) != ML_DSA_44_BYTES:
        raise _bad("a verifier key of an unknown type", f"0x{kind:02x}, {len(public)} bytes")
    elif select().ml_dsa_44 is not None:
        key = MlDsa44Key(public)
    expected = hashlib.sha256(identity).digest()[:4]
    if key_id != expected:
        raise refuted(
            Code.BAD_ENCODING,
            "the id of the verifier key is not that of its key",
            expected=expected,
            found=key_id,
        )
    return UncountedKey(text, name, public) if key is None else NoteKey(text, name, key_id, kind, key)


def parse_note(data: bytes) -> Note:
    """Split a note at its last blank line. Raises Refuted(BAD_ENCODING)."""
    if len(data) > MAX_NOTE:
        raise _bad("the note is too long", f"{len(data)} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("the note is not UTF-8", data) from None
    if _CONTROL.search(whole):
        raise _bad("the note holds a control character", whole)
    border = whole.rfind("\n\n")
    text, block = whole[: border + 1], whole[border + 2 :]
    if border < 0 or not block.endswith("\n"):
        raise _bad("the note has no signature lines, or its last line has no end", whole[-80:])
    lines = block[:-1].split("\n")
    if len(lines) > MAX_LINES:
        raise _bad(f"more than {MAX_LINES} signature lines", len(lines))
    return Note(text.encode("utf-8"), tuple(map(_parse_line, lines)))


def _parse_line(line: str) -> SignatureLine:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014" or not is_key_name(parts[1]):
        raise _bad("not a signature line", line)
    blob = decode_base64(parts[2])
    if len(blob) < 5:
        raise _bad("a signature line is too short", line)
    return SignatureLine(parts[1], blob[:4], blob[4:])


def verify_note(note: Note, keys: Sequence[NoteKey], backend: Backend) -> tuple[Signed, ...]:
    """All signatures by `keys`, each key once, in the order of the lines. Raises Refuted(BAD_SIGNATURE) if a line
    of a known key does not verify, or if no line is by a known key."""
    known = {(key.name, key.key_id): key for key in keys}
    verified: dict[NoteKey, Signed] = {}
    for line in note.lines:
        key = known.get((line.name, line.key_id))
        if key is not None and _can_verify(key, backend):
            signed = _verify_line(note.text, line, key, backend)
            verified.setdefault(key, signed)
    if not verified:
        names = {key.name for key in keys}
        raise refuted(
            Code.BAD_SIGNATURE,
            ANOTHER_KEY if any(line.name in names for line in note.lines) else "no signature by a known key",
            expected=", ".join(key.name for key in keys) or "no key is known",
            found=", ".join(line.name for line in note.lines),
        )
    return tuple(verified.values())


def _can_verify(key: NoteKey, backend: Backend) -> bool:
    return key.kind != ML_DSA_44 or backend.ml_dsa_44 is not None


def _subtree(text: bytes, name: str, stamp: int) -> bytes:
    """What an ML-DSA-44 cosigner signs of a checkpoint: not its extension lines (C2SP tlog-cosignature)."""
    checkpoint = parse_checkpoint(text)
    cosigner, origin = name.encode("utf-8"), checkpoint.origin.encode("utf-8")
    if len(origin) > 255:
        raise refuted(Code.BAD_SIGNATURE, "an origin of more than 255 bytes cannot be cosigned", found=len(origin))
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(cosigner)]) + cosigner,
            stamp.to_bytes(8),
            bytes([len(origin)]) + origin,
            bytes(8),
            checkpoint.size.to_bytes(8),
            checkpoint.root,
        )
    )


def _verify_subtree(text: bytes, line: SignatureLine, key: NoteKey, public: MlDsa44Key, backend: Backend) -> Signed:
    assert backend.ml_dsa_44 is not None  # noqa: S101 - asked before
    stamp, signature = _stamped(line)
    backend.ml_dsa_44(public.raw, _subtree(text, key.name, stamp), signature)
    return Signed(key, stamp * 1_000)


def _stamped(line: SignatureLine) -> tuple[int, bytes]:
    stamp = int.from_bytes(line.blob[:8])
    if stamp >= 2**63:
        raise refuted(Code.BAD_SIGNATURE, "the time of the signature is out of range", found=stamp)
    return stamp, line.blob[8:]


def _verify_line(text: bytes, line: SignatureLine, key: NoteKey, backend: Backend) -> Signed:
    try:
        if isinstance(key.key, MlDsa44Key):
            return _verify_subtree(text, line, key, key.key, backend)
        if key.kind == ED25519:
            backend.verify(key.key, text, line.blob)
            return Signed(key)
        if key.kind == ECDSA:
            backend.verify(key.key, text, p256.raw_from_der(line.blob))
            return Signed(key)
        stamp, signature = _stamped(line)
        if key.kind == COSIGNATURE:
            backend.verify(key.key, b"cosignature/v1\ntime %d\n" % stamp + text, signature)
            return Signed(key, stamp * 1_000)
        backend.verify(key.key, ct.tree_head(text, key.name, stamp), ct.raw_signature(signature))
        return Signed(key, stamp)
    except Refuted as refusal:
        raise refuted(
            Code.BAD_SIGNATURE,
            f"the signature line of {line.name} is refused: {refusal.defect.sentence}",
            found=refusal.defect.found,
        ) from None


def _bad(sentence: str, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, found=found)
