"""A bank brings its past: from a table to the log, what is refused, and that an interruption doubles nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import tracemalloc
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from api.cli.histories import SHOWN, read_rows
from api.cli.main import app
from api.client import Pseudonyms
from api.histories import bringing
from api.histories.reading import open_source
from api.histories.rows import RefusedRow, SourceFile, files_below, hash_of
from api.histories.tables import rows_of_tables
from api.histories.workbook import SheetTree, Workbook
from ledger.canonical import b64u, unb64u
from ledger.entries.leaf import history_chain
from ledger.entries.statement import payload_of
from ledger.errors import InvalidInput
from ledger.storage.asking import log_size
from tests.client.service import Service, active_consent, running_service
from tests.datamaps import own_folder
from tests.histories import BEFORE
from tests.ledger.merkle.reference import ReferenceTree

HEADING = "customer,kind,time,recipient,consent,permissions,result,note\n"
SECRET = bytes(range(32))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    place = tmp_path_factory.mktemp("histories")
    with running_service(f"sqlite:///{place / 'log.sqlite'}", place / "operator") as running:
        yield running


@pytest.fixture
def own(service: Service, tmp_path: Path) -> Path:
    folder = Path(own_folder(service, "bank-a", tmp_path / "bank-a"))
    (folder / "references.key").write_bytes(SECRET)
    (folder / "references.key").chmod(0o600)
    return folder


def size_of(service: Service) -> int:
    with service.node.ledger.store.read() as connection:
        return log_size(connection)


def run(*arguments: str, ends: int = 0) -> Result:
    done = CliRunner().invoke(app, ["history", *arguments])
    assert done.exit_code == ends, done.output
    return done


def said(*arguments: str, ends: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json", ends=ends).stdout.splitlines()[-1])
    return found


def table(path: Path, *lines: str, heading: str = HEADING) -> Path:
    path.write_text(heading + "".join(f"{line}\n" for line in lines), "utf-8")
    return path


def lines(customer: str, count: int, year: int = 2019) -> list[str]:
    return [
        f'{customer},access,{year}-03-01T10:{minute // 60:02}:{minute % 60:02}Z,"Old App, Ltd",old-7,balances|names,allowed,'
        for minute in range(count)
    ]


def attesting(source: Path, own: Path, name: str, *more: str) -> list[str]:
    return ["attest", str(source), "--as", str(own), "--id", name, "--title", "The old register", *more]


def sheets_of(service: Service, customer: str) -> list[dict[str, Any]]:
    chain = history_chain("bank-a", Pseudonyms(SECRET).customer(customer))
    found = service.node.ledger.records.history_of_chain(chain, limit=500)
    statements = [json.loads(one.evidence or b"")["statements"][0] for one in found]
    told = [json.loads(unb64u(statement.split(".")[1])) for statement in statements]
    return sorted(told, key=lambda each: each["sheet"]["position"])


def test_a_table_becomes_sheets_of_each_customer_under_one_signed_root(
    service: Service, own: Path, tmp_path: Path
) -> None:
    source = table(tmp_path / "register.csv", *lines("ann", 200), 'bob,consent,2018-01-05T09:00:00+08:00,"=1+1",c-1,,,')
    told = said(*attesting(source, own, "whole"))
    assert (told["rows"], told["customers"], told["left_out"]) == (201, 2, 0)
    assert told["source"] == {"files": 1, "hash": b64u(hashlib.sha256(source.read_bytes()).digest()), "kind": "csv"}
    [attested] = [each for each in said("show", "--as", str(own))["histories"] if each["history"] == "whole"]
    assert (attested["root"], attested["sheets"]) == (told["root"], told["recorded"])
    ann, bob = sheets_of(service, "ann"), sheets_of(service, "bob")
    rows = [row for one in ann for row in one["sheet"]["rows"]]
    assert [row["place"]["record"] for row in rows] == list(range(1, 201))
    assert [(one["sheet"]["part"], one["sheet"]["parts"]) for one in ann] == [
        (each, len(ann)) for each in range(len(ann))
    ]
    [row] = bob[0]["sheet"]["rows"]
    assert (row["recipient"], row["time"], row["kind"]) == ("=1+1", 1_515_114_000, "consent")
    whole = sorted((one["sheet"] for one in (*ann, *bob)), key=lambda each: each["position"])
    canonical = [json.dumps(each, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode() for each in whole]
    tree = ReferenceTree([hashlib.sha256(b"\0" + each).digest() for each in canonical])
    assert b64u(tree.root(len(whole))) == told["root"]
    assert list(own.rglob("*.workbook*")) == []


def test_the_same_file_is_not_brought_twice(service: Service, own: Path, tmp_path: Path) -> None:
    source = table(tmp_path / "register.csv", *lines("carl", 2))
    run(*attesting(source, own, "once"))
    before = size_of(service)
    assert "already" in run(*attesting(source, own, "twice"), ends=1).output
    assert "choose another" in run(*attesting(table(tmp_path / "b.csv", *lines("carl", 3)), own, "once"), ends=1).output
    assert size_of(service) == before
    run("withdraw", "--as", str(own), "--id", "once", "--reason", "wrong-columns")
    run(*attesting(source, own, "again"))
    assert len(sheets_of(service, "carl")) == 2


def test_an_import_that_was_interrupted_goes_on_and_doubles_nothing(
    service: Service, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = table(tmp_path / "register.csv", *(line for name in range(40) for line in lines(f"d{name}", 1)))
    before, sent = size_of(service), bringing._record
    left = [20]

    async def breaks(*arguments: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError("the line went down")
        await sent(*arguments)

    with monkeypatch.context() as broken:
        broken.setattr(bringing, "_record", breaks)
        run(*attesting(source, own, "broken"), ends=1)
    told = said(*attesting(source, own, "broken"))
    assert 20 <= told["recorded"] < 40  # what was under way is sent again, and taken for what it is
    assert size_of(service) == before + 1 + 40
    assert all(len(sheets_of(service, f"d{name}")) == 1 for name in range(40))


def test_a_dry_run_counts_everything_and_records_nothing(service: Service, own: Path, tmp_path: Path) -> None:
    source = table(tmp_path / "register.csv", *lines("eve", 3), "eve,access,never,Old App,,,,")
    before = size_of(service)
    told = said(*attesting(source, own, "dry", "--dry-run"))
    assert (told["rows"], told["refused_rows"], told["index"]) == (3, 1, None)
    assert size_of(service) == before
    assert list(own.rglob("*.workbook*")) == []


def test_rows_that_cannot_be_attested_stop_all_or_are_left_out_and_counted(
    service: Service, own: Path, tmp_path: Path
) -> None:
    source = table(
        tmp_path / "register.csv",
        *lines("fay", 2),
        "fay,access,2025-13-01T00:00:00Z,Old App,,,,",
        *lines("fay", 1, 2199),
        *lines("gus", 1),
    )
    before = size_of(service)
    stopped = run(*attesting(source, own, "partly"), ends=1)
    assert "register.csv, line 4, column time" in stopped.output
    assert "Old App" not in stopped.output
    assert size_of(service) == before
    told = said(*attesting(source, own, "partly", "--leave-out"))
    assert (told["rows"], told["left_out"]) == (3, 2)


def test_a_table_whose_every_row_is_refused_takes_no_more_memory_than_one_of_few(
    service: Service, own: Path, tmp_path: Path
) -> None:
    source = table(tmp_path / "register.csv", *(f"hal,access,never,Old App {each},,,," for each in range(20_000)))
    book = Workbook.create(tmp_path / "book")
    tracemalloc.start()
    try:
        refused = read_rows(open_source(source, None), book, Pseudonyms(SECRET))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        book.close(remove=True)
    assert (refused.count, len(refused.shown)) == (20_000, SHOWN)
    assert peak < 2**20
    stopped = run(*attesting(source, own, "never", "--leave-out"), ends=1)
    assert stopped.output.count("register.csv, line ") == SHOWN


def test_rows_after_the_beginning_of_a_customers_own_record_are_found_before_anything_is_signed(
    service: Service, tmp_path: Path
) -> None:
    own = Pseudonyms(SECRET)
    book = Workbook.create(tmp_path / "book")
    later = int(datetime.now(UTC).timestamp()) + 3_600
    rows = [(own.customer(name), time, b"{}") for name in ("customer-1", "ida") for time in (BEFORE, later)]
    book.take(rows)
    book.prepare()

    async def asked() -> bringing.LateRows:
        async with service.client("bank-a") as bank, service.client("app-1") as app:
            await active_consent(bank, app, str(uuid.uuid4()), own)
            service.node.ledger.erase([history_chain("bank-a", own.customer("ida"))], "retention", ("one", "two"))
            return await bringing.drop_late_rows(bank, book)

    assert asyncio.run(asked()) == (1, 2)
    assert book.totals() == (1, 1, BEFORE, BEFORE)
    book.close(remove=True)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"", "line 1"),
        (b"customer,kind,time\n", "line 1: a column is missing: recipient"),
        (b"customer,kind,time,recipient,IBAN\n", "line 1: column 5 has no name"),
        (b"customer,kind,time,recipient,kind\n", "line 1: a column is there twice: kind"),
        (HEADING.encode() + b"ann,access\n", "line 2: 2 fields"),
        (HEADING.encode() + b"ann,access,2019-01-01T00:00:00Z,\xff,,,,\n", "line 2: not UTF-8"),
        (HEADING.encode() + b'ann,access,2019-01-01T00:00:00Z,"App,,,,\n' * 3, "line"),
        (HEADING.encode() + b'ann,access,2019-01-01T00:00:00Z,"App"x,,,,\n', "line 2"),
        (HEADING.encode() + b"ann,access,2019-01-01T00:00:00Z,a\0b,,,,\n", "line 2: a zero byte"),
        (HEADING.encode() + b"x" * 70_000, "line 2: more than 65536 bytes"),
        (HEADING.encode() + b'"' + b"x\n" * 20_000, "line"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_its_line(content: bytes, where: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        list(rows_of_tables([SourceFile(path, "bad.csv")]))
    assert where in caught.value.detail


@pytest.mark.parametrize(
    "line",
    [
        ",access,2019-01-01T00:00:00Z,App,,,,",
        "ann,access,2019-01-01T00:00:00,App,,,,",
        "ann,access,2019-01-01,App,,,,",
        "ann,access,1546300800,App,,,,",
        "ann,decision,2019-01-01T00:00:00Z,App,,,,",
        "ann,access,2019-01-01T00:00:00Z,,,,,",
        "ann,consent,2019-01-01T00:00:00Z,App,,,allowed,",
        f"ann,access,2019-01-01T00:00:00Z,{'x' * 201},,,,",
        'ann,access,2019-01-01T00:00:00Z,"two\nlines",,,,',
        "ann,access,1960-01-01T00:00:00Z,App,,,,",
    ],
)
def test_a_row_that_says_too_much_or_too_little_is_named_and_the_others_are_read(line: str, tmp_path: Path) -> None:
    path = table(tmp_path / "some.csv", line, *lines("ann", 1))
    refused, kept = list(rows_of_tables([SourceFile(path, "some.csv")]))
    assert isinstance(refused, RefusedRow)
    assert refused.where.startswith("some.csv, line ")
    assert not isinstance(kept, RefusedRow)


def test_the_hash_of_a_folder_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    first, second = table(tmp_path / "z.csv"), table(tmp_path / "b" / "a.csv", *lines("ann", 1))
    printed = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tmp_path)}\n" for path in (second, first)
    )
    assert hash_of(files_below(tmp_path, (".csv",))) == b64u(hashlib.sha256(printed.encode()).digest())


@pytest.mark.parametrize("size", [*range(1, 10), 31, 32, 33])
def test_paths_and_roots_are_those_of_the_rfc(size: int) -> None:
    sheets = [b"sheet %d" % number for number in range(size)]
    tree = SheetTree(sheets)
    reference = ReferenceTree([hashlib.sha256(b"\0" + each).digest() for each in sheets])
    assert tree.root == reference.root(size)
    for position in range(size):
        assert tree.path(position) == [b64u(each) for each in reference.path(position, size)]


def test_payloads_in_the_log_are_what_the_importer_signed(service: Service, own: Path, tmp_path: Path) -> None:
    run(*attesting(table(tmp_path / "r.csv", *lines("hal", 1)), own, "signed"))
    chain = history_chain("bank-a", Pseudonyms(SECRET).customer("hal"))
    [one] = service.node.ledger.records.history_of_chain(chain)
    assert payload_of(json.loads(one.evidence or b"")["statements"][0]).iss == "bank-a"
