"""How a request proves its app, its bytes and its moment, and how a body is encrypted.

Signed are method, path, query, the four headers and the SM3 hash of the body, in one canonical text (docs/standards/china.md,
«签名»). The key is an SM2 key that the log knows for the app (GB/T 32918.2, user id as in GM/T 0009). It signs statements too,
and neither text can be taken for the other: a statement begins with `eyJ`, this one with a method and a line feed.

Bodies may be encrypted under a key that bank and app share, with SM4 in GCM (GB/T 32907, RFC 8998).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SM3, Hash
from msgspec import Struct

from api.standards.china.codes import china_refusal, seconds_of
from api.tokens.jwt import BadToken
from api.tokens.once import Once
from ledger.errors import BadSignature
from ledger.participants import Registry

APP: Final = "x-app-id"
KEY: Final = "x-key-id"
MOMENT: Final = "x-timestamp"
NONCE: Final = "x-nonce"
SIGNATURE: Final = "x-signature"
SIGNED: Final = (APP, KEY, NONCE, MOMENT)
"""The headers under the signature, in their order."""
WINDOW_SECONDS: Final = 300
"""How far a request's moment may lie from the node's."""
ALGORITHM: Final = "SM4-GCM"
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_USE: Final = "china-nonce"


@dataclass(frozen=True)
class SignedRequest:
    """A request as it came: `path` and `query` as they were sent, `headers` by their names in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """A header that must be there. Raises DialectRefusal."""
        value = self.headers.get(name, "")
        if not value:
            raise china_refusal(401, "200001", f"缺少报文头 {name}", member=name)
        return value


def canonical_text(sent: SignedRequest) -> bytes:
    """The bytes that are signed."""
    query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(sent.query, keep_blank_values=True)))
    state = Hash(SM3())
    state.update(sent.body)
    lines = [sent.method, sent.path, query, *(f"{name}:{sent.header(name)}" for name in SIGNED), state.finalize().hex()]
    return "\n".join(lines).encode()


def authenticated(sent: SignedRequest, registry: Registry, once: Once, now: float) -> str:
    """The app that sent this: its participant id. `now` in seconds. Raises DialectRefusal, Unavailable.

    The nonce is used up only by a request whose signature is right: a stranger cannot spend it.
    """
    app, text = sent.header(APP), canonical_text(sent)
    key = registry.keys.get(sent.header(KEY))
    if (
        key is None
        or key.use != "statement"
        or key.revoked_at is not None
        or key.participant != app
        or key.alg != "SM2"
    ):
        raise china_refusal(401, "200001", f"{KEY} 不是该应用在日志中登记的 SM2 密钥", member=KEY)
    try:
        key.verify(text, _signature(sent.header(SIGNATURE)))
    except BadSignature:
        raise china_refusal(401, "200002", f"{SIGNATURE} 与报文不符", member=SIGNATURE) from None
    known = registry.participants.get(app)
    if known is None or known.removed or known.suspended:
        raise china_refusal(403, "200008", f"应用 {app} 已被暂停资格或移除", member=APP)
    _check_moment(sent, once, app, now)
    return app


def _check_moment(sent: SignedRequest, once: Once, app: str, now: float) -> None:
    try:
        moment = seconds_of(sent.header(MOMENT), "%Y%m%d%H%M%S")
    except ValueError:
        raise china_refusal(401, "200003", f"{MOMENT} 应为北京时间 yyyyMMddHHmmss", member=MOMENT) from None
    if abs(moment - now) > WINDOW_SECONDS:
        raise china_refusal(401, "200003", f"{MOMENT} 与本节点时间相差超过 {WINDOW_SECONDS} 秒", member=MOMENT)
    nonce = sent.header(NONCE)
    if not _NONCE.fullmatch(nonce):
        raise china_refusal(401, "200004", f"{NONCE} 应为 16 至 64 位字母、数字、- 或 _", member=NONCE)
    try:
        once.use(_USE, app, nonce, now + 2 * WINDOW_SECONDS)
    except BadToken:
        raise china_refusal(401, "200004", f"{NONCE} 已使用过：每次请求须更换", member=NONCE) from None


def _signature(text: str) -> bytes:
    """r and s in 64 bytes, out of Base64 of these or of their ASN.1 form, which many libraries write."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise china_refusal(401, "200002", f"{SIGNATURE} 不是 Base64", member=SIGNATURE) from None
    if len(raw) == 64:
        return raw
    try:
        r, s = decode_dss_signature(raw)
        return r.to_bytes(32) + s.to_bytes(32)
    except (ValueError, OverflowError):
        raise china_refusal(401, "200002", f"{SIGNATURE} 不是 SM2 签名", member=SIGNATURE) from None


# -- encryption ---------------------------------------------------------------------------------------------------------


class Sealed(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in an encrypted body: Base64 of 12 bytes, of the text, and of the 16 bytes that vouch for it."""

    alg: str
    iv: str
    data: str
    tag: str


class _SealedBody(Struct, frozen=True, forbid_unknown_fields=True):
    encrypted: Sealed


_sealed: Final = msgspec.json.Decoder(_SealedBody)


def opened_body(body: bytes, key: bytes | None, place: str) -> tuple[bytes, bool]:
    """The body as it reads, and whether it was encrypted. `place`: method and path, which the encryption is bound to. Raises
    DialectRefusal for what cannot be decrypted."""
    if not body.startswith(b'{"encrypted"'):
        return body, False
    if key is None:
        raise china_refusal(400, "200005", "本节点没有与该应用约定的 SM4 密钥")
    try:
        said = _sealed.decode(body).encrypted
        iv, data, tag = (base64.b64decode(part, validate=True) for part in (said.iv, said.data, said.tag))
        if said.alg != ALGORITHM or len(iv) != 12 or len(tag) != 16:
            raise ValueError(said.alg)  # noqa: TRY301
        cipher = Cipher(algorithms.SM4(key), modes.GCM(iv, tag)).decryptor()
        cipher.authenticate_additional_data(place.encode())
        return cipher.update(data) + cipher.finalize(), True
    except (msgspec.DecodeError, binascii.Error, ValueError, InvalidTag):
        raise china_refusal(400, "200005", f"encrypted 不是本密钥下的 {ALGORITHM} 密文") from None


def sealed_body(text: bytes, key: bytes, place: str) -> bytes:
    """A body encrypted for `place`."""
    iv = os.urandom(12)
    cipher = Cipher(algorithms.SM4(key), modes.GCM(iv)).encryptor()
    cipher.authenticate_additional_data(place.encode())
    data = cipher.update(text) + cipher.finalize()
    parts = (base64.b64encode(part).decode() for part in (iv, data, cipher.tag))
    return msgspec.json.encode(_SealedBody(Sealed(ALGORITHM, *parts)))
