"""The pages' own store: its owner's alone, sealed, and empty of whoever was erased."""

from __future__ import annotations

import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import Engine, event

from api.web.console.erasures import HERE
from api.web.feedback import Feedback, FeedbackCount, FeedbackReply, new_key
from api.web.inbox import ErasureWish
from api.web.migrating import OldReport, open_store
from api.web.people import KeptWords, Person, Session, SignInSca
from api.web.sealing import Sealer
from api.web.store import Passkey, Store
from api.web.tables import metadata
from ledger.canonical import b64u
from ledger.errors import InvalidInput, NotFound
from tests.web.consoles import OFFICERS, as_site, open_consoles
from tests.web.site import MEI, csrf_of

MEI_LIN = Person("mei", "bank-a", "subject-of-mei-and-wei-0001", "Mei Lin")
WEI_CHEN = Person("wei", "bank-a", "subject-of-mei-and-wei-0001", "Wei Chen")
WORDS = "I was asleep then"
CONFIGURED = {"customers.json"}
"""What a test's operator wrote into the folder: the development identity provider's customers."""


def opened(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'web.sqlite'}", folder / "web.key")


def fill(store: Store, person: Person) -> None:
    session = Session(csrf=f"csrf-of-{person.sub}", created_at=1, seen_at=1, person=person, sca=SignInSca("x", (), 1))
    store.put_session(f"token-of-{person.sub}", session, 2**50)
    store.add_passkey(Passkey(f"credential-of-{person.sub}", person, "key", 0, "Phone", 1, 5))
    store.remember_request(person, f"consent-of-{person.sub}", 1)
    store.set_zone(person, "Asia/Shanghai")
    store.remember_deed(person, 7 if person.sub == "mei" else 8)
    store.feedback.keep(person.key, given(f"N-{person.sub}", person))


def given(number: str, person: Person = MEI_LIN, **members: Any) -> Feedback:
    """Feedback of a person about entry 7."""
    common = {"kind": "unexpected", "about": 7, "consent_id": "consent-7", "recipient": "plum-of-mei"}
    times = {"made_at": 1, "due": 1_000_000}
    who = {"holder": person.holder, "sub": person.sub, "subject": person.subject}
    return Feedback(number=number, words=WORDS, key=new_key(), **(common | times | who | members))


