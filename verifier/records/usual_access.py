"""The commonest evidence, an access that keeps every form, recognised by its shape without reading any JSON.

A log consists mostly of accesses. Each pattern below admits exactly the canonical spelling of exactly the members that
`disclosure` asks for, in the forms that it asks for, so that what matches need be neither decoded nor encoded again.
This reader never refuses: it returns None for anything that it does not recognise or that is not in order, and
`disclosure` reads the entry from the beginning and says what is wrong. So it can only be too narrow, never too wide;
tests compare the two.
"""

from __future__ import annotations

import binascii
import hmac
import json
import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Final

from verifier.bytes import tags
from verifier.bytes.encoding import MAX_EVIDENCE, MAX_ITEM, MAX_STATEMENT, Json, Object
from verifier.bytes.merkle import hash_leaf, verify_inclusion
from verifier.crypto.backend import Backend
from verifier.crypto.keys import PublicKey
from verifier.errors import Refuted
from verifier.records.facts import Facts
from verifier.records.forms import SKEW_SECONDS
from verifier.records.leaf import raw_of, text_of
from verifier.records.reasons import ASSERTED

_HASH: Final = rb"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"
_NUMBER: Final = rb"0|[1-9][0-9]{0,14}"  # the larger ones that CL-JSON allows are left to the strict reader
_CODE: Final = rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
_BASE64: Final = rb"[A-Za-z0-9_-]+"
_CONSENT: Final = (
    rb'(?=[^"]{1,128}")[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
    rb'|(?=[^"]{1,128}")urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:/-]{20,}'
)

_WORDS: Final = rb'\[(?:"[a-z-]+"(?:,"[a-z-]+"){0,15})?\]'
_FILTER: Final = rb'\{"field":"%b","op":"[a-z]{2}","value":"[ !#-\[\]-~]{1,200}"\}' % _CODE
# The texts before and after `keep_until`, which differs from second to second while the rest repeats.
_OBLIGATIONS: Final = (
    rb'(?:\{\}|(\{"directions":%b,(?:"filters":\[%b(?:,%b){0,7}\],)?"from":(?:%b),)(?:"keep_until":(%b),)?'
    rb'("masks":%b,"to":(?:%b)\}))' % (_WORDS, _FILTER, _FILTER, _NUMBER, _NUMBER, _WORDS, _NUMBER)
)
_REASONS: Final = rb'\["[A-Z_]+"(?:,"[A-Z_]+"){0,31}\]'

_EVIDENCE: Final = (
    rb'\{"act":"access\.request",(?:"item":\{"body":"([ -~]+)","path":\[(?:"(%b(?:","%b){0,15})")?\],"position":(%b)\},)?'
    rb'"outcome":\{(?:"asserted":(%b),)?"basis":(-1|%b),"consent_version":(%b),"decision":"(allow|deny)","obligations":%b,'
    rb'"reasons":(\[\]|%b),"ruleset":([1-9][0-9]{0,3}),"used_today":(%b)\},'
    rb'"statements":\["((%b)\.(%b))\.(%b)"\],"v":1\}'
    % (_HASH, _HASH, _NUMBER, _REASONS, _NUMBER, _NUMBER, _OBLIGATIONS, _REASONS, _NUMBER, _BASE64, _BASE64, _BASE64)
)
# Evidence stands in its line as a string: each of its quotes has a backslash before it.
_LINE = re.compile(
    rb'\{"evidence":"(%b)","index":(?:%b),"opening":"(%b)"\}' % (_EVIDENCE.replace(b'"', rb'\\"'), _NUMBER, _HASH)
)
_ACCOUNTS: Final = rb'\[(?:"[A-Za-z0-9_-]{22,64}"(?:,"[A-Za-z0-9_-]{22,64}"){0,99})?\]'
_CODES: Final = rb'\["%b"(?:,"%b"){0,63}\]' % (_CODE, _CODE)
_ITEM_FORM: Final = (
    rb'\{"accounts":(%b),%%b"consent_id":"(%b)","customer_present":(true|false),"from":(%b),%%b"interaction_id":'
    rb'"([A-Za-z0-9._:-]{8,64})",%%b"permissions":(%b),"purpose":"(%b)",%%b"request_digest":"%b","to":(%b)%%b\}'
    % (_ACCOUNTS, _CONSENT, _NUMBER, _CODES, _CODE, _HASH, _NUMBER)
)
_ITEM = re.compile(_ITEM_FORM % (b"", b"", b"", b"", b""))
_ISS: Final = rb'"iss":"([a-z0-9][a-z0-9._-]{1,62})",'
_JTI: Final = rb'"jti":"([A-Za-z0-9_-]{21}[AQgw])",'
_BEHALF: Final = rb'(?:"on_behalf_of":"([a-z0-9][a-z0-9._-]{1,62})",)?'
_ASSERTED: Final = rb'(?:"asserted":(%b),)?' % _REASONS
_RELAYED: Final = rb'("relayed":true,)?'

