"""Signed notes (C2SP signed-note v1.0.0).

    note      = text LF 1*line               text ends in LF and holds no other character below U+0020
    line      = "— " name " " base64(key id ‖ signature) LF

The last blank line divides text and signatures; what is signed is the text with its final newline.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ledger.canonical import b64, unb64
from ledger.errors import BadEncoding, BadSignature, InvalidInput
from ledger.notes.keys import Signer, VerifierKey, check_name

MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100

_DASH: Final = "\u2014 "
_KEY_ID_BYTES: Final = 4


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: `blob` is what follows the key id; what it means depends on the key's type."""

    name: str
    key_id: bytes
    blob: bytes

    def format(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {b64(self.key_id + self.blob)}\n"


@dataclass(frozen=True)
class Note:
    """A note as it reads, verified or not; `text` ends in a newline."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def format(self) -> str:
        """The whole note."""
        return self.text + "\n" + "".join(signature.format() for signature in self.signatures)


@dataclass(frozen=True)
class OpenedNote:
    """A note with the keys that signed it; `verified` pairs each line of a known key with that key."""

    note: Note
    verified: tuple[tuple[VerifierKey, NoteSignature], ...]


def parse_note(text: str) -> Note:
    """The note that reads exactly `text`, nothing verified. Raises BadEncoding.

    At most a million bytes and 100 signature lines.
    """
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise BadEncoding("the note is not UTF-8") from None
    if size > MAX_NOTE_BYTES:
        raise BadEncoding(f"a note of {size} bytes: at most {MAX_NOTE_BYTES} are accepted")
    if any(character < " " for character in text.replace("\n", "")):
        raise BadEncoding("the note holds a control character")
    border = text.rfind("\n\n")
    if border < 0 or not text.endswith("\n"):
        raise BadEncoding("a note is text, a blank line and signature lines, each with its newline")
    lines = text[border + 2 :].split("\n")[:-1]
    if not 1 <= len(lines) <= MAX_SIGNATURES:
        raise BadEncoding(f"a note has 1 to {MAX_SIGNATURES} signature lines, not {len(lines)}")
    return Note(text[: border + 1], tuple(map(_parse_line, lines)))


def parse_signature(line: str) -> NoteSignature:
    """The signature line that reads exactly `line`, with its newline. Raises BadEncoding."""
    if line[-1:] != "\n":
        raise BadEncoding("a signature line ends in a newline")
    return _parse_line(line[:-1])


def open_note(text: str, keys: Iterable[VerifierKey]) -> OpenedNote:
    """Parse a note and verify every line of a key in `keys`; lines of other keys are left aside.

    Raises BadEncoding, and BadSignature when a known key's line does not verify or no line is of a known key.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.key_id), key) != key:
            raise InvalidInput(f"two different keys share the name {key.name} and the key id")
    note = parse_note(text)
    message = note.text.encode()
    verified: list[tuple[VerifierKey, NoteSignature]] = []
    for signature in note.signatures:
        signer = known.get((signature.name, signature.key_id))
        if signer is not None:
            signer.verify(message, signature.blob)
            verified.append((signer, signature))
    if not verified:
        raise BadSignature("no signature of the note is by a known key")
    return OpenedNote(note, tuple(verified))


def sign_note(text: str, *signers: Signer) -> Note:
    """The note over `text` (with its final newline), one line per signer. Raises InvalidInput."""
    if not signers or not text.endswith("\n") or any(c < " " for c in text.replace("\n", "")):
        raise InvalidInput("a note's text ends in a newline, holds no other control character, and is signed")
    message = text.encode()
    return Note(text, tuple(NoteSignature(s.vkey.name, s.vkey.key_id, s.sign(message)) for s in signers))


def _parse_line(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise BadEncoding("a signature line reads: em dash, space, name, space, base64")
    check_name(name)
    material = unb64(encoded)
    if len(material) <= _KEY_ID_BYTES:
        raise BadEncoding("a signature line holds a key id of 4 bytes and a signature")
    return NoteSignature(name, material[:_KEY_ID_BYTES], material[_KEY_ID_BYTES:])
