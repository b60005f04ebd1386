"""The report for a file or a court: one self-contained HTML page, offline, light and dark, fit to print."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from verifier.bytes.harmless import page
from verifier.errors import Defect
from verifier.telling.board import concern_words, conclusion, cover, label_of
from verifier.telling.charts import bars, breakdowns, timeline
from verifier.telling.headline import first_of, heading, reservations, told
from verifier.telling.messages import advice, counted, label, located, sentence, word
from verifier.telling.parties import delegate_words, key_words, role_words
from verifier.telling.result import Result

MAX_ROWS = 1_000
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--paper:#fff;--soft:#5a6372;--line:#d8dce3;--bar:#2f6fb0;--bad:#b3261e;
--good:#17693a;--warn:#8a5a00}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf0;--paper:#14181f;--soft:#a3adbb;--line:#333b47;--bar:#6ea8e0;
--bad:#ff8a80;--good:#7bd49b;--warn:#f0c060}}
*{box-sizing:border-box}body{margin:0 auto;padding:2rem 1.25rem;max-width:62rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,"Noto Sans","Noto Sans CJK SC","Microsoft YaHei","PingFang SC",sans-serif}
h1{font-size:1.5rem;margin:0 0 1rem}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .35rem}
.verdict{border:3px solid;border-radius:.5rem;padding:1rem 1.25rem}.verdict{margin-bottom:1rem}.verdict>b{font-size:1.75rem;display:block}
.s0{color:var(--good)}.s1{color:var(--bad)}.s2,.s3{color:var(--warn)}.verdict p{color:var(--ink);margin:.25rem 0 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;vertical-align:top;padding:.35rem .5rem;
border-bottom:1px solid var(--line)}td{overflow-wrap:anywhere}
thead~tbody td:nth-child(1){white-space:nowrap}
td.n{text-align:right;font-variant-numeric:tabular-nums}
code{font:.85em ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}.soft{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(18rem,1fr));gap:1rem}figure{margin:0}
svg{width:100%;height:auto}svg text{fill:var(--ink);font-size:12px}svg .bar{fill:var(--bar)}svg .deny{fill:var(--bad)}svg .base{stroke:var(--line)}
svg .axis{fill:var(--soft)}.appendix{break-before:page}
@media screen and (max-width:40rem){thead{display:none}tr[role]{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}
td[data-name]{display:grid;grid-template-columns:7rem 1fr;gap:.5rem;padding:.1rem 0;border:0;max-width:none!important;white-space:normal!important}
td[data-name]::before{content:attr(data-name);color:var(--soft)}}
@media print{body{max-width:none;padding:0;font-size:10pt}h2{break-after:avoid}tr,figure{break-inside:avoid}
:root{--ink:#000;--paper:#fff;--soft:#444;--line:#bbb;--bar:#2f6fb0;--bad:#b3261e;--good:#17693a;--warn:#8a5a00}}
"""
_PARTY_COLUMNS = ("participant", "roles", "keys", "delegates")


def render(result: Result, language: str) -> str:
    """The whole page. Everything that came from the input is escaped and stripped of what cannot be seen."""
    status, found = result.status, result.findings
    title = word("title", language)
    code = "" if result.code is None else str(result.code)
    said = [told(result, language), *reservations(result, language)]
    parts = [
        "<!doctype html>",
        f'<html lang="{"zh-CN" if language == "zh" else "en"}"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline'\">",
        f"<title>{page(title)}: {page(code)}</title><style>{_STYLE}</style></head><body><main><h1>{page(title)}</h1>",
        f'<section class="verdict s{int(status)}"><b>{page(heading(result, language))}</b>',
        f"<code>{page(code)}</code>" + "".join(f"<p>{page(line)}</p>" for line in said if line),
    ]
    if found.count:
        parts.append(f"<p><b>{page(first_of(result, language))}</b></p>")
        parts.append(f"<p>{page(label('advice', language))}{page(advice(code, language))}</p>")
    parts += ["</section>", *_conclusion(result, language), _pairs(cover(result, language)), _signature(language)]
    sections = [one for one in _sections(result, language) if one.total]
    for section in sections:
        parts += _concerned(section, result, language)
    parts += _unchecked(result, language)
    parts += _charts(result, language)
    parts += _appendix(result, sections, language)
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


class _Section(NamedTuple):
    """One list of defects: what it is called, the rows that are shown, how many there are."""

    title: str
    rows: list[Defect]
    total: int


def _sections(result: Result, language: str) -> list[_Section]:
    found = result.findings
    lists = (
        ("defects", found.defects, found.count),
        ("disputes", found.disputes, found.disputed),
        ("notices", found.notices, found.notices_by_code.total()),
    )
    return [
        _Section(
            word(name, language),
            sorted(rows, key=lambda row: (row.place.index is None, row.place.index or 0))[:MAX_ROWS],
            count,
        )
        for name, rows, count in lists
    ]


