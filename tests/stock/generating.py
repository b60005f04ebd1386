"""The clients, generated from the official files and left as they are: `python -m tests.stock.generating FOLDER JAR PROGRAM`.

JAR is openapi-generator's, PROGRAM is openapi-python-client. A client that is there already is kept if it is, byte for byte,
what came out of the same file and the same generator.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.conformance import conformance_dir, files
from tests.standards.versions import nearest

STAMP: Final = "made-of.json"


@dataclass(frozen=True)
class Official:
    """An official file, by its shape: where there are several versions, the one that is served."""

    standard: str
    shape: str
    """What stands in this file, and in no other."""
    generator: str = "openapi-generator"

    def path(self) -> Path:
        return nearest(files("standards/**/*.y*ml", shape=self._has_shape), self.standard)

    def _has_shape(self, path: Path) -> bool:
        return self.shape in re.sub("['\"]", "", path.read_text(encoding="utf-8-sig"))


CLIENTS: Final[dict[str, Official]] = {
    "uk": Official("uk", "\n  /account-access-consents:"),
    "berlin": Official("berlin", "\n  /v1/consents:"),
    # openapi-generator (7.14.0, 7.17.0) writes a Python client of this file that cannot be imported: it forgets an import for
    # a date-time with a pattern.
    "brazil": Official("brazil", "\n  /consents/{consentId}/extends:", "openapi-python-client"),
    "brazil_resources": Official("brazil", "\n  /resources:"),
    "cdr": Official("cdr", "\n  /banking/accounts:"),
    "cdr_dcr": Official("cdr", "operationId: postClientRegistration"),
    "aa": Official("india", "\n  /Consent/handle:"),
}
"""By the name of the package."""


def generate(folder: Path, jar: Path, program: Path) -> None:
    """Raises CalledProcessError with the generator's own words in the log beside the client."""
    for name, official in CLIENTS.items():
        source, place = official.path(), folder / name
        made_of = {
            "generator": program.name if official.generator != "openapi-generator" else jar.name,
            "official": hashlib.sha256(source.read_bytes()).hexdigest(),
        }
        if _stands(place, made_of):
            print(f"{name}: as generated before from {source.relative_to(conformance_dir())}")
            continue
        shutil.rmtree(place, ignore_errors=True)
        (place / name).parent.mkdir(parents=True)
        if official.generator == "openapi-generator":
            command = ["java", "-jar", str(jar), "generate", "-g", "python", "-i", str(source), "-o", str(place)]
            command += ["--package-name", name]
        else:
            command = [
                str(program),
                "generate",
                "--path",
                str(source),
                "--output-path",
                str(place / name),
                "--meta",
                "none",
            ]
        with (folder / f"{name}.log").open("w") as log:
            beside = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
            subprocess.run(command, check=True, stdout=log, stderr=log, env=beside)
        (place / STAMP).write_text(json.dumps(made_of | {"tree": _tree(place)}))
        print(f"{name}: generated from {source.relative_to(conformance_dir())}", flush=True)


def _stands(place: Path, made_of: dict[str, str]) -> bool:
    if not (place / STAMP).is_file():
        return False
    said = json.loads((place / STAMP).read_text())
    return bool(said == made_of | {"tree": _tree(place)})


def _tree(place: Path) -> str:
    """A digest of every generated file."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*.py")):
        digest.update(f"{path.relative_to(place)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


if __name__ == "__main__":
    generate(*(Path(argument).absolute() for argument in sys.argv[1:4]))
