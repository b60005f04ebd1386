"""Cases: a log that changes its key, and what its documents say of it (log.md, «The log's keys»)."""

from __future__ import annotations

from tests.vectors.cases import case
from tests.vectors.hashing import b64, b64u, root
from tests.vectors.log import ORIGIN
from tests.vectors.signing import Ed25519
from tests.vectors.story import RECIPIENT, Story

OLD, NEW, NEXT, STRANGER = (Ed25519(label) for label in ("log", "log-2", "log-3", "stranger"))
INVALID = (("CONSENT_INVALID", 13),)


def added(log: Story, key: Ed25519 = NEW, previous: Ed25519 = OLD) -> None:
    log.operator("log.key_added", v=2, key=b64u(key.public), previous=b64u(previous.public))
    log.signers = (previous, key)
    log.later_keys = (*log.later_keys, key)


def retired(log: Story, key: Ed25519 = OLD, left: Ed25519 = NEW, by: Ed25519 | None = None) -> None:
    """`by`: who really signs the handover."""
    size = len(log.entries)
    text = f"{ORIGIN}\n{size}\n{b64(root(log.hashes))}\n".encode()
    log.operator("log.key_retired", v=2, key=b64u(key.public), signature=b64u((by or key).sign(text)))
    log.signers = (left,)


def compromised(log: Story, from_size: int, key: Ed25519 = OLD) -> None:
    log.operator("log.key_compromised", v=2, key=b64u(key.public), from_size=from_size, reason="key-stolen")


@case("3.2", "9.12", exit=0)
def _an_overlap(log: Story) -> None:
    """The checkpoint bears a line of each key: the reader knows the older one."""
    added(log)


@case("3.2", "9.12", exit=0, policy="newer-key")
def _an_overlap_for_who_knows_the_newer_key(log: Story) -> None:
    """The checkpoint bears a line of each key: the reader knows the newer one."""
    added(log)


@case("3.2", "9.11", "9.12", exit=0)
def _a_log_whose_key_was_exchanged(log: Story) -> None:
    """The reader knows the older key only: its word over the tree that names the newer one leads there."""
    added(log)
    retired(log)


@case("3.2", "9.11", "9.12", exit=0, policy="newer-key")
def _a_log_whose_key_was_exchanged_for_who_knows_the_newer_key(log: Story) -> None:
    """The checkpoint is the newer key's."""
    added(log)
    retired(log)


@case("3.2", "9.11", exit=0, policy="both-keys")
def _a_log_whose_key_was_exchanged_for_who_knows_both_keys(log: Story) -> None:
    """A policy with a line for each."""
    added(log)
    retired(log)


@case("3.2", "9.11", exit=0)
def _a_log_whose_key_was_exchanged_twice(log: Story) -> None:
    """From the first key to the third."""
    added(log)
    retired(log)
    added(log, NEXT, NEW)
    retired(log, NEW, NEXT)


@case("8.3", exit=0)
def _a_newer_key_that_ends_before_the_older_one(log: Story) -> None:
    """The exchange is taken back."""
    added(log)
    retired(log, NEW, OLD)


@case("3.2", told=(("BAD_SIGNATURE", "checkpoint"), ("BAD_SIGNATURE", 14)))
def _a_handover_that_the_older_key_did_not_sign(log: Story) -> None:
    """Whoever has the newer key only leads nobody to it."""
    added(log)
    retired(log, by=NEW)


@case("9.11", told=(("BAD_SIGNATURE", 14),), policy="newer-key")
def _a_handover_that_is_not_signed_for_who_knows_the_newer_key(log: Story) -> None:
    """The log's own document is wrong, whoever reads it."""
    added(log)
    retired(log, by=STRANGER)


@case("3.2", told=(("BAD_SIGNATURE", "checkpoint"),))
def _a_key_that_nobody_handed_over_to(log: Story) -> None:
    """Named by the log, signing alone: no word of the older key holds the document."""
    added(log)
    log.signers = (NEW,)


@case("9.12", told=(("POLICY_REJECTED", "checkpoint"),))
def _the_older_key_alone_after_its_end(log: Story) -> None:
    """It was retired with size 14 and signs size 15."""
    added(log)
    retired(log)
    log.signers = (OLD,)


@case("9.12", told=(("POLICY_REJECTED", "checkpoint"),), policy="other-key", notices=(("POLICY_REJECTED", "policy"),))
def _a_key_that_the_log_does_not_name(log: Story) -> None:
    """The reader trusts it, and the log's documents say that the log had others."""
    added(log)
    log.signers = (STRANGER,)


@case("8.3", told=INVALID)
def _a_key_added_as_its_own_successor(log: Story) -> None:
    """A key that the log had before."""
    added(log, OLD)
    log.signers = (OLD,)


@case("8.3", told=(("CONSENT_INVALID", 14),))
def _a_third_key_in_an_overlap(log: Story) -> None:
    """Two are in force already."""
    added(log)
    added(log, NEXT, NEW)
    log.signers = (OLD, NEW)


@case("8.3", told=INVALID)
def _the_only_key_retired(log: Story) -> None:
    """No other is in force."""
    retired(log, left=OLD)


@case("8.2", told=(("BAD_ENCODING", 13),))
def _a_log_key_in_a_document_of_version_1(log: Story) -> None:
    """Documents about the log's keys are of version 2."""
    log.operator("log.key_added", key=b64u(NEW.public), previous=b64u(OLD.public))


@case("8.2", told=(("BAD_SIGNATURE", 13),))
def _a_log_key_of_small_order(log: Story) -> None:
    """It must not be a key of anybody."""
    log.operator("log.key_added", v=2, key=b64u(bytes(32)), previous=b64u(OLD.public))


@case("9.12", exit=0)
def _a_key_stolen_and_replaced(log: Story) -> None:
    """The other key's line counts; the reader knows the first key, whose words before that size count."""
    added(log)
    compromised(log, 14, NEW)
    log.signers = (OLD,)


@case("9.12", told=(("KEY_COMPROMISED", "checkpoint"),))
def _a_checkpoint_of_a_compromised_key_alone(log: Story) -> None:
    """It ended with the document, and somebody else may have signed this."""
    added(log)
    compromised(log, 10)
    log.signers = (OLD,)


@case("8.3", told=(("CONSENT_INVALID", 14),))
def _a_key_compromised_from_a_size_that_is_not_reached(log: Story) -> None:
    """`from_size` is at most the document's index."""
    added(log)
    compromised(log, 15)


@case("8.3", told=INVALID)
def _the_only_key_compromised(log: Story) -> None:
    """The log would have none."""
    compromised(log, 5)


@case("3.2", told=(("KEY_COMPROMISED", "checkpoint"),), policy="compromised")
def _a_key_that_the_trust_file_calls_compromised(log: Story) -> None:
    """From size 14 on, and no witness vouches for this tree."""
    log.operator("participant.suspended", participant=RECIPIENT, reason="case")


@case("3.2", exit=0, policy="compromised-quorum")
def _a_compromised_key_under_a_quorum(log: Story) -> dict[str, bytes]:
    """The witness has cosigned this tree."""
    log.operator("participant.suspended", participant=RECIPIENT, reason="case")
    return log.files(cosign=True)
