"""What monitors and pages of other sites may read of a log, and what they may not (docs/witnesses.md, «For foreign tools»)."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import httpx2
import pytest

from api.tokens.monitors import read_monitors
from ledger.errors import InvalidInput
from ledger.merkle.hashing import leaf_hash
from tests.api.service import Service as Served
from tests.client.service import Service, running_service
from verifier.tlog.tiles import split_entries, tile_path

TOKEN = "a" * 64


def get(service: Service, path: str, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.get(service.url + path, headers=headers, timeout=30)


def line(name: str, token: str = TOKEN) -> str:
    return f"{name} {sha256(token.encode()).hexdigest()}\n"


def bundle_of(service: Service | Served) -> str:
    size = service.node.ledger.tree.size()
    return "/" + tile_path("entries", 0, size)


def test_a_monitor_reads_leaves_with_its_token_and_nothing_else(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "monitors"
    file.write_text("# who\n\n" + line("regulator"))
    with running_service(sqlite_url, tmp_path / "log", monitors_file=file) as service:
        mine = {"authorization": f"Bearer {TOKEN}"}
        answer = get(service, bundle_of(service), headers=mine)
        assert answer.status_code == 200
        tile = get(service, bundle_of(service).replace("entries", "0"), {}).content
        hashes = [tile[at : at + 32] for at in range(0, len(tile), 32)]
        assert [leaf_hash(entry) for entry in split_entries(answer.content)] == hashes
        assert answer.headers["cache-control"] == "private, no-cache"
        for other in ({}, {"authorization": f"Bearer {TOKEN[1:]}"}, {"authorization": f"DPoP {TOKEN}"}):
            assert get(service, bundle_of(service), headers=other).status_code == 401
        for path in ("/receipts/0", "/bundle", "/metrics", "/consents/x/history"):
            assert get(service, path, headers=mine).status_code == 401, path


def test_nobody_is_a_monitor_of_a_log_that_names_none(sqlite_url: str, tmp_path: Path) -> None:
    with running_service(sqlite_url, tmp_path / "log") as service:
        for token in (TOKEN, "x"):
            headers = {"authorization": f"Bearer {token}"}
            assert get(service, bundle_of(service), headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("regulator\n", "line 1"),
        (f"regulator {TOKEN} x\n", "line 1"),
        (line("Regulator"), "line 1"),
        ("\n" + line("one") + line("two"), "line 3"),
        (line("one") + line("one", "other"), "line 2"),
        ("one é\n", "cannot be read"),
    ],
)
def test_a_file_of_monitors_that_does_not_read_stops_the_start(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "monitors"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=told):
        read_monitors(file)


def test_public_files_of_the_log_are_for_pages_of_every_site_and_leaves_are_not(service: Served) -> None:
    size = service.node.ledger.tree.size()
    for path in (
        "/checkpoint",
        "/checkpoint/newest",
        "/" + tile_path(0, 0, size),
        f"/proofs/inclusion?index=0&size={size}",
        f"/proofs/consistency?old=1&new={size}",
        "/log",
        "/log/keys",
        "/witnesses",
    ):
        answer = service.http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["access-control-allow-origin"] == "*", path
    for path in (bundle_of(service), "/receipts/0", "/health/live", "/participants"):
        assert "access-control-allow-origin" not in service.http.get(path).headers, path
