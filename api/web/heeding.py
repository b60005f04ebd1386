"""What is done with feedback: it is kept, then recorded in the customer's chain by her bank; so is every answer.

Words are kept before the log is asked, so that nothing that was acknowledged is lost; what the log refuses is forgotten again.
A log under an older ruleset takes no answers, and nobody is refused for that: the answer is kept here only, and pages say so.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from api.web.actors import consent_of
from api.web.agent import FeedbackWish, ReplyWish
from api.web.desk import Desk
from api.web.feedback import UNRECORDED, By, Feedback, FeedbackReply, Kind, State, new_key, new_number, text_hash
from api.web.happened import Event, read_event
from api.web.office import BankPages
from api.web.waiting import Unconfirmed, record_soon
from ledger.entries.acts import SubjectAnswer, SubjectFeedback
from ledger.errors import IllegalTransition, LedgerError, NotFound, NotPermitted
from ledger.planning.commands import Recorded

A_DAY: Final = 20
DAY_MS: Final = 86_400_000
SINCE: Final = 3
"""The ruleset from which the log knows feedback."""
PIECE: Final = 500
CHANGED: Final = "somebody else has answered in the meantime: load the page again"


def give(desk: Desk, event: Event, kind: Kind, words: str) -> Feedback:
    """Keep a customer's feedback about an entry of hers, and record it.

    Raises NotFound for an entry that belongs to no consent of hers, NotPermitted beyond a bound, what the bank and the log
    say, Unconfirmed when nobody knows yet whether it is recorded: then it is kept here.
    """
    office, person, book = desk.office, desk.person, desk.office.store.feedback
    consent = desk.dealings.consent_of(event)
    if consent is None:
        raise NotFound("this entry belongs to no connection that can be answered about")
    if book.count_since(person, desk.now - DAY_MS) >= A_DAY:
        raise NotPermitted("you have sent many reports today; your bank has them, please call it if it is urgent")
    given = Feedback(
        number=new_number(),
        kind=kind,
        about=event.index,
        consent_id=consent_of(event),
        holder=person.holder,
        recipient=consent.terms.recipient,
        sub=person.sub,
        subject=person.subject,
        words=words,
        key=new_key(),
        made_at=desk.now,
        due=(desk.now // 1000) * 1000 + office.settings.answer_days * DAY_MS,
    )
    book.keep(person.key, given)
    if not is_recorded_here(office):
        return given

    def note(recorded: tuple[Recorded, ...]) -> None:
        at = recorded[0]
        book.amend(given.number, lambda one: structs.replace(one, entry=at.index, made_at=at.time))

    try:
        wish = FeedbackWish(
            about=given.about,
            consent_id=given.consent_id,
            due=given.due // 1000,
            kind=kind,
            number=given.number,
            text_hash=text_hash(given.key, words) if words else "",
        )
        desk.record(desk.agent.feedback(person, wish), note=note)
    except Unconfirmed:
        raise
    except LedgerError:
        book.drop(given.number)
        raise
    return book.one(given.number)


def answer(office: BankPages, known: Feedback, by: By, state: State, words: str) -> Feedback:
    """Keep an answer and record it: signed by the bank, whoever gives it.

    Raises IllegalTransition when it is closed, or somebody answered meanwhile; what the bank and the log say.
    """
    reply = FeedbackReply(state=state, by=by, at=office.clock.now(), words=words, key=new_key() if words else "")
    book, place = office.store.feedback, len(known.replies)

    def add(one: Feedback) -> Feedback:
        if not one.is_open or one.version != known.version:
            raise IllegalTransition(CHANGED)
        return structs.replace(one, replies=(*one.replies, reply))

    kept = book.amend(known.number, add)
    if not is_recorded_here(office) or known.entry == UNRECORDED:
        return kept

    def note(recorded: tuple[Recorded, ...]) -> None:
        settled = structs.replace(reply, entry=recorded[0].index, at=recorded[0].time)
        book.amend(known.number, lambda one: _with(one, place, settled))

    try:
        wish = ReplyWish(
            by=by, number=known.number, state=state, text_hash=text_hash(reply.key, words) if words else ""
        )
        signed = office.agent_of(known.person).answer(known.person, wish)
        record_soon(office.ledger, office.ledger.prepare(signed.statement), note)
    except Unconfirmed:
        raise
    except LedgerError:
        book.amend(known.number, lambda one: _without(one, place))
        raise
    return book.one(known.number)


def _with(one: Feedback, place: int, reply: FeedbackReply) -> Feedback:
    return structs.replace(one, replies=(*one.replies[:place], reply, *one.replies[place + 1 :]))


def _without(one: Feedback, place: int) -> Feedback:
    return structs.replace(one, replies=(*one.replies[:place], *one.replies[place + 1 :]))


def is_recorded_here(office: BankPages) -> bool:
    """Whether the ruleset in force knows feedback."""
    return office.ledger.registry.ruleset >= SINCE


def settled(office: BankPages, known: Feedback) -> Feedback:
    """The same with what the log holds of it: a crash between recording and noting leaves a note to be made here."""
    if not is_recorded_here(office) or (known.entry != UNRECORDED and all(one.entry >= 0 for one in known.replies)):
        return known
    said: Recorded | None = None
    answers: list[tuple[SubjectAnswer, Recorded]] = []
    records, chain = office.ledger.records, known.person.chain
    for low in range(0, records.chain_length(chain), PIECE):
        for recorded in records.history_of_chain(chain, after=low - 1, limit=PIECE):
            says = read_event(recorded).says
            if isinstance(says, SubjectFeedback) and says.number == known.number:
                said = recorded
            elif isinstance(says, SubjectAnswer) and says.number == known.number:
                answers.append((says, recorded))
    if said is None:
        return known
    found = said

    def repair(one: Feedback) -> Feedback:
        replies = tuple(_settled(reply, answers) for reply in one.replies)
        return structs.replace(one, entry=found.index, made_at=found.time, replies=replies)

    return office.store.feedback.amend(known.number, repair)


def _settled(reply: FeedbackReply, answers: list[tuple[SubjectAnswer, Recorded]]) -> FeedbackReply:
    """A reply with its entry: the one that names the HMAC of its words or, for one without words, its state."""
    if reply.entry != UNRECORDED:
        return reply
    wanted = text_hash(reply.key, reply.words) if reply.words else None
    for says, recorded in answers:
        if says.state == reply.state and says.by == reply.by and (wanted is None or says.text_hash == wanted):
            return structs.replace(reply, entry=recorded.index, at=recorded.time)
    return reply
