"""A participant's program in another language against a server of its own: `python -m tests.sdks.live PROGRAM [ARGUMENT…]`.

The program gets three more arguments: the ledger's address, the file of a policy, and a folder. It writes the public halves of
its keys there as `<participant>.<use>.jwk`, prints a line, and waits for one: by then the keys are registered, by the commands
that an operator has. It goes through a consent's life, leaves the receipts in `receipts/`, asks in the same way for a change of
the log's key and for its published files, whose address is the answer, and ends with 0. Each of the receipts must
then stand before the independent verifier too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.ports import free_port
from tests.published import site

ROLES = {"app-1": "recipient", "bank-1": "holder"}
SCRIPTS = Path(sys.executable).parent
STARTS_WITHIN = 600.0
"""Seconds: a machine may be busy. A server that ends is told at once."""


def operate(state: Path, *words: str) -> str:
    command = [str(SCRIPTS / "consent-ledger"), *words, "--state", str(state)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def wait_until_ready(url: str, server: subprocess.Popen[str]) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=5):  # noqa: S310  (our own address)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    sys.exit(f"the server did not answer within {STARTS_WITHIN:.0f} s")


def register(state: Path, folder: Path) -> None:
    for participant, role in ROLES.items():
        operate(state, "participant", "add", participant, "--role", role, "--name", f"The {participant}")
    for file in sorted(folder.glob("*.jwk")):
        participant, use, _ = file.name.split(".")
        alg = {"OKP": "EdDSA", "EC": "ES256"}[json.loads(file.read_text())["kty"]]
        kid = f"{participant}-{use}"
        operate(state, "participant", "key", participant, str(file), "--kid", kid, "--alg", alg, "--use", use)


def change_the_log_key(state: Path, _folder: Path) -> None:
    operate(state, "key", "rotate", "--new")
    operate(state, "key", "retire")


def publish(state: Path, folder: Path) -> None:
    operate(state, "publish", str(folder / "public"))


REQUESTS: dict[str, Callable[[Path, Path], None]] = {
    "keys\n": register,
    "key\n": change_the_log_key,
    "public\n": publish,
}
"""What a program may ask of the operator, by the line that it prints; the answer is the address of the published files."""


def accompany(command: list[str], state: Path, folder: Path) -> int:
    """The exit status of the program."""
    with (
        site(folder / "public") as public,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdin is not None
        assert program.stdout is not None
        for line in program.stdout:
            if line in REQUESTS:
                REQUESTS[line](state, folder)
                program.stdin.write(f"{public}\n")
                program.stdin.flush()
            else:
                print(line, end="", flush=True)
    return program.returncode


def demanded(log: Path) -> bool:
    """Whether the server has refused a request for a token: a client's first proof cannot bring its nonce."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return any(line.get("route") == "/token" and line.get("status") == 400 for line in lines)


def main(program: list[str]) -> int:
    with tempfile.TemporaryDirectory() as place:
        state, folder, policy = Path(place, "state"), Path(place, "participant"), Path(place, "policy")
        (folder / "receipts").mkdir(parents=True)
        said = operate(state, "init", "--origin", "ledger.example/sdk")
        vkey = next(line.strip() for line in said.splitlines() if line.strip().startswith("ledger.example/sdk+"))
        policy.write_text(f"log {vkey}\nquorum none\n")
        port = free_port()
        serve = [str(SCRIPTS / "consent-ledger"), "serve", "--state", str(state), "--port", str(port)]
        environment = {**os.environ, "CONSENT_LEDGER_PORT": str(port)}
        with Path(place, "server.log").open("w") as log:
            server = subprocess.Popen(serve, stdout=log, stderr=log, text=True, env=environment)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", server)
            ended = accompany([*program, f"http://127.0.0.1:{port}", str(policy), str(folder)], state, folder)
        finally:
            server.terminate()
            server.wait(30)
        if environment.get("CONSENT_LEDGER_DPOP_NONCE") == "required" and not demanded(Path(place, "server.log")):
            print("the ledger asked for no nonce, so nothing is shown about nonces")
            ended = ended or 1
        receipts = sorted((folder / "receipts").iterdir())
        for file in receipts:
            command = [str(SCRIPTS / "consent-verify"), "receipt", str(file), "--policy", str(policy)]
            checked = subprocess.run(command, check=False, capture_output=True, text=True)
            if checked.returncode:
                print(f"consent-verify refuses {file.name}: {checked.stdout}{checked.stderr}")
                ended = ended or 1
        print(f"The independent verifier finds {len(receipts)} receipts valid" if not ended else f"ended with {ended}")
        return ended if receipts else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
