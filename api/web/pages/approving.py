"""Agreeing: a new request, a change, or the second signature of a joint one; signed by her own passkey if she has one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import structs

from api.web.agent import Account, Authorisation
from api.web.customer import Connection
from api.web.desk import Customer, Desk, in_order
from api.web.forms import CustomersForm
from api.web.mandated import data_of
from api.web.pages.authorizing import binding_of, goes_back_to, handed_back
from api.web.pages.erasing import withdraw_erasure
from api.web.pages.signin import PASSKEY_SCA
from api.web.pages.stopping import STOPPED, take_step
from api.web.passkeys import PasskeyRefused, consent_challenge, signed_terms
from api.web.people import ChosenAnswers, Draft, SeparateDraft, SignInSca
from api.web.terms import agreement, changes, lines_of, plain_text, separate_text
from api.web.words import Words
from ledger.canonical import b64u
from ledger.consent.state import BEFORE, Status
from ledger.entries.assertion import SignedTerms
from ledger.entries.payload import SeparateConsent
from ledger.entries.terms import Terms
from ledger.errors import IllegalTransition, NotFound

router = APIRouter(include_in_schema=False, prefix="/my/approve")
DRAFT_MS: Final = 10 * 60_000
WANTS_LESS: Final = "customer-wants-less"
"""The reason of a refusal that says what she would agree to; each of LESS that she chose follows it after a colon."""
LESS: Final = ("data", "history", "duration", "frequency")


class Objecting(IllegalTransition):
    """She objects to all sharing, and has not lifted that."""


class TooLate(NotFound):
    """A draft lasts for some minutes: after that she reads it anew."""


def _address(consent_id: str) -> str:
    return f"/my/approve?consent={quote(consent_id, safe='')}"


@dataclass(frozen=True, slots=True)
class SeparateWords:
    """A separate consent as it stands beside its control."""

    kind: str
    opening: str
    says: list[tuple[str, str]]
    closing: str

    def text(self, words: Words) -> str:
        """The same as plain lines, whose SHA-256 the authorisation brings."""
        return plain_text(words, self.opening, self.says, self.closing)


@dataclass(frozen=True, slots=True)
class AwaitedAnswer:
    """The question that waits for the customer's answer."""

    connection: Connection
    terms: Terms
    version: int
    authorisers: tuple[str, ...]
    """Who has agreed so far."""
    before: Terms | None = None
    """The terms in force, when this is a change."""
    waiting: tuple[str, ...] = ()
    """Joint accounts of a connection in force that need one more yes: then it is about these only."""

    @property
    def terms_hash(self) -> str:
        """The members of an authorisation."""
        return b64u(self.terms.hash())

    @property
    def agreed(self) -> bool:
        """Whether she is one of those who agreed."""
        return self.connection.me != "" and self.connection.me in self.authorisers

    @property
    def kind(self) -> Literal["new", "change", "more"]:
        """What sort of question it is."""
        if self.before is not None:
            return "change"
        return "more" if self.waiting else "new"


def _question(desk: Desk, consent_id: str) -> AwaitedAnswer:
    """The open question of a consent. Raises NotFound when there is none for her."""
    found = desk.dealings.request(consent_id)
    consent = found.consent
    if found.is_live and consent.pending is not None:
        pending = consent.pending
        return AwaitedAnswer(found, pending.terms, consent.version + 1, pending.authorisers, consent.terms)
    if found.is_live and not consent.is_complete:
        return AwaitedAnswer(found, consent.terms, consent.version, consent.authorisers)
    if found.is_live and consent.waiting:
        return AwaitedAnswer(found, consent.terms, consent.version, consent.authorisers, waiting=consent.waiting)
    raise NotFound("there is nothing to answer: this request was answered, withdrawn or has ended")


@router.get("")
def ask(desk: Customer, consent: str) -> Response:
    """A request, in full, with the accounts to choose; while she objects to all sharing, only that she does."""
    if desk.office.objects_since(desk.person):
        return _objecting(desk, consent)
    try:
        question = _question(desk, consent)
    except NotFound:  # she agreed before: an app that asks again gets her back, now that she has signed in
        back = handed_back(desk, consent, agreed=True) if desk.dealings.request(consent).is_live else None
        if back is None:
            raise
        return back
    if question.connection.status is Status.AWAITING:
        desk.office.store.remember_request(desk.person, consent, desk.now)
    return _ask(desk, question)


def _objecting(desk: Desk, consent_id: str) -> Response:
    return desk.render(
        "objecting.html", one=desk.dealings.request(consent_id), since=desk.office.objects_since(desk.person)
    )


def _willing(desk: Desk) -> None:
    """Raises Objecting: nothing is agreed to while she objects to all sharing."""
    if desk.office.objects_since(desk.person):
        raise Objecting("you object to all sharing: lift the objection first, then open the request again")


def _offered(desk: Desk, question: AwaitedAnswer) -> tuple[Account, ...]:
    """The accounts that she can give: where joint ones wait for her yes, these."""
    mine = desk.agent.accounts(desk.person, question.connection.consent.consent_id)
    return tuple(one for one in mine if one.reference in question.waiting) if question.waiting else mine


