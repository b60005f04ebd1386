"""The authorization code flow (RFC 6749 §4.1, RFC 7636, RFC 9126, RFC 9207, JARM), as FAPI 2.0 narrows it.

Nothing is stored: what a browser carries from one step to the next was signed here, is good for one purpose and some
minutes, and is used once. The log says who agreed to what: a code is given for a consent that is active at this moment.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from api.http.refusals import BadRequest
from api.tokens.jwt import BadToken, check_times, read_jwt, text_claim
from api.tokens.keys import TokenSigner
from api.tokens.once import REVOKED, Once
from api.tokens.registrations import Registrations
from api.tokens.returns import PlainReturn
from ledger.canonical import b64u

REQUEST_URI: Final = "urn:ietf:params:oauth:request_uri:"
PAR_SECONDS: Final = 90
"""How long a pushed request can be begun with."""
TICKET_SECONDS: Final = 1800
"""How long the customer has at her bank."""
CODE_SECONDS: Final = 60
"""FAPI 2.0 Security Profile: at most 60 seconds."""
RESPONSE_MODES: Final = ("jwt", "query", "query.jwt")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)
_MEMBERS: Final = frozenset({"kid"})
Kept = TypeVar("Kept", bound=Struct)


RedirectUri = Annotated[
    str,
    Meta(max_length=1024, pattern=r"^(https://[^\s#]+|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?/[^\s#]*)\Z"),
]
"""https, or this machine's own address for a program on it; without a fragment (RFC 6749 §3.1.2)."""


class PushedRequest(Struct, frozen=True, omit_defaults=True):
    """A client's request, and the address for its answer."""

    client: str
    holder: str
    consent_id: str
    redirect_uri: str
    challenge: str
    """`code_challenge`, of method S256."""
    state: str = ""
    jkt: str = ""
    """Thumbprint of the DPoP key that the code is bound to (RFC 9449 §10); empty: to none."""
    jarm: bool = False
    """Answer with a signed response (JARM)."""


class Redeemed(Struct, frozen=True):
    """The consent that a code or a refresh token stands for, and the family of tokens that stem from one agreement."""

    grant_id: str
    family: str


def wants_code(asked: Mapping[str, Any]) -> bool:
    """Whether a pushed request leads to a code: else it only asks for a consent, which the customer finds at her bank."""
    return bool({"response_type", "redirect_uri", "code_challenge"} & asked.keys())


def read_pushed(asked: Mapping[str, Any], client: str, holder: str, registered: Collection[str]) -> PushedRequest:
    """The request of a client whose redirect addresses are `registered`, of form parameters or of a request object's claims;
    which consent it is about, it does not say.

    Raises BadRequest with OAuth's code.
    """

    def text(name: str, longest: int, *, needed: bool = True) -> str:
        value = asked.get(name, "")
        if not isinstance(value, str) or len(value) > longest or (needed and not value):
            raise BadRequest(
                f"{name} is missing, or no text of at most {longest} characters", error="invalid_request", member=name
            )
        return value

    if asked.get("response_type") != "code":
        raise BadRequest(
            "the only response_type here is code", error="unsupported_response_type", member="response_type"
        )
    mode = text("response_mode", 16, needed=False) or "query"
    if mode not in RESPONSE_MODES:
        raise BadRequest(
            f"response_mode is one of {', '.join(RESPONSE_MODES)}", error="invalid_request", member="response_mode"
        )
    if asked.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(text("code_challenge", 128)):
        raise BadRequest(
            "PKCE is needed: code_challenge_method S256, and a code_challenge of 43 characters (RFC 7636)",
            error="invalid_request",
            member="code_challenge",
        )
    address = text("redirect_uri", 1024)
    if address not in registered:
        raise BadRequest(
            "redirect_uri is not one of this client's registered addresses, compared as text; the operator adds one with "
            "«consent-ledger gateway redirect»",
            error="invalid_request",
            member="redirect_uri",
        )
    return PushedRequest(
        client,
        holder,
        "",
        address,
        str(asked["code_challenge"]),
        text("state", 512, needed=False),
        text("dpop_jkt", 43, needed=False),
        mode != "query",
    )


