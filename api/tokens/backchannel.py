"""Client-Initiated Backchannel Authentication (CIBA Core 1.0, poll mode), as FAPI-CIBA narrows it: no browser is sent anywhere.

As in the code flow nothing is stored of a request: what the client polls with was signed here, and whether its customer has
agreed, the log says at each poll. Only that a poll came, and that tokens were given, is remembered, as used proofs are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from api.http.refusals import BadRequest
from api.tokens.codes import CodeFlow, Redeemed
from api.tokens.grants import Grants
from api.tokens.jwt import BadToken, text_claim
from api.tokens.once import Once
from ledger.consent.state import BEFORE, Status

GRANT: Final = "urn:openid:params:grant-type:ciba"
LIFE_SECONDS: Final = 600
"""How long a request lasts, unless its client asks for another time."""
LONGEST_SECONDS: Final = 1800
"""As long as a customer has at her bank in the code flow."""
INTERVAL_SECONDS: Final = 5
"""CIBA Core §7.3: between two polls."""
LATE_SECONDS: Final = 600
"""For so long a request that is over is told to be so, and not to be unknown."""
HINTS: Final = ("id_token_hint", "login_hint", "login_hint_token")
_MESSAGE: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]{1,64}")


class BackchannelRequest(Struct, frozen=True, omit_defaults=True):
    """A client's request, as its `auth_req_id` carries it."""

    client: str
    holder: str
    consent_id: str
    version: int
    """The version of the consent that the customer is asked for."""


class AskedBackchannel(Struct, frozen=True, omit_defaults=True):
    """What a request says of the customer and to her; kept with the consent, sealed (`Backchannels`)."""

    client: str
    expires_at: int
    """Seconds."""
    binding_message: str = ""
    login_hint: str = ""


def read_backchannel(asked: Mapping[str, Any], client: str, now: float) -> AskedBackchannel:
    """The claims of a signed request (CIBA Core §7.1.1), beside what it asks for. Raises BadRequest with CIBA's own codes."""
    hints = [name for name in HINTS if name in asked]
    if len(hints) != 1:
        raise BadRequest(
            f"a request has exactly one of {', '.join(HINTS)}", error="invalid_request", member="login_hint"
        )
    if hints != ["login_hint"]:
        raise BadRequest(
            "the customer is named by a login_hint: this server gives no ID tokens",
            error="invalid_request",
            member=hints[0],
        )
    hint, message, wanted = (
        asked["login_hint"],
        asked.get("binding_message", ""),
        asked.get("requested_expiry", LIFE_SECONDS),
    )
    if not isinstance(hint, str) or not 1 <= len(hint) <= 256:
        raise BadRequest("login_hint is a text of 1 to 256 characters", error="invalid_request", member="login_hint")
    if message != "" and not (isinstance(message, str) and _MESSAGE.fullmatch(message)):
        raise BadRequest(
            "binding_message is plain text of at most 64 characters, which can be seen",
            error="invalid_binding_message",
            member="binding_message",
        )
    if isinstance(wanted, str) and wanted.isascii() and wanted.isdigit():
        wanted = int(wanted[:9])
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise BadRequest("requested_expiry is a positive number", error="invalid_request", member="requested_expiry")
    return AskedBackchannel(client, int(now) + min(wanted, LONGEST_SECONDS), message, hint)


class Backchannel:
    """From a request to its tokens. Blocking."""

    def __init__(self, flow: CodeFlow, once: Once, grants: Grants) -> None:
        self._flow = flow
        self._once = once
        self._grants = grants

    def begun(self, request: BackchannelRequest, expires_at: int, now: float) -> dict[str, Any]:
        """The answer of CIBA Core §7.3."""
        lasts = expires_at - int(now)
        said = self._flow.seal(
            "backchannel", {**msgspec.to_builtins(request), "ends": expires_at}, now, lasts + LATE_SECONDS
        )
        return {"auth_req_id": said, "expires_in": lasts, "interval": INTERVAL_SECONDS}

    def redeemed(self, asked: Mapping[str, str], client: str, now: float) -> Redeemed:
        """The grant of an `auth_req_id` whose customer has agreed. Raises BadRequest: CIBA Core §11 until then.

        One that comes again after tokens were given ends them, as a code does (RFC 6749 §4.1.2).
        """
        try:
            request, family, claims = self._opened(asked.get("auth_req_id", ""), client, now)
        except BadToken as error:
            raise _refusal("invalid_grant", f"the auth_req_id is not good: {error}") from None
        self._check_pace(client, family, now)
        self._check_answer(request, now, is_over=int(claims["ends"]) <= now)
        try:
            self._once.use("backchannel", client, family, float(claims["exp"]))
        except BadToken:  # two polls at once: the other one has the tokens
            self._flow.end_family(client, family, now)
            raise _refusal("invalid_grant", "the auth_req_id is not good: it was used before") from None
        return Redeemed(request.consent_id, family)

    def _opened(self, text: str, client: str, now: float) -> tuple[BackchannelRequest, str, dict[str, Any]]:
        claims = self._flow.unseal("backchannel", text, now, LONGEST_SECONDS + LATE_SECONDS)
        try:
            request = msgspec.convert(claims, BackchannelRequest)
        except msgspec.ValidationError:
            raise BadToken("it is of another version of this ledger") from None
        if request.client != client:
            raise BadToken("it is another client's")
        family = text_claim(claims, "jti")
        if self._once.seen("backchannel", client, family):
            self._flow.end_family(client, family, now)
            raise BadToken("it was used before")
        return request, family, claims

    def _check_pace(self, client: str, family: str, now: float) -> None:
        """A poll for each interval of the clock: who keeps the distance never comes twice in one."""
        try:
            self._once.use("poll", client, f"{family}:{int(now) // INTERVAL_SECONDS}", now + INTERVAL_SECONDS)
        except BadToken:
            raise _refusal("slow_down", f"wait {INTERVAL_SECONDS} seconds longer between two polls") from None

    def _check_answer(self, request: BackchannelRequest, now: float, *, is_over: bool) -> None:
        """What the log says of the customer's answer. Raises BadRequest unless she has agreed."""
        status, version = self._grants.standing(request.client, request.consent_id, now)
        has_answered = status is Status.ACTIVE and version >= request.version
        if is_over or status is Status.EXPIRED:
            raise _refusal("expired_token", "the request is over: make a new one")
        if status in BEFORE or (status is Status.ACTIVE and not has_answered):
            raise _refusal("authorization_pending", "the customer has not answered yet")
        if not has_answered:
            raise _refusal("access_denied", "the customer has not agreed, or sharing has ended")


def _refusal(error: str, detail: str) -> BadRequest:
    return BadRequest(detail, error=error, member="auth_req_id")