def _separate(desk: Desk, question: AwaitedAnswer) -> list[SeparateWords]:
    """Each separate consent that the terms name, in words."""
    terms = question.terms
    said = [
        separate_text(
            desk.words,
            terms,
            kind,
            recipient=question.connection.recipient,
            holder=desk.dealings.name_of(terms.holder),
            contact=desk.office.contacts.get(terms.recipient, ""),
        )
        for kind in terms.separate_consents
    ]
    return [SeparateWords(kind, *words) for kind, words in zip(terms.separate_consents, said, strict=True)]


def _is_suspended(desk: Desk, question: AwaitedAnswer) -> bool:
    """Whether whoever asks may only reduce sharing at present: nobody can agree then."""
    return desk.office.ledger.registry.is_suspended(question.terms.recipient)


@dataclass(frozen=True, slots=True)
class MissingAnswer:
    """The missing answers, in words, and where."""

    says: str
    field: Literal["account", "separate"]
    missing: tuple[str, ...] = ()
    """Kinds of separate consent that were not given."""


def _answers(desk: Desk, consent_id: str) -> ChosenAnswers:
    """Her answers to this request within the last minutes; nothing is ever ticked for her."""
    known = desk.session.answers if desk.session else None
    if known is None or known.consent_id != consent_id or desk.now - known.at > DRAFT_MS:
        return ChosenAnswers(consent_id)
    return known


def _ask(desk: Desk, question: AwaitedAnswer, problem: MissingAnswer | None = None, status: int = 200) -> Response:
    consent = question.connection.consent
    accounts, answers = _offered(desk, question), _answers(desk, consent.consent_id)
    alone = question.kind == "new" and question.terms.authorisers_required == 1 and any(one.joint for one in accounts)
    return desk.render(
        "approve.html",
        status,
        question=question,
        one=question.connection,
        accounts=accounts,
        problem=problem,
        chosen=set(answers.accounts or (consent.accounts if question.before is not None else ())),
        answers=answers,
        here=_address(consent.consent_id),
        separate=_separate(desk, question),
        lines=lines_of(desk.words, question.terms),
        clusters=data_of(desk.words, question.terms),
        changed=changes(desk.words, question.before, question.terms) if question.before is not None else [],
        alone=alone,
        returns_to=goes_back_to(desk, consent.consent_id),
        binding=binding_of(desk, consent.consent_id),
        less=LESS if question.kind == "new" and question.connection.status in BEFORE else (),
        suspended=_is_suspended(desk, question),
    )


