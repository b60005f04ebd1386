"""A data map in words: which entry commits to it, and how many fields are of each grade (docs/spec/partners.md, 9)."""

from __future__ import annotations

from collections.abc import Iterator

from verifier.rules.data_maps import GivenMap
from verifier.telling.messages import LANGUAGES

_WORDS: dict[str, tuple[str, str]] = {
    "line": (
        "{index:>8}  {holder} publishes {name}, version {version}: {fields} fields, {masked} of them with a mask",
        "{index:>8}  {holder} 发布 {name} 第 {version} 版：{fields} 个字段，其中 {masked} 个设有脱敏",
    ),
    "grade": ("{count:>8}  of grade {grade}", "{count:>8}  第 {grade} 级"),
}


def told_map(given: GivenMap, index: int, language: str) -> Iterator[str]:
    """The entry, then a line for each grade."""
    side = LANGUAGES.index(language)
    yield _WORDS["line"][side].format(
        index=index,
        holder=given.holder,
        name=given.name,
        version=given.version,
        fields=given.fields,
        masked=given.masked,
    )
    for grade, count in sorted(given.by_grade.items()):
        yield _WORDS["grade"][side].format(count=count, grade=grade)
