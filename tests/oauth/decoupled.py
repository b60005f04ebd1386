"""The bank and its customer, for `decoupled.mjs`: `python -m tests.oauth.decoupled`. Ends with the client's status."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ledger.canonical import b64u
from tests.standards.walk import code_stage

HERE = Path(__file__).parent
REACHED = "the bank reaches its customer about "


def main() -> int:
    with tempfile.TemporaryDirectory() as place, code_stage(Path(place), decoupled=("tpp-1",)) as stage:
        key = stage.recipients["tpp-1"].client_key
        assert key is not None
        secret = key.private.private_numbers().private_value.to_bytes(32)
        file = Path(place, "client.jwk")
        file.write_text(json.dumps({**key.jwk, "d": b64u(secret), "kid": key.kid}))
        command = ["node", "--no-warnings", str(HERE / "decoupled.mjs"), stage.service.base_url, str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            grant = ""
            for line in client.stdout:
                if line.startswith(REACHED):
                    grant = line.removeprefix(REACHED).strip()
                    bank = stage.service.as_(stage.banks["bank-a"])
                    [asked] = bank.get("/holders/bank-a/oauth/backchannel-requests").json()["requests"]
                    assert (asked["consent_id"], asked["binding_message"]) == (grant, "PLUM 7-3-1")
                    stage.authorise(grant)
                elif line == "the customer stops it\n":
                    stage.world.record(stage.banks["bank-a"].step("revoke", stage.known(grant)))
                else:
                    print(line, end="", flush=True)
                    continue
                client.stdin.write("done\n")
                client.stdin.flush()
    return client.returncode


if __name__ == "__main__":
    sys.exit(main())
