"""Checks what one evidence line proves about its leaf, without any state: the part of an audit that runs in parallel.

Everything here depends on the leaf, the line and the registered keys only. Whether the key was in force at that index
and whether the rules give the outcome is decided afterwards, in log order, by `replay`. Results are plain tuples,
lists, texts and numbers, so that they travel between processes cheaply and without pickling classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256

from verifier.bytes.encoding import (
    MAX_EVIDENCE,
    MAX_ITEM,
    MAX_STATEMENT,
    Json,
    Object,
    check_entry_version,
    check_members,
    decode_base64url,
    decode_canonical,
    get_bytes,
    get_integer,
    get_object,
    get_text,
    get_texts,
)
from verifier.bytes.merkle import HASH, hash_leaf, verify_inclusion
from verifier.bytes.tags import CHAIN
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import CannotCheck, Code, OtherVersion, Refuted, refuted, unforeseen
from verifier.records.acts import ITEM
from verifier.records.commitment import check_commitment
from verifier.records.declarations import DECLARED
from verifier.records.evidence_lines import read_base64url, read_canonical, split_line
from verifier.records.facts import ASKED, MAY_BE_ASKED, OTHER_VERSION, DefectRow, Facts, Found, row_of
from verifier.records.forms import SKEW_SECONDS, check_item, read_content
from verifier.records.history_acts import SHEET
from verifier.records.leaf import raw_of, text_of
from verifier.records.statement import Envelope, parse_envelope, verify_envelope
from verifier.records.terms import PARTICIPANT
from verifier.records.usual_access import QuickReader

OUTCOME_MEMBERS = frozenset({"consent_version", "ruleset", "status"})
DECISION_MEMBERS = frozenset(
    {"basis", "consent_version", "decision", "obligations", "reasons", "ruleset", "used_today"}
)


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
        self._quick = QuickReader(origin, backend, signatures, self._signer)

    def read(self, kind: str, chain: bytes, commitment: bytes, time: int, line: bytes) -> Found:
        """Check one line against its leaf; never raises Refuted."""
        try:
            facts = self._quick.read(kind, chain, commitment, time, line)
        except (ValueError, TypeError, LookupError):  # the strict reader reads everything unusual
            facts = None
        if facts is not None:
            return Found(facts, [])

        def disclosed() -> bytes:
            # Step 7.3.
            evidence, opening = split_line(line)
            check_commitment(raw_of(commitment), opening, evidence)
            return evidence

        return self._found(kind, chain, time, disclosed)

    def read_evidence(self, kind: str, chain: bytes, time: int, evidence: bytes) -> Found:
        """As `read`, for evidence whose commitment was checked (receipts)."""
        return self._found(kind, chain, time, lambda: evidence)

    def _found(self, kind: str, chain: bytes, time: int, evidence: Callable[[], bytes]) -> Found:
        defects: list[DefectRow] = []
        try:
            return Found(self._facts(kind, chain, time, evidence(), defects), defects)
        except OtherVersion as refusal:
            defects.append((OTHER_VERSION, *row_of(refusal)[1:]))
        except Refuted as refusal:
            defects.append(row_of(refusal))
        except (CannotCheck, MemoryError):
            raise
        # Step 7.16.
        except Exception as error:  # noqa: BLE001 - one guard per entry: no input ends an audit
            self._batch = None
            defects.append(row_of(unforeseen(error)))
        return Found(None, defects)

    def _facts(self, kind: str, chain: bytes, time: int, evidence: bytes, defects: list[DefectRow]) -> Facts:
        # Step 7.4.
        members = read_canonical(evidence, MAX_EVIDENCE)
        check_entry_version(members, "the evidence")
        check_members(members, ("act", "statements", "v"), ("assertion", "item", "outcome"))
        act = get_text(members, "act", 64)
        outcome = get_object(members, "outcome") if "outcome" in members else None
        item = get_object(members, "item") if "item" in members else None
        _check_outcome(act, outcome)
        statements = get_texts(members, "statements", 0, 1)
        if act == "consent.expire":
            if statements or kind != "consent" or members.keys() & {"item", "assertion"}:
                raise _bad("consent.expire is derived by the ledger: no statement", "statements", 0, len(statements))
            return Facts(act, "", "", 0, b"", b"", -1, False, {}, outcome, None)
        if not statements:
            raise _bad("the evidence holds no statement", "statements", 1, 0)
        payload, kid = self._statement(statements[0], defects)
        signed_act = payload["act"]
        # Step 7.12.
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
            # Step 7.13.
            position, content = _read_item(item, payload)
        iat = get_integer(payload, "iat")
        # Step 7.14.
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
        iss, behalf = str(payload["iss"]), str(payload.get("on_behalf_of", ""))
        # Step 7.15.
        _check_chain(kind, chain, act, behalf or iss, content)
        if act == "access.request":
            more = {name: content[name] for name in MAY_BE_ASKED if name in content}
            content = {**{name: content[name] for name in ASKED}, **more}
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
            behalf,
        )

    def _statement(self, jws: str, defects: list[DefectRow]) -> tuple[Object, str]:
        """The payload with the members of its act, and the key id. A bad signature is a defect of its own: a statement
        that the ledger took for signed is replayed all the same, so that one forgery is not reported as many."""
        if self._batch is not None and self._batch[0] == jws:  # the other items of a batch have the same statement
            defects += self._batch[3]
            return self._batch[2], self._batch[1].kid
        # Steps 7.5, 7.6.
        envelope = self._envelope(jws)
        mine: list[DefectRow] = []
        # Step 7.7.
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
        content = read_payload(envelope.payload, self.origin)
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

    def _signer(self, header: str) -> tuple[str, PublicKey] | None:
        """Key id and key of a header that names a known key of the right algorithm."""
        known = self._header(header)
        key = None if known is None else self.keys.get(known[1])
        return None if known is None or key is None or key.alg != known[0] else (known[1], key)


def read_payload(raw: bytes, origin: str) -> Object:
    """The payload of a statement whose signature was looked at, with the members of its act. Raises Refuted: BAD_ENCODING, or
    BAD_SIGNATURE for another log's statement."""
    # Step 7.8.
    payload = read_canonical(raw, MAX_STATEMENT)
    check_entry_version(payload, "the statement")
    get_bytes(payload, "jti", 16)
    get_text(payload, "iss", 63, PARTICIPANT)
    get_integer(payload, "iat")
    content = read_content(get_text(payload, "act", 64), payload)
    # Step 7.11.
    if payload["aud"] != origin:
        raise refuted(
            Code.BAD_SIGNATURE,
            "the statement was made for another log",
            field="aud",
            expected=origin,
            found=payload["aud"],
        )
    return content


