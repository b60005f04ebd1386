"""Evidence packs from the command line: of one customer, one participant, one period, or all; whole, in part, or closed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli.main import app
from api.node.building import short_lived
from api.node.founding import initialise
from api.node.settings import Settings
from ledger.canonical import b64
from ledger.merkle.hashing import leaf_hash
from tests.histories import Told, bring, row, sheet
from tests.world import ConsentInWorld, World
from verifier.cli import main as verify

runner = CliRunner()


class Site:
    """A log with two customers at one bank, two recipients, and accesses under both consents."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url = root, url
        settings = Settings(state_dir=root / "state", database_url=url, index_interval_ms=0)
        initialise(settings, "bank.example/log")
        with short_lived(settings) as node:
            world = World(node.ledger)
            bank, app, other = world.holder("bank-a"), world.recipient("tpp-1"), world.recipient("tpp-2")
            self.bank = bank
            self.anna: ConsentInWorld = world.active_consent(app, bank)
            self.boris: ConsentInWorld = world.active_consent(other, bank)
            self.own = [world.record(app.access(self.anna))[0].index for _ in range(3)]
            self.others = [world.record(other.access(self.boris))[0].index]
            self.strange = world.record(other.access(self.anna))[0].index
            world.record(bank.step("revoke", self.anna))
            self.size = node.ledger.tree.size()
            (root / "policy").write_text(f"log {node.ledger.vkey.format()}\nquorum none\n")

    def run(self, *arguments: str) -> Result:
        return runner.invoke(app, [*arguments, "--state", str(self.root / "state")])

    def pack(self, name: str, *arguments: str) -> Path:
        done = self.run("export", str(self.root / name), *arguments)
        assert done.exit_code == 0, done.output
        return self.root / name

    def verified(self, pack: Path, *arguments: str) -> int:
        return verify(["pack", str(pack), "--policy", str(self.root / "policy"), *arguments, "--json"])


@pytest.fixture
def site(engine_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", engine_url)
    return Site(tmp_path, engine_url)


def indexes(pack: Path) -> set[int]:
    return {int(json.loads(path.read_bytes())["name"].removeprefix("entry/")) for path in (pack / "items").iterdir()}


def test_a_pack_of_each_selection_holds_its_entries_and_no_others_and_verifies(site: Site) -> None:
    everything = site.pack("all", "--all")
    assert indexes(everything) == set(range(site.size))
    customer = site.pack("customer", "--customer", f"bank-a:{site.anna.customer}")
    assert indexes(customer) >= {*site.own, site.strange}
    assert not indexes(customer) & set(site.others)
    recipient, bank = site.pack("tpp", "--participant", "tpp-1"), site.pack("bank", "--participant", "bank-a")
    assert indexes(recipient) >= set(site.own)
    assert not indexes(recipient) & {*site.others, site.strange}, "what a stranger tried is not for the recipient"
    assert indexes(bank) >= {*site.own, *site.others, site.strange}
    for pack in (everything, customer, recipient, bank):
        assert site.verified(pack) == 0


def test_a_customers_pack_has_the_histories_of_her_sheets_and_nothing_of_other_histories(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with short_lived(Settings(state_dir=site.root / "state", database_url=site.url)) as node:

        def say(act: str, **members: object) -> int:
            return node.ledger.record(site.bank.sign(act, **members))[0].index

        hers = bring(say, Told(sheet(site.anna.customer, [row()])))
        withdrawn = bring(say, Told(sheet(site.anna.customer, [row()], salt="again"), name="wrong"))
        taken_back = say("history.withdraw", history="wrong", reason="wrong-file")
        other = bring(say, Told(sheet(site.boris.customer, [row()]), name="others"))
    pack = site.pack("customer", "--customer", f"bank-a:{site.anna.customer}")
    assert indexes(pack) >= {hers, withdrawn, taken_back}
    assert other not in indexes(pack)
    assert site.verified(pack) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["count"] for one in told if one.get("what") == "sheets of attested histories"] == [2]


def test_a_period_is_closed_below_and_open_above(site: Site) -> None:
    everything = site.pack("all", "--all")
    times = [
        json.loads(json.loads(json.loads(path.read_bytes())["value"])["leaf"])["time"]
        for path in sorted((everything / "items").iterdir())
    ]
    day = "1970-01-01..2100-01-01"
    assert indexes(site.pack("ever", "--period", day)) == set(range(len(times) + 1))
    before = site.run("export", str(site.root / "before"), "--period", "1970-01-01..1971-01-01")
    assert (before.exit_code, "selection is empty" in before.stderr) == (1, True)
    assert not (site.root / "before").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--all", "--participant", "bank-a"], "one customer, one participant, one period, or of all"),
        (["--participant", "nobody"], "no entry of or about 'nobody'"),
        (["--customer", "bank-a"], "HOLDER:REFERENCE"),
        (["--customer", "bank-a:nobody"], "no customer under this reference"),
        (["--period", "2026"], "FROM..TO"),
        (["--period", "2026-01-01..2026-13-01"], "not a day or a moment"),
        (["--period", "yesterday..today"], "not a day or a moment"),
    ],
)
def test_an_invalid_selection_is_refused_and_nothing_is_recorded_or_written(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("CONSENT_LEDGER_DATABASE_URL", sqlite_url)
    site = Site(tmp_path, sqlite_url)
    done = site.run("export", str(tmp_path / "pack.zip"), *arguments)
    assert (done.exit_code, said in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "pack.zip").exists()
    assert f"{site.size} entries" in site.run("check").output


def test_a_part_of_a_pack_and_a_closed_pack_verify_and_say_what_is_not_there(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = site.pack("pack", "--participant", "tpp-1")
    kept = sorted((pack / "items").iterdir())[1]
    shutil.copytree(
        pack, site.root / "part", ignore=lambda _, names: [n for n in names if n[0].isdigit() and n != kept.name]
    )
    assert site.verified(site.root / "part") == 0
    assert f'"items withheld from this copy of the pack", "count": {len(indexes(pack)) - 1}' in capsys.readouterr().out
    closed = site.pack("closed.zip", "--participant", "tpp-1", "--evidence", "none")
    assert site.verified(closed) == 0
    assert "not disclosed by this receipt" in capsys.readouterr().out
    assert site.run("export", str(site.root / "some"), "--all", "--evidence", "0-3").exit_code == 2
    assert site.run("export", str(pack), "--all").exit_code == 1, "a place that is taken"
    bundle = site.pack("bundle", "--reason", "test")
    assert site.verified(pack, "--bundle", str(bundle)) == 0
    assert re.search(r'"statement signature", "count": \d+', capsys.readouterr().out)


def test_an_entry_in_the_form_of_chainpoint_leads_to_the_signed_root(site: Site) -> None:
    index = site.own[1]
    done = site.run("chainpoint", str(index))
    assert done.exit_code == 0, done.output
    proof = json.loads(done.output)
    item = next(
        json.loads(json.loads(path.read_bytes())["value"])
        for path in (site.pack("all", "--all") / "items").iterdir()
        if json.loads(path.read_bytes())["name"] == f"entry/{index}"
    )
    node = leaf_hash(item["leaf"].encode())
    assert node.hex() == proof["hash"]
    *steps, anchor = proof["branches"][0]["ops"]
    for step in steps:
        match step:
            case {"l": left}:
                node = bytes.fromhex(left) + node
            case {"r": right}:
                node += bytes.fromhex(right)
            case _:
                node = hashlib.sha256(node).digest()
    assert anchor["anchors"][0]["checkpoint"].split("\n")[2] == b64(node)
    assert site.run("chainpoint", "999").exit_code == 1
