"""Keys in PKCS #11 tokens: smart cards, security modules, SoftHSM. The private half is used inside, never read.

One library is loaded once in a process, and one session logs in to each token. A call that fails is tried once more with the
library initialised anew: that is what finds a token again that was away (a module that was restarted, a network that was
down). A PIN that was refused is not tried again in this process, because tokens lock themselves after a few.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

import pkcs11

from ledger.custody.held import KEY_BYTES, HeldAlgorithm
from ledger.custody.uri import TokenKeyUri, parse_token_uri
from ledger.errors import Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from ledger.secrets import read_secret

log = logging.getLogger("ledger.custody")

NONCE_SIZE: Final = 12
TAG_BITS: Final = 128
_CURVES: Final = {"EdDSA": bytes.fromhex("06032b6570"), "ES256": bytes.fromhex("06082a8648ce3d030107")}
"""DER of the curves' object identifiers (RFC 8410, RFC 5480)."""
_KEPT: Final[dict[Any, Any]] = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
_UNCOMPRESSED: Final = b"\x04"

Made = TypeVar("Made")


class _Library:
    """One PKCS #11 library in this process. Everything that touches it holds `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.age = 0
        """Rises when the library is initialised anew: whatever was found before is void."""
        self._sessions: dict[str, Any] = {}
        self._refused: dict[str, str] = {}
        try:
            self._lib: Any = pkcs11.lib(str(path))
        except pkcs11.PKCS11Error as error:
            raise Unavailable(f"the PKCS #11 library {path} does not start ({_cause(error)})") from None

    def begin_anew(self) -> None:
        """Finalise and initialise: sessions end. Raises PKCS11Error."""
        self.age += 1
        self._sessions.clear()
        self._lib.reinitialize()

    def twice(self, uri: TokenKeyUri, what: str, work: Callable[[], Made]) -> Made:
        """Work with the library; once more after it was initialised anew. Raises Unavailable, and what `work` raises."""
        with self.lock:
            try:
                return work()
            except pkcs11.PKCS11Error as error:
                log.warning("a token failed, and is looked for again: %s", _cause(error))
            except Unavailable:
                pass
            try:
                self.begin_anew()
                return work()
            except pkcs11.PKCS11Error as error:
                raise Unavailable(
                    f"the token {uri.token or uri.serial} does not {what} ({_cause(error)}): look at it and at {uri.module}; "
                    "this node tries again"
                ) from None

    def session(self, uri: TokenKeyUri, *, writes: bool = False) -> Any:
        """A session that is logged in to the one token that the URI names. Raises InvalidInput, NotFound, PKCS11Error."""
        token = self._token(uri)
        name = f"{token.label}/{bytes(token.serial).hex()}"
        if name in self._refused:
            raise InvalidInput(self._refused[name])
        if name not in self._sessions:
            pin = read_secret(uri.pin_source).decode().strip()
            try:
                self._sessions[name] = token.open(user_pin=pin)
            except (pkcs11.PinIncorrect, pkcs11.PinLocked, pkcs11.PinExpired, pkcs11.PinInvalid) as error:
                self._refused[name] = (
                    f"the token {uri.token or uri.serial} refuses the PIN of {uri.pin_source} ({_cause(error)}); it is not "
                    "tried again before this process is started anew, since tokens lock after a few wrong ones"
                )
                raise InvalidInput(self._refused[name]) from None
        return token.open(rw=True) if writes else self._sessions[name]

    def _token(self, uri: TokenKeyUri) -> Any:
        wanted = {"label": uri.token, "model": uri.model, "manufacturer_id": uri.manufacturer}
        found = [
            token
            for token in self._lib.get_tokens()
            if all(not value or getattr(token, name) == value for name, value in wanted.items())
            and (not uri.serial or bytes(token.serial).decode(errors="replace").strip() == uri.serial)
        ]
        if not found:
            raise Unavailable(f"the token {uri.token or uri.serial} is not there, as {uri.module} sees it")
        if len(found) > 1:
            raise InvalidInput(f"{len(found)} tokens fit the PKCS #11 URI: add «serial=…»")
        return found[0]


_libraries: dict[tuple[int, Path], _Library] = {}
_door: Final = threading.Lock()


def _library(uri: TokenKeyUri) -> _Library:
    """A library is of the process that loaded it: a child loads its own (PKCS #11 v2.40, 5.4)."""
    with _door:
        key = os.getpid(), uri.module
        if key not in _libraries:
            try:
                _libraries[key] = _Library(uri.module)
            except Unavailable as error:
                raise Unavailable(f"the token {uri.token or uri.serial} is not reached: {error.detail}") from None
        return _libraries[key]


class _TokenObject:
    """An object of a token, found when it is needed and again whenever the library was initialised anew."""

    def __init__(self, uri: str) -> None:
        """Raises InvalidInput for another URI than RFC 7512's. The token is asked when the object is needed."""
        self._uri = parse_token_uri(uri)
        self.place = uri
        self._found: Any = None
        self._age = -1

    @cached_property
    def _library(self) -> _Library:
        """Loaded when the key is used first: whoever needs the public half only needs no token. Raises InvalidInput."""
        return _library(self._uri)

    def _template(self) -> dict[Any, Any]:
        raise NotImplementedError

    def _object(self) -> Any:
        if self._found is None or self._age != self._library.age:
            self._found = _only(self._library.session(self._uri), self._uri, self._template())
            self._age = self._library.age
        return self._found

    def _call(self, what: str, work: Callable[[Any], Made]) -> Made:
        """Work with the object; once more after the library was initialised anew. Raises Unavailable, InvalidInput."""
        return self._library.twice(self._uri, what, lambda: work(self._object()))

    def probe(self) -> None:
        """Look for the object in its token. Raises Unavailable, InvalidInput, NotFound."""

        def look(_: object) -> None:
            _only(self._library.session(self._uri), self._uri, self._template())

        self._call("answer", look)


class TokenSigningKey(_TokenObject):
    """A key pair in a token (CKM_EDDSA, or CKM_ECDSA over a SHA-256 made here). A HeldKey."""

    def __init__(self, uri: str, alg: HeldAlgorithm, public: bytes | None = None) -> None:
        """`public`: what the public half must be, where that is known; the token is then asked only when it is used.

        Raises Unavailable, InvalidInput, NotFound.
        """
        super().__init__(uri)
        self.alg: HeldAlgorithm = alg
        self.public = public if public is not None else self._call("show its key", lambda _: self._public())

    def _template(self) -> dict[Any, Any]:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        kind = pkcs11.KeyType.EC_EDWARDS if self.alg == "EdDSA" else pkcs11.KeyType.EC
        return {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY, pkcs11.Attribute.KEY_TYPE: kind}

    def _public(self) -> bytes:
        template = {**self._template(), pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY}
        point = bytes(_only(self._library.session(self._uri), self._uri, template)[pkcs11.Attribute.EC_POINT])
        size = KEY_BYTES[self.alg]
        raw = point[-size:]
        if self.alg == "ES256" and point[-size - 1 : -size] != _UNCOMPRESSED:
            raise InvalidInput("the token shows its P-256 key as a compressed point, which is not read here")
        if len(raw) != size:
            raise InvalidInput(f"the token shows a public key of {len(point)} bytes, which is not one of {self.alg}")
        return raw

    def sign(self, message: bytes) -> bytes:
        """See HeldKey."""
        if self.alg == "EdDSA":
            made = self._call("sign", lambda key: key.sign(message, mechanism=pkcs11.Mechanism.EDDSA))
        else:
            digest = sha256(message).digest()
            made = self._call("sign", lambda key: key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA))
        if len(made) != 64:
            raise Unavailable(f"the token made a signature of {len(made)} bytes, not 64: nothing was signed")
        return bytes(made)


