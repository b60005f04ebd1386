"""How evidence is packed before it is encrypted, and unpacked to the same bytes (docs/adr/0016).

    packed evidence:  01 ‖ n ‖ n signatures of 64 bytes ‖ text
    text:             the evidence, n of its statements written  01 header 02 payload 03  instead of as base64url, and each
                      of WORDS written as one byte, 04 for the first

JSON holds no bytes below 20 (hexadecimal), so these need no escapes. Evidence begins with «{», and what begins so was stored
as it is: by older versions, or because it is not of the shape that this form is for.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ledger.canonical import b64u, unb64u
from ledger.errors import BadEncoding, Corrupt

VERSION: Final = 1
SIGNATURE_SIZE: Final = 64
_CONTROLS: Final = bytes(range(0x20))
_FIRST_WORD: Final = 4
_MARKS: Final = 3
"""Marks of a statement. Whoever has other bytes below 20 keeps them out of the packed form, which has no escapes."""

WORDS: Final = (
    b'{"act":"access.request","outcome":{"basis":',
    b',"consent_version":1,"decision":"allow","obligations":{"directions":[',
    b'"account-number","beneficiary-account",',
    (
        b'"pan","party-identity","scheduled-payment-account","standing-order-account","statement-amount"],"to":0},'
        b'"reasons":[],"ruleset":2'
    ),
    b',"decision":"deny","obligations":{},"reasons":["',
    b',"used_today":0},"statements":["\x01{"alg":"EdDSA","kid":"',
    b'},"statements":["\x01{"alg":"ES256","kid":"',
    b'","typ":"consent-statement+jwt"}\x02{"accounts":["',
    b'"],"act":"access.request","aud":"',
    b'","consent_id":"',
    b'","customer_present":true,"from":0,"iat":',
    b'","customer_present":false,"from":0,"iat":',
    b',"interaction_id":"',
    b'","permissions":["',
    b'"],"purpose":"',
    b'","request_digest":"',
    b'","to":0,"v":1}\x03"],"v":1}',
    b'{"act":"access.request","item":{"body":"{\\"accounts\\":[\\"',
    b'\\"],\\"consent_id\\":\\"',
    b'\\",\\"customer_present\\":true,\\"from\\":0,\\"interaction_id\\":\\"',
    b'\\",\\"permissions\\":[\\"',
    b'\\"],\\"purpose\\":\\"',
    b'\\",\\"request_digest\\":\\"',
    b'\\",\\"to\\":0}","path":["',
    b'","typ":"consent-statement+jwt"}\x02{"act":"access.batch","aud":"',
    b',"iss":"',
    b'","jti":"',
    b'","v":1}\x03"],"v":1}',
)
"""Common phrases of evidence; at most 28. They belong to VERSION 1 and are never changed."""
_CODES: Final = tuple((word, bytes((_FIRST_WORD + at,))) for at, word in enumerate(WORDS))
_NO_CODES: Final = bytes(set(range(256)) - set(range(_FIRST_WORD, _FIRST_WORD + len(WORDS))))
_UNESCAPED_CODES: Final = tuple((word, code) for word, code in _CODES if b"\\" not in word)
"""Those that can occur in evidence without a backslash; only that of batches has one."""


_ITEM_WORDS: Final = tuple((word, code) for word, code in _CODES if b"\\" in word)
"""Those that can occur in the item of a batch, before the outcome."""
_ITEM: Final = b'{"act":"access.request","item":'
_AFTER_BASIS: Final = b',"consent_version":'
_STATEMENTS: Final = b'"statements":["'
_END: Final = b'"],"v":1}'
_FIRST_MEMBER: Final = b'}\x02{"accounts":["'
_PAYLOAD_CODES: Final = _UNESCAPED_CODES[8:]
"""Those that can occur in a statement, behind its first account."""


def pack(evidence: bytes) -> bytes:
    """Evidence in its packed form, or as it is when it is not JSON that has one."""
    packed = None
    if evidence.startswith(WORDS[0]):
        packed = _packed_access(evidence)
    elif evidence.startswith(_ITEM):
        packed = _packed_item(evidence)
    return _packed(evidence) if packed is None else packed


def _packed_access(evidence: bytes) -> bytes | None:
    """An access of its own: from the outcome's second member to the statement's first account, most have the same text as
    others of their consent and key. None when it is not of this form."""
    at, start = evidence.find(_AFTER_BASIS), evidence.find(_STATEMENTS)
    basis, statement = evidence[len(WORDS[0]) : at], evidence[start + len(_STATEMENTS) : -len(_END)]
    if not (0 < at < start and basis.isdigit() and evidence.endswith(_END)):
        return None
    clear, signature = _in_clear(statement)
    begin = clear.find(_FIRST_MEMBER)
    if not signature or begin < 0:
        return None
    begin += len(_FIRST_MEMBER)
    middle, rest = _packed_middle(evidence[at : start + len(_STATEMENTS)] + clear[:begin]), clear[begin:] + _END
    if middle is None or len(rest.translate(None, _CONTROLS)) != len(rest) - 1:  # its one mark is the statement's end
        return None
    for word, code in _PAYLOAD_CODES:
        rest = rest.replace(word, code)
    return b"\x01\x01%b\x04%b%b%b" % (signature, basis, middle, rest)


@lru_cache(maxsize=1024)
def _packed_middle(text: bytes) -> bytes | None:
    """None when it has other control characters than the two marks of a statement's beginning."""
    if len(text.translate(None, _CONTROLS)) != len(text) - 2:
        return None
    for word, code in _UNESCAPED_CODES:
        text = text.replace(word, code)
    return text


