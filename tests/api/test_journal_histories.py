"""A journal of QLDB becomes attested history: in both encodings, with every hash checked, and refused when one is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli.main import app
from api.histories.ion.binary import values_of_binary
from api.histories.ion.hashing import ion_hash
from api.histories.ion.text import values_of_text
from api.histories.ion.values import BadIon
from api.histories.reading import open_source
from api.histories.rows import BroughtRow, RefusedRow
from ledger.canonical import b64u
from ledger.errors import InvalidInput
from tests.client.service import running_service
from tests.datamaps import own_folder
from tests.journals import BEGAN, STRAND, Document, Journal, binary, ion_digest, sha, text
from verifier.cli import main as verify

MAPPING = {
    "tables": [
        {
            "table": "Consents",
            "kind": {"field": "status", "values": {"GRANTED": "consent", "REVOKED": "revocation", "DRAFT": None}},
            "customer": "customer.id",
            "recipient": "tpp",
            "consent": "number",
            "permissions": "scopes",
            "time": "at",
        },
        {
            "table": "Accesses",
            "kind": "access",
            "customer": "customer",
            "recipient": "tpp",
            "result": {"field": "ok", "values": {"true": "allowed", "false": "refused"}},
        },
    ]
}
AT = int(BEGAN.timestamp())


def consent(status: str, **changes: Any) -> Document:
    made = {
        "number": "c-1",
        "status": status,
        "customer": {"id": "ann"},
        "tpp": "Old App",
        "scopes": ["names", "balances"],
    }
    return made | {"at": BEGAN} | changes


def journal() -> Journal:
    made = Journal()
    made.commit(("Consents", "doc1", 0, consent("DRAFT")))
    made.commit(
        ("Consents", "doc1", 1, consent("GRANTED")),
        ("Accesses", "doc2", 0, {"customer": "ann", "tpp": "A", "ok": True}),
    )
    made.commit(("Consents", "doc3", 0, None))
    made.commit(("Vehicles", "doc4", 0, {"vin": "1"}))
    made.commit(("Consents", "doc3", 1, consent("REVOKED", customer={"id": "bob"})))
    made.commit()
    return made


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.json"
    path.write_text(json.dumps(MAPPING))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "export"
    made.mkdir()
    return made


def read(folder: Path, mapping: Path) -> tuple[list[BroughtRow | RefusedRow], dict[str, Any]]:
    source = open_source(folder, mapping)
    rows = list(source.rows())
    return rows, source.source()


@pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
def test_revisions_become_rows_and_the_source_is_named_by_its_tip(is_binary: bool, folder: Path, mapping: Path) -> None:
    made = journal()
    rows, source = read(made.export(folder, is_binary=is_binary), mapping)
    told = [(row.customer, json.loads(row.body)) for row in rows if isinstance(row, BroughtRow)]
    assert len(told) == len(rows)
    assert [(who, row["kind"], row["time"]) for who, row in told] == [
        ("ann", "consent", AT),
        ("ann", "access", AT + 3_600),  # its block's time
        ("bob", "redacted", AT + 7_200),
        ("bob", "revocation", AT),
    ]
    assert told[0][1]["permissions"] == ["balances", "names"]
    assert told[1][1]["result"] == "allowed"
    revision = made.blocks[2]["revisions"][1]
    assert told[2][1] == {
        "kind": "redacted",
        "place": {"block": 2, "document": "doc3", "hash": b64u(revision["hash"]), "version": 0},
        "time": AT + 7_200,
    }
    assert {name: source[name] for name in ("first_block", "last_block", "redacted", "strand", "checked", "files")} == {
        "first_block": 0,
        "last_block": 5,
        "redacted": 1,
        "strand": STRAND,
        "checked": True,
        "files": 4,  # the manifest is one
    }
    assert source["tip"] == b64u(made.tip)


def test_both_encodings_of_one_journal_have_the_same_rows(tmp_path: Path, mapping: Path) -> None:
    found = []
    for is_binary in (False, True):
        place = tmp_path / str(is_binary)
        place.mkdir()
        rows, _ = read(journal().export(place, is_binary=is_binary, each=20), mapping)
        found.append([row[:3] for row in rows])
    assert found[0] == found[1]


def changed(block: int, *path: Any, value: Any) -> Callable[[Journal], None]:
    def change(made: Journal) -> None:
        found: Any = made.blocks[block]
        for step in path[:-1]:
            found = found[step]
        found[path[-1]] = value

    return change


def without(block: int) -> Callable[[Journal], None]:
    return lambda made: made.blocks.pop(block) and None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (changed(1, "revisions", 1, "data", "status", value="REVOKED"), "the hash of a revision"),
        (changed(1, "revisions", 1, "metadata", "version", value=7), "the hash of a revision"),
        (changed(1, "revisions", 1, "hash", value=sha(b"x")), "the hash of a revision"),
        (changed(1, "revisions", 0, "hash", value=sha(b"x")), "the root over the revisions"),
        (changed(1, "transactionInfo", "documents", value={}), "the hash of transactionInfo"),
        (changed(1, "entriesHashList", 2, value=sha(b"x")), "entriesHash is not"),
        (changed(1, "entriesHash", value=sha(b"x")), "entriesHash is not"),
        (changed(1, "blockHash", value=sha(b"x")), "blockHash is not"),
        (changed(1, "previousBlockHash", value=sha(b"x")), "blockHash is not"),
        (changed(1, "entriesHashList", 0, value="text"), "something else than hashes"),
        (changed(1, "blockHash", value=b"short"), "blockHash is no hash"),
        (changed(1, "blockAddress", "sequenceNo", value="1"), "no blockAddress"),
        (changed(2, "revisions", 1, "data", value={}), "both data and the hash"),
        (without(2), "one is missing"),
        (lambda made: made.blocks.insert(2, made.blocks[1]), "there twice"),
        (lambda made: made.blocks.append(made.blocks[0]), "there twice"),
        (changed(3, "blockAddress", value={"strandId": "another", "sequenceNo": 3}), "another strand"),
        (lambda made: made.blocks.__setitem__(3, forged()), "names another block before it"),
    ],
)
def test_a_journal_with_one_wrong_hash_is_refused_whole(
    change: Callable[[Journal], None], what: str, folder: Path, mapping: Path
) -> None:
    made = journal()
    change(made)
    with pytest.raises(InvalidInput) as caught:
        read(made.export(folder, is_binary=False, each=50), mapping)
    assert what in caught.value.detail


def forged() -> Document:
    """A block that is right by itself, and of another history."""
    other = Journal()
    for number in range(4):
        other.commit(("Vehicles", f"other{number}", 0, {"vin": "2"}))
    return other.blocks[3]


def test_an_export_that_is_not_whole_is_refused(folder: Path, mapping: Path) -> None:
    journal().export(folder, is_binary=True)
    next(folder.rglob("*.4-5.ion")).unlink()
    with pytest.raises(InvalidInput, match=r"bring the whole export"):
        read(folder, mapping)


def test_a_value_beyond_the_mapping_is_named_and_never_quoted(folder: Path, mapping: Path) -> None:
    made = Journal()
    made.commit(
        ("Consents", "doc1", 0, consent("SECRET-STATE")), ("Consents", "doc2", 0, consent("GRANTED", customer={}))
    )
    made.commit(("Consents", "doc3", 0, consent("GRANTED", at="yesterday")), ("Consents", "doc4", 0, None))
    rows, _ = read(made.export(folder, is_binary=False), mapping)
    assert all(isinstance(row, RefusedRow) for row in rows)
    assert len(rows) == 4
    assert "SECRET-STATE" not in str(rows)


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "{}",
        '{"tables": []}',
        json.dumps({"tables": [MAPPING["tables"][1] | {"colour": "x"}]}),
        json.dumps({"tables": [MAPPING["tables"][1]] * 2}),
        json.dumps({"tables": [MAPPING["tables"][1] | {"customer": "a..b"}]}),
    ],
)
def test_a_mapping_that_is_none_is_refused(wrong: str, folder: Path, mapping: Path) -> None:
    journal().export(folder, is_binary=False)
    mapping.write_text(wrong)
    with pytest.raises(InvalidInput, match="mapping"):
        read(folder, mapping)


HASHES = [
    # made once with the package ionhash 1.2.1, which reads no present version of Ion's own package
    ("null", "0fb06b6183c21379529fdd45d6af4aba731ac6f081ef9e6c1c94b1fb26177304"),
    ("null.timestamp", "8a060272ce8530357e7a7aef7bd840c06032f6bae850b7a364691cc1a512dd30"),
    ("true", "cee54499d5f362b272fbd8ee6480ff547a6dc4e2d9e12733459f820e70305017"),
    ("0", "a3c7def97b35b3fb34db4682fff002d3da3937011bd3722947f52aa94b8d5931"),
    ("-1", "e5f754c77b09f62697922db7f602c5754b021b9160caf8db7f58a0f3e5c6ba78"),
    ("65536", "769adad9a526e1c4fd79a97a2719c97586bced8f9f9432d102684c16baf8b804"),
    ("1.50", "5724f2063f37109ccfe9dac886f250f4863291ec56f7991e2518316fc1ade658"),
    ("-0.", "e595862b245122ca6aabd69dbe6e522bbb615b11521f962ca774a5e827e387ad"),
    ("0d0", "2c5827b6d77a3117a155eb699e265685492e191b71be6ff93694ff7fc9ddb646"),
    ("0e0", "de70695f4fed6bafe58eedc3857bdf670e08647067a1cbc03d2cd7a73c0bd661"),
    ("-1.5e3", "f797dff3e765aace50defbe87a0a6fb7e5f7e7c28d75d61c744f53edf75dd855"),
    ("nan", "ed865017dd3f6d06e57babc02ee8c2d01538adb6316cd47163f4d813da2b989d"),
    ("2019T", "366b0c5e2460a6eabf6698c650dc313550aea476ee87fa0949c02538f402127b"),
    ("2019-09-23T03:14:43.045+08:00", "1509a465434fff473e42fdc64140372c3db7ec3f48b84a2e03148d394e4b1df3"),
    ("2019-09-23T19:14:43.045-00:00", "a86ea956d1d0b694ec3cbc918554a081a19c7a0c02a549d91f57eaab66a6f55e"),
    ("2019-09-23T19:14:43.000Z", "bb661dc0f1c4b5830f4a504be319c0e886b3873bc1579080ddc9928f968282cd"),
    ('"r\\u00e9sum\\u00e9"', "d962808ae348de95e46cd0e64a9192bbb66fe0769d48f782e4e40d056c4d8642"),
    ('"\\x0b\\x0c\\x0e"', "ae4b7d2b8c56066a77e3f77a58d223e8bd798796b0d0f3167a57560570c73fa4"),
    ("abc", "c690af405818e2d876a4c2692f1210dbdd14ff6b238ff0a92222f3d71707ee1d"),
    ("{{CwwO}}", "5c004b36a30e165bddc118e9298b0b6284c82d127ddda657eee81870b2074505"),
    ('{{"clob"}}', "7ee47ca7b174cf03a00d51ccd081fe02d4ccb6b1e4f215336e9b661e3a05b22c"),
    ('[1,[2],"x"]', "3f34b1a3295d21e369e4b3d3433fdeff1927d2f81601533028589f172829b1d6"),
    ("(a 1)", "612054bfb6f202b9345ceb7b1ac6e926158c5e600d85ad42f6937bf2bb12ddcd"),
    ('{b:"x",a:1}', "3c2fad67883c746973506cc34811b97e44314e0213b19a76b886c65b32d31605"),
    ("{a:1,a:2}", "537be8d3fd38d93bf5562cb37bb7dff3915387b0bdd215d5c6ed0584b644476c"),
    (
        'paid::kept::{scope:["balances","names"],until:2020-01-01T}',
        "7fefddf5b6d4d523dec308c10fb8c7704c4d866a7f462f01ab1f588e59cedba3",
    ),
    ("{}", "dc3ff8e550c833236bbee92d163762698b7b0b7b68a1af1b060243580741b7a6"),
]


@pytest.mark.parametrize(("written", "digest"), HASHES)
def test_a_value_has_the_ion_hash_that_another_program_gives_it(written: str, digest: str) -> None:
    [value] = values_of_text(written)
    assert ion_hash(value).hex() == digest


def test_the_hash_does_not_depend_on_how_a_value_is_written() -> None:
    value = {
        "at": BEGAN,
        "texts": ["a", "\x0b\x0e", "é"],
        "blob": bytes(range(40)),
        "number": 2**70,
        "yes": True,
        "in": {"x": 1},
    }
    [as_text], [as_binary] = values_of_text(text(value)), values_of_binary(binary([value]))
    assert ion_hash(as_text) == ion_hash(as_binary) == ion_digest(value)


MARKER = b"\xe0\x01\x00\xea"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xe0\x02\x00\xea\x0f",
        MARKER + b"\xbe\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\xff",  # a length of 10 bytes
        MARKER + b"\xbe\x25\x20\x10\x04\xff",  # a list that says it has gigabytes
        MARKER + b"\x8e\x25\x20\x10\x04\xff",
        MARKER + b"\xb1" * 200,
        MARKER + b"\xbe\x0f\x80" + b"\xb0" * 3,
        MARKER + b"\x85abc",
        MARKER + b"\x82\xff\xfe",
        MARKER + b"\x71\x0a",
        MARKER + b"\x71\x7f",
        MARKER + b"\x30",
        MARKER + b"\x43abc",
        MARKER + b"\x12",
        MARKER + b"\xf0",
        MARKER + b"\xe3\x81\x84\xe3\x81\x84\x0f",
        MARKER + b"\x68\x80\x0f\xe3\x8d\x81\x80\x80\x80",
        MARKER + b"\x6a\x80\x0f\xe3\x81\x81\x80\x80\x80\x7f\xff\x01",
        MARKER + b"\xd1\x80",
        MARKER + b"\xbf\xb9" + bytes([0xBE, 0x01]) * 40,
    ],
)
def test_hostile_binary_is_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(BadIon):
        list(values_of_binary(data))


@pytest.mark.parametrize(
    "hostile",
    [
        "{",
        "[1,2",
        "[" * 100 + "]" * 100,
        "a::" * 600_000 + "b",
        '"open',
        '"a\nb"',
        '"\\q"',
        '"\\uD800"',
        '"\\UFFFFFFFF"',
        "'''open",
        "{{ab",
        "{{a}}",
        "{a 1}",
        "{null:1}",
        "[1 2]",
        "1_",
        "01",
        "1x",
        "9" * 5_000,
        "2019-13-01T",
        "2019-02-30T",
        "2019-09-23T25:00Z",
        "2019-09-23T10:00",
        "2019-09-23T10:00+99:00",
        "null.thing",
        '$ion_symbol_table::{imports:[{name:"shared",version:1,max_id:9}]} $10',
        "$99",
        "$0",
        "}",
        "/* open",
        "[" + "1," * 500_001 + "1]",
    ],
    ids=lambda text: text[:20],
)
def test_hostile_text_is_refused_with_its_line(hostile: str) -> None:
    with pytest.raises(BadIon, match=r"^line \d+: "):
        list(values_of_text(hostile))


def test_a_file_that_is_no_ion_is_refused_by_its_name(folder: Path, mapping: Path) -> None:
    (folder / "x.ion").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"x\.ion"):
        read(folder, mapping)
    (folder / "x.ion").write_bytes(b"")
    with pytest.raises(InvalidInput, match="no block"):
        read(folder, mapping)


def test_a_journal_is_brought_exported_and_found_to_agree_with_its_files(
    folder: Path, mapping: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = journal().export(folder, is_binary=True)
    state = tmp_path / "operator"
    with running_service(f"sqlite:///{state / 'ledger.sqlite'}", state) as service:
        own = Path(own_folder(service, "bank-a", tmp_path / "bank-a"))
        (own / "references.key").write_bytes(bytes(32))
        (own / "references.key").chmod(0o600)
        wanted = ["--mapping", str(mapping), "--as", str(own), "--id", "qldb", "--title", "Consents in QLDB"]
        done = CliRunner().invoke(app, ["history", "attest", str(export), *wanted, "--json"])
        assert done.exit_code == 0, done.output
        entry = str(json.loads(done.stdout.splitlines()[-1])["index"])
        made = CliRunner().invoke(app, ["export", str(tmp_path / "bundle"), "--reason", "test", "--state", str(state)])
        assert made.exit_code == 0, made.output
        (tmp_path / "policy").write_text(f"log {service.node.ledger.vkey.format()}\nquorum none\n")
    words = [
        "history",
        str(tmp_path / "bundle"),
        "--policy",
        str(tmp_path / "policy"),
        "--jobs",
        "1",
        "--json",
        "--entry",
        entry,
    ]
    status = verify([*words, "--source", str(export)])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0, str(told)[-900:]
    [history] = [each for each in told if each.get("event") == "history" or "left_out" in each]
    assert (history["state"], history["rows"], history["customers"]) == ("agrees", 4, 2)
    next(export.rglob("*.0-1.ion")).write_bytes(b"something else")
    assert verify([*words, "--source", str(export)]) != 0
