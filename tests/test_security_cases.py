"""The catalogue of attacks: every id has its tests, each of them exists, and docs/security-cases.md says the same."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conformance import ROOT

PAGE = ROOT / "docs/security-cases.md"
API, LEDGER, VERIFIER, FAULTS, WEB = "tests/api", "tests/ledger", "tests/verifier", "tests/faults", "tests/web"
SUBMITTED = f"{API}/test_submissions.py::test_a_bad_statement_is_a_problem_and_leaves_no_entry"
MATRIX = f"{VERIFIER}/test_bundles.py::test_is_refuted_with_code_and_place"
SPELLING = f"{VERIFIER}/test_encoding.py::test_e01_to_e05_any_other_spelling_is_bad_encoding"
HEADERS = f"{VERIFIER}/test_statements.py::test_headers_other_than_ours_are_bad_signatures_before_any_key_is_looked_up"
GESTURE = f"{VERIFIER}/test_statements.py::test_any_other_gesture_does_not_show_the_customers_consent"
STATEMENTS = f"{LEDGER}/test_statements.py::test_any_other_header_is_a_bad_signature"
DENIED = f"{LEDGER}/test_decisions.py::test_each_reason_applies_alone"
TAMPERED = (
    f"{FAULTS}/test_tampered_database.py::test_a_change_in_the_database_is_refuted_from_its_bundle_and_its_entry_named"
)
PROOF = f"{VERIFIER}/test_notes.py::test_m01_m02_m03_m12_a_proof_is_for_one_entry_at_one_index"

CASES: tuple[tuple[str, str, tuple[str, ...]], ...] = (  # id, what is done and what comes of it, the tests
    ("E01", "a duplicate JSON member: `BAD_ENCODING`", (SUBMITTED, SPELLING, MATRIX)),
    ("E02", "a float, −0, 1E2: `BAD_ENCODING`", (SUBMITTED, SPELLING, MATRIX)),
    ("E03", "white space or an escape: `BAD_ENCODING`", (SUBMITTED, SPELLING, MATRIX)),
    ("E04", "the integer 2^53: `BAD_ENCODING`", (SUBMITTED, SPELLING, MATRIX)),
    ("E05", "an array a hundred thousand levels deep: 400, `BAD_ENCODING`, no crash",
     (SUBMITTED, f"{API}/test_submissions.py::test_anything_but_an_envelope_is_refused_before_any_signature",
      SPELLING, MATRIX)),
    ("E06", "a statement of 16 KiB + 1: 413",
     (f"{API}/test_submissions.py::test_anything_but_an_envelope_is_refused_before_any_signature",
      f"{LEDGER}/test_statements.py::test_e06_size_is_bounded_before_anything_is_read",
      f"{VERIFIER}/test_statements.py::test_e06_e09_sizes_and_base64_are_exact")),
    ("E07", "a member of a leaf unknown or missing: `BAD_ENCODING`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_e07_a_leaf_has_exactly_its_members", MATRIX)),
    ("E08", "an unknown version: `BAD_ENCODING`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_e08_a_leaf_of_another_version_is_refused", MATRIX)),
    ("E09", "base64url padded or not canonical: `BAD_ENCODING`",
     (SUBMITTED, f"{VERIFIER}/test_encoding.py::test_e09_other_base64url_is_refused", MATRIX)),
    ("E10", "no domain tag is the beginning of another",
     (f"{LEDGER}/test_canonical.py::test_no_domain_tag_is_the_beginning_of_another",
      f"{VERIFIER}/test_encoding.py::test_e10_no_tag_is_a_prefix_of_another_and_all_end_in_one_nul")),
    ("S01", "`alg` none: 400, `BAD_SIGNATURE`", (SUBMITTED, STATEMENTS, HEADERS, MATRIX)),
    ("S02", "HS256 with the public key as its secret: 400, `BAD_SIGNATURE`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_s02_a_mac_keyed_with_the_public_key_is_refused", HEADERS, MATRIX)),
    ("S03", "`jwk`, `jku`, `x5u` in the header: 400, `BAD_SIGNATURE`", (SUBMITTED, STATEMENTS, HEADERS, MATRIX)),
    ("S04", "`crit`, `b64`: 400, `BAD_SIGNATURE`", (SUBMITTED, STATEMENTS, HEADERS, MATRIX)),
    ("S05", "the kid of another participant: 400, `BAD_SIGNATURE`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_s05_a_key_signs_for_its_owner_only", MATRIX)),
    ("S06", "another algorithm than the registered one: 400, `BAD_SIGNATURE`", (SUBMITTED, STATEMENTS, MATRIX)),
    ("S07", "one bit of payload or signature flipped: 400, `BAD_SIGNATURE`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_s07_one_flipped_bit_is_refused",
      f"{VERIFIER}/test_statements.py::test_s07_one_changed_character_is_refused", MATRIX)),
    ("S08", "a public key of small order or not canonical at registration: 400",
     (f"{API}/test_reading.py::test_keys_that_may_not_be_used_are_not_registered",
      f"{LEDGER}/test_keys.py::test_no_other_key_is_registered", MATRIX)),
    ("S09", "a key that was revoked before the index: `POLICY_REJECTED`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_s09_a_revoked_key_signs_nothing_more", MATRIX)),
    ("S10", "`aud` of another log: `BAD_SIGNATURE`",
     (SUBMITTED, f"{LEDGER}/test_statements.py::test_s10_a_statement_for_another_log_is_refused", MATRIX)),
    ("S11", "`typ` JWT, an access token passed off: 400, `BAD_SIGNATURE`", (SUBMITTED, STATEMENTS, HEADERS, MATRIX)),
    ("S12", "all of CCTV and Wycheproof: ledger and verifier give the same answers",
     (f"{LEDGER}/test_keys.py::test_s12_every_published_case_of_ed25519_has_its_verdict",
      f"{VERIFIER}/test_conformance.py::test_every_wycheproof_case_has_its_verdict_in_every_backend")),
    ("M01", "a hash of an inclusion proof altered, missing, or one too many: `BAD_PROOF`",
     (PROOF, f"{LEDGER}/merkle/test_proofs.py::test_no_single_change_of_an_inclusion_proof_verifies")),
    ("M02", "the right proof for the neighbour's index: `BAD_PROOF`", (PROOF,)),
    ("M03", "an index that is not below the size: `BAD_PROOF`", (PROOF,)),
    ("M04", "a size with a leading zero, a sign, or digits of another script: `BAD_ENCODING`",
     (f"{VERIFIER}/test_encoding.py::test_m04_other_decimals_are_refused", MATRIX,
      f"{LEDGER}/notes/test_notes.py::test_a_size_that_is_not_a_canonical_decimal_below_2_to_the_63_is_refused")),
    ("M05", "an unknown log key: `BAD_SIGNATURE`",
     (f"{VERIFIER}/test_notes.py::test_m05_a_checkpoint_of_an_unknown_log_is_refused", MATRIX)),
    ("M06", "a bad signature of a known key beside a good one: the note is refused",
     (f"{VERIFIER}/test_notes.py::test_m06_m11_one_bad_line_of_a_known_key_refuses_the_whole_note", MATRIX)),
    ("M07", "two roots of one size: `EQUIVOCATION`, with evidence to keep",
     (f"{VERIFIER}/test_logs.py::test_m07_m08_two_histories_are_equivocation_with_evidence_that_stands_alone",
      f"{VERIFIER}/test_commands.py::test_a_log_is_followed_and_a_second_history_is_kept_as_evidence")),
    ("M08", "a larger checkpoint that does not continue: `EQUIVOCATION`",
     (f"{VERIFIER}/test_logs.py::test_m07_m08_two_histories_are_equivocation_with_evidence_that_stands_alone",
      "tests/client/test_lies.py::test_a_second_history_is_proved_and_the_evidence_kept")),
    ("M09", "smaller than the last one seen: `ROLLBACK`",
     (f"{VERIFIER}/test_logs.py::test_m09_a_smaller_log_is_a_rollback_and_a_smaller_other_history_is_equivocation",
      "tests/client/test_lies.py::test_an_old_checkpoint_is_a_rollback")),
    ("M10", "one witness short of the quorum: `VALID_UNWITNESSED`, and another exit status",
     (f"{VERIFIER}/test_policies.py::test_m10_the_quorum_decides_between_valid_and_unwitnessed",
      f"{VERIFIER}/test_commands.py::test_m10_exit_status_three_below_the_quorum")),
    ("M11", "a known witness's line over another root: the note is refused",
     (f"{VERIFIER}/test_notes.py::test_m06_m11_one_bad_line_of_a_known_key_refuses_the_whole_note", MATRIX)),
    ("M12", "an inner node offered as a leaf: `BAD_PROOF`",
     (PROOF, f"{VERIFIER}/test_packs.py::test_an_inner_node_is_not_an_item")),
    ("M13", "the empty tree, and the tree of one leaf",
     (f"{VERIFIER}/test_notes.py::test_m13_the_empty_log_has_the_empty_root",
      f"{VERIFIER}/test_conformance.py::test_the_definitions_give_the_known_roots_and_nodes")),
    ("C01", "a leaf taken out of a chain: `BAD_CHAIN`", (MATRIX,)),
    ("C02", "two leaves swapped: `BAD_PROOF`", (MATRIX, TAMPERED)),
    ("C03", "a number of a chain left out or repeated: `BAD_CHAIN`", (MATRIX,)),
    ("C04", "the last event withheld: what is shown is not what was signed",
     (f"{VERIFIER}/test_commands.py::test_c04_a_smaller_history_is_not_what_the_checkpoint_signs",)),
    ("C05", "the map's value of another chain, a proof not in its one spelling",
     (f"{VERIFIER}/test_map.py::test_c05_numbers_in_a_proof_are_minimal_and_fall_within_the_key",
      f"{VERIFIER}/test_map.py::test_no_present_key_can_be_called_absent_by_any_leaf_of_the_map",
      f"{VERIFIER}/test_map.py::test_a_changed_proof_is_refused")),
    ("C06", "another map root in an index-head: `BAD_PROOF`", (MATRIX,)),
    ("C07", "an event filed under another chain: `BAD_CHAIN`; its submitter refuses the receipt",
     (MATRIX, "tests/client/test_lies.py::test_the_genuine_receipt_of_another_entry_is_refused")),
    ("C08", "fewer events than before: a map that goes back is refuted, a log that goes back is `ROLLBACK`",
     (f"{VERIFIER}/test_security_cases.py::test_c08_a_map_that_goes_back_to_an_earlier_count_is_refuted",
      f"{VERIFIER}/test_logs.py::test_m09_a_smaller_log_is_a_rollback_and_a_smaller_other_history_is_equivocation")),
    ("L01", "an access without a consent: denied; an `allow` is `CONSENT_INVALID`", (DENIED, MATRIX)),
    ("L02", "a scope wider than granted: denied; an `allow` is `CONSENT_INVALID`", (DENIED, MATRIX)),
    ("L03", "an access after the revocation: denied; an `allow` is `CONSENT_INVALID`",
     (DENIED, MATRIX, f"{FAULTS}/test_kill.py::test_f03_no_access_is_allowed_after_a_revocation_whoever_wrote_it")),
    ("L04", "an access after the expiry: denied; an `allow` is `CONSENT_INVALID`", (DENIED, MATRIX)),
    ("L05", "another recipient's access: denied; an `allow` is `CONSENT_INVALID`",
     (f"{LEDGER}/test_decisions.py::test_a_stranger_learns_nothing_of_a_consent", MATRIX)),
    ("L06", "a release without an access: 409 at the door, `UNMATCHED` in a log that has one",
     (MATRIX, f"{LEDGER}/test_legs.py::test_a_leg_that_its_access_cannot_have_is_refused_and_named")),
    ("L07", "a release that nobody received: `DISPUTED` after a day, a finding about the two",
     (f"{VERIFIER}/test_commands.py::test_l07_a_missing_receipt_is_told_after_a_day_but_refutes_nothing",)),
    ("L08", "release and receipt that differ: `DISPUTED`, a finding about the two",
     (f"{VERIFIER}/test_telling.py::test_l08_figures_that_differ_are_told_of_the_two_but_refute_nothing",)),
    ("W01", "a gesture without user verification: `CONSENT_INVALID`", (GESTURE,)),
    ("W02", "another origin or rpId: `CONSENT_INVALID`", (GESTURE,)),
    ("W03", "a gesture over other terms: `CONSENT_INVALID`", (GESTURE,)),
    ("W04", "one gesture for two consents: `CONSENT_INVALID`",
     (f"{VERIFIER}/test_security_cases.py::test_w04_a_gesture_counts_for_one_consent_only",)),
    ("W05", "the type `webauthn.create`: `CONSENT_INVALID`", (GESTURE,)),
    ("W06", "a member twice in the client data: `CONSENT_INVALID`", (GESTURE,)),
    ("P01", "no name, no account number in tiles, bundles, logs, figures, or the receipts of others",
     (f"{LEDGER}/test_vault.py::test_p01_no_file_of_the_log_holds_what_was_said_about_a_person",
      f"{API}/test_description.py::test_figures_and_logs_hold_no_datum_of_a_person",
      "tests/demo/test_demo.py::test_no_personal_datum_leaves_its_bank_but_to_its_recipient",
      "tests/demo/test_demo.py::test_the_databases_hold_no_personal_datum_either")),
    ("P02", "a dictionary of all candidates against the leaf hashes: no hit",
     (f"{LEDGER}/test_vault.py::test_p02_a_leaf_hash_is_not_found_by_guessing_the_evidence",)),
    ("P03", "one customer's pseudonyms at two recipients share nothing",
     (f"{LEDGER}/test_vault.py::test_p03_two_recipients_find_nothing_in_common",
      "tests/client/test_client.py::test_pseudonyms_of_one_customer_join_nowhere",
      f"{API}/test_pooling.py::test_two_recipients_who_pool_all_they_can_get_cannot_tell_that_a_customer_is_one_person")),
    ("P04", "after an erasure all proofs hold and no body can be read: `ERASED`",
     (f"{LEDGER}/test_vault.py::test_p04_after_erasure_proofs_hold_and_bodies_are_gone",
      f"{VERIFIER}/test_commands.py::test_p04_an_erased_consent_still_proves_and_is_called_erased")),
    ("A01", "the same statement twice: one leaf, the same receipt",
     (f"{API}/test_submissions.py::test_a_repeated_statement_is_told_its_entries_whose_receipts_are_the_same_bytes",
      f"{LEDGER}/test_sequencer.py::test_a01_a_repeat_gets_the_first_receipt_byte_for_byte")),
    ("A02", "the same jti, other bytes: 409",
     (f"{API}/test_submissions.py::test_a_jti_with_another_payload_is_refused_and_counted",
      f"{LEDGER}/test_sequencer.py::test_a02_the_same_jti_for_other_bytes_is_refused_and_counted")),
    ("A03", "another party's consent: 404",
     (f"{API}/test_reading.py::test_parties_read_their_consent_and_for_others_it_does_not_exist",
      f"{API}/test_reading.py::test_receipts_of_others_and_of_no_entry_are_not_found")),
    ("A04", "a DPoP proof used again, or for another address: 401",
     (f"{API}/test_tokens.py::test_a_proof_is_good_for_one_request_only",
      f"{API}/test_tokens.py::test_a_proof_for_something_else_is_refused")),
    ("A05", "a sign-in that is not fresh, where it must be: step-up",
     (f"{WEB}/test_security.py::test_steps_that_matter_need_a_fresh_proof_and_stopping_one_does_not",)),
    ("A06", "a form without the session's token or from a foreign origin: 403",
     (f"{WEB}/test_security.py::test_no_form_without_the_sessions_own_token_is_taken",
      f"{WEB}/test_security.py::test_no_form_of_another_site_is_taken")),
    ("A07", "UPDATE, DELETE, TRUNCATE by the service's role: refused; by a superuser: the export is refuted",
     (f"{LEDGER}/test_storage.py::test_a07_rows_of_the_log_are_neither_changed_nor_deleted",
      f"{LEDGER}/test_storage.py::test_a07_neither_truncate_nor_replica_mode_gets_around_the_guards",
      f"{FAULTS}/test_every_column.py::test_a_byte_of_any_column_that_feeds_an_export_is_refuted_or_refused",
      TAMPERED)),
    ("F01", "SIGKILL at each step of a commit: nothing acknowledged is lost, no second root of a size",
     (f"{FAULTS}/test_every_step.py::test_f01_a_writer_killed_at_any_step_of_a_commit_leaves_one_log",
      f"{FAULTS}/test_kill.py::test_f01_nothing_acknowledged_is_lost_and_nothing_is_there_twice",
      f"{FAULTS}/test_service_under_fire.py::test_forty_writers_a_revocation_and_killed_processes_leave_one_whole_log")),
    ("F02", "the database of yesterday: it refuses to sign, and says what to do",
     (f"{LEDGER}/test_high_water.py::test_a_database_of_yesterday_is_refused_at_start",
      f"{LEDGER}/test_high_water.py::test_a_database_that_goes_back_under_a_running_node_stops_it")),
    ("F03", "two sequencers: unique, dense indexes",
     (f"{LEDGER}/test_sequencer.py::test_f03_several_sequencers_on_one_database_make_one_dense_log",
      f"{FAULTS}/test_kill.py::test_f03_no_access_is_allowed_after_a_revocation_whoever_wrote_it")),
    ("F04", "a disk that is full or reports errors: no receipt, and it goes on",
     (f"{LEDGER}/test_commits.py::test_f04_a_full_disk_gives_no_receipt_and_is_survived",
      f"{FAULTS}/test_disk.py::test_f04_a_disk_that_fills_while_many_write_loses_nothing_acknowledged",
      f"{FAULTS}/test_disk.py::test_f04_a_disk_that_reports_errors_loses_nothing_acknowledged")),
    ("F05", "a clock that steps back: times never fall",
     (f"{LEDGER}/test_sequencer.py::test_f05_a_clock_that_steps_back_does_not_turn_the_log_back",)),
    ("F06", "a witness that is away: receipts are logged at once, and witnessed later",
     ("tests/witness/test_witnessing.py::test_a_receipt_is_logged_at_once_and_witnessed_soon_after",
      "tests/witness/test_witnessing.py::test_one_witness_away_is_not_a_harm_and_two_are")),
)  # fmt: skip

GROUPS = {
    "E": ("Encoding", 10),
    "S": ("Signatures of statements", 12),
    "M": ("Tree and checkpoint", 13),
    "C": ("Chains and map", 8),
    "L": ("Rules of consent", 8),
    "W": ("Passkeys", 6),
    "P": ("Privacy and erasure", 4),
    "A": ("API and database", 7),
    "F": ("Faults", 6),
}
"""How many cases each group has: 74 in all."""

# Where the matrix of tampering names its cases (tests/verifier/cases.py), it must have the one that is asked for.
NAMED_IN_THE_MATRIX = re.compile(r'case="([A-Z]\d\d)"')


@cache
def names_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def page() -> str:
    lines = [
        "# The catalogue of attacks, and where each is tried",
        "",
        "Seventy-four things somebody may do to the ledger, its log, its evidence or its verifier. Each has tests;",
        "`tests/test_security_cases.py` holds this list, checks that every test exists, and that this page says the same.",
        "A test that is named for several cases has one parameter or row for each. What random attack adds:",
        "[attacks.md](attacks.md).",
    ]
    for letter, (title, count) in GROUPS.items():
        lines += ["", f"## {title} ({count})", "| id | what is done, and what comes of it | tests |", "|---|---|---|"]
        for case, says, tests in CASES:
            if case[0] == letter:
                named = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in tests)
                lines.append(f"| {case} | {says} | {named} |")
    return "\n".join(lines) + "\n"


def test_all_seventy_four_cases_are_here_once() -> None:
    wanted = [f"{letter}{number:02d}" for letter, (_, count) in GROUPS.items() for number in range(1, count + 1)]
    assert len(wanted) == 74
    assert [case for case, _, _ in CASES] == wanted


@pytest.mark.parametrize("case", [case for case, _, _ in CASES])
def test_every_case_has_tests_that_exist(case: str) -> None:
    [tests] = [tests for name, _, tests in CASES if name == case]
    assert tests
    for test in tests:
        file, _, function = test.partition("::")
        assert (ROOT / file).is_file(), file
        assert function in names_in(file), test
        if test == MATRIX:
            assert case in NAMED_IN_THE_MATRIX.findall((ROOT / "tests/verifier/cases.py").read_text())
        if test == SUBMITTED:
            assert re.search(rf'"{case} ', (ROOT / file).read_text()), f"no bad statement is named {case}"


def test_the_page_says_the_same() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.test_security_cases"


if __name__ == "__main__":
    Path(PAGE).write_text(page())