_Signed = tuple[bytes, bytes, bytes, "bytes | None", "bytes | None"]
"""iat, iss, jti, on_behalf_of, relayed."""
_STANDARD = bytes.maketrans(b"-_", b"+/")


def _payloads(origin: str) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """The payloads of `access.request` and `access.batch` for the log of this name."""
    aud = b'"aud":"%b",' % re.escape(origin.encode("utf-8"))
    iat = rb'"iat":(%b),' % _NUMBER
    single = _ITEM_FORM % (
        rb'"act":"access\.request",' + _ASSERTED + aud,
        iat,
        _ISS + _JTI + _BEHALF,
        _RELAYED,
        b',"v":1',
    )
    batch = rb'\{"act":"access\.batch",%b%b%b"items_count":(%b),"items_root":"(%b)",%b%b%b"v":1\}' % (
        aud,
        iat,
        _ISS,
        _NUMBER,
        _HASH,
        _JTI,
        _BEHALF,
        _RELAYED,
    )
    return re.compile(single), re.compile(batch)


class _Other(Exception):
    """Not the common shape, or not in order: a case for the strict reader."""


class QuickReader:
    """`read` for one log, as `disclosure.Reader.read`; `signer` tells key id and key of a JWS header, or None."""

    def __init__(
        self,
        origin: str,
        backend: Backend,
        signatures: bool,
        signer: Callable[[str], tuple[str, PublicKey] | None],
    ) -> None:
        plain = re.fullmatch(r"[ !#-\[\]-~]+", origin) is not None  # spelled in JSON as it is
        self._single, self._several = _payloads(origin if plain else '"')
        self._backend, self._signatures, self._signer = backend, signatures, signer
        self._known: dict[bytes, tuple[str, PublicKey]] = {}
        self._checked = b""  # the last signing input and signature: the items of a batch share theirs

    def read(self, kind: str, chain: bytes, commitment: bytes, time: int, line: bytes) -> Facts | None:
        """The facts of an access in perfect order, else None."""
        if kind != "consent" or len(line) > MAX_EVIDENCE:
            return None
        match = _LINE.fullmatch(line)
        if match is None:
            return None
        try:
            return self._facts(chain, commitment, time, *match.groups())
        except (_Other, Refuted):
            return None

    def _facts(
        self,
        chain: bytes,
        commitment: bytes,
        time: int,
        escaped: bytes,
        body: bytes | None,
        path: bytes | None,
        position: bytes,
        asserted: bytes | None,
        basis: bytes,
        version: bytes,
        decision: bytes,
        window: bytes | None,
        keep_until: bytes | None,
        masks: bytes | None,
        reasons: bytes,
        ruleset: bytes,
        used: bytes,
        signed: bytes,
        header: bytes,
        payload_text: bytes,
        signature: bytes,
        opening: bytes,
    ) -> Facts:
        # Without an item the pattern admits a backslash nowhere but before a quote.
        evidence = escaped.translate(None, b"\\") if body is None else _unescape(escaped)
        found = hmac.digest(raw_of(opening), tags.COMMITMENT + sha256(evidence).digest(), "sha256")
        if found != raw_of(commitment):
            raise _Other
        kid = self._verify(signed, header, signature)
        payload = _decode(payload_text)
        if body is None:
            signed_by, stated, item = self._read_single(payload)
            place = -1
        else:
            place, stated = int(position), None
            signed_by, item = self._read_batch(payload, body, path, place)
        iat, iss, jti, behalf, relayed = signed_by
        if behalf == iss:
            raise _Other
        accounts, consent, present, since, interaction, permissions, purpose, until = item
        made = int(iat)
        if abs(made * 1000 - time) > SKEW_SECONDS * 1000 or _chain(consent) != chain:
            raise _Other
        content: Object = {
            "accounts": _texts(accounts),
            "customer_present": present == b"true",
            "from": int(since),
            "interaction_id": interaction.decode("ascii"),
            "permissions": _texts(permissions),
            "purpose": purpose.decode("ascii"),
            "to": int(until),
        }
        if stated is not None:
            content["asserted"] = _stated(stated, relayed)
        outcome: Object = {
            "basis": int(basis),
            "consent_version": int(version),
            "decision": decision.decode("ascii"),
            "obligations": _obligations(window, keep_until, masks),
            "reasons": _value(reasons),
            "ruleset": int(ruleset),
            "used_today": int(used),
        }
        if asserted is not None:
            outcome["asserted"] = _value(asserted)
        return Facts(
            "access.request",
            iss.decode("ascii"),
            kid,
            made,
            sha256(iss + b"\0" + jti).digest()[:16],
            sha256(payload).digest()[:16],
            place,
            relayed is not None,
            content,
            outcome,
            None,
            "" if behalf is None else behalf.decode("ascii"),
        )

    def _verify(self, signed: bytes, header: bytes, signature: bytes) -> str:
        """The key id, once the signature verified. Headers repeat: what one says is looked up by its text."""
        known = self._known.get(header)
        if known is None:
            known = self._signer(header.decode("ascii"))
            if known is None:
                raise _Other
            self._known[header] = known
        whole = signed + b"." + signature
        if len(whole) > MAX_STATEMENT:
            raise _Other
        if whole != self._checked:
            raw = _decode(signature)  # in its one spelling even if nobody asks whether it verifies
            if self._signatures:
                self._backend.verify(known[1], signed, raw)
            self._checked = whole
        return known[0]

    def _read_single(self, payload: bytes) -> tuple[_Signed, bytes | None, tuple[bytes, ...]]:
        match = self._single.fullmatch(payload)
        if match is None:
            raise _Other
        (
            accounts,
            stated,
            consent,
            present,
            since,
            iat,
            interaction,
            iss,
            jti,
            behalf,
            permissions,
            purpose,
            relayed,
            until,
        ) = match.groups()
        item = accounts, consent, present, since, interaction, permissions, purpose, until
        return (iat, iss, jti, behalf, relayed), stated, item

    def _read_batch(
        self, payload: bytes, escaped: bytes, path: bytes | None, position: int
    ) -> tuple[_Signed, tuple[bytes, ...]]:
        match = self._several.fullmatch(payload)
        body = _unescape(_unescape(escaped))  # a string in a string
        item = _ITEM.fullmatch(body)
        if match is None or item is None or len(body) > MAX_ITEM:
            raise _Other
        iat, iss, count, root, jti, behalf, relayed = match.groups()
        if int(count) > 1_000:
            raise _Other
        hashes = [] if path is None else [raw_of(text) for text in path.split(b'\\",\\"')]
        verify_inclusion(position, int(count), hash_leaf(body), hashes, raw_of(root))
        return (iat, iss, jti, behalf, relayed), item.groups()


