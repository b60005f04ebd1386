"""Shared by the commands of `consent-verify`: inputs with their hashes, the trust file, the facts of a checkpoint."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from verifier.bytes.archive import Unreadable, open_regular
from verifier.errors import CannotCheck
from verifier.rules.findings import Findings
from verifier.telling.messages import word
from verifier.telling.result import Result
from verifier.tlog.policy import NONE, Policy, PolicyHead
from verifier.tlog.trust import Trust, parse_trust

MAX_INPUT = 4_000_000
OWN_POLICY = "whose log this is: the policy comes out of the bundle itself, not from somebody you trust"


def fresh(command: str) -> Result:
    """A result to be filled."""
    return Result(command, None, findings=Findings())


def read_file(path: str, result: Result, limit: int = MAX_INPUT) -> bytes:
    """The bytes of a file, or of standard input for `-`; noted among the inputs. Raises CannotCheck."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with open_regular(Path(path), follow=True) as file:
                data = file.read(limit + 1)
    except Unreadable as error:
        raise CannotCheck(f"{error}; standard input is read as -") from None
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None
    if len(data) > limit:
        raise CannotCheck(f"{path} is longer than {limit} bytes")
    result.inputs.append((path, hashlib.sha256(data).hexdigest()))
    return data


def trust_of(arguments: argparse.Namespace, result: Result) -> Trust:
    """The policy or trust file that was named, current now. Raises CannotCheck."""
    if arguments.policy is None:
        # Step 1.1.
        raise CannotCheck("a policy is needed: --policy FILE names the log and witness keys that you trust")
    trust = parse_trust(read_file(arguments.policy, result))
    trust.check_current(now())
    return trust


def now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def check_age(
    arguments: argparse.Namespace, result: Result, head: PolicyHead | None, policy: Policy, told: int
) -> None:
    """Leave the question open if the checkpoint is older than `--max-age` asks: by the witnesses that the quorum needs, or,
    where the policy asks for none, by `told` (ms, 0: nothing), the newest time that the log itself names."""
    if arguments.max_age is None or head is None:
        return
    since = now() - arguments.max_age
    if policy.quorum == NONE and not told:
        raise CannotCheck(
            "--max-age: neither witnesses, of whom your policy asks for none, nor this file tell the time"
        )
    if policy.quorum == NONE:
        fresh_enough = told >= since
    else:
        names = {key: name for name, key in policy.witnesses.items()}
        signed = [names[one.key] for one in head.head.cosignatures if (one.time_ms or 0) >= since]
        fresh_enough = policy.is_satisfied(signed)
    if not fresh_enough:
        result.findings.open = "the checkpoint is older than --max-age allows: ask for a newer one"


def head_facts(result: Result, head: PolicyHead, trust: Trust, language: str) -> None:
    """Which log, which tree, which witnesses."""
    checkpoint = head.head.checkpoint
    result.facts += [
        (word("log", language), checkpoint.origin),
        (word("checkpoint", language), f"{checkpoint.size:,} / {checkpoint.root.hex()}"),
        (
            word("witnesses", language),
            _names(head, trust, language),
        ),
    ]
    if trust.policy.uncounted:
        result.facts.append((word("uncounted", language), ", ".join(trust.policy.uncounted)))


def _names(head: PolicyHead, trust: Trust, language: str) -> str:
    names = ", ".join(head.witnesses) or word("none", language)
    return f"{names} ({word('quorum' if head.witnessed else 'below', language)}: {trust.policy.quorum})"


def conclude(result: Result, witnessed: bool) -> Result:
    """The verdict that the findings give; none, with the reason, while they leave the question open."""
    result.code = result.findings.verdict(witnessed)
    if result.code is None:
        result.reason = result.findings.open
    return result


def tell_policy_inside(result: Result, policy: str | None, place: Path) -> None:
    """A policy out of the bundle itself says only that the bundle agrees with itself (docs/spec/verdicts.md, step 1)."""
    if policy is None or policy == "-":
        return
    try:
        inside = Path(policy).resolve().is_relative_to(place.resolve())
    except (OSError, RuntimeError):
        return
    if inside:
        # Step 1.2.
        result.findings.unchecked[OWN_POLICY] += 1
