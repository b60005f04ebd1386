"""The readers' policies that cases and objects name: they lie in `policies/`."""

from __future__ import annotations

from tests.vectors.hashing import encode
from tests.vectors.log import ORIGIN, vkey
from tests.vectors.signing import Ed25519
from tests.vectors.story import Story

_LOG = Story(1)


def _trust(**changes: object) -> str:
    trust = {
        "expires": 4_000_000_000_000,
        "keys": [],
        "origins": [],
        "policy": _LOG.policy(),
        "rp_ids": [],
        "v": 1,
        "version": 1,
    }
    return encode({**trust, **changes}).decode()


def _keys(*labels: str) -> str:
    return "".join(f"log {vkey(ORIGIN, 1, Ed25519(label))}\n" for label in labels) + "quorum none\n"


_SHARD = "shard.example/east"
_COMPROMISED = [{"compromised_from_size": 14, "valid_from_size": 0, "valid_to_size": None, "vkey": _LOG.vkey}]

POLICIES = {
    "policy": _LOG.policy(),
    "quorum": _LOG.policy(quorum=True),
    "without-quorum": "".join(_LOG.policy().splitlines(keepends=True)[:-1]),
    "nonsense": "no policy\n",
    "expired": _trust(expires=1_000_000_000_000),
    "retired": _trust(keys=[{"valid_from_size": 0, "valid_to_size": 16, "vkey": _LOG.vkey}]),
    "newer-key": _keys("log-2"),
    "both-keys": _keys("log", "log-2"),
    "with-a-shard": f"log {vkey(_SHARD, 1, Ed25519(_SHARD))}\n{_LOG.policy()}",
    "other-key": _keys("stranger"),
    "compromised": _trust(keys=_COMPROMISED),
    "compromised-quorum": _trust(keys=_COMPROMISED, policy=_LOG.policy(quorum=True)),
    "places": _trust(origins=["https://bank.example"], rp_ids=["bank.example"]),
    "other-places": _trust(origins=["https://other.example"], rp_ids=["other.example"]),
}
