"""The reference as a page: the OpenAPI document, readable, without a script and without anything from elsewhere."""

# ruff: noqa: E501  (lines of markup)
from __future__ import annotations

from html import escape
from typing import Any, Final

CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_STYLE: Final = """
:root{color-scheme:light dark;--line:color-mix(in srgb,currentColor 18%,transparent);--soft:color-mix(in srgb,currentColor 65%,transparent)}
body{font:16px/1.55 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:2rem 1.2rem 6rem}
h1{font-size:2rem;margin:.2em 0}h2{margin-top:3rem;border-bottom:1px solid var(--line)}h3{margin:0;font-size:1rem;font-weight:600}
code,pre{font:.9em/1.5 ui-monospace,monospace}pre{overflow:auto;padding:.8rem;border:1px solid var(--line);border-radius:.5rem}
details{border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.6rem 1rem}summary{cursor:pointer}
summary h3{display:inline}.method{display:inline-block;min-width:4.2rem;font-weight:700}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;margin:.6rem 0}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-top:1px solid var(--line)}
nav a{margin-right:1rem}
"""


def reference_page(document: dict[str, Any]) -> str:
    """The page."""
    info = document["info"]
    groups: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups[operation["tags"][0]].append(_operation(method, path, operation))
    sections = "".join(
        f'<section id="{escape(tag["name"])}"><h2>{escape(tag["name"].title())}</h2><p>{_text(tag["description"])}</p>'
        f"{''.join(groups[tag['name']])}</section>"
        for tag in document["tags"]
    )
    links = "".join(f'<a href="#{escape(name)}">{escape(name.title())}</a>' for name in groups)
    paragraphs = "".join(f"<p>{_text(part)}</p>" for part in info["description"].strip().split("\n\n"))
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(info['title'])}: API</title><style>{_STYLE}</style></head><body><header><h1>{escape(info['title'])}</h1>"
        f'<p class="soft">Version {escape(info["version"])} · <a href="/openapi.json">OpenAPI document</a></p>{paragraphs}'
        f'<nav aria-label="Groups">{links}<a href="#schemas">Schemas</a></nav></header><main>{sections}'
        f'<section id="schemas"><h2>Schemas</h2>{schemas}</section></main></body></html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    needs = [name for scheme in operation["security"] for name in scheme.get("dpop", ())]
    access = f"needs a token with <code>{escape(needs[0])}</code>" if needs else "needs no token"
    parameters = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{escape(one['in'])}</td><td>{_text(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", ())
    )
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{_text(answer['description'])}</td></tr>"
        for status, answer in sorted(operation["responses"].items())
    )
    table = f"<table><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr>{parameters}</table>" if parameters else ""
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><h3><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code> — {escape(operation['summary'])}</h3></summary><p>{_text(operation.get('description', ''))}</p>"
        f'<p class="soft">This route {access}.</p>{table}<table><tr><th>Status</th><th>Meaning</th></tr>{answers}</table></details>'
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(member)}</code></td><td>{escape(_kind(of))}</td><td>{_text(of.get('description', ''))}</td></tr>"
        for member, of in schema.get("properties", {}).items()
    )
    return (
        f'<details id="schema-{escape(name)}"><summary><h3>{escape(name)}</h3></summary><p>{_text(schema.get("description", ""))}</p>'
        f"<table>{rows}</table></details>"
    )


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    return str(schema.get("type", schema.get("const", "")))


def _text(text: str) -> str:
    """Escaped text; `code` and **strong** are the only markup."""
    parts = escape(text).split("`")
    html = "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
    strong = html.split("**")
    return "".join(f"<strong>{part}</strong>" if at % 2 else part for at, part in enumerate(strong))