def holding(folder: Path, *said: str) -> list[str]:
    """The files that hold any of these, in the open."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in CONFIGURED]
    return [f"{path.name}: {one}" for path in files for one in said if one.encode() in path.read_bytes()]


def test_nothing_of_a_person_stands_in_the_open_and_everything_comes_back(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, MEI_LIN)
    assert (
        holding(
            tmp_path,
            "Mei",
            MEI_LIN.subject,
            "csrf-of",
            "token-of",
            "credential-of",
            "consent-of",
            WORDS,
            "Asia/Shanghai",
            b64u(MEI_LIN.key),
        )
        == []
    )
    found = store.session("token-of-mei")
    assert found is not None
    assert found.person == MEI_LIN
    assert store.passkey("credential-of-mei").person == MEI_LIN  # type: ignore[union-attr]
    assert store.requests_of(MEI_LIN) == ["consent-of-mei"]
    assert store.zone(MEI_LIN) == "Asia/Shanghai"
    assert [one.words for one in store.feedback.to_holder("bank-a")] == [WORDS]
    assert store.deed(7, MEI_LIN) is True
    store.remember_deed(WEI_CHEN, 7)  # the same statement again changes nothing
    assert store.deed(7, WEI_CHEN) is False
    assert store.deed(8, MEI_LIN) is None
    store.close()


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_its_owner_reads_the_store_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    import os

    (tmp_path / "old").mkdir()
    sqlite3.connect(tmp_path / "old" / "web.sqlite").close()
    (tmp_path / "old" / "web.sqlite").touch()
    (tmp_path / "old" / "web.sqlite").chmod(0o644)
    (tmp_path / "new").mkdir()
    before = os.umask(umask)
    try:
        stores = [opened(tmp_path / name) for name in ("old", "new")]
        for store in stores:
            fill(store, MEI_LIN)
        modes = {
            str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*/web.*")
        }
    finally:
        os.umask(before)
    assert len(modes) >= 8, "database, write-ahead log, its index and key, twice"
    assert set(modes.values()) == {0o600}, modes
    for store in stores:
        store.close()


def test_opening_the_store_again_leaves_the_locks_of_the_one_that_is_open(tmp_path: Path) -> None:
    """On POSIX, closing any handle of a file drops all locks that the process holds on it."""
    store = opened(tmp_path)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM web_choices")  # the write lock is held now
        opened(tmp_path).close()
        other = sqlite3.connect(tmp_path / "web.sqlite", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    store.close()


def test_an_erased_person_leaves_no_byte_in_the_store_or_readable_in_an_older_copy(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, MEI_LIN)
    fill(store, WEI_CHEN)
    sealer = Sealer((tmp_path / "web.key").read_bytes())
    with store.engine.connect() as connection:
        query = "SELECT wrapped FROM web_people WHERE person = ?"
        wrapped = connection.exec_driver_sql(query, (sealer.person(MEI_LIN.key),)).scalar_one()
    store.drop_person(MEI_LIN.key)
    files = [path for path in tmp_path.iterdir() if path.name != "web.key"]
    assert [path.name for path in files if wrapped in path.read_bytes()] == [], "her key is still there"
    assert [path.name for path in files if sealer.person(MEI_LIN.key) in path.read_bytes()] == []
    assert store.session("token-of-mei") is None
    assert store.passkeys_of(MEI_LIN) == []
    assert store.requests_of(MEI_LIN) == []
    assert store.zone(MEI_LIN) is None
    assert [one.number for one in store.feedback.to_holder("bank-a")] == ["N-wei"]
    assert store.deed(7, WEI_CHEN) is None, "who was erased did nothing that is known by name"
    assert store.deed(8, WEI_CHEN) is True
    assert store.session("token-of-wei") is not None, "the other person of the relationship stays"
    store.close()


def test_words_that_outlived_a_session_go_with_the_person_who_wrote_them(tmp_path: Path) -> None:
    store = opened(tmp_path)
    left = Session(csrf="c", created_at=1, seen_at=1, kept=KeptWords(b64u(MEI_LIN.key), "/my/receipts/7/report", WORDS))
    store.put_session("token", left, 2**50)
    assert store.session("token") == left
    store.drop_person(MEI_LIN.key)
    assert store.session("token") is None
    store.close()


def test_reports_are_kept_as_long_as_the_operator_has_set(tmp_path: Path) -> None:
    store = opened(tmp_path)
    for number, made_at in (("OLD", 10), ("NEW", 20)):
        store.feedback.keep(MEI_LIN.key, given(number, made_at=made_at))
    store.feedback.purge(20)
    assert [one.number for one in store.feedback.to_holder("bank-a")] == ["NEW"]
    store.close()


def test_a_store_is_opened_with_its_own_key_only(tmp_path: Path) -> None:
    opened(tmp_path).close()
    kept = (tmp_path / "web.key").read_bytes()
    (tmp_path / "web.key").unlink()
    with pytest.raises(NotFound, match=r"sealed with a key that is not at .*web\.key"):
        opened(tmp_path)
    (tmp_path / "web.key").write_bytes(bytes(32))
    (tmp_path / "web.key").chmod(0o600)
    with pytest.raises(InvalidInput, match="not the one that the pages' store was sealed with"):
        opened(tmp_path)
    (tmp_path / "web.key").write_bytes(kept)
    (tmp_path / "web.key").chmod(0o644)
    with pytest.raises(InvalidInput, match="open to others"):
        opened(tmp_path)
    (tmp_path / "web.key").chmod(0o600)
    opened(tmp_path).close()


def test_a_row_that_was_moved_to_another_person_does_not_open(tmp_path: Path) -> None:
    store = opened(tmp_path)
    fill(store, MEI_LIN)
    fill(store, WEI_CHEN)
    with store.engine.begin() as connection:
        mine = Sealer((tmp_path / "web.key").read_bytes())
        connection.exec_driver_sql(
            "UPDATE web_open_sessions SET person = ? WHERE person = ?",
            (mine.person(WEI_CHEN.key), mine.person(MEI_LIN.key)),
        )
    assert store.session("token-of-mei") is None
    store.close()


OLD_TABLES = """
CREATE TABLE web_sessions (digest BLOB PRIMARY KEY, person BLOB, ends_at BIGINT, body BLOB);
CREATE TABLE web_passkeys (credential_id VARCHAR(1364) PRIMARY KEY, person BLOB, body BLOB);
CREATE TABLE web_requests (person BLOB, consent_id VARCHAR(128), opened_at BIGINT, PRIMARY KEY (person, consent_id));
CREATE TABLE web_preferences (person BLOB PRIMARY KEY, zone VARCHAR(64), version INTEGER);
CREATE TABLE web_unexpected (id VARCHAR(32) PRIMARY KEY, person BLOB, holder VARCHAR(63), made_at BIGINT, entry BIGINT,
                             body BLOB);
