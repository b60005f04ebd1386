"""Requests in the words of a standard, and the terms that they come to: at the door, in a bundle, and translated again."""

from __future__ import annotations

import gzip
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.office.facts import details_hash, facts_name, request_texts
from api.office.wish import Wish
from ledger.bundle import DirectoryTarget, Disclose, export_bundle
from ledger.canonical import b64u, encode
from ledger.entries.leaf import consent_chain
from tests.standards import berlin, uk
from tests.standards.kit import Stage, stage
from tests.verifier.auditing import audit_folder
from verifier.audit.bundle import Audit
from verifier.audit.request_files import AMENDED, DIFFERS, NOT_HELD, NOT_THERE, REFUSED
from verifier.errors import Code

CONSENTS = {
    "restricted": berlin.asked(access={"allPsd2": "allAccountsWithOwnerName", "restrictedTo": ["SVGS", "CACC"]}),
    "for ever": berlin.asked(
        validUntil="9999-12-31", access={"accounts": [], "additionalInformation": {"ownerName": []}}
    ),
    "once": berlin.asked(recurringIndicator=False, frequencyPerDay=1),
}
DONE = "requests translated again"


@pytest.fixture
def played(engine_url: str, tmp_path: Path) -> Iterator[Stage]:
    with stage(engine_url, tmp_path / "state") as scene:
        yield scene


def bundle(played: Stage, folder: Path, disclose: Disclose | None = None, *, texts: bool = True) -> Path:
    ledger = played.service.node.ledger
    requests = request_texts if texts else None
    told = disclose or Disclose.full()
    export_bundle(ledger.store, ledger.keystore, ledger.vkey, DirectoryTarget(folder), disclose=told, requests=requests)
    return folder


def judged(played: Stage, folder: Path) -> Audit:
    audit = audit_folder(folder, f"log {played.service.node.ledger.vkey.format()}\nquorum none\n")
    assert audit.verdict is not None
    return audit


def not_translated(audit: Audit) -> dict[str, int]:
    return {what: count for what, count in audit.findings.unchecked.items() if "request" in what}


def test_an_auditor_who_has_the_texts_translates_each_request_again(played: Stage, tmp_path: Path) -> None:
    first = played.call("POST", uk.V4, json=uk.asked(TransactionFromDateTime="2025-01-31T10:00:00.75+05:30"))
    assert first.status_code == 201, first.text
    for body in CONSENTS.values():
        berlin.create(played, body)
    whole = judged(played, bundle(played, tmp_path / "texts"))
    assert (whole.verdict, whole.findings.disputed) == (Code.VALID, 0), [
        *whole.findings.defects,
        *whole.findings.disputes,
    ]
    assert (whole.findings.checked[DONE], not_translated(whole)) == (4, {})
    without = judged(played, bundle(played, tmp_path / "none", texts=False))
    assert (without.verdict, without.findings.checked[DONE], not_translated(without)) == (Code.VALID, 0, {NOT_THERE: 4})
    # Erasing a consent erases its text; what stays in the log is a hash.
    consent = first.json()["Data"]["ConsentId"]
    ledger = played.service.node.ledger
    ledger.erase([consent_chain(consent)], "gdpr-17", ("anna", "bert"))
    erased = bundle(played, tmp_path / "erased")
    lines = gzip.decompress((erased / "requests/000.jsonl.gz").read_bytes()).splitlines()
    assert len(lines) == 3
    after = judged(played, erased)
    assert (after.verdict, after.findings.checked[DONE], not_translated(after)) == (Code.VALID, 3, {})


def _recorded(played: Stage, wish: Wish, text: bytes, **changed: Any) -> int:
    """A request whose text is kept and whose terms are not its translation: what the door would refuse."""
    office, ledger = played.service.node.office, played.service.node.ledger
    assert office is not None
    terms = office._terms("tpp-1", "bank-a", wish, text)
    consent = str(uuid.uuid4())
    office.notes.add(consent, facts_name(details_hash(text)), text)
    told = msgspec.structs.replace(terms, **changed)
    [recorded] = ledger.record(office.gateway.make("consent.request", "tpp-1", consent_id=consent, terms=told).text)
    return int(recorded.index)


