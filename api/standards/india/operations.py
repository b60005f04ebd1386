"""The Account Aggregator's messages as operations on the ledger. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from api.office.history import history_of
from api.office.holders import HolderDesk
from api.office.office import Office, Standing
from api.standards.dialects import DialectRefusal
from api.standards.india.answers import artefact_of, handle_status, signed_detail, use_of
from api.standards.india.requests import (
    AaEnvelope,
    ArtefactRequest,
    ConsentDetail,
    ConsentMessage,
    FetchRequest,
    HandleRequest,
    NotificationRequest,
    aa_time,
    parse_body,
    refused,
    wish_of,
)
from api.standards.india.signatures import read_artefact, sign_artefact, signer_of
from api.standards.india.strictness import CUSTOMERS_OF, require_certified, require_fresh
from api.standards.india.versions import V2, AaSeries
from api.tokens.jwt import BadToken
from api.tokens.once import Once
from ledger.app import Ledger
from ledger.consent.state import BEFORE, Status
from ledger.errors import BadEncoding, BadSignature, NotFound, NotPermitted

REMEMBER_SECONDS: Final = 86_400
"""How long a transaction id is remembered."""
_HOLDERS_STEP: Final = {"ACTIVE": "consent.resume", "PAUSED": "consent.pause", "REVOKED": "consent.revoke"}
_REASON: Final = "customer-request"


@dataclass(frozen=True)
class Aggregator:
    """The operations, for one caller (a recipient, or the holder itself) at one holder."""

    ledger: Ledger
    office: Office
    once: Once
    caller: str
    holder: str
    base_url: str
    series: AaSeries = V2

    def request(self, body: bytes, statement: str | None) -> dict[str, Any]:
        """POST /Consent of an FIU. Raises Refusal and what the office raises."""
        message = parse_body(body, ConsentMessage, self.series.numbers)
        self._require_fresh(message)
        require_certified(message.ConsentDetail, self.office.gateway.options(self.holder).options.get(CUSTOMERS_OF, ""))
        self._require_consumer(message.ConsentDetail)
        wish = wish_of(message.ConsentDetail, now=self.office.now // 1000, version=message.ver)
        self._require_new(message.txnid)
        standing = self.office.request(self.caller, self.holder, wish, body, statement=statement)
        customer = message.ConsentDetail.Customer.id or standing.consent_id
        return self._said(message.ver, message.txnid) | {
            "Customer": {"id": customer},
            "ConsentHandle": standing.consent_id,
        }

    def handle(self, body: bytes) -> dict[str, Any]:
        """POST /Consent/handle."""
        message = parse_body(body, HandleRequest, self.series.numbers)
        self._require_fresh(message)
        return self.handle_of(message.ConsentHandle, message.ver, message.txnid)

    def handle_of(self, handle: str, ver: str, txnid: str) -> dict[str, Any]:
        """How a request stands, said in a version, in a transaction."""
        standing = self._standing(handle)
        status = handle_status(standing.consent, standing.status)
        shown = "FAILED" if status in self.series.failed else status
        said = {"status": shown} | ({"id": standing.consent_id} if status == "READY" else {})
        return self._said(ver, txnid) | {"ConsentHandle": standing.consent_id, "ConsentStatus": said}

    def fetch(self, body: bytes) -> dict[str, Any]:
        """POST /Consent/fetch: the artefact, for the FIU and the FIP."""
        message = parse_body(body, FetchRequest, self.series.numbers)
        self._require_fresh(message)
        return self.artefact(message.consentId, message.ver, message.txnid)

    def artefact(self, consent_id: str, ver: str, txnid: str) -> dict[str, Any]:
        """The artefact, said in a version, in a transaction."""
        standing = self._standing(consent_id)
        if not standing.consent.approvals:
            raise refused("InvalidConsentId", "there is no artefact: the customer has not agreed")
        entries, _ = history_of(self.ledger, standing.consent)
        return artefact_of(
            standing,
            self._signed(standing),
            ver=ver,
            txnid=txnid,
            use=use_of(entries),
            log_uri=f"{self.base_url}/consents/{standing.consent_id}/history",
        )

    def notify(self, body: bytes) -> dict[str, Any]:
        """POST /Consent/Notification: the customer has said so to the FIU, or to the FIP."""
        message = parse_body(body, NotificationRequest, self.series.numbers)
        self._require_fresh(message)
        if message.Notifier.id != self.caller:
            raise refused("InvalidNotifier", "Notifier.id is not the caller")
        if message.Notifier.type != ("FIP" if self.caller == self.holder else "FIU"):
            raise refused(
                "InvalidNotifier", "Notifier.type is not what the caller is: FIP the holder, FIU the recipient"
            )
        told = message.ConsentStatusNotification
        standing = self._standing(told.consentId)
        if told.consentStatus != _shown(standing):
            self._step(standing, told.consentStatus)
        return self._said(message.ver, message.txnid) | {"response": "OK"}

    def accept(self, body: bytes) -> dict[str, Any]:
        """POST /Consent of an FIP: an artefact that another aggregator has signed becomes a consent that waits for this holder.

        The aggregator's key is one that the log knows. The holder says whether its customer is the holder's: it
        authorises the consent itself, with the accounts that the artefact names.
        """
        message = parse_body(body, ArtefactRequest)
        if self.caller != self.holder:
            raise NotPermitted("an artefact is handed in by the FIP that it names")
        detail, provider, ver = self._verified(message)
        if provider != self.holder:
            raise refused("InvalidRequest", "DataProvider.id is another FIP")
        wish = wish_of(detail, now=self.office.now // 1000, version=message.ver)
        self._require_new(message.txnid)
        wrapped = msgspec.json.encode(
            {
                "ver": message.ver,
                "timestamp": message.createTimestamp,
                "txnid": message.txnid,
                "ConsentDetail": msgspec.to_builtins(detail),
                "signedConsent": message.signedConsent,
            }
        )
        self.office.request(detail.DataConsumer.id, self.holder, wish, wrapped)
        return self._said(ver, message.txnid) | {"response": "OK"}

    def _signed(self, standing: Standing) -> str:
        """The artefact's signature, made once for each version: whoever asks later, the FIP like the FIU, gets the same."""
        notes, name = self.office.notes, f"artefact:{standing.consent.version}"
        kept = notes.read(standing.consent_id, name)
        if kept is None:
            signer = signer_of(self.office.gateway, self.office.gateway.options(self.holder))
            kept = sign_artefact(signer, signed_detail(standing)).encode()
            if not notes.add(standing.consent_id, name, kept):  # another front was first
                kept = notes.read(standing.consent_id, name) or kept
        return kept.decode()

    def _require_fresh(self, message: AaEnvelope) -> None:
        require_fresh(message, self.office.now // 1000)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _verified(self, message: ArtefactRequest) -> tuple[ConsentDetail, str, str]:
        """The detail, the FIP it names, and the version. Raises Refusal."""
        try:
            payload, signer = read_artefact(message.signedConsent, self.ledger.registry)
            detail = msgspec.json.decode(payload, type=ConsentDetail)
            if not self.ledger.registry.may_act_for(detail.DataConsumer.id, signer, "consent.request"):
                raise BadSignature("its signer has no delegation of this FIU")  # noqa: TRY301
            provider = msgspec.json.decode(payload)["DataProvider"]["id"]
        except (BadSignature, BadEncoding, msgspec.DecodeError, KeyError, TypeError) as error:
            raise refused("SignatureDoesNotMatch", f"signedConsent is not valid: {error}") from None
        return detail, str(provider), message.ver

    def _standing(self, consent_id: str) -> Standing:
        """How a consent of the caller's with this holder stands. Raises NotFound."""
        consent = self.ledger.records.consent(self.caller, consent_id)
        if consent.terms.holder != self.holder or self.caller not in (consent.terms.holder, consent.terms.recipient):
            raise NotFound("there is no such consent here", member="consentId")
        return self.office.describe(consent)

    def _step(self, standing: Standing, wanted: str) -> None:
        """Raises Refusal for what this side cannot say, IllegalTransition."""
        consent, waiting = standing.consent, standing.status in BEFORE
        act = "consent.reject" if waiting and wanted in ("REJECTED", "REVOKED") else _HOLDERS_STEP.get(wanted)
        if act is None or (waiting and act != "consent.reject"):
            raise refused("InvalidRequest", f"{wanted} is not a state that a notification can give for this consent")
        if self.caller == self.holder:
            HolderDesk(self.ledger, self.office).step(consent, act, by="customer", reason=_REASON)
        elif act in ("consent.reject", "consent.revoke"):
            self.office.step(self.caller, self.holder, consent.consent_id, act, by="customer", reason=_REASON)
        else:
            raise refused("InvalidNotifier", "a customer pauses and resumes at the FIP or here, not at the FIU")

    def _require_consumer(self, detail: ConsentDetail) -> None:
        if detail.DataConsumer.type != "FIU" or detail.DataConsumer.id != self.caller:
            raise refused(
                "InvalidRequest", "DataConsumer must be the caller, an FIU, by the id that the log knows it by"
            )

    def _require_new(self, txnid: str) -> None:
        """Raises Refusal IdempotencyError for a transaction id that this caller has used."""
        try:
            self.once.use("aa-txn", self.caller, txnid, self.office.now / 1000 + REMEMBER_SECONDS)
        except BadToken:
            raise DialectRefusal(409, "IdempotencyError", "this txnid was used before") from None

    def _said(self, ver: str, txnid: str) -> dict[str, Any]:
        return {"ver": ver, "timestamp": aa_time(self.office.now), "txnid": txnid}


def _shown(standing: Standing) -> str:
    """The present state in the words of notifications."""
    match standing.status:
        case Status.ACTIVE:
            return "ACTIVE"
        case Status.PAUSED:
            return "PAUSED"
        case Status.REJECTED:
            return "REJECTED"
        case Status.EXPIRED | Status.CONSUMED:
            return "EXPIRED"
        case Status.REVOKED | Status.TERMINATED | Status.SUPERSEDED:
            return "REVOKED"
        case _:
            return standing.status.value
