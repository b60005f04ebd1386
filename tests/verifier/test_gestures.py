"""A customer's own signature in a whole log: an honest one stands, any other refutes the consent that rests on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.verifier.auditing import audit
from tests.verifier.forge import Json
from tests.verifier.gestures import Passkey, Signing
from verifier.errors import Code


def altered(world: Signing) -> int:
    def make(*about: object) -> Json:
        record = world.passkey.agree(*about)  # type: ignore[arg-type]
        client = record["client_data"]
        return record | {"client_data": client[:-2] + ("A" if client[-2] != "A" else "E") + client[-1]}

    return world.signed_consent(make)


def reused(world: Signing) -> int:
    kept: list[Json] = []

    def keep(*about: object) -> Json:
        kept.append(world.passkey.agree(*about))  # type: ignore[arg-type]
        return kept[0]

    world.signed_consent(keep)
    return world.signed_consent(lambda *_: kept[0])


def reused_for_other_accounts(world: Signing) -> int:
    return world.signed_consent(lambda consent_id, terms, _: world.passkey.agree(consent_id, terms, ["x" * 22]))


def not_enrolled(world: Signing) -> int:
    return world.signed_consent(Passkey("a stranger's").agree)


def enrolled_too_late(world: Signing) -> int:
    late = Passkey("late")
    index = world.signed_consent(late.agree)
    world.enrol(late)
    return index


def removed_before(world: Signing) -> int:
    world.enrol(world.passkey, "subject.unenrol")
    return world.signed_consent()


def under_anothers_id(world: Signing) -> int:
    stranger = Passkey("a stranger's")
    return world.signed_consent(lambda *about: stranger.agree(*about) | {"credential_id": world.passkey.id})


def unverified(world: Signing) -> int:
    return world.signed_consent(lambda *about: world.passkey.agree(*about, flags=0x01))


def test_a_consent_that_the_customer_signed_is_valid(tmp_path: Path) -> None:
    world = Signing()
    world.signed_consent()
    found = audit(world.files(), world, tmp_path)
    assert [str(defect) for defect in found.findings.defects] == []
    assert found.verdict is Code.VALID


@pytest.mark.parametrize(
    "lie",
    [
        altered,
        reused,
        reused_for_other_accounts,
        not_enrolled,
        enrolled_too_late,
        removed_before,
        under_anothers_id,
        unverified,
    ],
    ids=lambda lie: lie.__name__,
)
def test_a_consent_under_any_other_passkey_record_is_refuted(lie: Callable[[Signing], int], tmp_path: Path) -> None:
    world = Signing()
    world.signed_consent()
    index = lie(world)
    found = audit(world.files(), world, tmp_path)
    assert found.verdict is not Code.VALID
    assert index in {one.place.index for one in found.findings.defects if one.code is Code.CONSENT_INVALID}
