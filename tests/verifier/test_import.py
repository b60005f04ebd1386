"""The verifier stands alone and starts fast."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conformance import ROOT

ALL = (
    "verifier.errors verifier.bytes.encoding verifier.tlog.note verifier.tlog.policy "
    "verifier.tlog.log verifier.records.passkey verifier.tlog.cose"
)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def test_importing_the_verifier_is_fast_and_loads_nothing_else() -> None:
    """The budget is 150 ms. It is held as a ratio within each run, so that a busy machine cannot decide the test."""
    shares = []
    for _ in range(5):
        report = run("-X", "importtime", "-c", "import verifier").stderr
        shares.append(cumulative_ms(report, "verifier") / cumulative_ms(report, "site"))
        assert not re.search(r"\| +verifier\.|\| +(ledger|api|migrations)\b", report)
    print(f"import verifier: {min(shares):.2f} of what `site` takes at every start of Python")
    assert min(shares) < 2


def cumulative_ms(report: str, module: str) -> float:
    """Of importing `module` with all it loads."""
    found = re.search(rf"\|\s*(\d+) \| {module}$", report, re.MULTILINE)
    assert found, report
    return int(found[1]) / 1000


SLOW_TO_LOAD = {"asyncio", "concurrent", "ctypes", "email", "http", "multiprocessing", "sqlite3", "ssl", "xml"}


def test_the_verifiers_modules_load_only_fast_parts_of_the_standard_library() -> None:
    """With the libraries left aside: those are loaded when a signature is checked."""
    program = f"import sys; import {ALL.replace(' ', ', ')}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = set(run("-c", program).stdout.split())
    assert loaded.isdisjoint({"ledger", "api", "migrations", "tests"})
    assert loaded.isdisjoint(SLOW_TO_LOAD - site_hooks())
    assert {name for name in loaded if name not in sys.stdlib_module_names} <= {
        "verifier",
        "__main__",
    } | site_hooks()


def site_hooks() -> set[str]:
    """Modules that this interpreter loads before any program (editable installs and the like)."""
    program = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    return set(run("-c", program).stdout.split())