def test_terms_that_say_something_else_are_a_finding_that_names_the_member(played: Stage, tmp_path: Path) -> None:
    text = json.dumps(uk.asked()).encode()
    wish = Wish(permissions=["ReadAccountsDetail", "ReadBalances"], standard="uk-ob", standard_version="v4.0")
    more = _recorded(played, wish, text)
    nonsense = _recorded(played, wish, b"[]")
    other = _recorded(played, Wish(permissions=["ReadBalances"], standard="own", standard_version="1"), b"{}")
    audit = judged(played, bundle(played, tmp_path / "bundle"))
    found = audit.findings
    assert found.count == 0, "the log says truly what was signed"
    told = {(one.place.index, one.place.field, one.sentence) for one in found.disputes}
    assert told == {
        (more, "terms.permissions", DIFFERS),
        (more, "terms.expires_at", DIFFERS),
        (nonsense, "request", REFUSED),
    }
    assert not_translated(audit) == {NOT_HELD: 1}
    assert other > nonsense


Change = Callable[[list[bytes]], list[bytes]]


def _line(index: int, text: bytes) -> bytes:
    return encode({"index": index, "request": b64u(text)}) + b"\n"


CHANGES: dict[str, tuple[Change, Code, str]] = {
    "another text": (
        lambda lines: [_line(json.loads(lines[0])["index"], b"{}"), *lines[1:]],
        Code.BAD_COMMITMENT,
        "the request text has another hash than the terms name",
    ),
    "at another entry": (
        lambda lines: [_line(0, b"{}"), *lines],
        Code.BAD_ENCODING,
        "a request text for an entry that names none",
    ),
    "out of order": (
        lambda lines: lines[::-1],
        Code.BAD_ENCODING,
        "a request line out of order or in the wrong file",
    ),
    "without an end": (lambda lines: [*lines[:-1], lines[-1].rstrip()], Code.BAD_ENCODING, "the last line has no end"),
    "none": (lambda _: [], Code.BAD_ENCODING, "a request file without lines"),
}


def test_a_text_that_was_changed_on_the_way_is_a_defect(sqlite_url: str, tmp_path: Path) -> None:
    with stage(sqlite_url, tmp_path / "state") as played:
        for body in CONSENTS.values():
            berlin.create(played, body)
        good = bundle(played, tmp_path / "good")
        lines = gzip.decompress((good / "requests/000.jsonl.gz").read_bytes()).splitlines(keepends=True)
        for name, (change, code, sentence) in CHANGES.items():
            folder = tmp_path / name.replace(" ", "-")
            shutil.copytree(good, folder)
            (folder / "requests/000.jsonl.gz").write_bytes(gzip.compress(b"".join(change(list(lines))), mtime=0))
            found = judged(played, folder).findings
            assert {(one.code, one.sentence) for one in found.defects} == {(code, sentence)}, name
        none = bundle(played, tmp_path / "withheld", Disclose.none())
        assert not (none / "requests").exists(), "texts go with the evidence that names them"
        shutil.copytree(good / "requests", none / "requests")
        found = judged(played, none).findings
        assert {(one.code, one.place.file) for one in found.defects} == {(Code.BAD_ENCODING, "requests/000.jsonl.gz")}


def test_the_door_refuses_a_text_that_not_every_reader_reads_alike(sqlite_url: str, tmp_path: Path) -> None:
    with stage(sqlite_url, tmp_path / "state") as played:
        before, body = played.recorded, json.dumps(uk.asked())
        for text in (
            body.encode("utf-16"),
            b"\xef\xbb\xbf" + body.encode(),
            body.replace('"Risk": {}', '"Risk": {"a\\ud800": 1}').encode(),
            body.replace("+00:00", "+00:99").encode(),
        ):
            answer = played.call("POST", uk.V4, content=text, headers={"content-type": "application/json"})
            assert answer.status_code == 400, text
        assert played.recorded == before


def test_a_changed_consent_is_counted_and_not_translated(sqlite_url: str, tmp_path: Path) -> None:
    with stage(sqlite_url, tmp_path / "state") as played:
        office = played.service.node.office
        assert office is not None
        consent = berlin.create(played)["consentId"]
        played.authorise(consent)
        wish = Wish(
            permissions=["ReadBalances"], standard="berlin-group", standard_version="1.3", expires_at=4_000_000_000
        )
        office.amend("tpp-1", "bank-a", consent, lambda _: wish, b"{}")
        audit = judged(played, bundle(played, tmp_path / "bundle"))
        assert (audit.verdict, not_translated(audit)) == (Code.VALID, {AMENDED: 1})
        assert audit.findings.checked[DONE] == 1
