"""Brazil's operations on the ledger. Blocking; seconds throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UNSET

from api.office.holders import AUTHORISING, HolderDesk
from api.office.office import Office, Standing
from api.office.wish import Wish
from api.standards.brazil.answers import CONFIRM_SECONDS, TIMED_OUT, brazil_time, inward_id, permissions_in, status_of
from api.standards.brazil.requests import (
    STANDARD,
    Asked,
    AskedExtension,
    ConsentFacts,
    Extension,
    LoggedUser,
    parse_extension,
    parse_facts,
    parse_request,
    parse_time,
    unprocessable,
    wish_of,
)
from api.standards.brazil.versions import NEWEST, BrazilVersion
from api.standards.dialects import DialectRefusal
from api.standards.forms import LATEST_SECOND
from ledger.app import Ledger
from ledger.consent.state import BEFORE, Status
from ledger.entries.terms import Terms
from ledger.errors import IllegalTransition

NOT_OFFERED: Final = "brazil_not_offered"
"""Holder's option: codes of products that it does not have, separated by blanks."""
SCA: Final = {"acr": "brazil-of:renewal", "amr": ["recipient"]}
"""How a renewal is confirmed: at the recipient, where the customer is logged in."""


@dataclass(frozen=True)
class Brazil:
    """The operations, for one caller's consents with one holder."""

    ledger: Ledger
    office: Office
    recipient: str
    holder: str
    version: BrazilVersion = NEWEST

    def create(self, body: bytes, statement: str | None) -> Standing:
        """POST /consents. Raises Refusal and what the office raises."""
        asked = parse_request(body, self.version)
        not_offered = self.office.gateway.options(self.holder).options.get(NOT_OFFERED, "").split()
        wish = wish_of(asked, now=self._now, not_offered=not_offered, version=self.version)
        return self.office.request(self.recipient, self.holder, wish, body, statement=statement)

    def read(self, outward: str) -> Standing:
        """GET /consents/{id}. A consent that was not confirmed in time is rejected first, and the log says so."""
        standing = self.office.standing(self.recipient, self.holder, inward_id(outward))
        late = standing.created_at // 1000 + CONFIRM_SECONDS <= self._now
        if not (late and standing.status in BEFORE and standing.consent.terms.standard == STANDARD):
            return standing
        desk = HolderDesk(self.ledger, self.office)
        try:
            if desk.may(self.holder, "consent.reject"):
                desk.step(standing.consent, "consent.reject", by="system", reason=TIMED_OUT)
            else:
                self.office.step(
                    self.recipient, self.holder, standing.consent_id, "consent.reject", by="recipient", reason=TIMED_OUT
                )
        except IllegalTransition:
            pass  # another process, or the customer, was faster: what stands now is told
        return self.office.standing(self.recipient, self.holder, standing.consent_id)

    def delete(self, outward: str, statement: str | None) -> None:
        """DELETE /consents/{id}: the customer's wish, told to the recipient."""
        standing = self.read(outward)
        if status_of(standing.status) == "REJECTED":
            raise unprocessable("CONSENTIMENTO_EM_STATUS_REJEITADO", "o consentimento já foi rejeitado")
        act = "consent.reject" if standing.status in BEFORE else "consent.revoke"
        self.office.step(
            self.recipient,
            self.holder,
            standing.consent_id,
            act,
            by="customer",
            reason="customer-request",
            statement=statement,
        )

    def extend(self, outward: str, body: bytes, headers: tuple[str, str], statement: str | None) -> Standing:
        """POST /consents/{id}/extends: another end, for the same customer. `headers`: her address, and her browser."""
        asked = parse_extension(body, self.version)
        before = self.read(outward)
        facts = parse_facts(before.facts)
        self._require_renewable(before, facts, asked)
        expires_at = parse_time(asked.expiration_date_time) if asked.expiration_date_time else 0
        now, old = self._now, before.consent.terms.expires_at
        if expires_at and (not now < expires_at <= LATEST_SECOND or (old and expires_at <= old) or not old):
            raise unprocessable("DATA_EXPIRACAO_INVALIDA", "a renovação termina no futuro, e depois do prazo anterior")
        extension = Extension(
            asked.logged_user, brazil_time(now), asked.expiration_date_time, brazil_time(old) if old else None, *headers
        )
        known = facts or ConsentFacts(_asked_of(before, asked.logged_user))
        note = msgspec.json.encode(msgspec.structs.replace(known, extensions=(extension, *known.extensions)))
        desk = HolderDesk(self.ledger, self.office)
        amended = self.office.amend(
            self.recipient,
            self.holder,
            before.consent_id,
            lambda standing: _renewal(standing.consent.terms, expires_at),
            note,
            statement=statement,
        )
        desk.renew(amended.consent, SCA)
        return self.office.standing(self.recipient, self.holder, before.consent_id)

    def extensions(self, outward: str) -> tuple[Extension, ...]:
        """GET /consents/{id}/extensions, newest first."""
        facts = parse_facts(self.read(outward).facts)
        return facts.extensions if facts is not None else ()

    @property
    def _now(self) -> int:
        return self.office.now // 1000

    def _require_renewable(self, before: Standing, facts: ConsentFacts | None, asked: AskedExtension) -> None:
        if before.status is not Status.ACTIVE:
            raise unprocessable(
                "ESTADO_CONSENTIMENTO_INVALIDO", "somente um consentimento AUTHORISED pode ser renovado"
            )
        if before.consent.terms.authorisers_required > 1 or before.consent.joint:
            raise unprocessable(
                "DEPENDE_MULTIPLA_ALCADA", "mais de uma pessoa precisa concordar, na instituição transmissora"
            )
        if facts is not None:
            business = facts.data.business_entity
            if asked.business_entity != business or (business is None and asked.logged_user != facts.data.logged_user):
                raise DialectRefusal(403, "USUARIO_NAO_AUTORIZADO", "esta pessoa não pode renovar este consentimento")
        if not HolderDesk(self.ledger, self.office).may(self.holder, *AUTHORISING):
            raise unprocessable(
                "ERRO_NAO_MAPEADO", "esta instituição renova consentimentos somente em sua própria interface"
            )


def _renewal(terms: Terms, expires_at: int) -> Wish:
    """The terms as they are, with another end."""
    return Wish(
        permissions=terms.permissions,
        standard=terms.standard,
        standard_version=terms.standard_version or NEWEST.number,
        purpose=terms.purpose,
        expires_at=expires_at,
        starts_at=terms.starts_at,
        history_from=terms.history_from,
        history_to=terms.history_to,
        frequency_per_day=terms.frequency_per_day,
        frequency_period="day" if terms.frequency_period is UNSET else terms.frequency_period,
        once=terms.once,
        retention_days=terms.retention_days,
        authorisers_required=terms.authorisers_required,
        language=terms.language,
        reauthenticate_days=0 if terms.reauthenticate_days is UNSET else terms.reauthenticate_days,
        reconfirm_days=0 if terms.reconfirm_days is UNSET else terms.reconfirm_days,
        utc_offset=0 if terms.utc_offset is UNSET else terms.utc_offset,
        filters=() if terms.filters is UNSET else terms.filters,
    )


def _asked_of(standing: Standing, user: LoggedUser) -> Asked:
    """A request that would have led to the terms of a consent made natively."""
    return Asked(tuple(permissions_in(standing, None)), user)
