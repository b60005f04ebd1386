"""The distribution `consent-ledger-client`, made from this checkout, for programs that have nothing else of ours."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "consent_ledger_client"


def builder() -> ModuleType:
    """The build hook of sdk/python."""
    spec = importlib.util.spec_from_file_location("sdk_hatch_build", ROOT / "sdk" / "python" / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_client(folder: Path) -> Path:
    """Write the package below a folder, as a wheel would, and return the folder."""
    builder().write_package(ROOT, folder / PACKAGE)
    return folder


def run_apart(
    program: str, *path: Path, folder: Path, timeout: int = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in `folder` with `path` before what is installed; this checkout's own packages are not found."""
    code = f"import sys; sys.path[:] = [place for place in sys.path if place != {str(ROOT)!r}]\n{program}"
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=timeout,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))} | environment,
    )
