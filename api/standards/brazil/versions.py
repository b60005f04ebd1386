"""The versions of the consents API that are served, as data: what one says otherwise than the next."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

CREATE: Final = frozenset(
    {
        "COMBINACAO_PERMISSOES_INCORRETA",
        "INFORMACOES_PJ_NAO_INFORMADAS",
        "PERMISSAO_PF_PJ_EM_CONJUNTO",
        "PERMISSOES_PJ_INCORRETAS",
        "SEM_PERMISSOES_FUNCIONAIS_RESTANTES",
    }
)
EXTEND: Final = frozenset({"DATA_EXPIRACAO_INVALIDA", "DEPENDE_MULTIPLA_ALCADA", "ESTADO_CONSENTIMENTO_INVALIDO"})
DELETE: Final = frozenset({"CONSENTIMENTO_EM_STATUS_REJEITADO"})


class BrazilVersion(Struct, frozen=True, kw_only=True):
    """One version. The defaults are those of the newest."""

    number: str
    base: str = "/open-banking/consents/v3"
    renewals: Literal["extends", "extensions"] = "extensions"
    """The name under which renewals are listed."""
    pages: bool = True
    """Whether they are listed by pages, each with its former end and the customer's address."""
    interaction_demanded: bool = True
    """Whether every request has an `x-fapi-interaction-id`; if not, renewals do."""
    never: str = ""
    """What stands for an open end in `expirationDateTime`, which is demanded then; empty: the member is left out."""
    totals: bool = False
    """Whether every `meta` counts records and pages."""
    without: frozenset[str] = frozenset()
    """Permissions of the newest version that this one does not have."""
    refusals: dict[str, frozenset[str]] = {}
    """The codes of 422, by operation: `create`, `extend`, `delete`. Any other refusal is 400 there."""


_MORE: Final = frozenset({"DATA_EXPIRACAO_INVALIDA", "ERRO_NAO_MAPEADO"})
VERSIONS: Final = (
    BrazilVersion(
        number="3.3.1", refusals={"create": CREATE | _MORE, "extend": EXTEND | {"ERRO_NAO_MAPEADO"}, "delete": DELETE}
    ),
    BrazilVersion(number="3.0.1", refusals={"create": CREATE, "extend": EXTEND, "delete": DELETE}),
    BrazilVersion(
        number="2.2.0",
        base="/open-banking/consents/v2",
        renewals="extends",
        pages=False,
        interaction_demanded=False,
        never="2300-01-01T00:00:00Z",
        totals=True,
        without=frozenset({"EXCHANGES_READ"}),
        refusals={"create": CREATE | _MORE, "extend": EXTEND, "delete": frozenset()},
    ),
)
"""The newest first: it answers where a request does not name another of its address in `x-v`."""
NEWEST: Final = VERSIONS[0]
BASES: Final = tuple(dict.fromkeys(one.base for one in VERSIONS))


def version_at(path: str, wanted: str = "") -> BrazilVersion:
    """The version that answers at an address, for a request whose `x-v` is `wanted`."""
    here = [one for one in VERSIONS if f"{one.base}/" in f"{path}/"] or [NEWEST]
    return next((one for one in here if one.number == wanted), here[0])
