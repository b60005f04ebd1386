"""Who is told of what, when, how often, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from api.events.sender import ESCALATE_MS, GIVE_UP_MS, LAST_RETRY_MS, retry_after
from api.events.status import told
from api.events.tokens import EVENT_PREFIX, UK_REVOKED
from api.office.discretion import Discretion
from api.web.customer import Dealings
from api.web.people import Person
from ledger.canonical import b64u
from ledger.entries.leaf import consent_chain
from ledger.merkle.hashing import leaf_hash
from ledger.queries.events import TOLD_ACTS, EventQueries
from ledger.storage.events import DeliveryState
from ledger.vault.cipher import Cipher
from ledger.vault.keystore import KeyStore
from tests.events.kit import Office, Receiver, receiving, verified
from tests.ports import free_port
from tests.world import reference


def test_a_revocation_reaches_the_recipient_and_its_acknowledgement_is_kept(office: Office, receiver: Receiver) -> None:
    world = office.world
    bank, app = world.holder(), world.recipient()
    office.endpoint(app, receiver.url)
    consent = world.active_consent(app, bank)
    [revoked] = world.record(bank.step("revoke", consent))
    chain = consent_chain(consent.consent_id)
    [before] = told(world.ledger, chain, revoked.index)
    assert (before.participant, before.state, before.told_at) == ("tpp-1", DeliveryState.PENDING, None)

    office.clock.advance(seconds=0.2)
    office.tell()

    authorised, heard = receiver.all()
    assert authorised.claims["toe"] <= heard.claims["toe"]
    assert heard.headers["content-type"] == "application/secevent+jwt"
    said = heard.claims["events"][EVENT_PREFIX + "consent-revoke"]
    assert said["index"] == revoked.index
    assert said["leaf_hash"] == heard.claims["txn"] == b64u(leaf_hash(revoked.leaf))
    assert (said["consent_id"], said["signer"], said["by"], said["reason"], said["status"]) == (
        consent.consent_id,
        "bank-a",
        "customer",
        "customer-request",
        "REVOKED",
    )
    [after] = told(world.ledger, chain, revoked.index)
    assert (after.state, after.told_at) == (DeliveryState.ACKNOWLEDGED, office.clock.now())
    assert told(world.ledger, consent_chain("00000000-0000-4000-8000-000000000000"), revoked.index) == []
    office.tell()
    assert receiver.all() == []


IN_PART = {
    "consent.reauthenticate",
    "consent.reconfirm",
    "consent.supersede",
    "consent.withdraw_accounts",
    "consent.withdraw_approval",
    "consent.withdraw_separate",
}


def test_the_other_party_is_told_of_partial_changes_of_a_consent(sqlite_office: Office) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    two = replace(
        world.requested_consent(app, bank, authorisers_required=2), accounts=tuple(sorted([reference(), reference()]))
    )
    people = [reference(), reference()]
    for person in people:
        world.record(bank.authorise(two, authoriser=person))
    successor = replace(world.requested_consent(app, bank), subject=two.subject, customer=two.customer)
    world.record(bank.authorise(successor))
    sca = {"acr": "psd2:sca", "amr": ["otp"], "at": world.clock.now() // 1000}
    steps = [
        ("bank-a", app.step("reconfirm", two)),
        ("tpp-1", bank.change("reauthenticate", two, sca=sca)),
        ("bank-a", app.step("withdraw_separate", two, separate="sensitive")),
        ("tpp-1", bank.step("withdraw_accounts", two, accounts=[two.accounts[0]])),
        ("tpp-1", bank.step("withdraw_approval", two, authoriser=people[0])),
        ("tpp-1", bank.step("supersede", two, superseded_by=successor.consent_id)),
    ]
    expected = {(party, world.record(submission)[0].index) for party, submission in steps}
    sqlite_office.tell()
    noted = {(who.id, one.index, one.kind) for who in (bank, app) for one in sqlite_office.deliveries(who)}
    assert {kind for _, _, kind in noted} == IN_PART | {"consent.authorise"}
    assert {(who, index) for who, index, kind in noted if kind in IN_PART} == expected


def test_the_other_party_is_told_and_never_the_one_who_signed(sqlite_office: Office) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    consent = world.requested_consent(app, bank)
    steps = [
        ("tpp-1", bank.authorise(consent)),
        ("tpp-1", bank.step("pause", consent)),
        ("tpp-1", bank.step("resume", consent)),
        ("tpp-1", bank.step("suspend", consent, by="holder", reason="fraud")),
        ("bank-a", app.amend(consent, frequency_per_day=2)[1]),
        ("bank-a", app.step("terminate", consent, by="recipient", reason="service-ended")),
    ]
    expected = [(party, world.record(submission)[0].index) for party, submission in steps]
    [access] = world.record(app.access(consent))
    declined = world.requested_consent(app, bank)
    expected.append(("tpp-1", world.record(bank.step("reject", declined))[0].index))
    short = world.active_consent(app, bank, expires_at=world.clock.now() // 1000 + 10)
    expected.append(("tpp-1", world.ledger.tree.size() - 2))
    sqlite_office.clock.advance(seconds=11)
    expiry = world.ledger.record_expiry(short.consent_id)
    expected += [("bank-a", expiry.index), ("tpp-1", expiry.index)]

    sqlite_office.tell()

    noted = {(one.participant, one.index, one.kind) for party in (bank, app) for one in sqlite_office.deliveries(party)}
    assert {(participant, index) for participant, index, _ in noted} == set(expected)
    assert {kind for _, _, kind in noted} == TOLD_ACTS - {"consent.revoke"} - IN_PART
    assert access.index not in {index for _, index, _ in noted}


def test_a_dead_endpoint_is_tried_ever_more_rarely_escalated_and_at_last_given_up(office: Office) -> None:
    world = office.world
    bank, app = world.holder(), world.recipient()
    office.endpoint(app, f"http://127.0.0.1:{free_port()}/")
    world.active_consent(app, bank)
    begun = office.clock.now()
    waits = []
    while office.clock.now() - begun < ESCALATE_MS:
        office.tell()
        one = office.last(app)
        assert (one.state, one.last_error, one.attempts) == (DeliveryState.PENDING, "no-connection", len(waits) + 1)
        waits.append(one.next_at - office.clock.now())
        office.tell()  # not due yet
        assert office.last(app).attempts == len(waits)
        office.clock.advance(seconds=waits[-1] / 1000)
    assert waits == [1000 * 2**n for n in range(len(waits))]

    with capture_logs() as lines:
        office.tell()
    assert office.last(app).state is DeliveryState.ESCALATED
    [line] = [line for line in lines if line["log_level"] == "warning"]
    assert (line["client"], line["size"], line["reason"]) == ("tpp-1", 1, "no-connection")
    assert office.events.queries.counts()[DeliveryState.ESCALATED] == 1

    with receiving() as alive:  # an escalated event is still told
        second = world.active_consent(app, bank)
        office.endpoint(app, alive.url)
        office.tell()
        assert [heard.claims["sub"].split("/")[-1] for heard in alive.all()][-1] == second.consent_id
    assert {one.state for one in office.deliveries(app)} == {DeliveryState.ACKNOWLEDGED}

    office.endpoint(app, f"http://127.0.0.1:{free_port()}/")
    world.record(bank.step("revoke", second))
    office.tell()
    office.clock.advance(seconds=GIVE_UP_MS / 1000)
    office.tell()
    assert office.last(app).state is DeliveryState.EXPIRED
    assert office.last(app).attempts == 1


def test_each_try_is_kept_for_a_week_with_what_came_back_and_for_the_one_who_was_told(
    office: Office, receiver: Receiver
) -> None:
    world = office.world
    bank, app = world.holder(), world.recipient()
    office.endpoint(app, receiver.url)
    consent = world.active_consent(app, bank)
    [revoked] = world.record(bank.step("revoke", consent))
    receiver.status = 503
    begun = office.clock.now()
    office.tell()
    receiver.status = 202
    office.clock.advance(seconds=2)
    office.tell()

    found = office.events.queries.attempts_of(app.id, 50)
    first = found[-1].index
    said = [(one.index, one.number, one.status, one.error) for one in found]
    assert said[-1] == (first, 1, 503, "http-503")
    assert sorted(said[:-1]) == [(first, 2, 202, None), (revoked.index, 1, 202, None)]
    assert (found[-1].at, found[0].at) == (begun, begun + 2_000)
    assert {one.kind for one in found} == {"consent.authorise", "consent.revoke"}
    assert office.events.queries.attempts_of(bank.id, 50) == [], "nobody else's"
    pages = [office.events.queries.attempts_of(app.id, 1)]
    while len(pages[-1]) == 1:
        [last] = pages[-1]
        pages.append(office.events.queries.attempts_of(app.id, 1, (last.at, last.event_id)))
    assert [one for page in pages for one in page] == found

    office.clock.advance(seconds=GIVE_UP_MS // 1000 - 1)
    office.tell()
    assert [one.status for one in office.events.queries.attempts_of(app.id, 50)] == [202, 202]
    office.clock.advance(seconds=10)
    office.tell()
    assert office.events.queries.attempts_of(app.id, 50) == []


def test_waits_double_up_to_an_hour_and_chance_takes_at_most_half() -> None:
    assert [retry_after(n, 0.0) for n in (1, 2, 3, 12, 13, 4000)] == [
        1000,
        2000,
        4000,
        2_048_000,
        LAST_RETRY_MS,
        LAST_RETRY_MS,
    ]
    assert retry_after(3, 1.0) == 2000


def test_an_endpoint_that_is_down_is_asked_once_and_not_for_each_event(
    sqlite_office: Office, receiver: Receiver
) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, receiver.url)
    receiver.answers(503)
    for _ in range(5):
        world.active_consent(app, bank)
    sqlite_office.tell()
    assert len(receiver.all()) == 1
    assert {one.last_error for one in sqlite_office.deliveries(app)} == {"http-503", None}
    receiver.answers(202)
    sqlite_office.clock.advance(seconds=1)
    sqlite_office.tell()
    indexes = [next(iter(heard.claims["events"].values()))["index"] for heard in receiver.all()]
    assert len(indexes) == 5
    assert indexes == sorted(indexes)


def test_one_dead_endpoint_keeps_nobody_else_waiting(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app, other = world.holder(), world.recipient(), world.recipient("tpp-2")
    sqlite_office.endpoint(app, "http://127.0.0.1:1/")
    sqlite_office.endpoint(other, receiver.url)
    for _ in range(3):
        world.active_consent(app, bank)
    world.active_consent(other, bank)
    sqlite_office.tell()
    assert [heard.claims["aud"] for heard in receiver.all()] == ["tpp-2"]


def test_a_receivers_objection_is_kept_and_the_other_events_continue(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, receiver.url)
    receiver.answers(400, b'{"err":"invalid_key","description":"<b>who?</b>"}')
    world.active_consent(app, bank)
    world.active_consent(app, bank)
    sqlite_office.tell()
    assert len(receiver.all()) == 2
    assert [one.last_error for one in sqlite_office.deliveries(app)] == ["invalid_key"] * 2
    receiver.answers(400, b'{"err":"Not A Code"}')
    sqlite_office.clock.advance(seconds=1)
    sqlite_office.tell()
    assert {one.last_error for one in sqlite_office.deliveries(app)} == {"http-400"}


def test_two_tokens_of_one_delivery_have_the_same_claims(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, receiver.url)
    receiver.answers(500)
    world.active_consent(app, bank)
    sqlite_office.tell()
    sqlite_office.clock.advance(seconds=3)
    sqlite_office.tell()
    first, second = receiver.all()
    assert first.claims == second.claims
    assert verified(first.body, sqlite_office.events.tokens.key_set) == first.claims


def test_two_banks_and_two_recipients_are_told_of_the_same_entry_that_their_receipts_prove(office: Office) -> None:
    world = office.world
    with receiving() as one, receiving() as two, receiving() as bank_one, receiving() as bank_two:
        parties = [world.recipient("tpp-1"), world.recipient("tpp-2"), world.holder("bank-a"), world.holder("bank-b")]
        receivers = dict(zip([party.id for party in parties], (one, two, bank_one, bank_two), strict=True))
        for party in parties:
            office.endpoint(party, receivers[party.id].url)
        recipients, holders = parties[:2], parties[2:]
        ended = {}
        for number, (app, bank) in enumerate((app, bank) for app in recipients for bank in holders):
            consent = world.active_consent(app, bank)
            signer, other = (bank, app) if number % 2 else (app, bank)
            [entry] = world.record(signer.step("revoke", consent))
            ended[entry.index] = (signer, other)
        office.tell()
        for participant, receiver in receivers.items():
            for heard in receiver.all():
                claims = verified(heard.body, office.events.tokens.key_set)
                assert claims["aud"] == participant
                said = next(said for uri, said in claims["events"].items() if uri.startswith(EVENT_PREFIX))
                if said["act"] != "consent.revoke":
                    continue
                signer, other = ended.pop(said["index"])
                assert other.id == participant
                mine = world.ledger.records.receipt_for(participant, said["index"])
                theirs = world.ledger.records.receipt_for(signer.id, said["index"])
                assert mine == theirs
                assert said["leaf_hash"] == b64u(leaf_hash(mine.leaf))
        assert ended == {}, "every revocation was told to its other party, once"


def test_the_uk_event_stands_beside_ours_for_uk_consents_only(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, receiver.url)
    for standard in ("uk-ob", "cdr"):
        world.record(bank.step("revoke", world.active_consent(app, bank, standard=standard)))
    sqlite_office.tell()
    revoked = [
        one.claims["events"] for one in receiver.all() if EVENT_PREFIX + "consent-revoke" in one.claims["events"]
    ]
    assert [UK_REVOKED in events for events in revoked] == [True, False]


def test_a_consent_that_was_erased_is_told_to_nobody(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    sqlite_office.tell()
    chain = consent_chain(consent.consent_id)
    world.ledger.keystore.destroy([chain])
    sqlite_office.endpoint(app, receiver.url)
    sqlite_office.tell()
    assert receiver.all() == []
    assert (sqlite_office.last(app).state, sqlite_office.last(app).last_error) == (DeliveryState.EXPIRED, "erased")


def test_the_customer_sees_when_the_partner_was_told_and_that_it_was_not_yet(
    sqlite_office: Office, receiver: Receiver
) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    world.record(bank.step("revoke", consent))
    dealings = Dealings(
        world.ledger, Person("sub", bank.id, consent.customer, "Mei Lin"), sqlite_office.clock.now(), Discretion(), str
    )
    [connection] = dealings.connections()[0]
    ended = dealings.receipt(connection.consent.basis)
    assert dealings.told_at(connection, ended) is None
    sqlite_office.endpoint(app, receiver.url)
    sqlite_office.clock.advance(seconds=1)
    sqlite_office.tell()
    assert dealings.told_at(connection, ended) == ended.time + 1000

    other = world.active_consent(app, bank)
    [terminated] = world.record(app.step("terminate", other, by="recipient", reason="service-ended"))
    dealings = Dealings(
        world.ledger, Person("sub", bank.id, other.customer, "Mei Lin"), sqlite_office.clock.now(), Discretion(), str
    )
    [connection] = dealings.connections()[0]
    assert dealings.told_at(connection, dealings.receipt(terminated.index)) == terminated.time


def test_following_opens_no_evidence_of_accesses(sqlite_office: Office) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    consent = world.active_consent(app, bank)
    sqlite_office.tell()
    first, _ = sqlite_office.events.queries.position()
    world.record(app.batch([app.item(consent) for _ in range(50)]))
    opened = _Counting(world.ledger.keystore)
    queries = EventQueries(world.ledger.store, opened)  # type: ignore[arg-type]  # the one method it asks
    assert queries.notices(first, first + 50) == []
    assert opened.chains == 0
    [revoked] = world.record(bank.step("revoke", consent))
    assert [notice.index for notice in queries.notices(revoked.index, revoked.index + 1)] == [revoked.index]
    assert opened.chains == 1


class _Counting:
    """A key store that counts whose keys were asked for."""

    def __init__(self, keystore: KeyStore) -> None:
        self._keystore = keystore
        self.chains = 0

    def existing(self, chains: list[bytes]) -> dict[bytes, Cipher]:
        self.chains += len(chains)
        return self._keystore.existing(chains)
