"""An identity provider for development: a click on a name signs in as that customer. It runs on loopback only.

It speaks real OpenID Connect, so that the pages have one way of signing in, and development exercises it.
"""

from __future__ import annotations

import hmac
import ipaddress
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry

from api.client.signing import LocalSigner, StatementSigner, sign_jwt
from api.web.agent import Customer
from api.web.cookies import speak
from api.web.desk import Anyone
from api.web.people import new_token
from api.web.plain import plain
from api.web.security import local_path
from api.web.staff import StaffMember
from ledger.canonical import b64u
from ledger.clock import Clock

PATH: Final = "/dev-idp"
CODE_MS: Final = 60_000


class NotForThisPlace(Exception):
    """The development identity provider was asked to run where real customers might be."""


@dataclass(frozen=True)
class _Code:
    """An authorization code's meaning."""

    customer: Customer | StaffMember
    challenge: str
    nonce: str
    redirect_uri: str
    made_at: int


class DevelopmentProvider:
    """Keys and codes of the embedded identity provider."""

    def __init__(
        self,
        *,
        environment: str,
        host: str,
        workers: int,
        base_url: str,
        client_id: str,
        client_key: StatementSigner,
        customers: Sequence[Customer | StaffMember],
        clock: Clock,
    ) -> None:
        """Raises NotForThisPlace unless this is development, on loopback, in one process."""
        if environment != "development":
            raise NotForThisPlace("the embedded identity provider runs with environment=development only")
        if not _is_loopback(host):
            raise NotForThisPlace(f"the embedded identity provider does not listen on {host}: loopback only")
        if not _is_loopback(urlsplit(base_url).hostname or ""):  # behind a proxy, a loopback address is public
            raise NotForThisPlace(f"the embedded identity provider is not served at {base_url}: loopback only")
        if workers != 1:
            raise NotForThisPlace("the embedded identity provider keeps its codes in memory: one worker only")
        self.issuer = f"{base_url}{PATH}"
        self.callback = f"{base_url}/sign-in/callback"
        self.client_id = client_id
        self.customers = {customer.sub: customer for customer in customers}
        self._client_key = JWKRegistry.import_key(dict(client_key.jwk))
        self._client_alg = client_key.alg
        self._clock = clock
        self._signer = LocalSigner.generate("dev-idp", "ES256")
        self._codes: dict[str, _Code] = {}
        self._lock = threading.Lock()

    def discovery(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 §3."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "authorization_response_iss_parameter_supported": True,
        }

    def jwks(self) -> dict[str, Any]:
        """The public signing key."""
        key = {**self._signer.jwk, "kid": self._signer.kid, "alg": self._signer.alg, "use": "sig"}
        return {"keys": [key]}

    def problem_of(self, asked: dict[str, str]) -> str | None:
        """The fault of an authorization request; None without one."""
        wanted = {"client_id": self.client_id, "redirect_uri": self.callback, "response_type": "code"}
        wrong = [name for name, value in wanted.items() if asked.get(name) != value]
        wrong += [name for name in ("state", "nonce", "code_challenge") if not asked.get(name)]
        if asked.get("code_challenge_method") != "S256":
            wrong.append("code_challenge_method")
        return ", ".join(wrong) or None

    def issue(self, customer: Customer | StaffMember, asked: dict[str, str]) -> str:
        """A one-time code; the address to send the browser back to."""
        now = self._clock.now()
        code = new_token()
        with self._lock:
            self._codes = {old: about for old, about in self._codes.items() if now - about.made_at < CODE_MS}
            self._codes[code] = _Code(customer, asked["code_challenge"], asked["nonce"], asked["redirect_uri"], now)
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        return f"{self.callback}?{back}"

    def redeem(self, form: dict[str, str]) -> str | None:
        """The ID token for a code, or None: wrong client, code or verifier. A code works once."""
        with self._lock:
            about = self._codes.pop(form.get("code", ""), None)
        now = self._clock.now()
        if about is None or now - about.made_at >= CODE_MS or form.get("redirect_uri") != about.redirect_uri:
            return None
        verifier = form.get("code_verifier", "").encode()
        if not hmac.compare_digest(b64u(sha256(verifier).digest()), about.challenge):
            return None
        if not self._is_our_client(form.get("client_assertion", ""), now // 1000):
            return None
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "nonce": about.nonce,
            "iat": now // 1000,
            "exp": now // 1000 + 300,
            "auth_time": now // 1000,
            "acr": "dev",
            "amr": ["dev"],
            **about.customer.claims(),
        }
        return sign_jwt(self._signer, {"kid": self._signer.kid, "typ": "JWT"}, claims)

    def _is_our_client(self, assertion: str, now: int) -> bool:
        try:
            claims = jwt.decode(assertion, self._client_key, algorithms=[self._client_alg]).claims
        except (JoseError, ValueError):
            return False
        named = (claims.get("iss"), claims.get("sub"), claims.get("aud")) == (
            self.client_id,
            self.client_id,
            self.issuer,
        )
        expires = claims.get("exp")
        return named and isinstance(expires, int) and now < expires


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def dev_routes(provider: DevelopmentProvider) -> APIRouter:
    """The provider's pages and endpoints; `/in` leads to it whoever was signed in before, in a language."""
    router = APIRouter(prefix=PATH, include_in_schema=False)

    @router.get("/.well-known/openid-configuration")
    def discovery() -> Response:
        return JSONResponse(provider.discovery())

    @router.get("/jwks")
    def jwks() -> Response:
        return JSONResponse(provider.jwks())

    @router.get("/in")
    def enter(desk: Anyone, to: str = "", next: str | None = None) -> Response:  # noqa: A002 (the parameter's public name)
        desk.leave()
        return speak(desk.redirect(f"/sign-in/start?{urlencode({'next': local_path(next)})}"), to, secure=False)

    @router.get("/authorize")
    def choose(desk: Anyone) -> Response:
        asked = dict(desk.request.query_params)
        problem = provider.problem_of(asked)
        people = [(one, plain(one.name), one.employer) for one in provider.customers.values()]
        return desk.render(
            "devidp.html",
            400 if problem else 200,
            customers=[(one.sub, name, at) for one, name, at in people if isinstance(one, Customer)],
            staff=[(one.sub, name, at) for one, name, at in people if not isinstance(one, Customer)],
            asked=asked,
            problem=problem,
        )

    @router.post("/authorize")
    async def chosen(request: Request) -> Response:
        form = await request.form()
        asked = {name: value for name, value in form.items() if isinstance(value, str)}
        customer = provider.customers.get(asked.get("customer", ""))
        if customer is None or provider.problem_of(asked) is not None:
            return HTMLResponse("unknown customer, or not a request of this ledger", status_code=400)
        return RedirectResponse(provider.issue(customer, asked), status_code=303)

    @router.post("/token")
    def token(
        code: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        client_assertion: Annotated[str, Form()],
    ) -> Response:
        form = {
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
            "client_assertion": client_assertion,
        }
        id_token = provider.redeem(form)
        headers = {"cache-control": "no-store"}
        if id_token is None:
            return JSONResponse({"error": "invalid_grant"}, status_code=400, headers=headers)
        answer = msgspec.json.encode(
            {"access_token": new_token(), "token_type": "Bearer", "expires_in": 60, "id_token": id_token}
        )
        return Response(answer, media_type="application/json", headers=headers)

    return router
