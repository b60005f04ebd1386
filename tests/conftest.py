"""What holds for every test: surroundings that do not depend on whose machine this is."""

from __future__ import annotations

import os
import sys
import time

import pytest
from hypothesis import HealthCheck, settings

from tests.conformance import conformance_dir, in_ci
from tests.dealing import Dealer
from tests.scratch import keep_in_memory

pytest_plugins = ["tests.engines", "tests.browser"]

# A shared two-core machine pauses; a deadline would report that as a bug of ours.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# CI repeats itself exactly: whoever reads a red run can have the same one.
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)
# For a night: HYPOTHESIS_PROFILE=thorough scripts/test
settings.register_profile("thorough", settings.get_profile("default"), max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if in_ci() else "default"))


def pytest_configure(config: pytest.Config) -> None:
    """Take away what differs between machines, before anything of ours is imported."""
    for name in [name for name in os.environ if name.startswith("CONSENT_LEDGER_")]:
        del os.environ[name]
    # Programs that tests start need not be compiled anew each time, nor the tests by each worker.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    # Neither UTC nor a whole number of hours away from it: code that mixes up local time fails here.
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    config.pluginmanager.register(Dealer())
    if "not bench" in config.getoption("markexpr"):  # what measures commits measures a disk's
        keep_in_memory()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked `conformance` needs the vectors, whichever way it reads them."""
    if item.get_closest_marker("conformance"):
        conformance_dir()