@router.post("/review")
def choose(sent: CustomersForm) -> Response:
    """The accounts are chosen, the separate consents are ticked: keep what she is about to agree to."""
    desk = sent.desk
    _willing(desk)
    question = _question(desk, sent.text("consent"))
    if _is_suspended(desk, question):
        return _ask(desk, question, status=409)
    mine = {account.reference: account for account in _offered(desk, question)}
    asked = set(sent.texts("account"))
    chosen = tuple(account for reference, account in mine.items() if reference in asked)  # in her bank's order
    separate, ticked = _separate(desk, question), set(sent.texts("separate"))
    given = tuple(one.kind for one in separate if one.kind in ticked)
    consent_id = question.connection.consent.consent_id
    references = tuple(account.reference for account in chosen)
    desk.change(answers=ChosenAnswers(consent_id, references, given, bool(sent.text("alone")), desk.now))
    if not chosen:
        return _ask(desk, question, MissingAnswer(desk.words.t("approve.choose.problem"), "account"), 422)
    missing = tuple(one.kind for one in separate if one.kind not in ticked)
    if missing:
        return _ask(desk, question, MissingAnswer(desk.words.t("separate.problem"), "separate", missing), 422)
    alone = bool(sent.text("alone")) and question.kind == "new" and question.terms.authorisers_required == 1
    draft = Draft(
        consent_id,
        question.version,
        question.terms_hash,
        tuple(sorted(references)),
        desk.words.language,
        _text(desk, question, chosen, alone=alone),
        b64u(os.urandom(32)),
        desk.now,
        joint_accounts=() if alone else tuple(sorted(account.reference for account in chosen if account.joint)),
        separate=tuple(SeparateDraft(one.kind, one.text(desk.words), desk.now // 1000) for one in separate),
        suppress_notify=alone,
    )
    desk.change(draft=draft)
    return desk.redirect("/my/approve/review")


def _text(desk: Desk, question: AwaitedAnswer, chosen: tuple[Account, ...], *, alone: bool) -> str:
    return agreement(
        desk.words,
        question.terms,
        recipient=question.connection.recipient,
        holder=desk.dealings.name_of(question.terms.holder),
        accounts=[account.label for account in chosen],
        alone=alone,
    )


def _draft(desk: Desk) -> tuple[Draft, AwaitedAnswer, SignedTerms]:
    """The draft, if it still fits what is asked. Raises TooLate, NotFound, IllegalTransition."""
    draft = desk.session.draft if desk.session else None
    if draft is None or desk.now - draft.made_at > DRAFT_MS:
        raise TooLate("there is nothing to agree to: please open the request again")
    question = _question(desk, draft.consent_id)
    if (question.version, question.terms_hash) != (draft.version, draft.terms_hash):
        raise IllegalTransition("the request was changed while you were reading: please open it again")
    text_hash = b64u(sha256(draft.text.encode()).digest())
    signed = signed_terms(draft.consent_id, draft.terms_hash, draft.accounts, draft.locale, text_hash)
    return draft, question, signed


def _too_late(desk: Desk) -> Response:
    """She looked at it for longer than a draft lasts: nothing was agreed, and what she chose is still there."""
    draft = desk.session.draft if desk.session else None
    if draft is not None and desk.session is not None and desk.session.answers is not None:
        desk.change(draft=None, answers=structs.replace(desk.session.answers, at=desk.now))
    return desk.render("toolate.html", 410, consent_id=draft.consent_id if draft else "")


@router.get("/review")
def review(desk: Customer) -> Response:
    """Exactly what she is about to agree to, and the two buttons."""
    _willing(desk)
    try:
        draft, question, signed = _draft(desk)
    except TooLate:
        return _too_late(desk)
    known = desk.office.store.passkeys_of(desk.person)
    options = desk.office.ceremonies.sign_in_options(consent_challenge(signed, draft.nonce), known)
    fresh = desk.session is not None and desk.session.is_fresh(desk.now)
    return desk.render(
        "review.html",
        draft=draft,
        question=question,
        one=question.connection,
        marked=_changed_lines(desk, draft, question),
        options=options,
        has_passkey=bool(known),
        fresh=fresh,
        back=_address(draft.consent_id),
    )


def _changed_lines(desk: Desk, draft: Draft, question: AwaitedAnswer) -> set[str]:
    """Lines of the agreement that are not those of the terms in force; none where it is no change."""
    if question.before is None:
        return set()
    labels = desk.labels(question.connection.consent)
    accounts = [desk.account_label(one, labels) for one in in_order(draft.accounts, labels)]
    before = agreement(
        desk.words,
        question.before,
        recipient=question.connection.recipient,
        holder=desk.dealings.name_of(question.before.holder),
        accounts=accounts,
    )
    return set(draft.text.splitlines()).difference(before.splitlines())


@router.post("/agree")
def agree(sent: CustomersForm) -> Response:
    """She agrees: by passkey, or by a sign-in of the last five minutes."""
    desk = sent.desk
    _willing(desk)
    try:
        draft, question, signed = _draft(desk)
    except TooLate:
        return _too_late(desk)
    if _is_suspended(desk, question):  # since she began; the sequencer has the last word
        return _ask(desk, question, status=409)
    response = sent.text("response", 16_384)
    assertion: str | None = None
    sca = desk.sca
    if response:
        ceremonies = desk.office.ceremonies
        passkey = desk.office.store.passkey(ceremonies.credential_id(response))
        if passkey is None or passkey.person.key != desk.person.key:
            raise PasskeyRefused("this passkey is not one of yours")
        ceremonies.signed_in(response, consent_challenge(signed, draft.nonce), passkey)
        assertion = ceremonies.assertion(response, signed, draft.nonce)
        sca = SignInSca(*PASSKEY_SCA, desk.now // 1000)
    else:
        desk.require_fresh("/my/approve/review")
    wish = Authorisation(
        consent_id=draft.consent_id,
        version=draft.version,
        terms_hash=draft.terms_hash,
        recipient=question.terms.recipient,
        accounts=draft.accounts,
        sca=structs.replace(sca, at=min(sca.at, desk.now // 1000)),
        joint_accounts=draft.joint_accounts,
        acting_role=desk.person.acting_role,
        suppress_notify=draft.suppress_notify,
        separate_consents=tuple(
            SeparateConsent(one.given_at, one.kind, b64u(sha256(one.text.encode()).digest())) for one in draft.separate
        ),
    )
    desk.record(desk.agent.authorise(desk.person, wish), assertion)
    desk.change(draft=None, answers=None)
    desk.office.store.forget_request(desk.person, draft.consent_id)
    withdraw_erasure(desk)
    back = handed_back(desk, draft.consent_id, agreed=True)
    if back is not None:
        return back
    key = desk.dealings.key_of(draft.consent_id)
    return desk.redirect("/my/connections" if key is None else f"/my/connections/{key}?done=agreed")


@router.post("/decline")
def decline(sent: CustomersForm) -> Response:
    """She says no. If she declines a change or a joint account, the consent in force continues."""
    desk = sent.desk
    question = _question(desk, sent.text("consent"))
    less = tuple(one for one in LESS if one in sent.texts("less")) if question.kind == "new" else ()
    if question.kind == "new" and question.connection.status in BEFORE:
        take_step(desk, question.connection, "consent.reject", ":".join((WANTS_LESS, *less)) if less else STOPPED)
    desk.office.store.forget_request(desk.person, question.connection.consent.consent_id)
    back = handed_back(desk, question.connection.consent.consent_id, agreed=False)
    if back is not None:
        return back
    return desk.render("declined.html", one=question.connection, change=question.kind != "new", less=less)