def _read_header(text: str) -> tuple[str, str] | None:
    try:
        envelope = parse_envelope(f"{text}.AA.AA")
    except Refuted:
        return None
    return envelope.alg, envelope.kid


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
    check_members(outcome, wanted, ("asserted",) if act == "access.request" else ())
    get_integer(outcome, "ruleset", 1)
    get_integer(outcome, "consent_version")
    if act == "access.request":
        get_integer(outcome, "basis", -1)
        get_integer(outcome, "used_today")
        if bool in map(type, get_object(outcome, "obligations").values()):
            raise _bad("true or false among the obligations", "outcome.obligations", "numbers and lists", "a boolean")
        get_texts(outcome, "reasons", 0, 32)
        if "asserted" in outcome:
            get_texts(outcome, "asserted", 1, 32)
        if outcome["decision"] not in ("allow", "deny"):
            raise _bad("neither allow nor deny", "outcome.decision", "allow or deny", outcome["decision"])
    else:
        get_text(outcome, "status", 16)


def _read_item(item: Object, payload: Object) -> tuple[int, Object]:
    """Position and members of a batch item, which the signed root must hold."""
    check_members(item, {"body", "path", "position"})
    body = get_text(item, "body", MAX_ITEM).encode("utf-8")
    content = decode_canonical(body, MAX_ITEM)
    check_members(content, ITEM, ("region",))
    check_item(content)
    count, position = get_integer(payload, "items_count", 1, 1000), get_integer(item, "position", 0, 999)
    path = [decode_base64url(text, HASH) for text in get_texts(item, "path", 0, 16)]
    verify_inclusion(position, count, hash_leaf(body), path, get_bytes(payload, "items_root", HASH))
    return position, content


def _check_chain(kind: str, chain: bytes, act: str, party: str, content: Mapping[str, Json]) -> None:
    if act in DECLARED:
        wanted, name = "participant", f"participant:{party}"
    elif act.startswith("subject."):
        wanted, name = "subject", f"subject:{party}:{content['subject']}"
    elif act == SHEET:
        wanted, name = "subject", f"history:{party}:{_subject_of(content)}"
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


def _subject_of(content: Mapping[str, Json]) -> Json:
    sheet = content["sheet"]
    return sheet["subject"] if isinstance(sheet, dict) else ""


def _bad(sentence: str, field: str, expected: object, found: object) -> Refuted:
    return refuted(Code.BAD_ENCODING, sentence, field=field, expected=expected, found=found)
