"""Errors as problems (RFC 9457): one table from error class to status, type and the page that explains it.

The pages in docs/errors are written from this table (`python -m api.http.problems docs/errors`), so they also come with an
installation; a test compares the two, and demands a row for every error there is.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from api.http import refusals
from ledger import errors
from ledger.errors import LedgerError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One type of problem."""

    status: int
    slug: str
    title: str
    meaning: str
    """What has happened, and what was therefore not done."""
    remedy: str
    """What the caller can do."""

    def page(self) -> str:
        """The page about this type, in Markdown."""
        return f"# {self.title}\n\n`{self.slug}` · HTTP {self.status}\n\n{self.meaning}\n\n## What to do\n\n{self.remedy}\n"


PROBLEMS: Final[dict[type[LedgerError], Problem]] = {
    LedgerError: Problem(
        500, "internal-error", "Internal error",
        "Something happened that this program does not foresee. Whether the submission was recorded is not known.",
        "Submit the same statement again: if it was recorded, you are told where. Tell the operator the `instance` of the "
        "answer; the ledger's own log has the rest under it.",
    ),
    errors.InvalidInput: Problem(
        400, "invalid-input", "Invalid input",
        "A value cannot be accepted in any state of the ledger. Nothing was recorded.",
        "`detail` names the value and what is required; `member` the place, where there is one. Correct it and send it again.",
    ),
    errors.BadEncoding: Problem(
        400, "bad-encoding", "Not in the accepted spelling",
        "Bytes are not in the one accepted spelling: CL-JSON, canonical base64url, or within the stated sizes "
        "(docs/spec/encoding.md). Nothing was recorded.",
        "Write JSON as RFC 8785 does: members sorted, no white space, integers only, no escapes of printable characters; "
        "base64url without padding. Sign what you send: do not re-encode a statement after signing it.",
    ),
    errors.BadStatement: Problem(
        400, "bad-statement", "Not an acceptable statement",
        "The payload of the statement is not one this ledger accepts: a member is missing, unknown or out of bounds, or the "
        "statement is for another ledger (`aud`) or another time (`iat`, ± 300 s). Nothing was recorded.",
        "Compare the payload with docs/spec/statements.md. If the clock was the reason, correct it and sign anew with a "
        "fresh `jti`.",
    ),
    errors.BadSignature: Problem(
        400, "bad-signature", "The signature is not valid",
        "The statement's header is not that of a registered statement key, the signature does not verify under that key, or "
        "the key is not the signer's. No algorithm, key or address is ever taken from the message. Nothing was recorded.",
        "Check that `kid` is registered for statements and not revoked (`GET /participants/{id}`), that the header is exactly "
        "`{\"alg\":…,\"kid\":…,\"typ\":\"consent-statement+jwt\"}`, and that the signature covers the transmitted text.",
    ),
    errors.Refused: Problem(
        409, "refused", "Refused by the rules",
        "The submission was understood and the rules do not allow it. Nothing was recorded.",
        "`detail` names the rule.",
    ),
    errors.NotFound: Problem(
        404, "not-found", "Not found",
        "There is no such consent, entry, participant or tile for this caller. What belongs to other parties is answered in "
        "the same way, so that nobody learns of it by asking.",
        "Check the identifier, and that you signed, or are a party of, what you ask for.",
    ),
    errors.IllegalTransition: Problem(
        409, "illegal-transition", "Not a step this consent can make",
        "The consent's present state, or the signer's role in it, does not allow this act (docs/spec/consents.md). Nothing was "
        "recorded, and the consent is as it was.",
        "Read the consent (`GET /consents/{consent_id}`). A terminal state is final: ask for a new consent.",
    ),
    errors.ImpossibleLeg: Problem(
        409, "impossible-leg", "Nothing is delivered under this decision",
        "A release or receipt names a decision that cannot have it: the entry is not an allowed access of this consent, "
        "decides another interaction, or has such a leg already (docs/spec/reconciliation.md). Nothing was recorded.",
        "`member` names what does not fit. `basis` is the index of the allowed access, `interaction_id` that of its request; "
        "each party says once what it gave out, or got. Figures that turn out to be wrong are not corrected by a second leg: "
        "the difference stays as what reconciliation found.",
    ),
    errors.Conflict: Problem(
        409, "conflict", "The identifier is in use",
        "The identifier (of a consent, participant or key) is in use for something else. Nothing was recorded.",
        "Choose a fresh identifier.",
    ),
    errors.JtiReused: Problem(
        409, "jti-reused", "This jti was used for another statement",
        "A statement with the same issuer and `jti` and another payload is in the log. Nothing was recorded. This is counted "
        "as a security event: either a client makes identifiers that are not random, or somebody tries something.",
        "Make `jti` from 16 random bytes for each new statement. To repeat a statement safely, send the very same text.",
    ),
    errors.LooksAlike: Problem(
        409, "looks-alike", "It can be taken for another participant",
        "The id or name of the new participant looks like that of a registered one, or its name mixes alphabets. People who "
        "give consents rely on names. Nothing was recorded; `detail` names both.",
        "Find out who it is. If the likeness is intended, say so: `\"confirm_likeness\": true` in the body, `--force` on the "
        "command line.",
    ),
    errors.NotPermitted: Problem(
        403, "not-permitted", "Not permitted to this participant",
        "The participant is suspended, does not have the role that this act needs, or is a regulator that orders more than it "
        "is there for; or the recipient whose consent was to be authorised is suspended. Nothing was recorded.",
        "A suspended participant may still do what only reduces sharing, and nobody can agree to its requests. A regulator "
        "names in `scope` what the message says. "
        "For anything else, speak to the operator.",
    ),
    errors.Unavailable: Problem(
        503, "unavailable", "Not available now",
        "The ledger cannot answer for the moment. Nothing was acknowledged, though a submission may have been recorded.",
        "Send the same request again after `Retry-After` seconds. A repeated statement is recorded only once.",
    ),
    errors.QueueFull: Problem(
        503, "queue-full", "Too much is waiting",
        "More submissions wait than this node lets wait. Nothing was recorded.",
        "Send the same statement again after `Retry-After` seconds, with increasing delays. For many accesses, use "
        "`POST /accesses/batch`.",
    ),
    errors.BodiesAway: Problem(
        503, "bodies-away", "An old body cannot be had now",
        "Bodies of old entries were moved out of the database, and the place where they are does not answer, or does not have "
        "this one as it was moved; `detail` says which. The entry itself, its proof and everything newer are there.",
        "Ask again later. Operators: docs/operating.md, «Evidence tiers».",
    ),
    refusals.ReadsOnly: Problem(
        421, "reads-only", "This node only reads",
        "This node answers reads, from a copy of the log, and records nothing. The member `write_at` names the nodes that do.",
        "Send the same request to one of them.",
    ),
    errors.ClockAhead: Problem(
        503, "clock-ahead", "This node's clock is ahead",
        "The clock of this node's machine is ahead of the time, and what is recorded by it would hold up every later "
        "statement. Nothing was recorded. Reads are answered.",
        "Clients: try another node, or later. Operators: docs/operating.md, «The clock».",
    ),
    errors.SequencerStopped: Problem(
        503, "sequencer-stopped", "This node does not write",
        "This node has stopped writing; `detail` says why. Nothing was recorded. Reads may still be answered.",
        "Clients: try another node, or later. Operators: docs/operating.md tells what each reason asks for.",
    ),
    errors.Corrupt: Problem(
        500, "corrupt", "Stored data contradicts itself",
        "The ledger found stored data that contradict themselves, and refuses to use them.",
        "Tell the operator, who runs `consent-ledger check`. Keep your receipts: they prove what was recorded.",
    ),
    errors.Rollback: Problem(
        500, "rollback", "The history was rolled back",
        "The database is older than, or differs from, what this node has signed. It signs no more.",
        "Tell the operator; see docs/operating.md, «Rollback». Keep your receipts.",
    ),
    refusals.HttpRefusal: Problem(
        400, "bad-request", "Not a request of the documented shape",
        "Path, query, headers or body are not of the documented shape. Nothing was recorded.",
        "`GET /openapi.json` describes every route; `detail` and `member` name what did not fit.",
    ),
    refusals.PathMismatch: Problem(
        400, "path-mismatch", "The statement is not about this address",
        "The signed statement says another act, or names another consent, than the address it was posted to. Nothing was "
        "recorded: what counts is what was signed.",
        "Post the statement to the address of its act and consent.",
    ),
    refusals.NoSuchRoute: Problem(
        404, "no-such-route", "Nothing is served here",
        "There is nothing at this address.", "`GET /openapi.json` lists every address.",
    ),
    refusals.MethodNotAllowed: Problem(
        405, "method-not-allowed", "Not under this method",
        "The address exists, but not under this method.", "The header `Allow` names the methods there are.",
    ),
    refusals.NotAcceptable: Problem(
        406, "not-acceptable", "Not in this media type",
        "The resource exists in media types that the request's `Accept` does not take.",
        "Leave `Accept` out, or use one of the media types in `detail`.",
    ),
    refusals.TooLarge: Problem(
        413, "too-large", "Too large",
        "The body, or the statement in it, has more bytes than this route reads (64 KiB; a batch 10 MiB; a statement 16 KiB). "
        "It was not read to its end, and nothing was recorded.",
        "Split a batch. A statement never needs to be this large.",
    ),
    refusals.TooSlow: Problem(
        408, "too-slow", "The request did not come in time",
        "The headers of a request have 10 seconds, its body has 30. The connection was closed, and nothing was recorded.",
        "Send the request again on a new connection, all at once.",
    ),
    refusals.HeadersTooLarge: Problem(
        431, "headers-too-large", "Too many headers",
        "The address and the headers together have more than 64 KiB. The connection was closed, and nothing was recorded.",
        "Send only the headers that the route needs (`GET /openapi.json`).",
    ),
    refusals.UnsupportedMedia: Problem(
        415, "unsupported-media-type", "Not this media type",
        "The body is not declared as the media type that this route reads. Nothing was recorded.",
        "Send `Content-Type: application/json` (token requests: `application/x-www-form-urlencoded`), without a "
        "content coding.",
    ),
    refusals.Unauthenticated: Problem(
        401, "unauthenticated", "No valid access token",
        "This route needs an access token bound to a key of the caller (DPoP, RFC 9449), and the request has no valid one. "
        "`WWW-Authenticate` says what failed.",
        "Get a token from `POST /token`, and send with each request a fresh DPoP proof for exactly its method and address.",
    ),
    refusals.InsufficientScope: Problem(
        403, "insufficient-scope", "The token is not for this",
        "The access token is valid and does not have the scope that this route needs; `WWW-Authenticate` names it.",
        "Scopes follow the participant's roles: docs/api.md has the table.",
    ),
    refusals.InvalidClient: Problem(
        401, "invalid-client", "The client did not authenticate",
        "The client assertion of a token request is not valid: key, signature, audience, times, or it was used before.",
        "Sign a fresh assertion with a key registered for `client` use: `iss` = `sub` = your participant id, `aud` = the "
        "issuer exactly, `exp` at most 60 s ahead, a new `jti`.",
    ),
    refusals.RateLimited: Problem(
        429, "rate-limited", "Too many requests",
        "The caller has made more requests than it may in the present minute.",
        "Wait for `Retry-After` seconds. Use one token until it expires; ask for larger pages.",
    ),
    refusals.Overloaded: Problem(
        503, "overloaded", "Too many requests in work",
        "This process is already handling its maximum number of requests, or more bytes are being sent to it than it can "
        "hold. Nothing was recorded.",
        "Send it again after `Retry-After` seconds, with increasing delays.",
    ),
}  # fmt: skip
PROBLEMS[refusals.BadRequest] = PROBLEMS[refusals.HttpRefusal]
PROBLEMS[refusals.InternalError] = PROBLEMS[LedgerError]

