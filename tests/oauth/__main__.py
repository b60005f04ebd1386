"""The bank and its customer, for `client.mjs`: `python -m tests.oauth`, at a ledger that wants no DPoP nonces, then at one that
does. Ends with the client's status."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from ledger.canonical import b64u
from tests.standards.served import REDIRECT
from tests.standards.walk import Walk, code_stage

HERE = Path(__file__).parent


def main() -> int:
    return max(_walked(wanted) for wanted in ("off", "required"))


def _walked(nonces: str) -> int:
    with tempfile.TemporaryDirectory() as place, code_stage(Path(place), dpop_nonce=nonces) as stage:
        key = stage.recipients["tpp-1"].client_key
        assert key is not None
        secret = key.private.private_numbers().private_value.to_bytes(32)
        file = Path(place, "client.jwk")
        file.write_text(json.dumps({**key.jwk, "d": b64u(secret), "kid": key.kid}))
        command = ["node", "--no-warnings", str(HERE / "client.mjs"), stage.service.base_url, REDIRECT, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            grant = ""
            for line in client.stdout:
                if line.startswith("the browser is at "):
                    said = parse_qs(urlsplit(line.removeprefix("the browser is at ").strip()).query)
                    [grant] = said["consent"]
                    stage.authorise(grant)
                    answer = Walk(stage).answer(said["request"][0]).json()["redirect_to"]
                elif line == "the customer stops it\n":
                    bank = stage.banks["bank-a"]
                    stage.world.record(bank.step("revoke", stage.known(grant), reason="customer-request"))
                    answer = "stopped"
                else:
                    print(f"nonces {nonces}: {line}", end="", flush=True)
                    continue
                client.stdin.write(answer + "\n")
                client.stdin.flush()
    return client.returncode


if __name__ == "__main__":
    sys.exit(main())
