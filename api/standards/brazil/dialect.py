"""Refusals in Open Finance Brasil's form: `ResponseError`, with the interaction id on every answer."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import problem_headers, problem_of
from api.http.wire import Reply
from api.standards.brazil.answers import error_body
from api.standards.brazil.versions import BASES, BrazilVersion, version_at
from api.standards.dialects import HOLDER, DialectRefusal
from api.standards.words import words
from ledger.errors import IllegalTransition, LedgerError

INTERACTION: Final = "x-fapi-interaction-id"
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_TITLES: Final = {
    "COMBINACAO_PERMISSOES_INCORRETA": "Combinação de permissões incorreta",
    "CONSENTIMENTO_EM_STATUS_REJEITADO": "Consentimento em status rejeitado",
    "DATA_EXPIRACAO_INVALIDA": "Data de expiração inválida",
    "DEPENDE_MULTIPLA_ALCADA": "Necessário aprovação de múltipla alçada",
    "ERRO_NAO_MAPEADO": "Erro não mapeado",
    "ESTADO_CONSENTIMENTO_INVALIDO": "Estado do consentimento inválido",
    "INFORMACOES_PJ_NAO_INFORMADAS": "Informações da pessoa jurídica não informadas",
    "PARAMETRO_INVALIDO": "Parâmetro inválido",
    "PERMISSAO_PF_PJ_EM_CONJUNTO": "Permissões de PF e PJ em conjunto",
    "PERMISSOES_PJ_INCORRETAS": "Permissões de PJ incorretas",
    "SEM_PERMISSOES_FUNCIONAIS_RESTANTES": "Sem permissões funcionais restantes",
}


_WORDED: Final = {
    "bad-encoding": ("Codificação inválida", "Um valor não está na codificação exigida."),
    "bad-request": ("Requisição inválida", "A requisição não tem a forma documentada."),
    "bad-signature": ("Assinatura inválida", "A assinatura não confere."),
    "bad-statement": ("Declaração inválida", "A declaração assinada não tem a forma exigida."),
    "conflict": ("Conflito", "Já existe um registro com este identificador."),
    "illegal-transition": ("Estado do consentimento inválido", "O estado do consentimento não permite esta operação."),
    "insufficient-scope": ("Escopo insuficiente", "O token de acesso não cobre esta operação."),
    "invalid-input": ("Valor inválido", "Um valor da requisição não é aceito."),
    "method-not-allowed": ("Método não permitido", "Este endereço não aceita este método."),
    "no-such-route": ("Endereço desconhecido", "Nada é oferecido neste endereço."),
    "not-acceptable": ("Formato não disponível", "A resposta não existe no formato pedido."),
    "not-found": ("Não encontrado", "O consentimento não existe, ou não é deste cliente."),
    "not-permitted": ("Operação não permitida", "Este participante não pode executar esta operação."),
    "overloaded": ("Serviço ocupado", "O serviço atende o máximo de requisições; tente novamente."),
    "rate-limited": ("Limite de requisições excedido", "Há requisições demais deste cliente; tente mais tarde."),
    "too-large": ("Requisição grande demais", "O corpo tem mais bytes do que é aceito aqui."),
    "unauthenticated": ("Não autenticado", "Falta um token de acesso válido."),
    "unavailable": ("Serviço indisponível", "O serviço não responde no momento; tente novamente."),
    "unsupported-media-type": ("Tipo de mídia não suportado", "O corpo não está declarado no formato exigido."),
}
"""Title and detail by the ledger's own problem, for what the standard has no code for."""
_OTHERWISE: Final = ("Erro interno", "O serviço não conseguiu processar a requisição.")
"""Of all others."""


def version_of(request: Request) -> BrazilVersion:
    """The version that a request is answered in."""
    return version_at(request.url.path, request.headers.get("x-v", ""))


def interaction_id(request: Request) -> str | None:
    """The caller's interaction id; None unless it is a UUID."""
    sent = request.headers.get(INTERACTION, "")
    return sent if _UUID.fullmatch(sent) else None


def answer(request: Request, status: int, body: Any) -> Response:
    """An answer with the headers that every one of them has."""
    data = b"" if body is None else msgspec.json.encode(body)
    headers = (
        (INTERACTION, interaction_id(request) or str(uuid.uuid4())),
        ("x-v", version_of(request).number),
        ("cache-control", "no-store"),
    )
    if body is None:
        return Response(status_code=status, headers=dict(headers))
    return Reply(status, data, headers=headers).response()


def _operation(request: Request) -> str:
    if request.method == "DELETE":
        return "delete"
    return "extend" if request.url.path.endswith("/extends") else "create"


class BrazilDialect:
    """See `Dialect`."""

    place: Final = re.compile(HOLDER + f"({'|'.join(BASES)})" + r"(/|\Z)")

    def refusal(self, error: LedgerError, request: Request) -> Response:
        """Codes of the standard where it has one; else the name of our own problem in its spelling."""
        problem = problem_of(error)
        told = words("brazil").problems[problem.slug]
        status, code = (error.status, error.code) if isinstance(error, DialectRefusal) else (told.status, told.code)
        if isinstance(error, IllegalTransition) and request.method == "DELETE":
            code = "CONSENTIMENTO_EM_STATUS_REJEITADO"
        version = version_of(request)
        if status == 422 and code not in version.refusals[_operation(request)]:
            status = 400
        title, said = _WORDED.get(problem.slug, _OTHERWISE)
        if isinstance(error, DialectRefusal):
            said = error.detail
        elif error.member is not None and status < 500:
            said = f"{said} ({error.member})"
        made = answer(request, status, error_body(code, _TITLES.get(code, title), said, int(time.time()), version))
        for name, value in problem_headers(error).items():
            made.headers[name] = value
        return made