def _appendix(result: Result, sections: Iterable[_Section], language: str) -> list[str]:
    """Codes, places, keys and inputs: for whoever looks into it, not for a board."""
    found = result.findings
    parts = [f'<h2 class="appendix">{page(label_of("appendix", language))}</h2>', _pairs(result.facts)]
    if result.lines:
        parts.append("<pre>" + "\n".join(page(line) for line in result.lines) + "</pre>")
    for section in sections:
        parts += _located(section, language)
    parts += [f"<h3>{page(word('checked', language))}</h3>", _counted(found.checked, language)]
    parts += _parties(result, language)
    parts.append(f"<h3>{page(word('inputs', language))} (SHA-256)</h3>")
    parts.append(_pairs((path, digest) for path, digest in result.inputs))
    return parts


def _conclusion(result: Result, language: str) -> list[str]:
    said = conclusion(result, language)
    if not said:
        return []
    return [
        f"<h2>{page(label_of('conclusion', language))}</h2><ol>"
        + "".join(f"<li>{page(one)}</li>" for one in said)
        + "</ol>"
    ]


def _signature(language: str) -> str:
    lines = "".join(
        f'<tr><th scope="row">{page(label_of(name, language))}</th><td>&nbsp;<br>&nbsp;</td></tr>'
        for name in ("auditor", "organisation", "signed")
    )
    return f"<table>{lines}</table>"


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{page(name)}</th><td><code>{page(value)}</code></td></tr>' for name, value in rows
    )
    return f"<table>{cells}</table>"


def _unchecked(result: Result, language: str) -> list[str]:
    found = result.findings
    return [
        f"<h2>{page(word('unchecked', language))}</h2>",
        _counted(found.unchecked, language) if found.unchecked else f"<p>{page(word('nothing', language))}</p>",
    ]


def _counted(counts: Mapping[str, int], language: str) -> str:
    cells = "".join(
        f'<tr><th scope="row">{page(counted(what, language))}</th><td class="n">{count:,}</td></tr>'
        for what, count in sorted(counts.items())
    )
    return f"<table>{cells}</table>"


def _concerned(section: _Section, result: Result, language: str) -> list[str]:
    """What each defect concerns and what is wrong, in words; the numbers lead to the appendix."""
    names = ["#", label_of("concerns", language), word("what", language)]
    rows = [
        [str(number), page(concern_words(row.place, result, language)), page(sentence(row.sentence, language))]
        for number, row in enumerate(section.rows, 1)
    ]
    more, left = "", section.total - len(section.rows)
    colon = label("defects", language).removeprefix(word("defects", language))
    if left:
        more = f'<p class="soft">… {left:,} {page(word("more", language))}</p>'
    return [f"<h2>{page(f'{section.title}{colon}{section.total:,}')}</h2>{_table(names, rows)}{more}"]


def _located(section: _Section, language: str) -> list[str]:
    """The same defects by place and code."""
    names = ["#", *(word(name, language) for name in ("place", "code", "expected", "found"))]
    rows = [
        [str(number), *map(page, (located(row.place, language), row.code, row.expected, row.found))]
        for number, row in enumerate(section.rows, 1)
    ]
    return [f"<h3>{page(section.title)}</h3>{_table(names, rows)}"]


def _table(names: list[str], rows: list[list[str]]) -> str:
    """Rows of cells that are HTML already. On a narrow screen each row is a block, whose cells say what they are."""
    head = "".join(f'<th role="columnheader" scope="col">{page(name)}</th>' for name in names)
    body = "".join(
        '<tr role="row">'
        + "".join(
            f'<td role="cell" data-name="{page(name)}"><div>{cell}</div></td>'
            for name, cell in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f'<table role="table"><thead><tr role="row">{head}</tr></thead><tbody>{body}</tbody></table>'


def _parties(result: Result, language: str) -> list[str]:
    if not result.parties:
        return []
    rows = []
    for party in result.parties:
        keys = "<br>".join(map(page, key_words(party, language)))
        delegates = "<br>".join(map(page, delegate_words(party))) or "–"
        about = f"{page(party.name)}<br><code>{page(party.id)}</code>"
        standing = f"{page(', '.join(role_words(party, language)))}<br>{page(word(party.standing, language))}"
        rows.append([about, standing, keys, delegates])
    names = [word(name, language) for name in _PARTY_COLUMNS]
    return [f"<h3>{page(word('parties', language))}</h3>{_table(names, rows)}"]


def _charts(result: Result, language: str) -> list[str]:
    found = result.findings
    if not found.days:
        return []
    figures = [timeline(word("events", language), found.days, found.denials, word("denied", language))]
    figures += [bars(title, counts) for title, counts in breakdowns(found, language)]
    return [f'<h2>{page(word("period", language))}</h2><div class="charts">', *figures, "</div>"]
