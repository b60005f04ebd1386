"""What participants sign, at the edges of each member's form (docs/spec/statements.md; terms: consents.md)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifier import declared
from tests.verifier.forge import b64u, terms_hash
from tests.verifier.history_forms import members_of
from tests.verifier.making import refusal
from tests.verifier.states import HOLDER, RECIPIENT, SECONDS, TERMS, terms
from verifier.errors import Code
from verifier.records.acts import BY, MEMBERS
from verifier.records.forms import check_item, read_content
from verifier.records.reasons import ASSERTED
from verifier.records.terms import SINCE_2, parse_terms

REF, HASH = "r" * 22, b64u(bytes(32))
CONSENT_ID = "urn:a:" + "c" * 20
COMMON = {"aud": "ledger.example/1", "iat": SECONDS, "iss": RECIPIENT, "jti": b64u(bytes(16)), "v": 1}
COSE = b64u(bytes.fromhex("a4010103272006215820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
"""The key of RFC 8032, test 1."""
SCA = {"acr": "sca", "amr": ["pwd"], "at": SECONDS}
ENDING = {"consent_id": CONSENT_ID, "reason": "asked", "by": "customer"}
LEG = {"consent_id": CONSENT_ID, "interaction_id": "i" * 8, "basis": 7, "rows": 1, "bytes": 2, "digest": HASH}
ITEM: dict[str, Any] = {
    "accounts": [REF],
    "consent_id": CONSENT_ID,
    "customer_present": False,
    "from": 0,
    "to": 0,
    "interaction_id": "i" * 8,
    "permissions": ["ReadBalances"],
    "purpose": "AIS",
    "request_digest": HASH,
}
SEPARATE = {"given_at": SECONDS, "kind": "provision", "text_hash": HASH}
CREDENTIAL = {"subject": REF, "credential_id": b64u(bytes(16))}
PLAIN: dict[str, dict[str, Any]] = {
    **{act: members_of(act) for act in ("history.attest", "history.sheet", "history.withdraw")},
    **dict.fromkeys(
        (
            "consent.reject",
            "consent.suspend",
            "consent.resume",
            "consent.pause",
            "consent.revoke",
            "consent.terminate",
            "consent.reconfirm",
        ),
        ENDING,
    ),
    "consent.request": {"consent_id": CONSENT_ID, "terms": TERMS},
    "consent.authorise": {
        "consent_id": CONSENT_ID,
        "version": 1,
        "terms_hash": HASH,
        "accounts": [REF],
        "authoriser": REF,
        "subject": REF,
        "sca": SCA,
    },
    "consent.amend": {"consent_id": CONSENT_ID, "previous_version": 1, "terms": TERMS},
    "consent.withdraw_accounts": ENDING | {"accounts": [REF]},
    "consent.withdraw_approval": ENDING | {"authoriser": REF},
    "consent.withdraw_separate": ENDING | {"separate": "provision"},
    "consent.reauthenticate": {"consent_id": CONSENT_ID, "sca": SCA},
    "consent.supersede": ENDING | {"superseded_by": CONSENT_ID},
    "access.request": ITEM,
    "access.batch": {"items_count": 2, "items_root": HASH},
    "access.release": LEG,
    "access.receive": LEG,
    "subject.consent": {"consent_id": CONSENT_ID, "subject": REF},
    "subject.enrol": CREDENTIAL | {"public_key": COSE, "rp_id": HOLDER, "sca": SCA},
    "subject.unenrol": CREDENTIAL | {"reason": "lost"},
    **declared.DECLARED,
    **declared.SAID,
}


def read(act: str, **changes: Any) -> dict[str, Any]:
    return read_content(act, {"act": act, **COMMON, **PLAIN[act], **changes})


def refused(act: str, **changes: Any) -> None:
    with refusal(Code.BAD_ENCODING):
        read(act, **changes)


def references(count: int) -> list[str]:
    return [f"{number:03}" + "r" * 19 for number in range(count)]


def kinds(*names: str) -> list[dict[str, Any]]:
    return [SEPARATE | {"kind": name} for name in names]


CODE = ["c", "c" * 64, "x:y.z-_1"], ["", "c" * 65, "-c", "a b", 1]
REFERENCE = ["r" * 22, "r" * 64, "_-" * 11], ["r" * 21, "r" * 65, "r" * 21 + "?", "", 1]
NUMBER = [0, 2**53 - 1], [-1, True, "1", 2**53]
VERSION = [1, 2**53 - 1], [0, -1, True, "1"]
DIGEST = [HASH], [b64u(bytes(31)), b64u(bytes(33)), "", 1]
IDS = (
    [CONSENT_ID, "urn:a:" + "c" * 122, "0123abcd-0123-4123-8123-0123456789ab"],
    [
        "urn:a:" + "c" * 19,
        "urn:a:" + "c" * 123,
        "0123abcd-0123-5123-8123-0123456789ab",
        "0123ABCD-0123-4123-8123-0123456789AB",
        "",
        1,
    ],
)
SHARED = [[REF], references(100)], [[], references(101), [REF, REF], references(2)[::-1], ["r" * 21], REF]
INTERACTION = ["i" * 8, "i" * 64], ["i" * 7, "i" * 65, "i" * 8 + '"', 1]
CREDENTIALS = [b64u(bytes(16)), b64u(bytes(1023))], [b64u(bytes(15)), b64u(bytes(1024)), "", 1]
SCAS = (
    [
        SCA,
        SCA | {"amr": []},
        SCA | {"acr": "a" * 64},
        SCA | {"at": 0},
        SCA | {"at": SECONDS + 300},
        SCA | {"amr": [f"a{number}" for number in range(8)]},
        SCA | {"amr": ["pwd", "otp", "pwd"]},
    ],
    [
        SCA | {"acr": ""},
        SCA | {"acr": "a" * 65},
        SCA | {"at": -1},
        SCA | {"amr": ["a b"]},
        SCA | {"amr": "pwd"},
        SCA | {"amr": ["a"] * 9},
        SCA | {"more": 1},
        {"acr": "sca", "at": 1},
        "sca",
    ],
)
EDGES: list[tuple[str, str, list[Any], list[Any]]] = [
    *((act, "consent_id", *IDS) for act in PLAIN if "consent_id" in PLAIN[act]),
    *((act, "reason", *CODE) for act in PLAIN if "reason" in PLAIN[act]),
    *((act, "by", sorted(BY), ["ledger", "", None]) for act in PLAIN if "by" in PLAIN[act] and act != "subject.answer"),
    *((act, "more", [], [1]) for act in PLAIN),
    *((act, "on_behalf_of", [HOLDER, "p" * 63], [RECIPIENT, "p" * 64, "p", "?", "", 1, None]) for act in PLAIN),
    *((act, "sca", *SCAS) for act in PLAIN if "sca" in PLAIN[act]),
    *((act, "relayed", [True], [False, 1, None]) for act in ("access.request", "access.batch")),
    *((act, "relayed", [], [True]) for act in PLAIN if act not in ("access.request", "access.batch")),
    ("subject.consent", "suppress_notify", [True], [False, 1, None]),
    ("consent.request", "terms", [TERMS], [TERMS | {"grade": 6}, TERMS | {"more": 1}, {}, "terms"]),
    ("consent.amend", "terms", [TERMS], [TERMS | {"grade": 6}, TERMS | {"more": 1}, {}, "terms"]),
    ("consent.amend", "previous_version", *VERSION),
    ("consent.authorise", "version", *VERSION),
    ("consent.authorise", "terms_hash", *DIGEST),
    ("consent.authorise", "accounts", *SHARED),
    ("consent.authorise", "authoriser", *REFERENCE),
    ("consent.authorise", "subject", *REFERENCE),
    ("consent.authorise", "acting_role", *CODE),
    ("consent.authorise", "joint_accounts", [[REF]], [[], [REF, REF], ["s" * 22], REF]),
    (
        "consent.authorise",
        "separate_consents",
        [kinds("a"), kinds(*"abcdefgh"), kinds("k" * 64)],
        [
            [],
            kinds(*"abcdefghi"),
            kinds("b", "a"),
            kinds("a", "a"),
            kinds(""),
            kinds("k" * 65),
            kinds("a b"),
            [*kinds("a"), "b"],
            [SEPARATE | {"more": 1}],
            [SEPARATE | {"given_at": -1}],
            [SEPARATE | {"text_hash": b64u(bytes(31))}],
            [SEPARATE | {"text_hash": b64u(bytes(33))}],
            [{"kind": "a"}],
            "a",
            None,
            {},
        ],
    ),
    ("consent.authorise", "separate_consents", [[SEPARATE | {"given_at": 0}]], []),
    ("consent.withdraw_accounts", "accounts", *SHARED),
    ("consent.withdraw_approval", "authoriser", *REFERENCE),
    ("consent.withdraw_separate", "separate", *CODE),
    ("consent.supersede", "superseded_by", *IDS),
    *((act, "interaction_id", *INTERACTION) for act in ("access.request", "access.release", "access.receive")),
    *((act, name, *NUMBER) for act in ("access.release", "access.receive") for name in ("basis", "rows", "bytes")),
    *((act, "digest", *DIGEST) for act in ("access.release", "access.receive")),
    ("access.request", "accounts", [[], [REF], references(100)], [references(101), [REF, REF], ["r" * 21], REF]),
    ("access.request", "customer_present", [True, False], [0, 1, None]),
    ("access.request", "from", *NUMBER),
    ("access.request", "to", *NUMBER),
    (
        "access.request",
        "permissions",
        [["a"], [f"c{number:02}" for number in range(64)]],
        [[], [f"c{number:02}" for number in range(65)], ["b", "a"], ["a", "a"], ["a b"]],
    ),
    ("access.request", "purpose", *CODE),
    ("access.request", "request_digest", *DIGEST),
    ("access.batch", "items_count", [1, 1_000], [0, 1_001, True]),
    ("access.batch", "items_root", *DIGEST),
    *((act, "subject", *REFERENCE) for act in ("subject.consent", "subject.enrol", "subject.unenrol")),
    *((act, "credential_id", *CREDENTIALS) for act in ("subject.enrol", "subject.unenrol")),
    (
        "subject.enrol",
        "public_key",
        [COSE],
        [
            "",
            b64u(bytes(1024)),
            1,
            ["AA"],
            COSE + "AA",
            b64u(bytes.fromhex("a5010203262001215820") + bytes(32) + bytes.fromhex("225820") + bytes(32)),
            b64u(bytes.fromhex("a4010103272006215820") + bytes(32)),
        ],
    ),
    ("subject.enrol", "rp_id", ["r", "r" * 253], ["", "r" * 254, 1]),
]


@pytest.mark.parametrize("act", MEMBERS)
def test_each_act_is_read_with_exactly_its_members(act: str) -> None:
    assert {name: read(act)[name] for name in PLAIN[act]} == PLAIN[act]
    for name in (*PLAIN[act], *COMMON):
        with refusal(Code.BAD_ENCODING):
            read_content(
                act, {key: value for key, value in {"act": act, **COMMON, **PLAIN[act]}.items() if key != name}
            )
    with refusal(Code.BAD_ENCODING):
        read_content(act + "s", {"act": act + "s", **COMMON, **PLAIN[act]})


@pytest.mark.parametrize(("act", "member", "fine", "wrong"), EDGES, ids=lambda part: part if type(part) is str else "")
def test_members_of_acts_are_bounded(act: str, member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        assert read(act, **{member: value})[member] == value
    for value in wrong:
        refused(act, **{member: value})


def test_the_hash_of_terms_is_told_with_them_and_of_nothing_else() -> None:
    for act in ("consent.request", "consent.amend"):
        assert read(act)["terms_hash"] == terms_hash(TERMS)
    assert "terms_hash" not in read("consent.revoke")


@pytest.mark.parametrize("act", ["consent.authorise", "consent.reauthenticate", "subject.enrol"])
def test_nobody_is_authenticated_after_the_statement_but_for_the_clocks(act: str) -> None:
    with refusal(Code.TIME_INVALID):
        read(act, sca=SCA | {"at": SECONDS + 301})


def test_joint_accounts_are_some_of_the_accounts() -> None:
    accounts = references(100)
    for joint in (accounts, accounts[:1], accounts[-1:]):
        assert read("consent.authorise", accounts=accounts, joint_accounts=joint)["joint_accounts"] == joint
    for joint in ([REF], [*accounts[:1], REF], references(101)):
        refused("consent.authorise", accounts=accounts, joint_accounts=joint)


def test_asserted_reasons_are_known_ones_in_their_order_under_a_relayed_request() -> None:
    every = [*ASSERTED]
    for reasons in (every[:1], every[:8], every[-8:], [every[0], every[-1]]):
        assert read("access.request", asserted=reasons, relayed=True)["asserted"] == reasons
        refused("access.request", asserted=reasons)
    for reasons in ([], every[:9], every[1::-1], every[:1] * 2, ["BAD_MOOD"], [every[0], "BAD_MOOD"], every[0]):
        refused("access.request", asserted=reasons, relayed=True)


@pytest.mark.parametrize(
    ("member", "fine", "wrong"), [edge[1:] for edge in EDGES if edge[0] == "access.request" and edge[1] in ITEM]
)
def test_an_item_of_a_batch_has_the_form_of_a_single_access(member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        check_item(ITEM | {member: value})
    for value in wrong:
        with refusal(Code.BAD_ENCODING):
            check_item(ITEM | {member: value})


# --- terms ----------------------------------------------------------------------------------------------------


def rows(*values: str) -> list[dict[str, str]]:
    return [{"field": "f", "op": "eq", "value": value} for value in values]


PURPOSE = {"code": "AIS", "text": "See my accounts"}
DAYS = [1, 3_650], [0, -1, 3_651, True]
TERM_EDGES: list[tuple[str, list[Any], list[Any]]] = [
    *((name, *NUMBER) for name in ("starts_at", "expires_at", "history_from", "history_to")),
    *((name, ["pp", "p" * 63], ["p", "p" * 64, "P", ""]) for name in ("holder", "recipient")),
    *((name, *CODE) for name in ("standard", "standard_version")),
    ("language", ["en", "zho", "en-GB", "ab-" + "c" * 8 + "-" + "d" * 8 + "-" + "e" * 8 + "-" + "f" * 5],
     ["e", "en-", "ab-" + "c" * 8 + "-" + "d" * 8 + "-" + "e" * 8 + "-" + "f" * 6, "", 1]),
    ("notice_hash", *DIGEST),
    ("details_hash", *DIGEST),
    ("purpose", [PURPOSE | {"text": "t"}, PURPOSE | {"text": "t" * 200}, PURPOSE | {"code": "c" * 64}],
     [PURPOSE | {"text": ""}, PURPOSE | {"text": "t" * 201}, PURPOSE | {"code": ""}, PURPOSE | {"code": "c" * 65},
      PURPOSE | {"more": "x"}, {"code": "AIS"}, "AIS"]),
    ("permissions", [["a"], [f"c{number:02}" for number in range(64)]],
     [[], [f"c{number:02}" for number in range(65)], ["b", "a"], ["a", "a"], ["a b"], "a"]),
    ("separate_consents", [[], ["a"], [*"abcdefgh"], ["k" * 64]], [[*"abcdefghi"], ["b", "a"], ["a", "a"], ["a b"], "a"]),
    ("grade", [1, 5], [0, 6, True]),
    ("once", [True, False], [0, 1, None]),
    ("frequency_per_day", [0, 10_000], [-1, 10_001, False]),
    ("authorisers_required", [1, 10], [0, 11, True]),
    ("retention_days", [0, 36_500], [-1, 36_501, False]),
    ("reauthenticate_days", *DAYS),
    ("reconfirm_days", *DAYS),
    ("utc_offset", [-840, 0, 840], [-841, 841, False]),
    ("filters",
     [rows("v"), rows(*"abcdefgh"), rows("v" * 200), [{"field": "f" * 64, "op": "in", "value": "v"}]],
     [[], rows(*"abcdefghi"), rows("b", "a"), rows("a", "a"), rows(""), rows("v" * 201), [{**rows("v")[0], "more": "x"}],
      [{"field": "f" * 65, "op": "in", "value": "v"}], [{"field": "f", "op": "eqs", "value": "v"}],
      [{"field": "f", "op": "e", "value": "v"}], [{"field": "f", "op": "eq"}], [*rows("v"), "w"], {}, "v", None]),
    ("more", [], [1]),
]  # fmt: skip


@pytest.mark.parametrize(("member", "fine", "wrong"), TERM_EDGES, ids=lambda part: part if type(part) is str else "")
def test_members_of_terms_are_bounded(member: str, fine: list[Any], wrong: list[Any]) -> None:
    for value in fine:
        read_back = parse_terms(TERMS | {member: value})
        if member in SINCE_2:
            assert read_back.later == (member,)
        if type(value) is int and member not in ("notice_hash", "details_hash"):
            assert getattr(read_back, member) == value
    for value in wrong:
        with refusal(Code.BAD_ENCODING):
            parse_terms(TERMS | {member: value})


def test_every_member_of_terms_is_asked_for_but_those_of_ruleset_2() -> None:
    for plain in (parse_terms(TERMS), terms()):
        assert (plain.filters, plain.later) == ((), ())
        assert (plain.reauthenticate_days, plain.reconfirm_days, plain.utc_offset) == (0, 0, 0)
    for name in TERMS:
        with refusal(Code.BAD_ENCODING):
            parse_terms({key: value for key, value in TERMS.items() if key != name})
    every = {
        "details_hash": HASH,
        "filters": rows("a", "b"),
        "utc_offset": 1,
        "reconfirm_days": 2,
        "reauthenticate_days": 3,
    }
    later = parse_terms(TERMS | every)
    assert later.filters == (("f", "eq", "a"), ("f", "eq", "b"))
    assert (later.utc_offset, later.reconfirm_days, later.reauthenticate_days) == (1, 2, 3)
    assert later.later == tuple(sorted(every))
