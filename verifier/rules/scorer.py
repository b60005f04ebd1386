"""The scorer: rules 1 to 13 over the entries in log order, in integers (docs/spec/risk.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from verifier.bytes.encoding import Object
from verifier.records.facts import Facts
from verifier.records.leaf import Leaf
from verifier.records.terms import Terms
from verifier.rules.chain_store import Chain
from verifier.rules.consents import Consent
from verifier.rules.firing import Fired, fire, fire_about
from verifier.rules.forest import Forest
from verifier.rules.remembered import DAY_MS, HOUR_MS, WEEK, Fires, Habits, Past, Recipient, Requests, Unsure
from verifier.rules.spilled import Spilled

ASLEEP, NEW = 5_184_000_000, 2_592_000_000
ENDED = {"CONSENT_REVOKED", "CONSENT_TERMINATED"}
OVER = ("REVOKED", "TERMINATED")
OF_RECIPIENTS = ("rate", "night", "refused", "unattended", "rows", "many", "after-end", "model", "late-notice")


class Scorer:
    """Shown every entry of consents while scoring is in force; yields what fires, in the order of the rules. `forest`: the
    active model, None if there is none; `without_model`: there is one, and its bytes are not here."""

    def __init__(self) -> None:
        self.epoch, self.lost, self.lost_time, self.begun = 0, 0, 0, 0
        self.resumed = 0
        """Entries below this one were read by an earlier run, and are forgotten."""
        self.forest: Forest | None = None
        self.model, self.without_model = "", False
        self.recipients: dict[str, Recipient] = {}
        self.holders: dict[str, Fires] = {}
        self.purposes = Spilled()
        self.waiting = Spilled()
        """Allowed accesses by index: their chain, and the first leg of theirs."""
        self._unsure = Unsure()

    def begin(self, index: int) -> None:
        """Begin scoring at the next entry, with nothing remembered."""
        self._archive(index)
        self.epoch, self.begun, self.lost = self.epoch + 1, index + 1, 0
        self.recipients.clear()
        self.holders.clear()
        self.purposes.clear()
        self.waiting.clear()

    def _archive(self, index: int) -> None:
        """Archive what was unsure until here: alerts about it may be raised later."""
        for name in self.recipients:
            self._unsure.keep("recipient", name, self.recipient(name), index)
        for name in self.holders:
            self._unsure.keep("holder", name, self.holder(name), index)
        if self.lost:
            self._unsure.blind.append((self.begun, index, frozenset((*self.recipients, *self.holders))))

    def close(self) -> None:
        """Give temporary files back."""
        self.purposes.close()
        self.waiting.close()

    # --- what could not be read -----------------------------------------------------------------------------

    def miss(self, index: int, time: int, consent: Consent | None) -> None:
        """An entry that cannot be read: of this consent, or (None) of nobody knows which."""
        if consent is None:
            self.lost, self.lost_time = self.lost + 1, time
            return
        self.doubt_recipient(self.recipient(consent.terms.recipient), index, time)
        self.holder(consent.terms.holder).doubt("legs-differ", index, time)

    @staticmethod
    def doubt_recipient(own: Recipient, index: int, time: int, rules: tuple[str, ...] = OF_RECIPIENTS) -> None:
        """Mark everything that rests on an entry of this recipient as unknown."""
        marks = {"refused": own.asked, "unattended": own.count, "rows": own.releases}
        for rule in rules:
            own.doubt(rule, index, time, marks.get(rule, 0))

    def recipient(self, name: str) -> Recipient:
        """What is remembered of it."""
        own = self.recipients.get(name)
        if own is None:
            own = self.recipients[name] = Recipient(last=self.begun - 1)
        if own.seen != self.lost:
            own.seen = self.lost
            self.doubt_recipient(own, own.last + 1, self.lost_time, (*OF_RECIPIENTS, "breadth"))
        return own

    def holder(self, name: str) -> Fires:
        """What is remembered of it."""
        own = self.holders.get(name)
        if own is None:
            own = self.holders[name] = Fires(last=self.begun - 1)
        if own.seen != self.lost:
            own.seen = self.lost
            own.doubt("legs-differ", own.last + 1, self.lost_time)
        return own

    # --- accesses -------------------------------------------------------------------------------------------

    def access(self, index: int, leaf: Leaf, chain: Chain, facts: Facts) -> Iterator[Fired]:
        """An access, with the decision that its entry names."""
        consent, outcome = chain.consent, facts.outcome or {}
        refused = outcome["decision"] == "deny"
        mine = consent is not None and facts.party == (
            consent.terms.holder if facts.relayed else consent.terms.recipient
        )
        if consent is None and not chain.known:  # its request cannot be read: whose it is, says the signer, if at all
            if facts.relayed:
                self.miss(index, leaf.time, None)
            else:
                self.doubt_recipient(self.recipient(facts.party), index, leaf.time)
            return
        if consent is None or not mine:
            own = self.recipient(facts.party)
            yield from self._refused(own, facts.party, index, leaf.time, refused)
            own.last = index
            return
        terms, content = consent.terms, facts.content
        own, name = self.recipient(terms.recipient), terms.recipient
        if not chain.known:  # where the customer is, and when it ended, may stand in what could not be read
            self.doubt_recipient(own, index, leaf.time, ("night", "after-end", "model"))
        habits = self.habits(chain)
        permissions = tuple(map(str, content["permissions"]))  # type: ignore[arg-type]
        night, unattended = _local_hour(leaf.time, terms) < 5, not content["customer_present"]
        hour = leaf.time // HOUR_MS
        self._count(own, habits, hour, leaf.time // DAY_MS)
        accounts = content["accounts"]
        own.past.append(
            Past(
                refused,
                unattended,
                leaf.chain,
                permissions,
                night,
                len(accounts) if isinstance(accounts, list) else 0,
                leaf.time,
            )
        )
        yield from self._rate(own, name, index, leaf.time)
        yield from self._night(own, name, index, leaf.time, night and unattended)
        if not refused:
            yield from self._new_permission(chain, habits, permissions, index, leaf)
        yield from self._refused(own, name, index, leaf.time, refused)
        yield from self._unattended(own, name, index, leaf.time, unattended)
        if not refused and unattended:
            yield from self._woken(chain, habits, index, leaf)
        yield from self._many(own, name, index, leaf.time)
        reasons = outcome["reasons"]
        ended = refused and isinstance(reasons, list) and not ENDED.isdisjoint(map(str, reasons))
        if ended and leaf.time - chain.moved >= HOUR_MS:
            yield from self._after_end(own, name, index, leaf.time)
        if own.count >= 100 and own.count % 50 == 0:
            yield from self._model(own, name, index, leaf.time)
        if not refused:
            self._remember(habits, permissions, leaf.time)
            self.waiting.put(str(index), json.dumps([leaf.chain.decode()]))
        own.last = index

    def habits(self, chain: Chain) -> Habits:
        """What is remembered of a consent."""
        if chain.habits is None or chain.habits.epoch != self.epoch:
            chain.habits = Habits(self.epoch)
        return chain.habits

    @staticmethod
    def _count(own: Recipient, habits: Habits, hour: int, day: int) -> None:
        own.count += 1
        own.hours.turn(hour)
        own.hours.now += 1
        own.consents.turn(hour)
        if habits.hour != hour:
            habits.hour = hour
            own.consents.now += 1
        if own.day != day:
            own.day, own.on_day, own.unattended_at_night, own.after_end = day, 0, 0, 0
        own.on_day += 1

    @staticmethod
    def _remember(habits: Habits, permissions: tuple[str, ...], time: int) -> None:
        if not habits.allowed:
            habits.first = time
        habits.allowed += 1
        habits.latest = time
        if not set(permissions).issubset(habits.permissions):
            habits.permissions = sorted({*habits.permissions, *permissions})

    # --- the rules ------------------------------------------------------------------------------------------

    def _rate(self, own: Recipient, name: str, index: int, time: int) -> Iterator[Fired]:
        n, b = own.hours.now, own.hours.before
        holds = n >= 50 and WEEK * n >= 8 * (b + WEEK)
        passed = self._hours_passed(own, "rate", time)
        yield from fire(own, "rate", name, index, time, passed, holds, 50 * WEEK * n // (b + WEEK), (n, b))

    def _night(self, own: Recipient, name: str, index: int, time: int, counts: bool) -> Iterator[Fired]:
        own.unattended_at_night += counts
        u, v = own.unattended_at_night, own.on_day
        holds = counts and u >= 30 and 2 * u >= v
        passed = self._day_passed(own, "night", time)
        yield from fire(own, "night", name, index, time, passed, holds, 1_000 * u // v, (u, v))

    def _new_permission(
        self, chain: Chain, habits: Habits, permissions: tuple[str, ...], index: int, leaf: Leaf
    ) -> Iterator[Fired]:
        a, k = habits.allowed, len(set(permissions).difference(habits.permissions))
        holds = a >= 10 and leaf.time - habits.first >= NEW and k >= 1
        yield from fire_about(chain, habits, "new-permission", index, leaf, holds, 300 + 100 * k, (k, a))

    def _refused(self, own: Recipient, name: str, index: int, time: int, refused: bool) -> Iterator[Fired]:
        own.asked += 1
        own.refused.add(refused)
        r, doubt = own.refused.sum, own.doubts.get("refused")
        passed = doubt is None or own.asked - doubt.mark >= 50
        holds = own.asked >= 50 and r >= 20
        yield from fire(own, "refused", name, index, time, passed, holds, 20 * r, (r, 50))

    def request(self, index: int, leaf: Leaf, terms: Terms) -> Iterator[Fired]:
        """A `consent.request`: rule 5."""
        own, name = self.recipient(terms.recipient), terms.recipient
        known = self._requests(terms.purpose)
        m, s, p = len(known.counts.numbers), known.counts.sum, len(terms.permissions)
        holds = m >= 20 and p >= 8 and p * m >= 2 * s
        known.counts.add(p)
        known.since += 1
        self.purposes.put(terms.purpose, json.dumps([[*known.counts.numbers], known.since, known.seen]))
        passed = not self.lost or known.since > 50
        if not passed and "breadth" not in own.doubts:
            own.doubt("breadth", index, leaf.time)
        yield from fire(own, "breadth", name, index, leaf.time, passed, holds, 250 * p * m // s if s else 0, (p, s, m))
        own.last = index

    def _requests(self, purpose: str) -> Requests:
        text, known = self.purposes.get(purpose), Requests(seen=self.lost)
        if text is None:
            return known
        numbers, known.since, seen = json.loads(text)
        for number in numbers:
            known.counts.add(number)
        if seen != self.lost:
            known.since = 0
        return known

    def _unattended(self, own: Recipient, name: str, index: int, time: int, unattended: bool) -> Iterator[Fired]:
        own.earlier.add(own.recent.add(unattended))
        u1, u0, doubt = own.recent.sum, own.earlier.sum, own.doubts.get("unattended")
        passed = doubt is None or own.count - doubt.mark >= 200
        holds = own.count >= 200 and u1 >= 90 and u0 <= 50
        yield from fire(own, "unattended", name, index, time, passed, holds, 10 * u1, (u1, u0))

    def _woken(self, chain: Chain, habits: Habits, index: int, leaf: Leaf) -> Iterator[Fired]:
        slept = leaf.time - habits.latest if habits.allowed else 0
        days = slept // DAY_MS
        yield from fire_about(chain, habits, "woken", index, leaf, slept >= ASLEEP, 10 * days, (days,))

    def _many(self, own: Recipient, name: str, index: int, time: int) -> Iterator[Fired]:
        m, b = own.consents.now, own.consents.before
        holds = m >= 40 and WEEK * m >= 6 * (b + WEEK)
        passed = self._hours_passed(own, "many", time)
        yield from fire(own, "many", name, index, time, passed, holds, 60 * WEEK * m // (b + WEEK), (m, b))

    def _after_end(self, own: Recipient, name: str, index: int, time: int) -> Iterator[Fired]:
        own.after_end += 1
        k = own.after_end
        passed = self._day_passed(own, "after-end", time)
        yield from fire(own, "after-end", name, index, time, passed, k >= 3, 400 + 50 * k, (k,))

    def notice(self, index: int, leaf: Leaf, chain: Chain, facts: Facts) -> Iterator[Fired]:
        """An acknowledgement: rule 13. It counts if it is of the entry that ended the consent."""
        consent = chain.consent
        if consent is None:
            if not chain.known:  # its request cannot be read: whose it is, says the signer
                self.doubt_recipient(self.recipient(facts.party), index, leaf.time, ("late-notice",))
            return
        name = consent.terms.recipient
        own = self.recipient(name)
        if not chain.known:  # its end, or an acknowledgement before this one, may stand in what could not be read
            self.doubt_recipient(own, index, leaf.time, ("late-notice",))
        elif consent.status not in OVER or facts.party != name or facts.content["basis"] != chain.steps[-1]:
            return
        habits, waited = self.habits(chain), leaf.time - chain.moved
        first, habits.acknowledged = not habits.acknowledged, True
        hours = waited // HOUR_MS
        holds = first and waited >= DAY_MS
        yield from fire(own, "late-notice", name, index, leaf.time, True, holds, 400 + 10 * hours, (hours,))
        own.last = index

    def _model(self, own: Recipient, name: str, index: int, time: int) -> Iterator[Fired]:
        if self.without_model:
            own.doubt("model", index, time)
            return
        if self.forest is None:
            return
        vector = vector_of(own)
        score = self.forest.score(vector)
        holds, passed = score >= self.forest.threshold, "model" not in own.doubts
        yield from fire(own, "model", name, index, time, passed, holds, score, vector, self.model)

    # --- legs -----------------------------------------------------------------------------------------------

    def leg(self, index: int, leaf: Leaf, chain: Chain, facts: Facts) -> Iterator[Fired]:
        """A release or a receipt: rules 7 and 8."""
        consent, content = chain.consent, facts.content
        if consent is None:
            if not chain.known:
                self.miss(index, leaf.time, None)
            return
        own, unread = self.holder(consent.terms.holder), not chain.known or int(str(content["basis"])) < self.resumed
        if unread:  # its access, or a leg before this one, may stand in what could not be read
            own.doubt("legs-differ", index, leaf.time)
        text = self.waiting.get(str(content["basis"]))
        chain_and_leg = [None] if text is None else json.loads(text)
        if chain_and_leg[0] != leaf.chain.decode():
            if unread:
                self.doubt_recipient(self.recipient(consent.terms.recipient), index, leaf.time, ("rows",))
            return
        release = facts.act == "access.release"
        if release:
            yield from self._rows(consent.terms, index, leaf.time, content)
        told = [facts.act, content["rows"], content["bytes"], content["digest"]]
        other = chain_and_leg[1] if len(chain_and_leg) > 1 else None
        if other is None:
            self.waiting.put(str(content["basis"]), json.dumps([chain_and_leg[0], told]))
        elif other[0] != facts.act:
            self.waiting.drop(str(content["basis"]))
            rows = (int(str(told[1])), other[1]) if release else (other[1], int(str(told[1])))
            holds = told[1:] != other[1:]
            yield from fire(
                own, "legs-differ", consent.terms.holder, index, leaf.time, not unread, holds, 800, rows, kind="holder"
            )
            own.last = index

    def _rows(self, terms: Terms, index: int, time: int, content: Object) -> Iterator[Fired]:
        own, x = self.recipient(terms.recipient), content["rows"]
        assert isinstance(x, int)  # noqa: S101 - the form was checked when the statement was read
        own.releases += 1
        s, m, doubt = own.rows.sum, len(own.rows.numbers), own.doubts.get("rows")
        own.rows.add(x)
        passed = doubt is None or own.releases - doubt.mark > 50
        holds = m >= 20 and x >= 1_000 and x * m >= 10 * s
        yield from fire(own, "rows", terms.recipient, index, time, passed, holds, 50 * x * m // max(s, 1), (x, s, m))
        own.last = index

    # --- doubts ---------------------------------------------------------------------------------------------

    @staticmethod
    def _hours_passed(own: Recipient, rule: str, time: int) -> bool:
        doubt = own.doubts.get(rule)
        return doubt is None or time // HOUR_MS - doubt.time // HOUR_MS > WEEK

    @staticmethod
    def _day_passed(own: Recipient, rule: str, time: int) -> bool:
        doubt = own.doubts.get(rule)
        return doubt is None or time // DAY_MS > doubt.time // DAY_MS

    def was_unsure(self, kind: str, about: str, rule: str, at_index: int, chain: Chain | None) -> bool:
        """Whether it is not known if this rule fired about this at that entry."""
        if kind == "consent":
            return chain is not None and not chain.known
        own = self.recipient(about) if kind == "recipient" else self.holder(about)
        return own.was_unsure(rule, at_index) or self._unsure.holds(kind, about, rule, at_index)


def vector_of(own: Recipient) -> tuple[int, ...]:
    """The features that a model sees."""
    past = own.past
    return (
        sum(one.refused for one in past),
        sum(one.unattended for one in past),
        len({one.chain for one in past}),
        len({code for one in past for code in one.permissions}),
        sum(one.night for one in past),
        sum(one.accounts for one in past),
        sum(len(one.permissions) for one in past),
        min((past[-1].time - past[0].time) // 60_000, 1_000_000),
    )


def _local_hour(time: int, terms: Terms) -> int:
    return (time // 60_000 + terms.utc_offset) // 60 % 24
