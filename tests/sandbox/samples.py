"""The samples of a sandbox's console, run as they are printed: `python -m tests.sandbox.samples LANGUAGE COMMAND…`.

The command gets the file of the sample as its next argument, in a folder in which `keys` lie. It is called for a recipient with
a bank's id, and for a holder with the id of a consent that the first one asked of it. Ends with 0 if both said what they must.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import httpx2

from tests.sandbox.kit import Service, Visitor, running_sandboxes

ENDINGS: Final = {"Python": "py", "TypeScript": "mjs", "Java": "java", "curl": "sh"}
LANGUAGES: Final = tuple(ENDINGS)


def printed(visitor: Visitor) -> dict[str, str]:
    """The samples on the console of a guest, by language."""
    url = visitor.room["ledger"]["url"]
    headers = {"accept": "text/html", "origin": url, "sec-fetch-site": "same-origin"}
    with httpx2.Client(base_url=url, headers=headers, follow_redirects=True, trust_env=False, timeout=60) as client:
        page = client.get("/sign-in/start?next=/console").text
        hidden = re.findall(r'<input\s+type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page)
        fields = {name: html.unescape(value) for name, value in hidden}
        client.post("/dev-idp/authorize", data={**fields, "customer": "guest"}).raise_for_status()
        page = client.get("/console/partner/sandbox").raise_for_status().text
    found = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    return dict(zip(LANGUAGES, map(html.unescape, found), strict=True))


def run_as_printed(visitor: Visitor, language: str, command: list[str], folder: Path, *arguments: str) -> str:
    """What a sample says; the process must end with 0."""
    (folder / "keys").mkdir(parents=True)
    for name in ("statement.pem", "client.pem"):
        shutil.copy(visitor.folder / name, folder / "keys" / name)
    file = folder / f"sample.{ENDINGS[language]}"
    file.write_text(printed(visitor)[language], "utf-8")
    called = [*command, str(file), *arguments]
    ran = subprocess.run(called, check=False, capture_output=True, text=True, cwd=folder, timeout=150)
    if ran.returncode:
        raise AssertionError(f"{language} ended with {ran.returncode}: {ran.stdout}{ran.stderr}")
    return ran.stdout


def both_sides(service: Service, language: str, command: list[str], folder: Path) -> list[str]:
    """A recipient asks a bank for a consent, and a bank reads what was asked of it. Returns what both said."""
    app = service.guest(folder / "app", "app-new")
    asked = run_as_printed(app, language, command, folder / "app-sample", "bank-north")
    assert re.search(r"asked for [0-9a-f-]{36} in entry \d+", asked), asked
    assert "CONSENT_AWAITING" in asked, asked
    bank = service.guest(folder / "bank", "bank-new", "holder")
    consent_id = asked_of(bank)
    told = run_as_printed(bank, language, command, folder / "bank-sample", consent_id)
    assert "state: AWAITING" in told, told
    assert re.search(r"\d+ consent\.request", told), told
    return [asked, told]


def asked_of(bank: Visitor) -> str:
    """A consent that the sandbox's own recipient asks of its guest."""
    body = {"holder": bank.room["participant"]}
    consent_id: str = bank.service.post(f"{bank.here}/requests", body)["consent_id"]
    return consent_id


def main(language: str, *command: str) -> int:
    with tempfile.TemporaryDirectory() as place, running_sandboxes(Path(place, "logs")) as service:
        said = both_sides(service, language, list(command), Path(place))
    print(
        f"{language}: the samples of the console ran as printed, for both sides; {len(said[0].splitlines())} lines told"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
