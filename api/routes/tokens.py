"""Access tokens: metadata, keys, and the token endpoint."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.wire import Reply, header, read_body, visit_of
from api.node.admission import CLIENT, PUBLIC, CallerHere, NodeHere, serve, token
from api.tokens.clients import FORM, FORM_LIMIT

router = APIRouter()
SIGNED_INTROSPECTION: Final = "application/token-introspection+jwt"
"""RFC 9701 §5."""


@serve(
    router,
    "GET",
    "/.well-known/oauth-authorization-server",
    access=PUBLIC,
    tag="tokens",
    summary="Metadata of the token service",
    answers={200: answer("RFC 8414 metadata")},
)
async def get_token_metadata(node: NodeHere) -> Response:
    """Where tokens are had, with which algorithms, for which scopes."""
    return Reply(200, msgspec.json.encode(node.tokens.metadata)).response()


@serve(
    router,
    "GET",
    "/jwks",
    access=PUBLIC,
    tag="tokens",
    summary="Keys of the token service",
    answers={200: answer("A JWK set")},
)
async def get_token_keys(node: NodeHere) -> Response:
    """What access tokens are verified with. The same key signs this service's own codes and nonces."""
    return Reply(200, msgspec.json.encode(node.tokens.key_set)).response()


@serve(
    router,
    "POST",
    "/token",
    access=CLIENT,
    tag="tokens",
    summary="Get an access token",
    request_body=body("TokenRequest", media_type=FORM),
    answers={200: answer("A token, bound to the key of the DPoP proof", schema="Token")},
    problems=("bad-request", "invalid-client", "rate-limited", "too-large", "unsupported-media-type", "unavailable"),
)
async def post_token(request: Request, node: NodeHere) -> Response:
    """Client credentials (RFC 6749 §4.4), for this ledger's scopes or, with `authorization_details` (RFC 9396), for the data of
    one active consent at its holder; an authorization code with its `code_verifier` (§4.1.3, RFC 7636), or a refresh token
    (§6), for the consent that its customer agreed to. The client authenticates with `private_key_jwt` (RFC 7523) or with its
    certificate (RFC 8705); the token is bound to the key of a `DPoP` header (RFC 9449), or to the certificate. Where this log
    demands nonces, a proof without one is answered `use_dpop_nonce` and `DPoP-Nonce` (RFC 9449 §8): repeat the request with it.

    The assertion is signed by a key registered for `client` use: `iss` = `sub` = the participant id, `aud` = the issuer as one
    text, `exp` at most 60 s ahead, `jti` fresh. Errors carry the member `error` of RFC 6749 §5.2 beside the problem's own.
    """
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    await asyncio.to_thread(node.tell_nonce, request.scope)
    client, given = await asyncio.to_thread(
        node.tokens.issue, form, header(request.scope, b"dpop"), node.certificate_of(request.scope)
    )
    visit_of(request.scope).client = client
    return Reply(200, msgspec.json.encode(given), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "POST",
    "/introspect",
    access=PUBLIC,
    tag="tokens",
    summary="Ask whether a token is good",
    request_body=body("IntrospectionRequest", media_type=FORM),
    answers={200: answer("What the token says, or `active`: false", schema="Introspection")},
    problems=("bad-request", "invalid-client", "rate-limited", "too-large", "unsupported-media-type", "unavailable"),
)
async def post_introspect(request: Request, node: NodeHere) -> Response:
    """RFC 7662, and RFC 9701 for who accepts `application/token-introspection+jwt`. A token bound to a consent is active while
    the consent is, for the consent's holder and recipient: the commit that ends the consent ends it. The asker authenticates as
    at the token endpoint; asked as often as data are fetched, this counts as reading, not as asking for tokens."""
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    client, said = await asyncio.to_thread(node.introspection.introspect, form, node.certificate_of(request.scope))
    visit_of(request.scope).client = client
    if SIGNED_INTROSPECTION in (header(request.scope, b"accept") or ""):
        text = await asyncio.to_thread(node.introspection.signed, client, said)
        return Reply(200, text.encode(), SIGNED_INTROSPECTION, (("cache-control", "no-store"),)).response()
    return Reply(200, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "POST",
    "/revoke",
    access=CLIENT,
    tag="tokens",
    summary="Give a token back",
    request_body=body("IntrospectionRequest", media_type=FORM),
    answers={200: answer("The token is not good any more, whether or not it ever was")},
    problems=("bad-request", "invalid-client", "rate-limited", "too-large", "unsupported-media-type", "unavailable"),
)
async def post_revoke(request: Request, node: NodeHere) -> Response:
    """RFC 7009, for one's own access tokens. It ends a token, not a consent: see `DELETE /grants/{grant_id}`."""
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    visit_of(request.scope).client = await asyncio.to_thread(
        node.introspection.revoke, form, node.certificate_of(request.scope)
    )
    return Reply(200, b"{}", headers=(("cache-control", "no-store"),)).response()


@serve(
    router,
    "GET",
    "/grants/{grant_id:path}",
    access=token("grant_management_query"),
    tag="tokens",
    summary="What a grant permits now",
    answers={200: answer("The grant", schema="Grant")},
    problems=("not-found",),
)
def get_grant(grant_id: str, node: NodeHere, caller: CallerHere) -> Response:
    """Grant Management for OAuth 2.0 §6.4: a grant is a consent of the caller's, under its id, while it is active."""
    said = node.grants.query(caller.id, grant_id, time.time())
    return Reply(200, msgspec.json.encode(said), headers=(("cache-control", "no-store"),)).response()
