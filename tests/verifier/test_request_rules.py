"""The rules of docs/spec/requests.md in the verifier: whatever a request holds, and whichever mapping it is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.rules.translating import Mapping

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = json.loads((ROOT / "verifier" / "rules" / "requests.json").read_bytes())
HELD = [
    ({"standard": standard, "standard_version": version}, act)
    for act, name in (("consent.request", "standards"), ("consent.amend", "changes"))
    for standard, versions in PUBLISHED.get(name, {}).items()
    for version in versions
]
AT = 1_790_000_000


def judged(rule: Any, request: Any, **terms: Any) -> list[str]:
    """The members that differ, under a mapping with one rule for the member `m`."""
    document = {
        "v": 1,
        "maps": {"map": {"a": ["A"], "b": ["B", "C"], "x.a": ["D"]}},
        "standards": {"s": {"1": {"m": rule}}},
    }
    said = {"standard": "s", "standard_version": "1", **terms}
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    mapping = Mapping(document)
    assert mapping.holds(said)
    return [member for member, _, _ in mapping.differences(said, text, AT)]


RULES: list[tuple[Any, Any, Any, Any]] = [
    ({"second": ["a", 1, "b"]}, {"a": [0, {"b": "1970-01-01T00:00:07Z"}]}, 7, 8),
    ({"second": ["a", 1, "b"]}, {"a": [0]}, 0, 1),
    ({"second": ["t"], "lenient": True}, {"t": "1970-1-2T00:00:00+0000"}, 86_400, 0),
    ({"second": ["t"], "open": "never"}, {"t": "never"}, 0, 1),
    ({"day_end": ["d"], "open": ""}, {}, 0, 1),
    ({"at_most": ["n"], "else": 3}, {}, 3, 4),
    ({"text_is": ["t"], "text": "x"}, {"t": "y"}, False, True),
    ({"zero": ["n"]}, {}, True, False),
    ({"zero": ["n"]}, {"n": 2}, False, True),
    ({"after": ["n"], "unit": 1, "apart": 9}, {"n": 5}, AT + 14, AT + 15),
    ({"after": ["n"], "unit": 86_400, "apart": 0, "most": 10}, {"n": 5}, AT + 10, AT + 11),
    ({"after": ["n"], "unit": -1, "apart": 9}, {"n": 5}, AT - 14, AT - 15),
    ({"after": ["n"], "unit": -1, "apart": 9}, {"n": 5}, AT, 0),
    ({"after": ["n"], "unit": 1, "apart": 9, "else": 60}, {}, AT + 69, AT + 70),
    ({"after": ["n"], "unit": 1, "apart": 9}, {}, 0, 1),
    ({"some_codes": [{"each": ["l"], "map": "map"}]}, {"l": ["a", "b"]}, ["A", "C"], ["A", "D"]),
    ({"some_codes": [{"each": ["l"], "map": "map"}]}, {"l": ["a", "b"]}, ["B"], []),
    ({"codes": [{"words": ["w"], "map": "map"}]}, {"w": " a  b"}, ["A", "B", "C"], ["A"]),
    ({"codes": [{"in_each": ["o"], "list": "l", "map": "map"}]}, {"o": [{"l": ["a"]}, {}]}, ["A"], []),
    (
        {"codes": [{"in_each": ["o"], "list": "l", "map": "map", "named": True}]},
        {"o": {"x": [{"l": ["a"]}]}},
        ["D"],
        ["A"],
    ),
    (
        {"codes": [{"each": ["l"], "map": "map", "only_with": ["k"], "one_of": ["y"]}]},
        {"l": ["a"], "k": ["z"]},
        [],
        ["A"],
    ),
    (
        {"texts": {"code": ["c"], "text": ["t"]}, "clean": ["text"], "else": {"text": "for {code}"}},
        {"c": "k", "t": "\t\u3000"},
        {"code": "k", "text": "for k"},
        {"code": "k", "text": ""},
    ),
    (
        {"span": ["n"], "per": ["u"], "units": {"M": 30, "INF": 0}, "unless": ["m"], "fixed": {"VIEW": 1}},
        {"n": 1.5, "u": "M", "m": "STORE"},
        45,
        46,
    ),
]


@pytest.mark.parametrize(("rule", "request_text", "right", "wrong"), RULES)
def test_each_rule_tells_the_terms_that_it_gives_from_others(
    rule: Any, request_text: Any, right: Any, wrong: Any
) -> None:
    assert judged(rule, request_text, m=right) == []
    assert judged(rule, request_text, m=wrong) == ["m"]


@pytest.mark.parametrize(
    ("rule", "request_text"),
    [
        ({"second": ["a", "b"]}, {"a": [1]}),
        ({"second": ["a", 0]}, {"a": {"0": "x"}}),
        ({"zero": ["n"]}, {"n": -1}),
        ({"zero": ["n"]}, {"n": 1.0}),
        ({"zero": ["n"]}, {"n": True}),
        ({"zero": ["n"]}, {"n": None}),
        ({"after": ["n"], "unit": 1, "apart": 9}, {"n": -5}),
        ({"codes": [{"each": ["l"], "map": "map", "only_with": ["k"], "one_of": ["y"]}]}, {"l": ["no word"]}),
        ({"rate": ["n"], "per": ["u"], "units": {"D": "day"}}, {"n": 1, "u": "W"}),
        ({"rate": ["n"], "per": ["u"], "units": {"D": "day"}}, b'{"n":1e400,"u":"D"}'),
        ({"rate": ["n"], "per": ["u"], "units": {"D": "day"}}, {"n": -1, "u": "D"}),
    ],
)
def test_a_request_that_is_refused_gives_no_terms_whatever_they_say(rule: Any, request_text: Any) -> None:
    for said in (0, 1, "", [], False, True):
        assert judged(rule, request_text, m=said) == ["m"]


@pytest.mark.parametrize(
    ("unit", "number", "terms"),
    [
        ("H", 2, {"m": 2, "frequency_period": "hour"}),
        ("H", 2, {"m": 48}),
        ("H", 9_000, {"m": 10_000}),
        ("D", 2.9, {"m": 2}),
        ("Y", 3, {"m": 1}),
        ("INF", 3, {"m": 0}),
    ],
)
def test_a_rate_is_that_of_its_period_or_spread_over_days(unit: str, number: float, terms: dict[str, Any]) -> None:
    rule = {"rate": ["n"], "per": ["u"], "units": {"D": "day", "H": "hour", "INF": "", "Y": "year"}}
    assert judged(rule, {"n": number, "u": unit}, **terms) == []
    assert judged(rule, {"n": number, "u": unit}, **{**terms, "frequency_period": "month"}) == ["m"]


@pytest.mark.parametrize(
    "rule",
    [
        {"newer": ["a"]},
        {"is": 1, "newer": 2},
        {"second": ["a"], "units": {}},
        {"codes": [{"newer": ["a"], "map": "map"}]},
        {"codes": [{"each": ["a"], "map": "map", "newer": 1}]},
        {"codes": [{"each": ["a"], "words": ["a"], "map": "map"}]},
        {"filters": [{"list": ["a"], "field": "f", "newer": 1}]},
        {},
    ],
)
def test_a_standard_with_a_rule_that_is_not_known_is_not_held_at_all(rule: Any) -> None:
    document = {"v": 1, "maps": {}, "standards": {"s": {"1": {"m": rule, "n": {"is": 1}}}}}
    assert not Mapping(document).holds({"standard": "s", "standard_version": "1"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def _paths(rule: Any) -> list[list[Any]]:
    """Every list of names and numbers in a rule: paths, and lists that look like some."""
    if isinstance(rule, dict):
        return [path for one in rule.values() for path in _paths(one)]
    if isinstance(rule, list):
        plain = all(isinstance(step, str | int) for step in rule)
        return [rule] if plain else [path for one in rule for path in _paths(one)]
    return []


@pytest.mark.parametrize(("terms", "act"), HELD)
@given(st.data())
@settings(max_examples=15)
def test_nothing_that_a_request_holds_stops_the_verifier(terms: dict[str, Any], act: str, data: st.DataObject) -> None:
    name = "standards" if act == "consent.request" else "changes"
    rules = PUBLISHED[name][terms["standard"]][terms["standard_version"]]
    request: Any = {}
    for path in _paths(rules):
        at = request
        for step in path[:-1]:
            at = at.setdefault(str(step), {}) if isinstance(at, dict) else {}
        if path and isinstance(at, dict):
            at[str(path[-1])] = data.draw(VALUES)
    mapping = Mapping(PUBLISHED)
    assert mapping.holds(terms, act)
    for text in (json.dumps(request).encode("utf-8", "surrogatepass"), data.draw(st.binary(max_size=40))):
        for member, wanted, found in mapping.differences(dict(terms), text, AT, act):
            assert isinstance(member + wanted + found, str)