class TokenWrapper(_TokenObject):
    """An AES-256 key in a token (CKM_AES_GCM), under which others are wrapped. A Wrapper."""

    def _template(self) -> dict[Any, Any]:  # type: ignore[explicit-override]  # (3.11 has no typing.override)
        return {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
        }

    def seal(self, plaintext: bytes, place: bytes) -> bytes:
        """See Wrapper. The nonce is random, made here."""
        nonce = os.urandom(NONCE_SIZE)
        sealed = self._call("wrap keys", lambda key: key.encrypt(plaintext, **_gcm(nonce, place)))
        return nonce + bytes(sealed)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """See Wrapper."""
        nonce, rest = sealed[:NONCE_SIZE], sealed[NONCE_SIZE:]
        try:
            return bytes(self._call("unwrap keys", lambda key: key.decrypt(rest, **_gcm(nonce, place))))
        except Unavailable:
            self.probe()  # raises while the token is away; else it has the key, and the bytes are not of that key
            raise Corrupt(f"stored data at {place.decode(errors='replace')} does not decrypt") from None


def _gcm(nonce: bytes, place: bytes) -> dict[str, Any]:
    return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": pkcs11.GCMParams(nonce, place, TAG_BITS)}


def signing_key(uri: str, alg: HeldAlgorithm, public: bytes | None) -> TokenSigningKey:
    """See TokenSigningKey."""
    return TokenSigningKey(uri, alg, public)


