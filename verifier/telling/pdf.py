"""The report as PDF (ISO 14289-1, PDF/UA: tagged, so that it can be read aloud): an extra that needs typst, which is loaded
only here and only when asked for. `board.typ` is the page; what it shows is data to it and never markup."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from verifier.bytes.harmless import neutral
from verifier.errors import CannotCheck, Defect, ExitStatus
from verifier.telling.board import VERSION, concern_words, conclusion, cover, label_of
from verifier.telling.charts import breakdowns, columns, date, ticks
from verifier.telling.headline import first_of, heading, reservations, told
from verifier.telling.messages import advice, counted, label, located, sentence, word
from verifier.telling.parties import delegate_words, key_words, role_words
from verifier.telling.result import Result

MAX_DEFECTS = 500
_COLOURS = {
    ExitStatus.VERIFIED: "#17693a",
    ExitStatus.REFUTED: "#b3261e",
    ExitStatus.COULD_NOT_CHECK: "#8a5a00",
    ExitStatus.UNWITNESSED: "#8a5a00",
}
_LATIN = "Libertinus Serif"
"""Comes with typst: a report looks the same on every machine."""
_CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Noto Serif CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimHei",
    "SimSun",
)
_WORDS = ("checked", "unchecked", "nothing", "place", "code", "what", "expected", "found", "period", "count")
_PARTY_WORDS = ("parties", "participant", "roles", "keys", "delegates", "inputs")
_LABELS = ("conclusion", "concerns", "what kind", "share", "appendix", "file")


def prepared(language: str) -> tuple[Any, list[str]]:
    """The program that sets pages, and its fonts: looked for before an audit, so that a missing part is reported before the
    work and not after it. Raises CannotCheck without typst, or without a font for Chinese."""
    try:
        typst: Any = importlib.import_module("typst")
    except ImportError:
        raise CannotCheck("a PDF report needs the package typst; or print the --report page") from None
    here = set(typst.Fonts().families())
    chinese = [name for name in _CHINESE if name in here]
    if language == "zh" and not chinese:
        raise CannotCheck("no font for Chinese was found on this machine; print the --report page instead")
    return typst, [_LATIN, *chinese[:1]]


def render_pdf(result: Result, language: str) -> bytes:
    """The report's bytes. Raises CannotCheck as `prepared`."""
    typst, fonts = prepared(language)
    shown = {**_front(result, language), **_figures(result, language), **_appendix(result, language), "fonts": fonts}
    page = (files("verifier.telling") / "board.typ").read_bytes()
    data = json.dumps(_harmless(shown), ensure_ascii=False)
    made: bytes = typst.compile(page, format="pdf", sys_inputs={"data": data}, pdf_standards=["ua-1"])
    return made


def _front(result: Result, language: str) -> dict[str, Any]:
    """What a board reads: cover, verdict, conclusion, and what each defect concerns."""
    found, code = result.findings, "" if result.code is None else str(result.code)
    said = [told(result, language), *reservations(result, language)]
    if found.count:
        said += [first_of(result, language), f"{label('advice', language)}{advice(code, language)}"]
    names = {name.replace(" ", "_"): label_of(name, language) for name in _LABELS}
    return {
        "lang": language,
        "title": word("title", language),
        "program": f"consent-verify {VERSION}",
        "words": {name: word(name, language) for name in (*_WORDS, *_PARTY_WORDS)} | names,
        "colour": _COLOURS[result.status],
        "verdict": heading(result, language),
        "said": [line for line in said if line],
        "cover": cover(result, language),
        "conclusion": conclusion(result, language),
        "signature": [label_of(name, language) for name in ("auditor", "organisation", "signed")],
        "unchecked": _counted(found.unchecked, language),
    }


def _appendix(result: Result, language: str) -> dict[str, Any]:
    """Codes, keys, places, inputs; and the sections of defects, whose second part stands there."""
    found, code = result.findings, "" if result.code is None else str(result.code)
    sections = (
        ("defects", found.defects, found.count),
        ("disputes", found.disputes, found.disputed),
        ("notices", found.notices, found.notices_by_code.total()),
    )
    parties = [
        (
            f"{party.name} ({party.id})",
            f"{', '.join(role_words(party, language))}; {word(party.standing, language)}",
            "; ".join(key_words(party, language)),
            "; ".join(delegate_words(party)),
        )
        for party in result.parties
    ]
    return {
        "facts": [(word("code", language), code or "–"), *result.facts],
        "lines": result.lines,
        "checked": _counted(found.checked, language),
        "parties": parties,
        "inputs": result.inputs,
        "sections": [_section(result, language, *one) for one in sections if one[2]],
    }


def _section(result: Result, language: str, name: str, defects: Sequence[Defect], count: int) -> dict[str, Any]:
    rows = sorted(defects, key=lambda row: (row.place.index is None, row.place.index or 0))[:MAX_DEFECTS]
    title = word(name, language)
    return {
        "title": f"{label(name, language)}{count:,}",
        "appendix": title,
        "more": f"… {count - MAX_DEFECTS:,} {word('more', language)}" if count > MAX_DEFECTS else "",
        "rows": [
            (str(number), concern_words(row.place, result, language), sentence(row.sentence, language))
            for number, row in enumerate(rows, 1)
        ],
        "detail": [
            (str(number), located(row.place, language), str(row.code), row.expected, row.found)
            for number, row in enumerate(rows, 1)
        ],
    }


def _figures(result: Result, language: str) -> dict[str, Any]:
    """Charts: heights as parts of the whole, the labels of both axes, and a sentence that says the same."""
    found = result.findings
    over_time = columns(found.days, found.denials)
    if over_time is None:
        return {"timeline": None, "bars": []}
    first, last, totals, refused = over_time
    marks = ticks(max(totals))
    top = marks[-1]
    denied = word("denied", language)
    chart = {
        "title": word("events", language),
        "told": f"{date(first)} – {date(last)}: {sum(totals):,}; {denied} {sum(refused):,}; ≤ {max(totals):,}",
        "columns": [(total / top, deny / top) for total, deny in zip(totals, refused, strict=True)],
        "ticks": [(mark / top, f"{mark:,}") for mark in marks],
        "from": date(first),
        "to": "" if first == last else date(last),
        "all": f"{word('entries', language)} {sum(totals):,}",
        "denied": f"{denied} {sum(refused):,}",
    }
    bars = [
        {
            "title": title,
            "name": label_of("what kind", language),
            "rows": [
                (name, count, f"{count:,}")
                for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:24]
            ],
        }
        for title, counts in breakdowns(found, language)
    ]
    return {"timeline": chart, "bars": bars}


def _counted(counts: Mapping[str, int], language: str) -> list[tuple[str, str]]:
    return [(counted(what, language), f"{count:,}") for what, count in sorted(counts.items()) if count]


def _harmless(value: Any) -> Any:
    """Every text without what cannot be seen."""
    if isinstance(value, str):
        return neutral(value)
    if isinstance(value, dict):
        return {name: _harmless(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_harmless(one) for one in value]
    return value