class CodeFlow:
    """From a pushed request to the tokens. Blocking."""

    def __init__(
        self,
        issuer: str,
        signer: TokenSigner,
        once: Once,
        is_active: Callable[[str, str, float], bool],
        registrations: Registrations,
    ) -> None:
        """`is_active`: (recipient, consent id, seconds) to whether the recipient has this consent, and may read under it."""
        self._issuer = issuer
        self._signer = signer
        self._once = once
        self._is_active = is_active
        self._registrations = registrations

    def addresses(self, client: str, configured: Collection[str]) -> tuple[str, ...]:
        """The addresses to which a client's customers may be sent back: the `configured` and the registered ones."""
        registration = self._registrations.of(client)
        return (*configured, *(registration.redirect_uris if registration is not None else ()))

    def pushed(self, request: PushedRequest, consent_id: str, now: float) -> dict[str, Any]:
        """The answer of RFC 9126 §2.2, for a request that is about this consent."""
        request = replace(request, consent_id=consent_id)
        uri = REQUEST_URI + self.seal("pushed", msgspec.to_builtins(request), now, PAR_SECONDS)
        return {"request_uri": uri, "expires_in": PAR_SECONDS}

    def opened(self, client: str, request_uri: str, now: float) -> tuple[PushedRequest, str]:
        """The request that a browser brings, and the ticket that it goes on with. Raises BadToken.

        A page that is loaded twice is not a second authorization: the ticket keeps the request's own `jti`, which is used up
        when the customer has answered.
        """
        claims = self.unseal("pushed", request_uri.removeprefix(REQUEST_URI), now, PAR_SECONDS)
        request = _read_as(PushedRequest, claims)
        if not request_uri.startswith(REQUEST_URI) or request.client != client:
            raise BadToken("it is not of this client")
        if self._once.seen("authorization", client, str(claims["jti"])):
            raise BadToken("it was answered before")
        ticket = self.seal("ticket", msgspec.to_builtins(request), now, TICKET_SECONDS, str(claims["jti"]))
        return request, ticket

    def return_ticket(self, way: PlainReturn, now: float) -> str:
        """What a browser goes on with that no pushed request sent: it never leads to a code."""
        return self.seal("return", msgspec.to_builtins(way), now, TICKET_SECONDS)

    def request_of(self, ticket: str, now: float) -> PushedRequest | PlainReturn:
        """The request that a ticket belongs to. Raises BadToken."""
        return self._ticket(ticket, now)[0]

    def _ticket(self, ticket: str, now: float) -> tuple[PushedRequest | PlainReturn, dict[str, Any]]:
        kinds = frozenset({_typ("ticket"), _typ("return")})
        typ, claims = self._read(kinds, ticket, now, TICKET_SECONDS)
        if typ == _typ("return"):
            return _read_as(PlainReturn, claims), claims
        return _read_as(PushedRequest, claims), claims

    def answered(self, ticket: str, now: float, *, agreed: bool) -> str:
        """The address that the customer's browser goes back to, once. Raises BadToken.

        Whether there is a consent, the log says: with `agreed` and no active consent the answer is that access was denied.
        A plain way back carries no answer, so it may be gone twice.
        """
        request, claims = self._ticket(ticket, now)
        if isinstance(request, PlainReturn):
            return request.address(agreed=agreed)
        self._once.use("authorization", request.client, str(claims["jti"]), float(claims["exp"]))
        said: dict[str, Any]
        if not agreed:
            said = {"error": "access_denied"}
        elif not self._is_active(request.client, request.consent_id, now):
            said = {
                "error": "access_denied",
                "error_description": "the consent is not active: another person may have to agree",
            }
        else:
            said = {"code": self._code(request, now)}
        if request.state:
            said["state"] = request.state
        if request.jarm:
            claims = {**said, "iss": self._issuer, "aud": request.client, "exp": int(now) + CODE_SECONDS}
            said = {"response": self._signer.jws({"kid": self._signer.kid, "typ": "JWT"}, claims)}
        else:
            said["iss"] = self._issuer
        joint = "&" if "?" in request.redirect_uri else "?"
        return request.redirect_uri + joint + urlencode(said, quote_via=quote)

    def redeemed(self, asked: Mapping[str, str], client: str, jkt: str, now: float) -> Redeemed:
        """The grant of a code (RFC 6749 §4.1.3); `jkt` is the thumbprint of the DPoP key that comes with it, or empty.

        A code that comes twice ends what came of it (§4.1.2). Raises BadRequest.
        """
        try:
            claims = self.unseal("code", asked.get("code", ""), now, CODE_SECONDS)
            family = text_claim(claims, "jti")
            _check_code(claims, asked, client, jkt)
            self._use(client, family, float(claims["exp"]), now)
        except BadToken as error:
            raise _bad_grant("code", error) from None
        return Redeemed(str(claims["grant_id"]), family)

    def _use(self, client: str, family: str, ends: float, now: float) -> None:
        try:
            self._once.use("code", client, family, ends)
        except BadToken:
            self.end_family(client, family, now)
            raise

    # -- refresh tokens -----------------------------------------------------------------------------------------------

    def refresh_token(self, client: str, grant: Redeemed, now: float, ends_at: int) -> str:
        """A token that gives access tokens for as long as its consent is active, at most until `ends_at` (s)."""
        claims = {"client_id": client, "grant_id": grant.grant_id, "family": grant.family}
        if (registration := self._registrations.of(client)) is not None:
            claims["registration"] = registration.number
        return self.seal("refresh", claims, now, min(REFRESH_SECONDS, ends_at - int(now)))

    def refreshed(self, asked: Mapping[str, str], client: str, now: float) -> Redeemed:
        """The grant of a refresh token. Whether its consent is in force, is asked of the log. Raises BadRequest."""
        try:
            return self.refresh_grant(asked.get("refresh_token", ""), client, now)
        except BadToken as error:
            raise _bad_grant("refresh_token", error) from None

    def refresh_grant(self, token: str, client: str, now: float) -> Redeemed:
        """The same of the token alone. Raises BadToken."""
        claims = self.unseal("refresh", token, now, REFRESH_SECONDS)
        grant = Redeemed(text_claim(claims, "grant_id"), text_claim(claims, "family"))
        if claims.get("client_id") != client:
            raise BadToken("it is another client's")
        if self.is_over(client, grant.family):
            raise BadToken("it was revoked")
        if "registration" in claims and not self._registrations.is_present(client, claims["registration"]):
            raise BadToken("the client's registration is over")
        return grant

    def revoke(self, token: str, client: str, now: float) -> None:
        """End what stems from the agreement that a refresh token stems from (RFC 7009 §2.1). Raises BadToken."""
        claims = self.unseal("refresh", token, now, REFRESH_SECONDS)
        if claims.get("client_id") == client:
            self.end_family(client, text_claim(claims, "family"), now)

    def is_over(self, client: str, family: str) -> bool:
        """Whether the tokens of a family were revoked. Raises Unavailable."""
        return self._once.seen(REVOKED, client, family)

    def end_family(self, client: str, family: str, now: float) -> None:
        """Revoke all tokens that stem from one agreement."""
        with suppress(BadToken):  # revoked already
            self._once.use(REVOKED, client, family, now + REFRESH_SECONDS)

    # -- what is signed -----------------------------------------------------------------------------------------------

    def _code(self, request: PushedRequest, now: float) -> str:
        claims = {
            "client_id": request.client,
            "grant_id": request.consent_id,
            "redirect_uri": request.redirect_uri,
            "challenge": request.challenge,
        }
        return self.seal("code", claims | ({"jkt": request.jkt} if request.jkt else {}), now, CODE_SECONDS)

    def seal(self, use: str, claims: Mapping[str, Any], now: float, seconds: int, jti: str = "") -> str:
        """Claims, signed for one use, for so many seconds."""
        times = {"exp": int(now) + seconds, "iat": int(now), "jti": jti or b64u(os.urandom(16))}
        return self._signer.jws({"kid": self._signer.kid, "typ": _typ(use)}, {**claims, **times, "iss": self._issuer})

    def unseal(self, use: str, text: str, now: float, longest: int) -> dict[str, Any]:
        """The claims that were signed for this use. Raises BadToken."""
        return self._read(frozenset({_typ(use)}), text, now, longest)[1]

    def _read(self, kinds: frozenset[str], text: str, now: float, longest: int) -> tuple[str, dict[str, Any]]:
        jwt = read_jwt(text, typ=kinds, members=_MEMBERS)
        if jwt.header.get("kid") != self._signer.kid:
            raise BadToken("it is not of this ledger")
        claims = jwt.verified(self._signer.public)
        check_times(claims, now, longest=longest)
        return str(jwt.header["typ"]), claims