def _unescape(text: bytes) -> bytes:
    """The contents of a JSON string in which only quotes and backslashes are escaped; anything else raises `_Other`."""
    if b"\0" in text:
        raise _Other
    halved = text.replace(b"\\\\", b"\0")
    plain = halved.replace(b'\\"', b'"')
    # Each quote lost the one backslash before it, and no other backslash is left.
    if b"\\" in plain or plain.count(b'"') != len(halved) - len(plain):
        raise _Other
    return plain.replace(b"\0", b"\\")


def _decode(text: bytes) -> bytes:
    """base64url in its canonical spelling; the pattern has admitted nothing but its alphabet."""
    over = len(text) % 4
    if over and (over == 1 or text[-1] not in (b"AQgw" if over == 2 else b"AEIMQUYcgkosw048")):
        raise _Other
    return binascii.a2b_base64(text.translate(_STANDARD) + b"=="[: -over % 4])


# Consents, lists and obligations repeat from entry to entry: what a text says is looked up. Nobody changes the values.


@lru_cache(maxsize=16_384)
def _chain(consent: bytes) -> bytes:
    """The chain of a consent, as leaves spell it."""
    return text_of(sha256(tags.CHAIN + consent).digest())


@lru_cache(maxsize=4096)
def _texts(text: bytes) -> list[Json]:
    """A list that must be sorted and unique."""
    texts: list[Json] = json.loads(text)
    if texts != sorted(set(map(str, texts))):
        raise _Other
    return texts


def _stated(text: bytes, relayed: bytes | None) -> list[Json]:
    """The holder's asserted reasons."""
    codes: list[Json] = json.loads(text)
    if relayed is None or len(codes) > 8 or codes != [code for code in ASSERTED if code in codes]:
        raise _Other
    return codes


def _obligations(before: bytes | None, keep_until: bytes | None, after: bytes | None) -> Json:
    if before is None or after is None:
        return {}
    known = _value(before + after)
    return {**known, "keep_until": int(keep_until)} if keep_until is not None and isinstance(known, dict) else known


@lru_cache(maxsize=4096)
def _value(escaped: bytes) -> Json:
    """Obligations or reasons, whose form the pattern has checked."""
    value: Json = json.loads(escaped.translate(None, b"\\"))
    return value
