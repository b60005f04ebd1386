"""A live log with a witness, and foreign tools that read it: `python -m tests.tlog.live FOLDER` (with follow, witness, fsck).

Ends with 0 only if each tool accepts what it should, and refuses what it should not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import httpx2

from api.node.building import build_node
from api.node.founding import initialise
from api.node.settings import Settings
from api.server.app import create_app
from api.witness.running import make_witness, open_witness
from ledger.custody.log_key import read_signer
from tests.api.service import Service, serving
from tests.ports import loopback
from tests.world import ORIGIN

TOKEN = "m" * 64
ACCESSES = 300
"""More than a tile holds."""


def told(sentence: str) -> None:
    print(f"scripts/test-tlog: {sentence}", flush=True)


def ran(*command: str | Path, code: int = 0) -> str:
    """What a tool printed. Raises AssertionError if it ends otherwise than with `code` (1: with any failure)."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=600, check=False)
    said = done.stdout + done.stderr
    assert (done.returncode != 0) is (code != 0), f"{' '.join(map(str, command))} ended with {done.returncode}:\n{said}"
    return said


def foreign_witness(stack: ExitStack, programs: Path, log: str) -> tuple[str, str]:
    """Verifier key and address."""
    process = subprocess.Popen([programs / "witness", "witness.example/go", log], stdout=subprocess.PIPE, text=True)
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline().strip(), process.stdout.readline().strip()


def main(programs: Path) -> None:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        policy, monitors, key = place / "policy", place / "monitors", place / "log.vkey"
        monitors.write_text(f"regulator {sha256(TOKEN.encode()).hexdigest()}\n")
        listening = loopback()
        settings = Settings(
            state_dir=place / "state",
            port=listening.getsockname()[1],
            policy_file=policy,
            monitors_file=monitors,
            index_interval_ms=0,
        )
        initialise(settings, ORIGIN)
        log = read_signer(settings.log_key_file).vkey.format()
        key.write_text(log)
        foreign, address = foreign_witness(stack, programs, log)
        ours, heard = make_witness(place / "ours", "witness.example/ours"), loopback()
        stack.enter_context(serving(open_witness(place / "ours", [log]), heard))
        policy.write_text(
            f"log {log}\nwitness go {foreign} {address}\n"
            f"witness ours {ours.format()} http://127.0.0.1:{heard.getsockname()[1]}\ngroup both all go ours\nquorum both\n"
        )
        node = build_node(settings)
        asker = node.ask_witnesses()
        assert asker is not None
        stack.callback(asker.stop)
        stack.enter_context(serving(create_app(node), listening))
        http = stack.enter_context(httpx2.Client(base_url=settings.base_url, timeout=60, trust_env=False))
        http.get("/health/live").raise_for_status()
        service = Service(node, settings.base_url, http)
        judged(service, asker, programs, place)


def judged(service: Service, asker: object, programs: Path, place: Path) -> None:
    world, url = service.world, service.base_url
    app = world.recipient()
    consent = world.active_consent(app, world.holder())
    follow = (programs / "follow", url, place / "policy")
    told(f"unwitnessed, and so refused: {ran(*follow, TOKEN, code=1).strip()}")
    index = 0
    for _ in range(ACCESSES):
        index = world.record(app.access(consent))[0].index
    for turn in range(2):
        cosigned = asker.turn()  # type: ignore[attr-defined]
        assert set(cosigned) == {"witness.example/go", "witness.example/ours"}, cosigned
        if turn == 0:
            index = world.record(app.access(consent))[0].index
    told("the witness in Go has cosigned twice: a first tree, and its growth")
    reader = service.as_(app)
    receipt = json.loads(reader.get(f"/receipts/{index}/witnessed").content)
    proof, entry = place / "entry.tlog-proof", place / "entry"
    proof.write_bytes(reader.get(f"/receipts/{index}.tlog-proof/witnessed").content)
    entry.write_text(receipt["leaf"])
    size = int(ran(*follow, TOKEN, proof, entry))
    assert size == index + 1 == service.size
    told(f"torchwood verified the checkpoint under the policy, {size} entries, and the proof of entry {index}")
    told(f"without its token it reads no entries: {ran(*follow, 'x' * 64, code=1).strip()[-90:]}")
    stranger = place / "stranger"
    stranger.write_text(
        (place / "policy")
        .read_text()
        .replace(" all go ours", " all go ours other")
        .replace("group", f"witness other {make_witness(place / 'other', 'other.example').format()}\ngroup")
    )
    told(f"another quorum is not met: {ran(programs / 'follow', url, stranger, TOKEN, code=1).strip()[-90:]}")
    fsck = (programs / "fsck", f"--storage_url={url}/", f"--public_key={place / 'log.vkey'}", "--ui=false", "-v=1")
    said = ran(*fsck, f"--bearer_token={TOKEN}")
    assert f"log of size {size}" in said, said
    assert "Completed ranges" in said, said
    assert "fsck failed" not in said, said  # its exit status does not say so
    told("tessera's fsck rebuilt the tree out of the entries and found every tile as it should be")
    assert "fsck failed" in ran(*fsck, "--bearer_token=" + "x" * 64)
    told("and says that it failed where its token is another")


if __name__ == "__main__":
    os.environ.pop("CONSENT_LEDGER_DATABASE_URL", None)
    main(Path(sys.argv[1]))