CREATE TABLE web_erasures (id VARCHAR(32) PRIMARY KEY, person BLOB, made_at BIGINT, state VARCHAR(10), body BLOB);
"""
"""What the version before kept."""


def test_upgrading_seals_open_rows_and_loses_nothing_but_sessions(tmp_path: Path) -> None:
    passkey = Passkey("credential-of-mei", MEI_LIN, "key", 3, "Phone", 1, 5)
    wish = ErasureWish(id="E1", holder="bank-a", person=b64u(MEI_LIN.key), chains=("c",), made_at=9)
    encode = msgspec.json.encode
    with sqlite3.connect(tmp_path / "web.sqlite") as old:
        old.executescript("PRAGMA journal_mode=WAL;" + OLD_TABLES)
        session = encode(Session(csrf="csrf-of-mei", created_at=1, seen_at=1, person=MEI_LIN))
        key = MEI_LIN.key
        old.execute("INSERT INTO web_sessions VALUES (?, ?, 1, ?)", (b"d", key, session))
        old.execute("INSERT INTO web_passkeys VALUES (?, ?, ?)", ("credential-of-mei", key, encode(passkey)))
        old.execute("INSERT INTO web_requests VALUES (?, 'consent-of-mei', 1)", (key,))
        old.execute("INSERT INTO web_preferences VALUES (?, 'Asia/Shanghai', 1)", (key,))
        report = encode(OldReport("N1", 7, WORDS, 1))
        old.execute("INSERT INTO web_unexpected VALUES ('N1', ?, 'bank-a', 1, 7, ?)", (key, report))
        old.execute("INSERT INTO web_erasures VALUES ('E1', ?, 9, 'asked', ?)", (key, encode(wish)))
    old.close()
    assert holding(tmp_path, "Mei Lin", WORDS), "the test is about something"
    for _ in range(2):
        store = opened(tmp_path)
        assert store.passkeys_of(MEI_LIN) == [passkey]
        assert store.requests_of(MEI_LIN) == ["consent-of-mei"]
        assert store.zone(MEI_LIN) == "Asia/Shanghai"
        assert [one.words for one in store.feedback.about(MEI_LIN, 7)] == [WORDS]
        assert store.inbox.erasure_of(MEI_LIN) == wish
        assert holding(tmp_path, "Mei Lin", MEI_LIN.subject, WORDS, "csrf-of", "credential-of", "consent-of") == []
        store.close()


def test_after_an_erasure_no_byte_of_the_state_folder_names_the_person(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    with open_consoles(folder, **OFFICERS) as consoles:
        site = as_site(consoles)
        mei_lin = site.people[MEI]
        index = site.read(site.shared()).index
        with consoles.client(None) as mei, consoles.client("olaf") as olaf, consoles.client("oona") as oona:
            consoles.sign_in(mei, MEI)
            token = csrf_of(mei.get("/my/settings"))
            mei.post("/my/settings", data={"csrf": token, "zone": "Asia/Hong_Kong"})
            mei.post(f"/my/receipts/{index}/report", data={"csrf": token, "words": WORDS})
            mei.post("/my/stop-all", data={"csrf": token})
            mei.post("/my/erase", data={"csrf": token})
            number = site.office.store.inbox.erasure_of(mei_lin).id  # type: ignore[union-attr]
            for officer in (olaf, oona):
                officer.post(f"{HERE}/{number}/approve", data={"csrf": csrf_of(officer.get(HERE)), "typed": number})
            assert site.office.store.inbox.erasure_of(mei_lin).state == "done"  # type: ignore[union-attr]
            assert site.office.store.feedback.to_holder(mei_lin.holder) == []
            assert holding(folder, mei_lin.name, mei_lin.subject, token, WORDS, "Asia/Hong_Kong") == []


def test_both_engines_keep_seal_and_forget_alike(engine_url: str, tmp_path: Path) -> None:
    store = open_store(engine_url, tmp_path / "web.key")
    fill(store, MEI_LIN)
    fill(store, WEI_CHEN)
    wish = ErasureWish(id="E1", holder="bank-a", person=b64u(MEI_LIN.key), chains=("c",), made_at=9)
    store.inbox.ask_erasure(MEI_LIN, wish)
    with store.engine.connect() as connection:
        for table in metadata.sorted_tables:
            kept = b" ".join(
                bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
                for row in connection.execute(table.select())
                for cell in row
            )
            for said in (
                "Mei",
                MEI_LIN.subject,
                "csrf-of",
                "token-of",
                "credential-of",
                "consent-of",
                WORDS,
                "Shanghai",
            ):
                assert said.encode() not in kept, (table.name, said)
    store.drop_person(MEI_LIN.key)
    assert store.session("token-of-mei") is None
    assert store.passkey("credential-of-mei") is None
    assert store.requests_of(MEI_LIN) == []
    assert store.zone(MEI_LIN) is None
    assert store.deed(7, WEI_CHEN) is None
    assert store.inbox.erasure_of(MEI_LIN) == wish, "she must learn what became of it"
    assert store.session("token-of-wei") is not None
    assert store.inbox.answer_erasure(wish, state="done")
    assert not store.inbox.answer_erasure(wish, state="declined"), "somebody was faster"
    store.close()


def test_two_fronts_open_a_new_store_at_the_same_moment(tmp_path: Path) -> None:
    """The second one comes when the first has looked and not yet made anything; it died of it, and was started anew."""
    second: list[Store] = []
    waiting = ["the second front"]

    def come_second(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if waiting and statement.lstrip().startswith("CREATE TABLE"):
            waiting.clear()
            second.append(opened(tmp_path))

    event.listen(Engine, "before_cursor_execute", come_second)
    try:
        first = opened(tmp_path)
    finally:
        event.remove(Engine, "before_cursor_execute", come_second)
    fill(first, MEI_LIN)
    [other] = second
    assert other.feedback.about(MEI_LIN, 7), "both speak of one store"
    first.close()
    other.close()


@pytest.mark.postgres
def test_eight_fronts_open_a_new_store_on_one_server(postgres_url: str, tmp_path: Path) -> None:
    begin = threading.Barrier(8)

    def come(_number: int) -> Store:
        begin.wait()
        return open_store(postgres_url, tmp_path / "web.key")

    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(come, range(8)))
    fill(stores[0], MEI_LIN)
    assert all(store.feedback.about(MEI_LIN, 7) for store in stores)
    for store in stores:
        store.close()


REPORTS_SEALED = """
CREATE TABLE web_reports (id VARCHAR(32) PRIMARY KEY, person BLOB, holder VARCHAR(63), made_at BIGINT, entry BIGINT,
 sealed BLOB);