REFRESH_SECONDS: Final = 400 * 86_400
"""A refresh token ends after 400 days, and with its consent at the latest."""


def _typ(use: str) -> str:
    """A token signed for one use is refused for any other, and is not an access token."""
    return f"consent-ledger-{use}+jwt"


def _check_code(claims: Mapping[str, Any], asked: Mapping[str, str], client: str, jkt: str) -> None:
    """Whether a code comes back from the client that it was given to. Raises BadToken."""
    if claims.get("client_id") != client:
        raise BadToken("it is another client's")
    if claims.get("redirect_uri") != asked.get("redirect_uri"):
        raise BadToken("redirect_uri is another than at the beginning")
    verifier = asked.get("code_verifier", "")
    made = b64u(hashlib.sha256(verifier.encode()).digest())
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(made, str(claims.get("challenge"))):
        raise BadToken("code_verifier does not fit the code_challenge")
    if claims.get("jkt", "") not in ("", jkt):
        raise BadToken("it is bound to another DPoP key")


def _read_as(kind: type[Kept], claims: Mapping[str, Any]) -> Kept:
    try:
        return msgspec.convert(claims, kind)
    except msgspec.ValidationError:
        raise BadToken("it is of another version of this ledger") from None


def _bad_grant(name: str, error: BadToken) -> BadRequest:
    return BadRequest(f"the {name} is not good: {error}", error="invalid_grant", member=name)
