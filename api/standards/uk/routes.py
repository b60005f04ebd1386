"""UK Open Banking: account access consents, v4.0 and v3.1.11."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.http.describing import answer, body
from api.node.admission import serve
from api.office.office import Office, Standing
from api.standards.incoming import (
    CONSENTS_READ,
    CONSENTS_WRITE,
    HOLDER_PATH,
    HolderHere,
    OfficeHere,
    RecipientHere,
    StatementHere,
)
from api.standards.uk.answering import PATHS, RESOURCE, ExchangeHere, SignedBody
from api.standards.uk.answers import DELETED, is_deleted, not_found, word_consent
from api.standards.uk.dialect import Fault, Faults
from api.standards.uk.headers import check_headers
from api.standards.uk.requests import read_consent
from ledger.errors import IllegalTransition, NotFound

router: Final = APIRouter(dependencies=[Depends(check_headers)])
ConsentId = Annotated[str, Path(alias="ConsentId", description="The consent's id", min_length=1, max_length=128)]
_EXAMPLE: Final[dict[str, Any]] = {"Data": {"Permissions": ["ReadAccountsBasic", "ReadBalances"]}, "Risk": {}}


def _find(office: Office, recipient: str, holder: str, consent_id: str) -> Standing:
    """The caller's consent. Raises Faults (U011): for others', for unknown ones and for those it deleted."""
    try:
        standing = office.standing(recipient, holder, consent_id)
    except NotFound:
        raise not_found() from None
    if is_deleted(standing):
        raise not_found()
    return standing


for _version, _prefix in PATHS.items():
    _path = f"{HOLDER_PATH}{_prefix}/aisp/{RESOURCE}"
    _name = f"uk_{_version.replace('.', '_')}"

    @serve(
        router,
        "POST",
        _path,
        access=CONSENTS_WRITE,
        tag="uk-open-banking",
        operation_id=f"{_name}_create_consent",
        summary=f"UK {_version}: create an account access consent",
        request_body=body("ForeignObject", _EXAMPLE),
        answers={201: answer("OBReadConsentResponse1")},
        problems=(
            "bad-request",
            "not-found",
            "not-permitted",
            "conflict",
            "too-large",
            "unsupported-media-type",
            "not-acceptable",
        ),
    )
    def post_consent(
        exchange: ExchangeHere,
        office: OfficeHere,
        holder: HolderHere,
        recipient: RecipientHere,
        statement: StatementHere,
        asked: SignedBody,
    ) -> Response:
        """The customer authorises it on the pages of this ledger, at `/my/approve?consent={ConsentId}`."""
        office.require_holder(holder)
        wish = read_consent(asked, exchange.version, office.now)
        standing = office.request(recipient, holder, wish, asked, statement=statement)
        link = exchange.consent_link(standing.consent_id)
        return exchange.answer(201, word_consent(standing, exchange.version, link))

    @serve(
        router,
        "GET",
        _path + "/{ConsentId:path}",
        access=CONSENTS_READ,
        tag="uk-open-banking",
        operation_id=f"{_name}_get_consent",
        summary=f"UK {_version}: an account access consent",
        answers={200: answer("OBReadConsentResponse1")},
        problems=("bad-request", "not-found", "not-acceptable"),
    )
    def get_consent(
        exchange: ExchangeHere, office: OfficeHere, holder: HolderHere, recipient: RecipientHere, consent_id: ConsentId
    ) -> Response:
        """One's own, whichever way it was made; permissions that the UK has no word for are left out."""
        standing = _find(office, recipient, holder, consent_id)
        link = exchange.consent_link(standing.consent_id)
        return exchange.answer(200, word_consent(standing, exchange.version, link))

    @serve(
        router,
        "DELETE",
        _path + "/{ConsentId:path}",
        access=CONSENTS_WRITE,
        tag="uk-open-banking",
        operation_id=f"{_name}_delete_consent",
        summary=f"UK {_version}: end an account access consent",
        answers={204: {"description": "It is ended: no access from here on"}},
        problems=("bad-request", "not-found", "not-permitted", "illegal-transition", "not-acceptable"),
    )
    def delete_consent(
        exchange: ExchangeHere,
        office: OfficeHere,
        holder: HolderHere,
        recipient: RecipientHere,
        statement: StatementHere,
        consent_id: ConsentId,
    ) -> Response:
        """The customer has told the recipient to stop, or the recipient stops by itself."""
        _find(office, recipient, holder, consent_id)
        try:
            office.step(
                recipient, holder, consent_id, "consent.terminate", by="recipient", reason=DELETED, statement=statement
            )
        except IllegalTransition:
            raise Faults([Fault("U009", "the consent has ended already", "ConsentId")]) from None
        return exchange.answer(204)