"""
"""What the version before the feedback kept, sealed under the person's own key."""


def test_reports_that_were_sealed_already_become_feedback_without_a_time_to_answer(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.set_zone(MEI_LIN, "UTC")
    sealer = Sealer((tmp_path / "web.key").read_bytes())
    mine = sealer.person(MEI_LIN.key)
    with sqlite3.connect(tmp_path / "web.sqlite") as old:
        old.executescript(REPORTS_SEALED)
        [wrapped] = old.execute("SELECT wrapped FROM web_people WHERE person = ?", (mine,)).fetchone()
        report = msgspec.json.encode(OldReport("N1", 7, WORDS, 5))
        sealed = sealer.unwrap(wrapped, mine).seal(report, b"consent-ledger/web/reports/" + b"N1".hex().encode())
        old.execute("INSERT INTO web_reports VALUES ('N1', ?, 'bank-a', 5, 7, ?)", (mine, sealed))
        gone = ("N2", sealer.person(WEI_CHEN.key), "bank-a", 5, 7, sealed)
        old.execute("INSERT INTO web_reports VALUES (?, ?, ?, ?, ?, ?)", gone)  # of a person who was erased
    store.close()
    store = opened(tmp_path)
    [kept] = store.feedback.to_holder("bank-a")
    assert (kept.number, kept.words, kept.about, kept.due, kept.is_late(2**50)) == ("N1", WORDS, 7, 0, False)
    assert store.feedback.about(MEI_LIN, 7) == [kept]


def test_two_who_change_one_feedback_lose_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.feedback.keep(MEI_LIN.key, given("N1"))

    def add(number: int) -> None:
        reply = FeedbackReply(state="received", by="holder", at=number)
        store.feedback.amend("N1", lambda one: structs.replace(one, replies=(*one.replies, reply)))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(8)))
    assert sorted(one.at for one in store.feedback.one("N1").replies) == list(range(8))


def test_counts_know_what_was_late_and_no_app_stands_in_the_open(tmp_path: Path) -> None:
    store = opened(tmp_path)
    reply = FeedbackReply(state="forwarded", by="holder", at=2)
    done = FeedbackReply(state="answered", by="recipient", at=2_000)
    store.feedback.keep(MEI_LIN.key, given("A", due=1_000, replies=(reply,)))
    store.feedback.keep(MEI_LIN.key, given("B", due=3_000, replies=(reply, done)))
    store.feedback.keep(WEI_CHEN.key, given("C", WEI_CHEN, due=1_000, replies=(done,)))
    assert store.feedback.counts(0, 2_500) == [FeedbackCount("bank-a", made=3, open=1, late=2, answered=2)]
    assert store.feedback.counts(0, 500) == [FeedbackCount("bank-a", made=3, open=1, late=1, answered=2)]
    assert [one.number for one in store.feedback.to_recipient("plum-of-mei")] == ["A", "B"]
    assert holding(tmp_path, "plum-of-mei", "consent-7") == []
