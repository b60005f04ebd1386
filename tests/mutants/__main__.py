"""Mutation testing of the verifier: `python -m tests.mutants [MODULE…]`, such as `merkle ed25519`; all if none is named.

Every mutant is run against the tests of its module. Those that survive stand in docs/mutants.md, each with the argument
why no test can tell it from the original; a survivor without an argument is a missing test.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.conformance import ROOT
from tests.mutants.making import mutants
from tests.mutants.running import Asking, noticed, survives

_NOTES, _PARSERS, _OFFICIAL, _SIGNATURES = (
    f"test_{name}.py" for name in ("notes", "parsers", "conformance", "signatures")
)
_LOGS, _PACKS, _MAP, _BUNDLES, _COMMANDS = (
    f"test_{name}.py" for name in ("logs", "packs", "map", "bundles", "commands")
)
_STATEMENTS, _ENCODING, _DAMAGE, _QUICK = (
    f"test_{name}.py" for name in ("statements", "encoding", "random_damage", "quick")
)
_GESTURES, _COMPLETENESS, _AGREEMENT, _PARTIES, _WORDS = (
    f"test_{name}.py" for name in ("gestures", "completeness", "agreement", "parties", "words")
)
_BOUNDS, _COSE, _TILES = "test_bounds.py", "test_cose.py", "test_tiles.py"
_CONTAINERS, _EXITS = "test_containers.py", "test_exits.py"
_POLICIES, _FOREIGN = "test_policies.py", "test_foreign_logs.py"
_CRYPTO = (_SIGNATURES, "test_crypto.py", "test_key_spellings.py", _OFFICIAL)
_RULES = (_BUNDLES, _AGREEMENT, "test_decisions.py", "test_transitions.py", "test_terms.py")
_LATER = ("test_partners.py", "test_declarations.py", "test_supervised_decisions.py", "test_alerts_in_bundles.py")
_COUNTED = ("test_usage.py", "test_issued_reports.py", "test_scores.py")
_ALERTS, _ALERTED, _SUPERVISED = "test_alerts.py", "test_alerts_in_bundles.py", "test_supervised_decisions.py"
_STATED, _BROUGHT, _FORMS = "test_usage_command.py", "test_histories_in_bundles.py", "test_declared_forms.py"
_VECTORS = "../vectors/test_verifier.py"
_READING = (_BUNDLES, _QUICK, _STATEMENTS, _DAMAGE, _PACKS)
TESTS: dict[str, tuple[str, ...]] = {
    "encoding": ("test_members.py", _ENCODING, _NOTES, _STATEMENTS),
    "merkle": ("test_merkle.py", _NOTES, _OFFICIAL, _FOREIGN),
    "tree": ("test_trees.py",),
    "tiles": (_TILES, _LOGS, _FOREIGN),
    "note": (_NOTES, _POLICIES, _PARSERS, _OFFICIAL, _BOUNDS),
    "checkpoint": (_NOTES, "test_security_cases.py", _ENCODING, _OFFICIAL, _FOREIGN),
    "policy": (_POLICIES, _NOTES, "test_security_cases.py"),
    "trust": (_POLICIES, _COMMANDS, _BOUNDS),
    "head": (_NOTES, _POLICIES, _LOGS, _FOREIGN, _BOUNDS),
    "witness": (_NOTES, _PARSERS, _FOREIGN, _BOUNDS),
    "proof": (_NOTES, _PARSERS, _OFFICIAL, _COMMANDS, _BOUNDS),
    "receipt": (_PACKS, _COMMANDS, "test_receipts.py"),
    "evidence": (_LOGS, _PARSERS, _COMMANDS, _FOREIGN, _BOUNDS),
    "commitment": (_ENCODING, _STATEMENTS),
    "ed25519": _CRYPTO,
    "p256": _CRYPTO,
    "rsa": _CRYPTO,
    "keys": (*_CRYPTO, _NOTES, _POLICIES, _STATEMENTS),
    "backend": _CRYPTO,
    "with_cryptography": _CRYPTO,
    "with_pynacl": _CRYPTO,
    "cbor": (_COSE, _PARSERS, _STATEMENTS, _OFFICIAL),
    "cose": (_COSE, _PARSERS, _OFFICIAL),
    "patricia": (_TILES, _MAP, _OFFICIAL, "test_memory.py::test_the_map_is_the_same_on_disk_and_takes_no_memory_there"),
    "ct": (_TILES, _NOTES, _OFFICIAL),
    "passkey": (_STATEMENTS,),
    "statement": ("test_members.py", _STATEMENTS, _PARSERS, _BUNDLES),
    "pack": ("test_pack_bounds.py", "test_pack_records.py", _PACKS),
    "growing_tree": (_TILES, _LOGS),
    "log": ("test_following.py", _LOGS),
    "decisions": _RULES,
    "transitions": _RULES,
    "authorising": (*_RULES, "test_judging.py"),
    "consents": _RULES,
    "acceptance": _RULES,
    "judging": (*_RULES, _DAMAGE, "test_judging.py", "test_replay.py"),
    "signers": (*_RULES, "test_signers.py"),
    "participants": (
        *_RULES,
        _PARTIES,
        *_LATER,
        "test_registry.py",
        "test_replay.py",
        "test_succession.py",
        "test_sm2.py",
    ),
    "catalogue": (_WORDS, "test_decisions.py", "test_terms.py", "test_replay.py"),
    "access_legs": (_BUNDLES, _DAMAGE, "test_legs.py", "test_matching.py", *_COUNTED),
    "matching": (_BUNDLES, _DAMAGE, _GESTURES, "test_matching.py"),
    "replay": (*_RULES, _DAMAGE, _GESTURES, *_LATER, *_COUNTED, "test_replay.py", "test_subjects.py", "test_steps.py"),
    "subjects": (_BUNDLES, _GESTURES, _DAMAGE, "test_subjects.py", *_COUNTED),
    "gestures": ("test_enrolments.py", _GESTURES),
    "completeness": ("test_chains.py", _COMPLETENESS),
    "log_order": (_BUNDLES, _DAMAGE, "test_links.py", "test_times.py"),
    "leaf": (*_READING, _PARSERS, _MAP, "test_links.py", "test_leaves.py"),
    "disclosure": (*_READING, "test_disclosure.py", "test_batch_items.py"),
    "facts": (
        _QUICK,
        "test_disclosure.py",
        "test_batch_items.py",
        "test_signers.py",
        "test_decisions.py",
        "test_transitions.py",
    ),
    "forms": (*_READING, _AGREEMENT, "test_forms.py"),
    "usual_access": (*_READING, "test_disclosure.py", "test_batch_items.py", "test_quick_edges.py"),
    "terms": (*_READING, _AGREEMENT, "test_forms.py"),
    "records/acts": (*_READING, _AGREEMENT, "test_forms.py"),
    "parties": (_PARTIES,),
    "archive": (_CONTAINERS,),
    "clientdata": ("test_clientdata.py", "test_client_data_agree.py", _GESTURES),
    "comparing": ("test_times.py", _EXITS, _COMMANDS),
    "contents": (_BUNDLES, _CONTAINERS, _EXITS),
    "deferred": ("test_spools.py", "test_matching.py", _BUNDLES),
    "evidence_lines": ("test_members.py", _QUICK, _CONTAINERS),
    "evidence_files": (_CONTAINERS, _BUNDLES),
    "findings": (_EXITS, "test_matching.py", "test_telling.py"),
    "gzipped": (_CONTAINERS,),
    "audit/histories": ("test_times.py", _EXITS, "../vectors/test_histories.py"),
    "inputs": ("test_asked.py", _EXITS, "test_telling.py"),
    "pack_items": ("test_pack_bounds.py", "test_pack_records.py", _PACKS),
    "reasons": (_WORDS, _COMMANDS, "test_decisions.py"),
    "forest": (
        "test_forest.py",
        "test_scorer.py",
        f"{_ALERTS}::test_a_hostile_model_is_refused",
        f"{_ALERTS}::test_a_model_is_canonical_and_of_integers",
    ),
    "firing": ("test_scorer.py",),
    "scorer": ("test_scorer.py", "test_scorer_doubts.py"),
    "remembered": ("test_scorer.py", "test_scorer_doubts.py"),
    "notices": ("test_no_notices.py",),
    "alerts": (_ALERTS, "test_late_notices.py", "test_no_notices.py", _ALERTED),
    "alerted": (_ALERTED,),
    "remits": (_FORMS, "test_remits.py"),
    "scopes": (_SUPERVISED,),
    "supervision": (_SUPERVISED, "test_orders.py", "test_unread_declarations.py", "test_declarations.py"),
    "orders": (
        "test_orders.py",
        _FORMS,
        "test_declarations.py",
        f"{_ALERTS}::test_nothing_is_owed_before_scoring_was_activated",
    ),
    "declarations": (_FORMS, "test_orders.py"),
    "declaring": (
        "test_unread_declarations.py",
        "test_handovers.py",
        "test_remits.py",
        "test_partners.py",
        "test_declarations.py",
        "test_histories.py::test_a_sheet_that_rests_on_an_unread_entry_of_the_holder_is_not_checked",
    ),
    "handovers": ("test_handovers.py",),
    "feedback": (
        "test_feedback.py",
        "test_unread_declarations.py",
        "test_declarations.py",
        "test_scores.py::test_a_complaint_is_late_if_nobody_answered_before_it_was_due",
    ),
    "scores": ("test_figures.py", "test_scores.py::test_an_end_is_acknowledged_within_a_day_though_the_period_be_over"),
    "tariffs": ("test_figures.py", "test_usage.py::test_every_statement_of_a_random_life_is_what_the_entries_give"),
    "usage": ("test_usage.py", _STATED),
    "usage_list": (_STATED,),
    "billing": (_STATED,),
    "billed": (_STATED,),
    "partner_acts": (_FORMS,),
    "partners": ("test_orders.py", "test_partners.py"),
    "sets": ("test_set_documents.py", "test_sets.py"),
    "shards": ("test_sets.py",),
    "set_proof": ("test_set_proofs.py", f"{_VECTORS}::test_a_shards_receipt_gets_its_verdict"),
    "log_keys": ("test_log_keys.py",),
    "succeeding": (
        "test_log_keys.py",
        f"{_VECTORS}::test_the_log_leads_from_key_to_key_as_its_documents_prove",
    ),
    "succession": ("test_succession.py",),
    "sheets": ("test_histories.py", _BROUGHT),
    "rules/histories": ("test_histories.py", _BROUGHT),
    "history_acts": ("../vectors/test_brought_to_the_verifier.py", "test_history_forms.py", "test_histories.py"),
    "units": (_SUPERVISED,),
    "calendar": (_SUPERVISED,),
    "sm2": ("test_sm2.py",),
    "sm3": ("test_sm2.py",),
    "data_maps": (
        "test_data_maps.py",
        f"{_VECTORS}::test_data_maps",
    ),
}


def module_of(name: str) -> Path:
    """The one module of the verifier that has this name, in whichever room (`records/acts` where two have it). Raises
    ValueError."""
    (found,) = (ROOT / "verifier").rglob(f"{name}.py")
    return found


def main() -> int:
    """0 if the tests pass on the originals. Survivors are printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument("modules", nargs="*", metavar="MODULE", default=[*TESTS])
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose name holds this")
    parser.add_argument("--kind", nargs="*", default=[], help="only of these kinds, such as `comparison bound`")
    asked = parser.parse_args()
    for name in asked.modules:
        path = module_of(name)
        made = [
            mutant
            for mutant in mutants(path.read_text())
            if asked.only in mutant.name and (not asked.kind or mutant.kind in asked.kind)
        ]
        tests = [f"tests/verifier/{test}" for test in TESTS[name]]
        asking = Asking(".".join(path.relative_to(ROOT).with_suffix("").parts), str(path), made)
        seen = noticed(asking, tests)
        if seen is None or not survives(asking, asking.unchanged):
            print(f"{name}: its own tests fail without any change", flush=True)
            return 1
        alive = 0
        for mutant, dead in zip(made, seen, strict=True):
            if not dead and survives(asking, mutant):
                alive += 1
                tried = len(asking.of(mutant))
                print(f"{name}: ALIVE {mutant.kind}: {mutant.name} ({tried} tests run it)", flush=True)
        print(f"{name}: {len(made)} mutants, {alive} alive", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