def _packed_item(evidence: bytes) -> bytes | None:
    """The entries of a batch share the end of their evidence, and often the outcome before it. None as above."""
    at = evidence.find(_AFTER_BASIS)
    end = _packed_end(evidence[at:]) if at >= 0 else None
    item = evidence[:at]
    if end is None or len(item.translate(None, _CONTROLS)) != at:
        return None
    for word, code in _ITEM_WORDS:
        item = item.replace(word, code)
    signatures, text = end
    return b"%b%b%b" % (signatures, item, text)


@lru_cache(maxsize=256)
def _packed_end(end: bytes) -> tuple[bytes, bytes] | None:
    """(version, number of signatures and signatures; text) of the end of a batch's evidence, if it has a packed form."""
    packed = _packed(end)
    if packed == end:
        return None
    at = 2 + packed[1] * SIGNATURE_SIZE
    return packed[:at], packed[at:]


def _packed(evidence: bytes) -> bytes:
    before, name, after = evidence.rpartition(b'"statements":["')
    statements, end, nothing = after.partition(b'"],"v":1}')
    signatures: list[bytes] = []
    text = evidence
    if name and end and not nothing:
        written: list[bytes] = []
        for statement in statements.split(b'","'):
            clear, signature = _in_clear(statement)
            written.append(clear)
            signatures += [signature] if signature else []
        text = b"%b%b%b%b" % (before, name, b'","'.join(written), end)
    if len(signatures) > 255 or len(text.translate(None, _CONTROLS)) != len(text) - _MARKS * len(signatures):
        return evidence
    for word, code in _CODES if b"\\" in text else _UNESCAPED_CODES:
        text = text.replace(word, code)
    return b"%b%b%b" % (bytes((VERSION, len(signatures))), b"".join(signatures), text)


_header: Final = lru_cache(maxsize=1024)(unb64u)  # one for each key; as many as sign most


@lru_cache(maxsize=16)  # the entries of a batch share their statement
def _in_clear(statement: bytes) -> tuple[bytes, bytes]:
    """(header and payload between their marks, signature); the statement as it is, and nothing, if it has no such form."""
    try:
        head, body, end = statement.decode("ascii").split(".")
        header, payload, signature = _header(head), unb64u(body), unb64u(end)
    except (ValueError, BadEncoding):
        return statement, b""
    if len(signature) != SIGNATURE_SIZE:
        return statement, b""
    return b"\x01%b\x02%b\x03" % (header, payload), signature


def unpack(packed: bytes) -> bytes:
    """The evidence, byte for byte. Raises Corrupt."""
    if packed[:1] == b"{":
        return packed
    if len(packed) < 2 or packed[0] != VERSION:
        raise Corrupt("stored evidence is of a form that this version does not know")
    end = 2 + packed[1] * SIGNATURE_SIZE
    text = packed[end:]
    for code in set(text.translate(None, _NO_CODES)):  # those that occur: not even half of them, as a rule
        text = text.replace(bytes((code,)), WORDS[code - _FIRST_WORD])
    pieces = text.split(b"\x01")
    if len(pieces) != 1 + packed[1]:
        raise Corrupt("stored evidence has another number of statements than of signatures")
    evidence = [pieces[0]]
    for at, piece in enumerate(pieces[1:]):
        header, second, rest = piece.partition(b"\x02")
        payload, third, rest = rest.partition(b"\x03")
        if not second or not third:
            raise Corrupt("stored evidence holds a statement that does not end")
        signature = packed[2 + at * SIGNATURE_SIZE : 2 + (at + 1) * SIGNATURE_SIZE]
        evidence += [".".join(map(b64u, (header, payload, signature))).encode(), rest]
    return b"".join(evidence)
