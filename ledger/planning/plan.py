"""Planning a batch: from a head and commands to the entries that follow (docs/spec/log.md, Order of a commit).

Pure: no clock, no randomness, no storage; what it needs comes in, and the plan can be thrown away. Decisions are taken
here, in log order, so that a revocation with a lower index always counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, assert_never

from msgspec import UNSET, structs

from ledger.canonical import b64u, unb64u
from ledger.consent.actors import unknown_consent
from ledger.consent.state import Consent
from ledger.consent.transitions import apply, expire
from ledger.documents import parse_document
from ledger.entries.acts import (
    AccessBatch,
    AccessLeg,
    AccessRequest,
    AlertDecide,
    ConsentAcknowledge,
    ConsentAct,
    ConsentAuthorise,
    ConsentSupersede,
    Declaration,
    HistorySheet,
    SubjectAnswer,
    SubjectConsent,
    SubjectEnrol,
    SubjectFeedback,
    SubjectUnenrol,
)
from ledger.entries.asserted import Asserted
from ledger.entries.assertion import Assertion, Credential, check_ceremony, check_credential, cose_verifier
from ledger.entries.evidence import AccessOutcome, ConsentOutcome, Evidence, batch_evidence, batch_tail, encode_outcome
from ledger.entries.leaf import (
    Kind,
    consent_chain,
    declaration_chain,
    history_chain,
    subject_chain,
)
from ledger.entries.payload import acting_for
from ledger.entries.statement import Statement
from ledger.errors import (
    BadSignature,
    BadStatement,
    Conflict,
    IllegalTransition,
    InvalidInput,
    JtiReused,
    LedgerError,
    NotFound,
)
from ledger.orders import AlertRaised
from ledger.planning.chains import chains_of
from ledger.planning.commands import (
    AskedItem,
    Command,
    ExpireConsent,
    RecordComposed,
    RecordDocuments,
    RecordIndexHead,
    SubmitStatement,
)
from ledger.planning.declared import check_acknowledgement, check_alert, check_answer, check_feedback
from ledger.planning.doors import check_authorisation, check_document
from ledger.planning.legs import check_leg
from ledger.planning.signers import check_owner, check_signer
from ledger.planning.world import Allowed, Entry, Plan, SeenStatement, World
from ledger.planning.writer import Writer
from ledger.policy.decision import after_access, decide


def plan_batch(
    world: World, commands: Sequence[Command], openings: Iterator[bytes], map_root: bytes | None = None
) -> Plan:
    """Plan all commands in their order. `world` is advanced; a refused command leaves no trace in it.

    `openings` yields fresh 32-byte random values. `map_root` is needed for RecordIndexHead.
    """
    planner = _Planner(world, openings, map_root)
    for command in commands:
        planner.run(command)
    return planner.plan


class _Planner:
    def __init__(self, world: World, openings: Iterator[bytes], map_root: bytes | None) -> None:
        self.world = world
        self.map_root = map_root
        self.writer = Writer(world, openings)
        self.plan = self.writer.plan

    def run(self, command: Command) -> None:
        start, repeated = len(self.plan.entries), False
        result: tuple[int, ...] | LedgerError | None
        try:
            result = self._repeat(command) if isinstance(command, SubmitStatement) else None
            repeated = result is not None
            if result is None:
                self._record(command)
                result = tuple(entry.index for entry in self.plan.entries[start:])
                if isinstance(command, SubmitStatement):
                    self.world.seen[command.identity] = SeenStatement(command.statement.payload_hash, result)
        except LedgerError as error:
            result = error
        self.plan.repeated.append(repeated)
        self.plan.results.append(result)

    def _repeat(self, command: SubmitStatement) -> tuple[int, ...] | None:
        """The entries of what was submitted, if it was recorded before; None for a new statement.

        The companion's entry is named only to a submitter who sends the companion again: a recipient may have a copy of
        the authorisation, and must not get through it to the customer's own chain (docs/spec/statements.md, Repeats).
        """
        statement = command.statement
        seen = self.world.seen.get(command.identity)
        if seen is None:
            return None
        check_owner(
            statement, self.world.registry
        )  # before all else: a stranger must not learn what others have signed
        if seen.payload_hash != statement.payload_hash:
            raise JtiReused("this jti was used by this issuer for another statement; a new statement needs a new jti")
        if command.companion is None:
            return seen.indexes
        link = self.world.seen.get((command.companion.payload.iss, command.companion.jti))
        beside = seen.indexes[0] + 1  # the companion stands right after its authorisation
        if link is None or link.payload_hash != command.companion.payload_hash or link.indexes != (beside,):
            raise JtiReused("this authorisation was recorded with another subject.consent beside it")
        return seen.indexes[0], beside

    def _record(self, command: Command) -> None:
        self._refuse_erased(command)
        match command:
            case SubmitStatement():
                self._statement(command)
            case RecordDocuments():
                self._documents(command.documents)
            case ExpireConsent():
                consent = self.world.consents.get(command.consent_id)
                if consent is None:
                    raise unknown_consent()
                after = expire(consent, self.world.registry, index=self.world.size, time=self.world.time)
                self._consent_event("consent.expire", after, None)
            case RecordComposed():
                raise IllegalTransition("documents that speak of their own index are composed before they are planned")
            case RecordIndexHead():
                if self.map_root is None or self.plan.entries:
                    raise IllegalTransition("an index-head is recorded alone in its batch, over all leaves before it")
                self.writer.append_index_head(self.map_root)
            case _:
                assert_never(command)

    def _refuse_erased(self, command: Command) -> None:
        """Nothing is added to an erased chain: the key that would encrypt it is gone (docs/spec/leaves.md)."""
        erased = self.world.registry.erased
        if erased and any(b64u(chain) in erased for chain in chains_of(command)):
            raise NotFound("the records of this consent or customer were erased: nothing more is recorded about them")

    def _statement(self, command: SubmitStatement) -> None:
        statement = command.statement
        payload = statement.payload
        check_signer(statement, self.world.registry, self.world.time)
        match payload:
            case AccessRequest():
                self._access(payload, statement)
            case ConsentAuthorise():
                self._authorise(payload, command)
            case AccessBatch():
                self._batch(command)
            case AccessLeg():
                self._leg(payload, statement)
            case SubjectConsent():
                raise BadStatement("subject.consent is recorded together with the consent.authorise it belongs to")
            case SubjectEnrol() | SubjectUnenrol():
                self._enrolment(payload, statement)
            case SubjectFeedback() | SubjectAnswer():
                self._feedback(payload, statement)
            case HistorySheet():
                self._sheet(payload, statement)
            case ConsentAcknowledge():
                self._acknowledge(payload, statement)
            case _ if isinstance(payload, Declaration):
                self._declaration(payload, statement)
            case _:
                self._consent_event(payload.act, self._applied(payload), statement)

    def _applied(self, payload: ConsentAct) -> Consent:
        """The consent after an act, if the rules allow it."""
        known = self.world.consents
        successor = known.get(payload.superseded_by) if isinstance(payload, ConsentSupersede) else None
        return apply(
            known.get(payload.consent_id),
            payload,
            self.world.registry,
            index=self.world.size,
            time=self.world.time,
            successor=successor,
        )

    def _enrolment(self, payload: SubjectEnrol | SubjectUnenrol, statement: Statement) -> None:
        chain = subject_chain(acting_for(payload.iss, payload.on_behalf_of), payload.subject)
        known = self.world.credentials.get(payload.credential_id)
        if isinstance(payload, SubjectEnrol):
            if known is not None:
                raise Conflict(
                    "this passkey was enrolled before; a credential is enrolled once", member="credential_id"
                )
            cose = unb64u(payload.public_key)
            cose_verifier(cose)
            credential = Credential(
                credential_id=payload.credential_id,
                subject_chain=chain,
                public_key=cose,
                rp_id=payload.rp_id,
                enrolled_at=self.world.size,
            )
        elif known is None or known.subject_chain != chain or known.unenrolled_at is not None:
            raise NotFound("this customer has no such passkey", member="credential_id")
        else:
            credential = structs.replace(known, unenrolled_at=self.world.size)
        self.writer.append(Kind.SUBJECT, chain, Evidence(act=payload.act, statements=(statement.text,)), statement)
        self.world.credentials[payload.credential_id] = self.plan.credentials[payload.credential_id] = credential

    def _feedback(self, payload: SubjectFeedback | SubjectAnswer, statement: Statement) -> None:
        chain = subject_chain(acting_for(payload.iss, payload.on_behalf_of), payload.subject)
        if isinstance(payload, SubjectFeedback):
            check_feedback(payload, chain, self.world)
        else:
            check_answer(payload, chain, self.world)
        self.writer.append(Kind.SUBJECT, chain, Evidence(act=payload.act, statements=(statement.text,)), statement)
        closed = isinstance(payload, SubjectAnswer) and payload.state == "closed"
        self.world.feedback.setdefault(chain, {})[payload.number] = closed

    def _sheet(self, payload: HistorySheet, statement: Statement) -> None:
        holder, subject = acting_for(payload.iss, payload.on_behalf_of), payload.sheet.subject
        began = self.world.began.get(subject_chain(holder, subject))
        self.world.registry.histories.require_sheet(payload, began)
        evidence = Evidence(act=payload.act, statements=(statement.text,))
        self.writer.append(Kind.SUBJECT, history_chain(holder, subject), evidence, statement)

    def _acknowledge(self, payload: ConsentAcknowledge, statement: Statement) -> None:
        consent = check_acknowledgement(payload, self.world.consents.get(payload.consent_id), self.world)
        outcome = ConsentOutcome(
            consent_version=consent.version, ruleset=self.world.registry.ruleset, status=consent.status.value
        )
        evidence = Evidence(act=payload.act, outcome=outcome, statements=(statement.text,))
        chain = consent_chain(payload.consent_id)
        self.writer.append(Kind.CONSENT, chain, evidence, statement, consent_id=payload.consent_id)

    def _declaration(self, payload: Declaration, statement: Statement) -> None:
        """In force from the next index on: also for what comes later in this batch."""
        world = self.world
        principal = acting_for(payload.iss, payload.on_behalf_of)
        if isinstance(payload, AlertDecide):
            check_alert(payload, world)
        registry = world.registry.after_declaration(principal, payload, world.size, world.time)
        evidence = Evidence(act=payload.act, statements=(statement.text,))
        self.writer.append(Kind.PARTICIPANT, declaration_chain(principal), evidence, statement)
        world.registry = registry

    def _check_assertion(self, assertion: Assertion, statement: ConsentAuthorise, chain: bytes) -> str:
        """The customer's own signature (docs/spec/passkeys.md); its challenge. Raises BadSignature."""
        check_ceremony(assertion, statement)
        check_credential(assertion, self.world.credentials.get(assertion.credential_id), chain)
        challenge = b64u(assertion.challenge())
        if challenge in self.world.challenges:
            raise BadSignature("the customer's assertion is refused: its challenge was used before", member="assertion")
        return challenge

    def _authorise(self, payload: ConsentAuthorise, command: SubmitStatement) -> None:
        statement, companion, assertion = command.statement, command.companion, command.assertion
        if companion is None or not isinstance(companion.payload, SubjectConsent):
            raise BadStatement("consent.authorise must be accompanied by a subject.consent statement")
        check_signer(companion, self.world.registry, self.world.time)
        link = companion.payload
        if (link.iss, link.on_behalf_of, link.consent_id) != (payload.iss, payload.on_behalf_of, payload.consent_id):
            raise BadStatement("the subject.consent must be of the same holder and for the same consent")
        if (link.iss, companion.jti) in self.world.seen or link.jti == payload.jti:
            raise JtiReused("the jti of the subject.consent was used by this issuer before")
        after = self._applied(payload)
        check_authorisation(self.world.consents.get(payload.consent_id), self.world.registry)
        chain = subject_chain(acting_for(link.iss, link.on_behalf_of), link.subject)
        if after.subject_chain not in (b"", chain):
            raise IllegalTransition("the consent belongs to another subject's chain", member="subject")
        if assertion is not None:
            challenge = self._check_assertion(assertion, payload, chain)
            self.world.challenges.add(challenge)
            self.plan.challenges[challenge] = self.world.size
        self._consent_event(payload.act, structs.replace(after, subject_chain=chain), statement, assertion)
        evidence = Evidence(act=link.act, statements=(companion.text,))
        entry = self.writer.append(Kind.SUBJECT, chain, evidence, companion, consent_id=payload.consent_id)
        self.world.seen[link.iss, companion.jti] = SeenStatement(companion.payload_hash, (entry.index,))

    def _consent_event(
        self, act: str, after: Consent, statement: Statement | None, assertion: Assertion | None = None
    ) -> None:
        outcome = ConsentOutcome(
            consent_version=after.version, ruleset=self.world.registry.ruleset, status=after.status.value
        )
        evidence = Evidence(
            act=act,
            assertion=UNSET if assertion is None else assertion,
            outcome=outcome,
            statements=(statement.text,) if statement else (),
        )
        chain = consent_chain(after.consent_id)
        entry = self.writer.append(Kind.CONSENT, chain, evidence, statement, consent_id=after.consent_id)
        if entry.index in self.world.awaited:
            self.world.moved.add((chain, entry.index))
        self.writer.change(after)

    def _access(self, item: AccessRequest, statement: Statement) -> None:
        consent = self.world.consents.get(item.consent_id)
        outcome = self._decide(consent, item, statement, () if item.asserted is UNSET else item.asserted)
        evidence = Evidence(act="access.request", outcome=outcome, statements=(statement.text,))
        chain = consent_chain(item.consent_id)
        entry = self.writer.append(Kind.CONSENT, chain, evidence, statement, consent_id=item.consent_id)
        self._after_access(entry, consent, item, outcome)

    def _batch(self, command: SubmitStatement) -> None:
        """Each item is an access of its own; what their evidence has in common is encoded once."""
        if self.world.registry.ruleset < 3 and any(item.says.region is not UNSET for item in command.items):
            raise BadStatement(
                "region exists from ruleset 3 onwards, which this log has not activated", member="region"
            )
        statement, consents, append = command.statement, self.world.consents, self.writer.append_encoded
        tail = batch_tail(statement.text)
        for position, item in enumerate(command.items):
            says = item.says
            consent = consents.get(says.consent_id)
            outcome = self._decide(consent, says, statement)
            said = encode_outcome(outcome)
            body, chain = batch_evidence(item.place, said, tail), consent_chain(says.consent_id)
            entry = append(Kind.CONSENT, chain, "access.request", outcome, body, statement, says.consent_id, position)
            self._after_access(entry, consent, says, outcome)

    def _decide(
        self, consent: Consent | None, item: AskedItem, statement: Statement, asserted: tuple[Asserted, ...] = ()
    ) -> AccessOutcome:
        says, world = statement.payload, self.world
        return decide(
            world.registry,
            consent,
            item,
            signer=acting_for(says.iss, says.on_behalf_of),
            relayed=isinstance(says, AccessRequest | AccessBatch) and says.relayed is not UNSET,
            time=world.time,
            agent=None if says.on_behalf_of is UNSET else says.iss,
            asserted=asserted,
        )

    def _after_access(self, entry: Entry, consent: Consent | None, item: AskedItem, outcome: AccessOutcome) -> None:
        world = self.world
        if entry.index in world.awaited and outcome.decision == "allow" and entry.chain is not None:
            world.allowed[entry.index] = Allowed(entry.chain, item.interaction_id)
        if consent is not None:
            after = after_access(consent, item, outcome, world.time)
            if after is not consent:
                self.writer.change(after)

    def _leg(self, payload: AccessLeg, statement: Statement) -> None:
        consent = self.world.consents.get(payload.consent_id)
        if consent is None:
            raise unknown_consent()
        check_leg(payload, consent, self.world)
        evidence = Evidence(act=payload.act, statements=(statement.text,))
        chain = consent_chain(payload.consent_id)
        entry = self.writer.append(Kind.CONSENT, chain, evidence, statement, consent_id=payload.consent_id)
        self.world.legs.add((payload.basis, payload.act))
        self.plan.legs[payload.basis, payload.act] = entry.index

    def _documents(self, documents: Sequence[Mapping[str, Any]]) -> None:
        parsed = [(parse_document(document), document) for document in documents]
        if not parsed:
            raise InvalidInput("there is no document to record")
        world, registry = self.world, self.world.registry
        for offset, (document, _) in enumerate(parsed):  # all are acceptable before the first is recorded
            check_document(document, registry)
            registry = registry.after(document, world.size + offset, world.time)
        before = world.size, world.last_hash, dict(world.chains), len(self.plan.entries)
        try:
            for document, raw in parsed:
                self.writer.append_operator(document, raw)
        except LedgerError:  # one makes too large a leaf: none is recorded
            world.size, world.last_hash, world.chains, count = before
            del self.plan.entries[count:]
            raise
        world.alerts.update(
            index
            for index, (document, _) in enumerate(parsed, before[0])
            if index in world.awaited and isinstance(document, AlertRaised)
        )
        world.registry = registry
