"""Judges customers' feedback about their consents, and the answers (docs/spec/ruleset-3.md, 11)."""

from __future__ import annotations

from verifier.errors import Code
from verifier.records.commitment import chain_of
from verifier.records.facts import Facts
from verifier.records.leaf import text_of
from verifier.rules.chain_store import Chain, Customer, Said
from verifier.rules.findings import Reporter

FEEDBACK_ACTS = ("subject.feedback", "subject.answer")
UNKNOWN = "feedback of customers of whom an entry was withheld, erased or unreadable"


def put_consent(chain: Chain, consent_id: str) -> None:
    """Note that a consent is in this subject chain."""
    if chain.customer is None:
        chain.customer = Customer()
    chain.customer.consents.append(text_of(chain_of(consent_id)).decode())


def judge_feedback(tell: Reporter, chain: Chain, facts: Facts, time: int) -> Said | None:
    """A `subject.feedback` or `subject.answer` at `time` (ms): what was said, as it stood before an answer; None for an
    illegal one, which says nothing."""
    customer = chain.customer or Customer()
    wrong = [*(_feedback if facts.act == "subject.feedback" else _answer)(tell.index, customer, facts)]
    if not chain.known:
        tell.findings.unchecked[UNKNOWN] += 1
    else:
        # Step 8.15.
        for sentence, field, expected, found in wrong[:1]:
            tell.bad(Code.CONSENT_INVALID, sentence, field, expected, found)
        tell.findings.checked["feedback of customers"] += 1
    if wrong:
        return None
    number, content = str(facts.content["number"]), facts.content
    before = customer.feedback.get(number)
    if before is None:
        about, due = text_of(chain_of(str(content["consent_id"]))).decode(), content["due"]
        before = Said(time, due if isinstance(due, int) else 0, about)
        customer.feedback[number] = before
        chain.customer = customer
    else:
        state = str(content["state"])
        answered = before.answered or state in ("answered", "closed")
        customer.feedback[number] = before._replace(state=state, answered=answered)
    return before


_Wrong = list[tuple[str, str, object, object]]
"""Sentence, field, expected, found."""


def _feedback(index: int, customer: Customer, facts: Facts) -> _Wrong:
    content, wrong = facts.content, _Wrong()
    consent_id = str(content["consent_id"])
    if text_of(chain_of(consent_id)).decode() not in customer.consents:
        wrong.append(("the consent is not in this subject chain", "consent_id", "one of the customer's", consent_id))
    if content["number"] in customer.feedback:
        wrong.append(("the number was given before", "number", "a new number", content["number"]))
    about = content["about"]
    if isinstance(about, int) and about >= index:
        wrong.append(("the feedback names no entry below it", "about", f"at most {index - 1}", about))
    return wrong


def _answer(_: int, customer: Customer, facts: Facts) -> _Wrong:
    number = str(facts.content["number"])
    said = customer.feedback.get(number)
    if said is None:
        return [("no feedback of this number was given", "number", "one of this chain", number)]
    if said.state == "closed":
        return [("the feedback is closed", "number", "one that is not closed", number)]
    return []