def make_signing_key(uri: str, alg: HeldAlgorithm) -> TokenSigningKey:
    """Make a key pair in the token, which cannot be read out. Raises Conflict when the token has one of this name."""
    named = parse_token_uri(uri)

    def make(session: Any) -> None:
        kind, mechanism = (
            (pkcs11.KeyType.EC_EDWARDS, pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN)
            if alg == "EdDSA"
            else (pkcs11.KeyType.EC, pkcs11.Mechanism.EC_KEY_PAIR_GEN)
        )
        domain = session.create_domain_parameters(kind, {pkcs11.Attribute.EC_PARAMS: _CURVES[alg]}, local=True)
        domain.generate_keypair(
            mechanism=mechanism, store=True, label=named.label or None, id=named.key_id, private_template=_KEPT
        )

    _make(named, {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}, make)
    return TokenSigningKey(uri, alg)


def make_wrapping_key(uri: str) -> TokenWrapper:
    """Make an AES-256 key in the token, which cannot be read out. Raises Conflict when the token has one of this name."""
    named = parse_token_uri(uri)

    def make(session: Any) -> None:
        session.generate_key(
            pkcs11.KeyType.AES, 256, store=True, label=named.label or None, id=named.key_id, template=_KEPT
        )

    _make(named, {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY}, make)
    return TokenWrapper(uri)


def _make(uri: TokenKeyUri, template: dict[Any, Any], make: Callable[[Any], None]) -> None:
    library = _library(uri)

    def find_or_make() -> None:
        try:
            _only(library.session(uri), uri, template)
        except NotFound:
            session = library.session(uri, writes=True)
            try:
                make(session)
            finally:
                session.close()
        else:
            raise Conflict(
                f"the token {uri.token or uri.serial} has a key of this name already; a key is never overwritten"
            )

    library.twice(uri, "make such a key", find_or_make)


def _only(session: Any, uri: TokenKeyUri, template: dict[Any, Any]) -> Any:
    """The one object of this kind that the URI names. Raises NotFound, InvalidInput, PKCS11Error."""
    if uri.label:
        template = {**template, pkcs11.Attribute.LABEL: uri.label}
    if uri.key_id is not None:
        template = {**template, pkcs11.Attribute.ID: uri.key_id}
    found = list(session.get_objects(template))
    if not found:
        raise NotFound(f"the token {uri.token or uri.serial} has no key {uri.label or uri.key_id!r} of this kind")
    if len(found) > 1:
        raise InvalidInput(f"the token has {len(found)} keys that fit the PKCS #11 URI: add «id=…»")
    return found[0]


def _cause(error: Exception) -> str:
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