BY_SLUG: Final = {problem.slug: problem for problem in PROBLEMS.values()}


def problem_of(error: LedgerError) -> Problem:
    """The row of an error's class, or of the nearest class above it."""
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)


def problem_headers(error: LedgerError) -> dict[str, str]:
    """Headers that go with an error beside the content type."""
    headers = dict(getattr(error, "headers", {}))
    if problem_of(error).status == 503:
        headers.setdefault("retry-after", str(RETRY_SECONDS))
    return headers


def problem_body(error: LedgerError, *, base_url: str, instance: str) -> bytes:
    """The JSON of a problem: type, title, status, detail, instance, and `member` where one is named.

    The cause of an internal error (5xx, except 503) goes to the operator's log, not to the caller.
    """
    problem = problem_of(error)
    body: dict[str, object] = {
        "type": f"{base_url}/errors/{problem.slug}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.meaning if problem.status == 500 else error.detail,
        "instance": instance,
    }
    if error.member is not None:
        body["member"] = error.member
    if isinstance(error, refusals.ReadsOnly):
        body["write_at"] = error.write_at
    if isinstance(error, refusals.HttpRefusal) and error.error is not None:
        body["error"] = error.error
    return msgspec.json.encode(body)


def write_pages(folder: Path) -> None:
    """Write every page, and the list of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in pages().items():
        (folder / name).write_text(page, encoding="utf-8")


def pages() -> dict[str, str]:
    """File name to content, for every type and for the list."""
    rows = sorted(BY_SLUG.values(), key=lambda problem: (problem.status, problem.slug))
    listed = "".join(f"| {row.status} | [{row.slug}]({row.slug}.md) | {row.title} |\n" for row in rows)
    index = (
        "# Problems\n\nErrors are answered as `application/problem+json` (RFC 9457). `type` ends in the name below and is "
        "served as a page; `detail` says what was refused; `instance` "
        "identifies the request in the ledger's own log. A denied access "
        "is not an error: it is recorded, and has a receipt.\n\n| status | type | title |\n|---|---|---|\n"
    )
    return {"README.md": index + listed} | {f"{row.slug}.md": row.page() for row in rows}


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
