"""Several senders, one lease: everything is told once, and nothing is lost when one of them dies."""

from __future__ import annotations

from api.events.sender import CLAIM_MS, LEASE_MS
from tests.clocks import HandClock
from tests.events.kit import Office, Receiver, no_such_name


def test_two_senders_tell_everything_once(office: Office, receiver: Receiver) -> None:
    world = office.world
    bank, app = world.holder(), world.recipient()
    office.endpoint(app, receiver.url)
    for _ in range(4):
        world.record(bank.step("revoke", world.active_consent(app, bank)))
    # The second one's clock is far ahead: for it, the first one's lease is over, so that both work at the same time.
    ahead = HandClock(office.clock.now() + 2 * LEASE_MS)
    office.tell(office.sender(), office.sender(clock=ahead), office.sender())
    office.tell()
    heard = [one.claims["jti"] for one in receiver.all()]
    assert len(heard) == len(set(heard)) == 8


def test_only_the_one_with_the_lease_works_until_it_lets_go(sqlite_office: Office) -> None:
    store, now = sqlite_office.events.store, sqlite_office.clock.now()
    assert store.lease("a", now, now + LEASE_MS)
    assert not store.lease("b", now + LEASE_MS - 1, now + 2 * LEASE_MS)
    assert store.lease("a", now + 1, now + LEASE_MS)
    assert store.lease("b", now + LEASE_MS, now + 2 * LEASE_MS)
    store.release("a")  # not its own any more
    assert not store.lease("c", now + LEASE_MS, now + 2 * LEASE_MS)
    store.release("b")
    assert store.lease("c", now, now + LEASE_MS)


def test_an_attempt_whose_process_died_is_made_again_under_the_same_id(office: Office, receiver: Receiver) -> None:
    world = office.world
    bank, app = world.holder(), world.recipient()
    world.active_consent(app, bank)
    office.tell()  # noted; there is no endpoint yet
    one = office.last(app)
    office.endpoint(app, receiver.url)
    assert office.events.store.claim(one.event_id, one.attempts, office.clock.now() + CLAIM_MS)
    assert not office.events.store.claim(one.event_id, one.attempts, office.clock.now() + CLAIM_MS)
    office.tell()
    assert receiver.all() == []
    office.clock.advance(seconds=CLAIM_MS / 1000)
    office.tell()
    [heard] = receiver.all()
    assert heard.claims["jti"] == one.event_id


def test_the_log_is_followed_in_pieces_and_an_unknown_name_fails(sqlite_office: Office) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, "https://tpp.example/")
    world.active_consent(app, bank)
    sqlite_office.tell(sqlite_office.sender(resolver=no_such_name))
    assert sqlite_office.last(app).last_error == "name-unknown"
    first, size = sqlite_office.events.queries.position()
    assert first == size
    assert not sqlite_office.events.store.advance(first - 1, size, [], 0), "the cursor never goes back"


def test_a_running_sender_ends_when_told_to_and_lets_another_begin(sqlite_office: Office, receiver: Receiver) -> None:
    world = sqlite_office.world
    bank, app = world.holder(), world.recipient()
    sqlite_office.endpoint(app, receiver.url)
    for _ in range(2):
        sender = sqlite_office.sender()
        sender.start()
        world.active_consent(app, bank)
        assert receiver.next().claims["aud"] == "tpp-1"
        sender.stop()
