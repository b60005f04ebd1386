"""What one evidence line proves about its leaf, without any state: the part of an audit that runs in parallel.

Everything here depends on the leaf, the line and the registered keys only. Whether the key was in force at that index
and whether the rules give the outcome is decided afterwards, in log order, by `replay`. Results are plain tuples,
lists, texts and numbers, so that they travel between processes cheaply and without pickling classes.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from verifier.acts import ITEM, SKEW_SECONDS, check_item, read_content
from verifier.commitment import check_commitment
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.encoding import (
    MAX_EVIDENCE,
    MAX_ITEM,
    MAX_STATEMENT,
    Json,
    Object,
    check_members,
    decode_base64url,
    decode_canonical,
    encode_canonical,
    get_bytes,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.errors import Code, Refuted, refuted
from verifier.leaf import raw_of, text_of
from verifier.merkle import HASH, hash_leaf, verify_inclusion
from verifier.statement import Envelope, parse_envelope, verify_envelope
from verifier.tags import CHAIN
from verifier.terms import PARTICIPANT

MAX_LINE = 2 * MAX_EVIDENCE + 256
OUTCOME_MEMBERS = frozenset({"consent_version", "ruleset", "status"})
DECISION_MEMBERS = frozenset(
    {"basis", "consent_version", "decision", "obligations", "reasons", "ruleset", "used_today"}
)

DefectRow = tuple[str, str, str, str, str]
"""Code, sentence, field, expected, found."""


class Facts(NamedTuple):
    """What an entry's evidence says. `jti_key` and `payload_key` are 16-byte hashes of (iss, jti) and of the payload;
    `position` is that within a batch, -1 outside one. `content`: the act's members, or the batch item's."""

    act: str
    iss: str
    kid: str
    iat: int
    jti_key: bytes
    payload_key: bytes
    position: int
    relayed: bool
    content: Object
    outcome: Object | None
    assertion: Object | None


class Found(NamedTuple):
    """The result for one entry: facts if its evidence could be read, and the defects."""

    facts: Facts | None
    defects: list[DefectRow]


_LINE = re.compile(
    rb'\{"evidence":"(.*)","index":(0|[1-9][0-9]{0,15}),"opening":"([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])"\}',
    re.DOTALL,
)
_TAIL = re.compile(rb'","index":(0|[1-9][0-9]{0,15}),"opening":"[A-Za-z0-9_-]{43}"\}\n?\Z')


_STANDARD = bytes.maketrans(b"-_", b"+/")
_URLSAFE = bytes.maketrans(b"+/", b"-_")


class _Unusual(ValueError):
    pass


def _refuse_constant(_: str) -> float:
    raise _Unusual


_decode = json.JSONDecoder(parse_float=_refuse_constant, parse_constant=_refuse_constant).decode


def read_canonical(data: bytes, limit: int) -> Object:
    """As `encoding.decode_canonical` for objects whose members are all checked afterwards (names, depth and the size
    of integers are theirs): anything out of the ordinary is left to the strict reader."""
    if len(data) <= limit and b"\\" not in data and b"\x7f" not in data and b"\xc2" not in data:
        try:
            value = _decode(data.decode("utf-8"))
            if type(value) is dict and encode_canonical(value) == data:
                return value
        except (ValueError, RecursionError):
            pass
    return decode_canonical(data, limit)


def line_index(line: bytes) -> int:
    """The index of an evidence line. Raises Refuted(BAD_ENCODING)."""
    match = _TAIL.search(line, max(0, len(line) - 90))
    if match is None:
        members = decode_canonical(line.rstrip(b"\n"), MAX_LINE)
        check_members(members, {"evidence", "index", "opening"})
        return get_integer(members, "index")
    return int(match[1])


def split_line(line: bytes) -> tuple[bytes, bytes]:
    """Evidence and opening of a line without its newline. Raises Refuted(BAD_ENCODING)."""
    match = _LINE.fullmatch(line)
    if match is not None and len(line) <= MAX_LINE:
        body = match[1]
        quotes = body.count(b'\\"')
        if body.count(b'"') == quotes == body.count(b"\\") and body.isascii():  # the usual: only quotes are escaped
            return body.replace(b'\\"', b'"'), raw_of(match[3])
    members = read_canonical(line, MAX_LINE)
    check_members(members, {"evidence", "index", "opening"})
    get_integer(members, "index")
    return get_text(members, "evidence", MAX_EVIDENCE).encode("utf-8"), get_bytes(members, "opening", HASH)


def read_base64url(text: str) -> bytes:
    """As `encoding.decode_base64url`, which is asked again when anything is unusual."""
    spelled = text.encode("ascii", "replace")
    try:
        raw = binascii.a2b_base64(spelled.translate(_STANDARD) + b"=" * (-len(spelled) % 4))
    except ValueError:
        return decode_base64url(text)
    again = binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URLSAFE)
    return raw if again == spelled else decode_base64url(text)


class Reader:
    """Reads evidence for one log: `origin`, a signature backend, and the keys known so far by kid."""

    def __init__(
        self,
        origin: str,
        backend: Backend,
        keys: Mapping[str, PublicKey],
        signatures: bool = True,
    ) -> None:
        self.origin, self.backend, self.keys, self.signatures = origin, backend, keys, signatures
        self._batch: tuple[str, Envelope, Object, list[DefectRow]] | None = None
        self._header = lru_cache(maxsize=4096)(_read_header)

    def read(self, kind: str, chain: bytes, commitment: bytes, time: int, line: bytes) -> Found:
        """Check one line against its leaf; never raises Refuted."""
        defects: list[DefectRow] = []
        try:
            evidence, opening = split_line(line)
            check_commitment(raw_of(commitment), opening, evidence)
            return Found(self._facts(kind, chain, time, evidence, defects), defects)
        except Refuted as refusal:
            defects.append(row_of(refusal))
            return Found(None, defects)

    def read_evidence(self, kind: str, chain: bytes, time: int, evidence: bytes) -> Found:
        """As `read`, for evidence whose commitment was checked (receipts)."""
        defects: list[DefectRow] = []
        try:
            return Found(self._facts(kind, chain, time, evidence, defects), defects)
        except Refuted as refusal:
            defects.append(row_of(refusal))
            return Found(None, defects)

    def _facts(self, kind: str, chain: bytes, time: int, evidence: bytes, defects: list[DefectRow]) -> Facts:
        members = read_canonical(evidence, MAX_EVIDENCE)
        check_members(members, ("act", "statements", "v"), ("assertion", "item", "outcome"))
        get_integer(members, "v", 1, 1)
        act = get_text(members, "act", 64)
        outcome = get_object(members, "outcome") if "outcome" in members else None
        _check_outcome(act, outcome)
        statements = get_texts(members, "statements", 0, 1)
        if act == "consent.expire":
            if statements or kind != "consent" or members.keys() & {"item", "assertion"}:
                raise _bad("consent.expire is derived by the ledger: no statement", "statements", 0, len(statements))
            return Facts(act, "", "", 0, b"", b"", -1, False, {}, outcome, None)
        if not statements:
            raise _bad("the evidence holds no statement", "statements", 1, 0)
        payload, kid = self._statement(statements[0], defects)
        item = members.get("item")
        signed_act = payload["act"]
        if signed_act != ("access.batch" if item is not None else act) or (act == "access.batch"):
            raise refuted(
                Code.CONSENT_INVALID,
                "the evidence is of another act than its statement",
                field="act",
                expected=signed_act,
                found=act,
            )
        position, content = -1, payload
        if item is not None:
            position, content = _read_item(get_object(members, "item"), payload)
        iat = get_integer(payload, "iat")
        if abs(iat * 1000 - time) > SKEW_SECONDS * 1000:
            defects.append(
                (
                    str(Code.TIME_INVALID),
                    "the statement was not made within 300 s of the entry",
                    "iat",
                    f"{time // 1000} ± {SKEW_SECONDS}",
                    str(iat),
                )
            )
        iss = str(payload["iss"])
        _check_chain(kind, chain, act, iss, content)
        encoded = f"{iss}\0{payload['jti']}".encode()
        return Facts(
            act,
            iss,
            kid,
            iat,
            sha256(encoded).digest()[:16],
            self._payload_key,
            position,
            "relayed" in payload,
            content,
            outcome,
            get_object(members, "assertion") if "assertion" in members else None,
        )

    def _statement(self, jws: str, defects: list[DefectRow]) -> tuple[Object, str]:
        """The payload with the members of its act, and the key id. A bad signature is a defect of its own: what the
        ledger took for signed is replayed all the same, so that one forgery is not reported as many."""
        if self._batch is not None and self._batch[0] == jws:  # the other items of a batch have the same statement
            defects += self._batch[3]
            return self._batch[2], self._batch[1].kid
        envelope = self._envelope(jws)
        mine: list[DefectRow] = []
        if self.signatures:
            try:
                key = self.keys.get(envelope.kid)
                if key is None:
                    raise refuted(
                        Code.BAD_SIGNATURE,
                        "the key of the statement is not registered",
                        field="kid",
                        expected="a key added at a lower index",
                        found=envelope.kid,
                    )
                verify_envelope(envelope, key, self.backend)
            except Refuted as refusal:
                mine.append(row_of(refusal))
        defects += mine
        payload = read_canonical(envelope.payload, MAX_STATEMENT)
        get_integer(payload, "v", 1, 1)
        get_bytes(payload, "jti", 16)
        get_text(payload, "iss", 63, PARTICIPANT)
        content = read_content(get_text(payload, "act", 64), payload)
        if payload["aud"] != self.origin:
            raise refuted(
                Code.BAD_SIGNATURE,
                "the statement was made for another log",
                field="aud",
                expected=self.origin,
                found=payload["aud"],
            )
        self._payload_key = sha256(envelope.payload).digest()[:16]
        self._batch = (jws, envelope, content, mine)
        return content, envelope.kid

    def _envelope(self, jws: str) -> Envelope:
        """As `statement.parse_envelope`; headers repeat, so each is read once."""
        parts = jws.split(".")
        if len(parts) != 3 or len(jws) > MAX_STATEMENT or not jws.isascii():
            return parse_envelope(jws)
        known = self._header(parts[0])
        if known is None:
            return parse_envelope(jws)
        signed = f"{parts[0]}.{parts[1]}".encode("ascii")
        return Envelope(known[0], known[1], signed, read_base64url(parts[1]), read_base64url(parts[2]))


def _read_header(text: str) -> tuple[str, str] | None:
    try:
        envelope = parse_envelope(f"{text}.AA.AA")
    except Refuted:
        return None
    return envelope.alg, envelope.kid


def row_of(refusal: Refuted) -> DefectRow:
    """A refusal as plain texts."""
    defect = refusal.defect
    return (str(defect.code), defect.sentence, defect.place.field or "", defect.expected, defect.found)


def _check_outcome(act: str, outcome: Object | None) -> None:
    if act == "access.request":
        wanted: frozenset[str] | None = DECISION_MEMBERS
    else:
        wanted = OUTCOME_MEMBERS if act.startswith("consent.") else None
    if (outcome is None) != (wanted is None):
        raise _bad(
            "an outcome is missing or out of place",
            "outcome",
            (wanted and ", ".join(sorted(wanted))) or "none",
            "none" if outcome is None else "an outcome",
        )
    if outcome is None or wanted is None:
        return
    check_members(outcome, wanted)
    get_integer(outcome, "ruleset", 1)
    get_integer(outcome, "consent_version")
    if act == "access.request":
        get_integer(outcome, "basis", -1)
        get_integer(outcome, "used_today")
        get_object(outcome, "obligations")
        get_texts(outcome, "reasons", 0, 32)
        if outcome["decision"] not in ("allow", "deny"):
            raise _bad("neither allow nor deny", "outcome.decision", "allow or deny", outcome["decision"])
    else:
        get_text(outcome, "status", 16)


def _read_item(item: Object, payload: Object) -> tuple[int, Object]:
    """Position and members of a batch item, which the signed root must hold."""
    check_members(item, {"body", "path", "position"})
    body = get_text(item, "body", MAX_ITEM).encode("utf-8")
    content = decode_canonical(body, MAX_ITEM)
    check_members(content, ITEM)
    check_item(content)
    count, position = get_integer(payload, "items_count", 1, 1000), get_integer(item, "position", 0, 999)
    path = [decode_base64url(text, HASH) for text in get_texts(item, "path", 0, 16)]
    verify_inclusion(position, count, hash_leaf(body), path, get_bytes(payload, "items_root", HASH))
    return position, content


def _check_chain(kind: str, chain: bytes, act: str, iss: str, content: Mapping[str, Json]) -> None:
    if act.startswith("subject."):
        wanted, name = "subject", f"subject:{iss}:{content['subject']}"
    else:
        wanted, name = "consent", str(content["consent_id"])
    found = text_of(sha256(CHAIN + name.encode("utf-8")).digest())
    if kind != wanted or found != chain:
        raise refuted(
            Code.BAD_CHAIN,
            "the entry is filed under another chain than its statement names",
            field="chain",
            expected=f"{wanted} {found.decode()}",
            found=f"{kind} {chain.decode()}",
        )


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
