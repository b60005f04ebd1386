"""Statements: one route per act. The statement authenticates itself, so none of these routes needs a token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.http.describing import answer, body
from api.http.submission import BATCH_LIMIT, SINGLE_LIMIT, Address, submit
from api.http.wire import read_body, visit_of
from api.node.admission import STATEMENT, NodeHere, serve

router = APIRouter()

PROBLEMS: Final = (
    "bad-request",
    "bad-encoding",
    "bad-statement",
    "bad-signature",
    "path-mismatch",
    "not-permitted",
    "conflict",
    "jti-reused",
    "too-large",
    "unsupported-media-type",
    "queue-full",
    "sequencer-stopped",
    "unavailable",
    "overloaded",
)


@dataclass(frozen=True, slots=True)
class ActRoute:
    """Where one act is posted, and what the documentation says about it."""

    act: str
    path: str
    tag: str
    summary: str
    description: str
    limit: int = SINGLE_LIMIT
    problems: tuple[str, ...] = ("illegal-transition", "not-found")


def _step(step: str, summary: str, description: str) -> ActRoute:
    return ActRoute(f"consent.{step}", f"/consents/{{consent_id:path}}/{step}", "consents", summary, description)


def _partner(act: str, path: str, summary: str, description: str) -> ActRoute:
    return ActRoute(act, f"/partners{path}", "partners", summary, f"{description} Ruleset 3.")


def _declared(act: str, path: str, summary: str, description: str, *problems: str) -> ActRoute:
    route = ActRoute(act, f"/supervision{path}", "supervision", summary, f"{description} Ruleset 3.")
    return replace(route, problems=(*route.problems, *problems))


ACT_ROUTES: Final = (
    ActRoute("consent.request", "/consents", "consents", "Ask for a consent",
             "A recipient states the terms it asks for. The consent then awaits its customer at the holder.",
             problems=("invalid-input",)),
    _step("authorise", "Record that the customer agreed",
          "The holder says that the strongly authenticated customer agreed to exactly these terms, for these accounts. The "
          "holder's `subject.consent` comes with it as `companion`: it puts the consent into the customer's own chain, which "
          "the recipient never sees. Two entries are recorded, the authorisation first."),
    _step("reject", "Record that the customer declined", "By the holder, or by the recipient that asked."),
    _step("suspend", "Suspend a consent", "By the holder. Accesses are denied until it is resumed."),
    _step("resume", "Resume a consent", "By the holder, from suspension or pause."),
    _step("pause", "Pause a consent", "The customer's own pause, by the holder."),
    _step("revoke", "Revoke a consent",
          "For ever. No access above this entry's index is allowed, whatever clocks and races do."),
    _step("terminate", "End a consent without its customer",
          "By the holder or the recipient, for example at a contract's end."),
    _step("amend", "Propose new terms",
          "By the recipient. The present version stays in force until the customer has agreed to the new one."),
    _step("withdraw_accounts", "Take some accounts out of a consent",
          "The customer's own, by the holder (`by` also guardian, court, holder). The consent continues with the other "
          "accounts; accesses to those withdrawn are denied as `ACCOUNT_APPROVAL_WITHDRAWN`. At least one account remains: "
          "to end all, revoke. Ruleset 2."),
    _step("withdraw_approval", "Take back one of several approvals",
          "One of several authorisers no longer agrees, by the holder. What only this one shared is shared no more, and with "
          "too few approvals left the consent is PARTIAL. Ruleset 2."),
    _step("withdraw_separate", "Take back a separate consent",
          "A consent that was given by a control of its own, such as `provision` or `sensitive`. Accesses are denied as "
          "`SEPARATE_CONSENT_MISSING` until it is given again. By the holder, or by the recipient for its customer. "
          "Ruleset 2."),
    _step("reauthenticate", "Record that the customer was authenticated again",
          "By the holder. It renews what the terms' `reauthenticate_days` limits. Ruleset 2."),
    _step("reconfirm", "Record that the customer still wants the consent",
          "By the recipient, of its customer. It renews what the terms' `reconfirm_days` limits. Ruleset 2."),
    _step("supersede", "Replace a consent by another one",
          "By the holder: `superseded_by` is an ACTIVE consent of the same parties and customer. Ruleset 2."),
    _step("acknowledge", "Acknowledge an event of a consent",
          "By the recipient, also after the consent's end: `basis` is the index of what it has taken note of. Nothing changes "
          "by it but what can be proved. Ruleset 3."),
    ActRoute("access.request", "/accesses", "accesses", "Ask for one access",
             "The decision is taken in log order and recorded. A denied access is answered with 201 as well: `outcome` has the "
             "decision, all reasons that apply, and what the holder must apply to an allowed one.", problems=()),
    ActRoute("access.batch", "/accesses/batch", "accesses", "Ask for up to 1,000 accesses",
             "One signature over the Merkle root of the items; each becomes an entry with its own decision and receipt.",
             limit=BATCH_LIMIT, problems=()),
    ActRoute("access.release", "/accesses/release", "accesses", "Record what was released",
             "The holder says what it gave out under a decision: counts and a digest, never the data."),
    ActRoute("access.receive", "/accesses/receive", "accesses", "Record what was received",
             "The recipient says what it got under a decision."),
    ActRoute("subject.enrol", "/subjects/enrol", "subjects", "Bind a passkey to a customer",
             "The holder says that the strongly authenticated customer owns this passkey."),
    ActRoute("subject.unenrol", "/subjects/unenrol", "subjects", "Take a passkey out of use", "By the holder."),
    ActRoute("subject.feedback", "/subjects/feedback", "subjects", "Record what a customer objects to or asks",
             "By the holder, about one of the customer's consents, with the time by which it is to be answered. The words stay "
             "with the holder. Ruleset 3."),
    ActRoute("subject.answer", "/subjects/answer", "subjects", "Record how the answer goes on",
             "By the holder: received, forwarded, answered, closed. Ruleset 3."),
    _declared("freeze.order", "/freezes", "Order a freeze",
              "By a regulator; by a holder or recipient for what is its own. Accesses in the scope are denied as `FROZEN` from "
              "the next index on. A drill denies nothing."),
    _declared("freeze.lift", "/freezes/lift", "Lift a freeze", "By who ordered it."),
    _declared("assessment.require", "/assessments/require", "Require impact assessments",
              "By a regulator. Accesses in the scope are denied as `ASSESSMENT_OVERDUE` where the holder has none in force."),
    _declared("assessment.waive", "/assessments/waive", "Require them no longer", "By the regulator that required them."),
    _declared("assessment.record", "/assessments", "Record an impact assessment",
              "By the holder: the hash of the document, its outcome, when the next one is due. One of the same id replaces."),
    _declared("risk.block", "/blocks", "Let alerts deny accesses",
              "By a holder, for its own consents: alerts of a rule, from a score on, for so many seconds (`RISK_BLOCKED`)."),
    _declared("risk.unblock", "/blocks/end", "Let them deny nothing", "By the holder."),
    _declared("alert.decide", "/alerts/decide", "Record what a person decided about an alert",
              "By holder, recipient or regulator, beside what was proposed. What the holder cleared blocks no more."),
    _declared("incident.open", "/incidents", "Report an incident",
              "With what is affected and when what is due. The words stay with who reports."),
    _declared("incident.update", "/incidents/update", "Go on with an incident",
              "By who opened it; `clock` names what is hereby delivered."),
    _declared("incident.close", "/incidents/close", "Close an incident", "By who opened it."),
    _declared("purpose.define", "/purposes", "Define a purpose",
              "By a regulator, with the same effect as the operator's `purpose.defined`.", "invalid-input"),
    _declared("case.hand_over", "/cases", "Hand a case to another authority",
              "By a regulator to whom evidence was opened: to whom its file goes, the file's hash, the legal basis."),
    _declared("case.receive", "/cases/receive", "Sign for a case",
              "By the regulator that it was handed to: with the hash of the very file."),
    _partner("attestation.give", "/attestations", "Attest a licence, a certificate, a test, a contact",
             "By any participant, of itself: the hash of the document, who issued it, until when it counts."),
    _partner("attestation.withdraw", "/attestations/withdraw", "Withdraw an attestation", "By who gave it."),
    _partner("map.publish", "/maps", "Publish a data map",
             "By a holder: the hash of the map from its fields to the catalogue, one version after the other."),
    _partner("history.attest", "/histories", "Attest history from before the log",
             "By a holder: the hash of the source, how many rows of how many customers, the root over the sheets that follow. "
             "The holder's word: nothing is decided by it."),
    _partner("history.sheet", "/histories/sheets", "Bring a sheet of an attested history",
             "By the holder that attested it: rows of one customer, with their path to the root. Rows end where the "
             "customer's own record in this log begins."),
    _partner("history.withdraw", "/histories/withdraw", "Withdraw an attested history",
             "By who attested it. What was brought stays, told as withdrawn; its source may then be brought again."),
    _partner("tariff.offer", "/tariffs", "Offer a tariff",
             "By a holder, to one recipient or to any. Prices in thousandths of a minor unit of the currency."),
    _partner("tariff.accept", "/tariffs/accept", "Accept a tariff", "By the recipient: from here on both have signed it."),
    _partner("tariff.end", "/tariffs/end", "End a tariff",
             "By who offered or accepted it, for months that begin at `from` or later."),
    _partner("usage.state", "/usage", "State what a month's releases come to",
             "By the holder, after the month's end, committed to exactly the entries counted. `GET /partners/usage/count` "
             "gives the members."),
    _partner("usage.answer", "/usage/answer", "Agree to a statement, or dispute entries",
             "By the recipient. One that is disputed is answered again, or replaced by another statement."),
)  # fmt: skip

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    201: answer(
        "Recorded: durable, included in the tree, signed. `Location` is the first entry's receipt", schema="Submission"
    ),
    200: answer(
        "This statement was recorded before, in these entries. Their receipts, the first ones byte for byte, are read with a "
        "token by those who may see them",
        schema="Repeat",
    ),
}


def _register(route: ActRoute) -> None:
    async def post(request: Request, node: NodeHere, consent_id: str | None = None) -> Response:
        data = await read_body(request.scope, request.receive, route.limit)
        address = Address(route.act, consent_id, route.limit)
        return (await submit(node.ledger, address, data, visit_of(request.scope), node.check_order)).response()

    async def post_without_id(request: Request, node: NodeHere) -> Response:
        return await post(request, node)

    serve(
        router,
        "POST",
        route.path,
        access=STATEMENT,
        tag=route.tag,
        summary=route.summary,
        description=route.description,
        operation_id=route.act.replace(".", "_"),
        answers=_ANSWERS,
        problems=PROBLEMS + route.problems,
        request_body=body("Envelope"),
    )(post if "consent_id" in route.path else post_without_id)


for _route in ACT_ROUTES:
    _register(_route)
