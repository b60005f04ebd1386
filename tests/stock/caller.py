"""Calls a generated client as it came from its generator: `python caller.py PACKAGE CERTIFICATE AUTHORITY`, in an environment
without the ledger.

It reads one JSON object on a line, and writes one. `{"host", "api", "call", "token"?, "headers"?, "parameters"?, "model"?,
"body"?, "whole"?}` becomes `{"status", "said"}`, with `whole` also the answer's `headers` and its `text`. `{"write", "body"}`
becomes the `text` that the client would send of a model, for whoever signs it. What the client itself refuses, of a request or
of an answer, becomes `{"refused"}`.
"""

from __future__ import annotations

import importlib
import inspect
import json
import ssl
import sys
import traceback
from typing import Any

Asked = dict[str, Any]


def plain(value: Any) -> Any:
    """What models hold, as JSON."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


def told(text: Any) -> Any:
    """JSON where it is some."""
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


class MadeByOpenapiGenerator:
    """A package with `Configuration`, `ApiClient`, and a class for each tag."""

    def __init__(self, package: str, certificate: str, authority: str) -> None:
        self.package = importlib.import_module(package)
        self.refusals = importlib.import_module(f"{package}.exceptions")
        self.certificate, self.authority = certificate, authority

    def ask(self, said: Asked) -> dict[str, Any]:
        package = self.package
        configuration = package.Configuration(
            host=said.get("host"), access_token=said.get("token") or None, ssl_ca_cert=self.authority
        )
        configuration.cert_file = configuration.key_file = self.certificate
        with package.ApiClient(configuration) as client:
            if "write" in said:
                model = getattr(package, said["write"]).from_dict(said["body"])
                return {"text": json.dumps(client.sanitize_for_serialization(model))}
            for name, value in said.get("headers", {}).items():
                client.set_default_header(name, value)
            call = getattr(getattr(package, said["api"])(client), said["call"] + "_with_http_info")
            given = dict(said.get("parameters", {}))
            for name, model in said.get("model", {}).items():
                given[name] = getattr(package, model).from_dict(said["body"]) if model else said["body"]
            require_known(given, call)
            try:
                answer = call(**given)
            except self.refusals.ApiException as error:
                return {"status": error.status, "said": told(error.body)}
            whole = {"headers": dict(answer.headers or {}), "text": answer.raw_data.decode()}
            return {"status": answer.status_code, "said": plain(answer.data)} | (whole if said.get("whole") else {})


class MadeByOpenapiPythonClient:
    """A package with `AuthenticatedClient`, a module for each operation, and models."""

    def __init__(self, package: str, certificate: str, authority: str) -> None:
        self.package, self.name = importlib.import_module(package), package
        self.trust = ssl.create_default_context(cafile=authority)
        self.trust.load_cert_chain(certificate)

    def ask(self, said: Asked) -> dict[str, Any]:
        client = self.package.AuthenticatedClient(
            base_url=said["host"], token=said.get("token", ""), verify_ssl=self.trust, raise_on_unexpected_status=False
        )
        call = importlib.import_module(f"{self.name}.api.{said['api']}.{said['call']}").sync_detailed
        given = dict(said.get("parameters", {}))
        for name, model in said.get("model", {}).items():
            given[name] = getattr(importlib.import_module(f"{self.name}.models"), model).from_dict(said["body"])
        require_known(given, call)
        answer = call(client=client, **given)
        read = plain(answer.parsed) if answer.parsed is not None else told(answer.content.decode())
        return {"status": int(answer.status_code), "said": read}


def require_known(given: Asked, call: Any) -> None:
    """Raises LookupError for a parameter that the generated operation does not have."""
    if unknown := given.keys() - inspect.signature(call).parameters.keys():
        raise LookupError(f"{call.__module__} has no parameter {min(unknown)}")


def main() -> None:
    """Answer until there is no more to read."""
    package, certificate, authority = sys.argv[1:4]
    made_by = MadeByOpenapiGenerator
    if hasattr(importlib.import_module(package), "AuthenticatedClient"):
        made_by = MadeByOpenapiPythonClient
    client = made_by(package, certificate, authority)
    for line in sys.stdin:
        try:
            reply = client.ask(json.loads(line))
        except Exception as error:  # noqa: BLE001  (told to whoever asked)
            reply = {"refused": f"{type(error).__name__}: {error}", "where": traceback.format_exc()}
        print(json.dumps(reply, default=str), flush=True)


if __name__ == "__main__":
    main()
