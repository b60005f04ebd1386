"""Whether a recipient's software did a task as the list of behaviours expects (behaviours.json)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from api.sandbox.evidence import Problems, TaskEvidence, accesses, kid_of
from api.web.happened import Event, joined
from ledger.entries.acts import ConsentAcknowledge, ConsentRequest

LEDGER: Final = "ledger"


def _read(task: TaskEvidence) -> Problems:
    """One allowed read, and no refused one."""
    found = accesses(task.events())
    if not found:
        return ["the log has no access of the consent that you named"]
    reads = int(task.asked.get("reads", 1))
    problems = [f"entry {one.index}: refused, {', '.join(one.reasons)}" for one in found if not one.allowed]
    if sum(one.allowed for one in found) < reads:
        problems.append(f"{reads} reads were asked for, and {sum(one.allowed for one in found)} allowed")
    return problems


def _nothing_read(task: TaskEvidence) -> Problems:
    events = task.events()
    if not events:
        return ["the log does not know the consent that you named"]
    return [f"entry {one.index}: you asked for data that nobody had agreed to" for one in accesses(events)]


def _confirmed(task: TaskEvidence) -> Problems:
    problems = _read(task)
    rows = joined([*task.events()])
    for row in rows:
        if row.event.allowed:
            if row.received is None:
                problems.append(f"entry {row.event.index}: what arrived is not on record")
            elif row.released is not None and _figures(row.received) != _figures(row.released):
                problems.append(f"entry {row.event.index}: you recorded other figures than the bank")
    return problems


def _figures(leg: object) -> tuple[object, ...]:
    return tuple(getattr(leg, name) for name in ("rows", "bytes", "digest"))


def _request(task: TaskEvidence) -> ConsentRequest | None:
    return next((one.says for one in task.events() if isinstance(one.says, ConsentRequest)), None)


def _no_more(task: TaskEvidence) -> Problems:
    request = _request(task)
    wanted = tuple(sorted(task.asked["permissions"]))
    asked = () if request is None else request.terms.permissions
    more = [] if asked == wanted else [f"the consent asks for {', '.join(asked)}; the task needs {', '.join(wanted)}"]
    return [*more, *_read(task)]


def _both_owners(task: TaskEvidence) -> Problems:
    return [*_asks_for_two(task), *_read(task)]


def _one_of_two(task: TaskEvidence) -> Problems:
    return [*_asks_for_two(task), *_nothing_read(task)]


def _asks_for_two(task: TaskEvidence) -> Problems:
    request = _request(task)
    enough = request is not None and request.terms.authorisers_required >= int(task.asked["authorisers"])
    return [] if enough else ["the consent asks for one authoriser, and the account belongs to two people"]


def _stopped(task: TaskEvidence) -> Problems:
    found = accesses(task.events())
    refused = [one for one in found if not one.allowed]
    if not any(one.allowed for one in found):
        return ["nothing was read before the customer withdrew"]
    if not refused:
        return ["you never learnt of the withdrawal: the task asks for several reads"]
    return [f"entry {one.index}: asked again after a refusal for good" for one in refused[1:]]


def _away(task: TaskEvidence) -> Problems:
    present = [one.index for one in accesses(task.events()) if getattr(one.says, "customer_present", True)]
    return [*[f"entry {index}: says that the customer was there" for index in present], *_read(task)]


def _frequency(task: TaskEvidence) -> Problems:
    request, found = _request(task), accesses(task.events())
    limit = int(task.asked["frequency_per_day"])
    if request is None or request.terms.frequency_per_day != limit:
        return [f"the consent does not agree to {limit} a day, as the task asks"]
    over = [f"entry {one.index}: one more than was agreed for a day" for one in found[limit:]]
    if sum(one.allowed for one in found) < limit:
        return ["nothing was read at all"]
    return [*over, *_away_only(found)]


def _away_only(found: list[Event]) -> Problems:
    return [
        f"entry {one.index}: says that the customer was there"
        for one in found
        if getattr(one.says, "customer_present", True)
    ]


def _fresh_ids(task: TaskEvidence) -> Problems:
    named = Counter(str(getattr(one.says, "interaction_id", "")) for one in accesses(task.events()))
    return [
        *[f"the interaction id {name} was used {count} times" for name, count in named.items() if count > 1],
        *_read(task),
    ]


def _same_again(task: TaskEvidence) -> Problems:
    sent = [one for one in [*task.world.faults[LEDGER].seen][task.sent_before :] if one.path == "/consents"]
    if not any(one.status == 503 for one in sent):
        return ["no request of yours for a consent met the fault"]
    if len(sent) > 1 and len({one.digest for one in sent}) == 1:
        return _read(task)
    return ["after a lost answer you sent another statement, or none: the very same one is recorded once"]


def _once_each(task: TaskEvidence) -> Problems:
    requests = [one for one in [*task.world.faults[LEDGER].seen][task.sent_before :] if one.path == "/consents"]
    twice = len(requests) - len({one.digest for one in requests})
    return [*(["you asked again while the first answer was on its way"] if twice else []), *_read(task)]


def _ended(task: TaskEvidence) -> Problems:
    ends = [one for one in task.events() if one.act == "consent.revoke"]
    if not ends:
        return ["the log has no consent.revoke of the consent that you named"]
    if ends[0].principal != task.participant or ends[0].by != "customer":
        return [f"entry {ends[0].index}: not recorded by you as the customer's wish"]
    return []


def _acknowledged(task: TaskEvidence) -> Problems:
    events = task.events()
    ends = {one.index for one in events if one.act == "consent.revoke"}
    if not ends:
        return ["the consent has not ended: read once, then its customer withdraws"]
    known = any(isinstance(one.says, ConsentAcknowledge) and one.says.basis in ends for one in events)
    return [] if known else ["no consent.acknowledge names the entry that ended the consent"]


def _nothing(_: TaskEvidence) -> Problems:
    """The answer alone decides."""
    return []


def _rotated(task: TaskEvidence) -> Problems:
    keys = task.keys()
    new = [kid for kid, key in keys.items() if kid not in task.keys_before and key.revoked_at is None]
    old = [kid for kid in task.keys_before if keys[kid].revoked_at is None]
    problems = [] if new else ["no new key of yours for statements is in force"]
    problems += [f"the key {kid} from before is still in force" for kid in old]
    events = task.events()
    if not events or not isinstance(events[0].says, ConsentRequest):
        return [*problems, "ask for a consent with the new key, and name it"]
    if kid_of(events[0]) not in new:
        problems.append("the consent that you named was not asked for with the new key")
    return problems


JUDGES: Final[dict[str, Callable[[TaskEvidence], Problems]]] = {
    "reads-after-yes": _read,
    "confirms-what-arrived": _confirmed,
    "asks-for-no-more": _no_more,
    "takes-no-for-no": _nothing_read,
    "waits-for-the-late": _read,
    "has-both-owners": _both_owners,
    "not-with-one-of-two": _one_of_two,
    "stops-when-told": _stopped,
    "says-who-is-away": _away,
    "keeps-to-the-frequency": _frequency,
    "is-itself-each-time": _fresh_ids,
    "sends-the-same-again": _same_again,
    "is-patient": _read,
    "slow-is-not-away": _once_each,
    "ends-what-it-is-told-to-end": _ended,
    "acknowledges-an-end": _acknowledged,
    "finds-a-fork": _nothing,
    "finds-a-rollback": _nothing,
    "believes-a-true-receipt": _nothing,
    "refuses-a-changed-receipt": _nothing,
    "refuses-a-misplaced-receipt": _nothing,
    "refuses-another-logs-receipt": _nothing,
    "changes-its-key": _rotated,
    "comes-back-after-a-lost-key": _rotated,
}
"""By behaviour. The conclusion that the partner draws is judged for each beside these."""
