"""Tokens of SoftHSM2 for tests: one store for the whole process, since a library reads its configuration once."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

PIN = "pin-1234-of-tests"
CANDIDATES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/softhsm/libsofthsm2.so"),
    Path("/usr/local/lib/softhsm/libsofthsm2.so"),
)


@dataclass(frozen=True)
class SoftToken:
    """A token of its own, with the file that its PIN stands in."""

    label: str
    module: Path
    pin_file: Path
    store: Path

    def uri(self, label: str, **more: str) -> str:
        """The URI of the key of this label."""
        extra = "".join(f";{name}={value}" for name, value in more.items())
        return f"pkcs11:token={self.label};object={label}{extra}?module-path={self.module}&pin-source={self.pin_file}"

    @contextmanager
    def away(self) -> Iterator[None]:
        """As if the module were unplugged: every token of the store is gone."""
        elsewhere = self.store.with_name("unplugged")
        self.store.rename(elsewhere)
        try:
            yield
        finally:
            elsewhere.rename(self.store)


@lru_cache(maxsize=1)
def _store() -> tuple[Path, Path, Path]:
    """(library, the tool that makes tokens, the folder of the tokens); skips where SoftHSM2 is not installed."""
    module = next((path for path in CANDIDATES if path.exists()), None)
    tool = shutil.which("softhsm2-util")
    if module is None or tool is None:
        said = "needs SoftHSM2: scripts/test-hsm installs it (Debian: apt-get install softhsm2)"
        if os.environ.get("HSM_REQUIRED"):
            pytest.fail(said, pytrace=False)
        pytest.skip(said)
    folder = Path(tempfile.mkdtemp(prefix="softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store = folder / "tokens"
    store.mkdir(mode=0o700)
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {store}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    return module, Path(tool), store


def new_token() -> SoftToken:
    """A fresh token, with its PIN in a file of mode 0600."""
    module, tool, store = _store()
    label = f"t{uuid.uuid4().hex[:12]}"
    subprocess.run(
        [tool, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN],
        check=True,
        capture_output=True,
    )
    pin_file = store.parent / f"{label}.pin"
    pin_file.write_text(f"{PIN}\n")
    pin_file.chmod(0o600)
    return SoftToken(label, module, pin_file, store)
