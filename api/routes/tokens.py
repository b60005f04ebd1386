"""Access tokens: metadata, keys, and the token endpoint."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from api.access import CLIENT, PUBLIC, NodeHere, serve
from api.documents import answer, body
from api.tokens.service import FORM, FORM_LIMIT
from api.wire import Reply, header, read_body, visit_of

router = APIRouter()


@serve(
    router, "GET", "/.well-known/oauth-authorization-server", access=PUBLIC, tag="tokens",
    summary="Metadata of the token service",
    answers={200: answer("RFC 8414 metadata")},
)  # fmt: skip
async def get_token_metadata(node: NodeHere) -> Response:
    """Where tokens are had, with which algorithms, for which scopes."""
    return Reply(200, msgspec.json.encode(node.tokens.metadata)).response()


@serve(
    router, "GET", "/jwks", access=PUBLIC, tag="tokens", summary="Keys of the token service",
    answers={200: answer("A JWK set")},
)  # fmt: skip
async def get_token_keys(node: NodeHere) -> Response:
    """What access tokens are verified with. It signs nothing else."""
    return Reply(200, msgspec.json.encode(node.tokens.key_set)).response()


@serve(
    router, "POST", "/token", access=CLIENT, tag="tokens", summary="Get an access token", request_body=body("TokenRequest",
    media_type=FORM), answers={200: answer("A token, bound to the key of the DPoP proof", schema="Token")},
    problems=("bad-request", "invalid-client", "rate-limited", "too-large", "unsupported-media-type", "unavailable"),
)  # fmt: skip
async def post_token(request: Request, node: NodeHere) -> Response:
    """Client credentials (RFC 6749 §4.4) with `private_key_jwt` (RFC 7523) and a `DPoP` header (RFC 9449).

    The assertion is signed by a key registered for `client` use: `iss` = `sub` = the participant id, `aud` = the issuer as one
    text, `exp` at most 60 s ahead, `jti` fresh. Errors carry the member `error` of RFC 6749 §5.2 beside the problem's own.
    """
    form = await read_body(request.scope, request.receive, FORM_LIMIT, FORM)
    client, given = await asyncio.to_thread(node.tokens.issue, form, header(request.scope, b"dpop"))
    visit_of(request.scope).client = client
    return Reply(200, msgspec.json.encode(given), headers=(("cache-control", "no-store"),)).response()
