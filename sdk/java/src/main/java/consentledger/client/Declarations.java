package consentledger.client;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What participants declare, of no consent and no customer (docs/spec/ruleset-3.md, 1; partners.md, 1 and 3): members and form. All
 * methods throw {@link Refuted}.
 */
final class Declarations {
    /** Act → the members beside the common ones. */
    static final Map<String, List<String>> MEMBERS = Map.ofEntries(
            Map.entry("freeze.order", List.of("drill", "freeze_id", "from", "reason", "scope", "until")),
            Map.entry("freeze.lift", List.of("freeze_id", "reason")),
            Map.entry("assessment.require", List.of("requirement_id", "reason", "scope")),
            Map.entry("assessment.waive", List.of("requirement_id", "reason")),
            Map.entry("assessment.record", List.of("assessment_id", "document_hash", "method", "next_due", "outcome", "scope")),
            Map.entry("risk.block", List.of("about", "level", "rule", "seconds")),
            Map.entry("risk.unblock", List.of("reason", "rule")),
            Map.entry("alert.decide", List.of("alert", "decision", "officer", "proposal", "proposal_reasons")),
            Map.entry("incident.open", List.of(
                    "affected", "affected_consents", "class", "clocks", "detected_at", "incident_id", "severity", "text_hash")),
            Map.entry("incident.update", List.of("incident_id", "text_hash", "told_customers", "told_participants")),
            Map.entry("incident.close", List.of("incident_id", "reason", "text_hash")),
            Map.entry("purpose.define", List.of(
                    "code", "permissions", "max_days", "max_frequency_per_day", "max_history_days", "max_retention_days")),
            Map.entry("case.hand_over", List.of("basis", "disclosure", "handover_id", "pack_hash", "scope", "to")),
            Map.entry("case.receive", List.of("handover", "pack_hash")),
            Map.entry("attestation.give", List.of("attestation", "document_hash", "issuer", "kind", "valid_until")),
            Map.entry("attestation.withdraw", List.of("attestation", "reason")),
            Map.entry("map.publish", List.of("fields", "map", "map_hash", "map_version")),
            Map.entry("tariff.offer", List.of("currency", "from", "lines", "recipient", "tariff", "utc_offset")),
            Map.entry("tariff.accept", List.of("offer")),
            Map.entry("tariff.end", List.of("from", "offer", "reason")),
            Map.entry("usage.state", List.of(
                    "amounts", "count", "from", "left_out", "offer", "recipient", "replaces", "root", "to", "to_index", "total")),
            Map.entry("usage.answer", List.of("answer", "disputed", "statement")),
            Map.entry("history.attest", List.of(
                    "customers", "first", "history", "last", "left_out", "root", "rows", "sheets", "source", "title")),
            Map.entry("history.withdraw", List.of("history", "reason")));
    static final Map<String, List<String>> OPTIONAL =
            Map.of("alert.decide", List.of("comment_hash"), "incident.update", List.of("clock"));

    private static final Map<String, Pattern> SCOPE = Map.of(
            "country", Acts.COUNTRY, "holder", Acts.PARTICIPANT, "permission", Acts.CODE, "purpose", Acts.CODE, "recipient",
            Acts.PARTICIPANT);
    private static final Pattern CURRENCY = Pattern.compile("[A-Z]{3}");
    private static final List<String> DECISIONS = List.of("cleared", "confirmed", "escalated");
    private static final long MOST_FREEZE = 7_776_000;

    private Declarations() {}

    /** The form of a declaration whose members are there. */
    static void check(String act, Members payload) {
        for (String name : List.of("freeze_id", "requirement_id", "assessment_id", "incident_id", "reason", "rule")) {
            if (payload.has(name)) payload.text(name, 64, Acts.CODE);
        }
        if (payload.has("text_hash")) payload.bytes("text_hash", 32);
        long signed = payload.integer("iat");
        switch (act) {
            case "freeze.order" -> {
                payload.flag("drill");
                payload.integer("from");
                checkScope(payload, "scope");
                payload.integer("until", signed + 1, Math.min(signed + MOST_FREEZE, Json.MAX_INTEGER));
            }
            case "assessment.require" -> checkScope(payload, "scope", "permission");
            case "assessment.record" -> {
                checkScope(payload, "scope", "holder", "permission");
                payload.bytes("document_hash", 32);
                payload.text("method", 64, Acts.CODE);
                payload.integer("next_due", signed + 1);
                payload.choice("outcome", "acceptable", "acceptable-with-measures", "unacceptable");
            }
            case "risk.block" -> {
                payload.choice("about", "consent", "recipient");
                payload.integer("level", 0, 1_000);
                payload.integer("seconds", 60, 2_592_000);
            }
            case "alert.decide" -> {
                payload.integer("alert");
                if (payload.has("comment_hash")) payload.bytes("comment_hash", 32);
                for (String name : List.of("decision", "proposal")) payload.choice(name, DECISIONS.toArray(String[]::new));
                payload.text("officer", 64, Acts.REFERENCE);
                payload.sortedTexts("proposal_reasons", 0, 8, Acts.CODE);
            }
            case "incident.open" -> checkIncident(payload, signed);
            case "incident.update" -> {
                if (payload.has("clock")) payload.text("clock", 64, Acts.CODE);
                payload.integer("told_customers");
                payload.integer("told_participants");
            }
            case "purpose.define" -> {
                payload.text("code", 64, Acts.CODE);
                payload.sortedTexts("permissions", 1, 64, Acts.CODE);
                for (String name : List.of("max_days", "max_history_days", "max_retention_days")) payload.integer(name, 0, 36_500);
                payload.integer("max_frequency_per_day", 0, 10_000);
            }
            case "case.hand_over" -> {
                payload.text("basis", 64, Acts.CODE);
                payload.integer("disclosure");
                payload.text("handover_id", 64, Acts.CODE);
                payload.bytes("pack_hash", 32);
                checkScope(payload, "scope");
                payload.text("to", 63, Acts.PARTICIPANT);
            }
            case "case.receive" -> {
                payload.integer("handover");
                payload.bytes("pack_hash", 32);
            }
            case "attestation.give" -> {
                payload.text("attestation", 64, Acts.CODE);
                payload.bytes("document_hash", 32);
                payload.text("issuer", 200);
                payload.text("kind", 64, Acts.CODE);
                payload.integer("valid_until", signed + 1);
            }
            case "attestation.withdraw" -> payload.text("attestation", 64, Acts.CODE);
            case "map.publish" -> {
                payload.integer("fields");
                payload.text("map", 64, Acts.CODE);
                payload.bytes("map_hash", 32);
                payload.integer("map_version", 1);
            }
            case "tariff.offer" -> checkOffer(payload);
            case "tariff.accept" -> payload.integer("offer");
            case "tariff.end" -> {
                payload.integer("from", signed + 1);
                payload.integer("offer");
            }
            case "usage.state" -> checkUsage(payload);
            case "usage.answer" -> {
                payload.integer("statement");
                payload.choice("answer", "agreed", "disputed");
                boolean agreed = "agreed".equals(payload.values().get("answer"));
                if (agreed != (checkNamed(payload, "disputed") == 0)) {
                    throw Members.bad("entries are named exactly if the statement is disputed", "disputed");
                }
            }
            case "history.attest" -> Histories.checkAttest(payload);
            case "history.withdraw" -> Histories.checkWithdraw(payload);
            default -> { } // all of it was checked above
        }
    }

    private static void checkScope(Members value, String name, String... without) {
        Members scope = value.object(name);
        List<String> may = new ArrayList<>(SCOPE.keySet());
        may.removeAll(List.of(without));
        scope.exactly(List.of(), may);
        for (String member : scope.values().keySet()) scope.text(member, 64, SCOPE.get(member));
    }

    private static void checkIncident(Members payload, long signed) {
        checkScope(payload, "affected");
        payload.integer("affected_consents");
        payload.text("class", 64, Acts.CODE);
        payload.integer("detected_at", 0, signed);
        payload.integer("severity", 1, 4);
        List<Long> dues = new ArrayList<>();
        List<String> names = new ArrayList<>();
        for (Members clock : payload.objects("clocks", 1, 6)) {
            clock.exactly(List.of("due", "name"));
            dues.add(clock.integer("due"));
            names.add(clock.text("name", 64, Acts.CODE));
        }
        if (!dues.equals(dues.stream().sorted().toList()) || new HashSet<>(names).size() != names.size()) {
            throw Members.bad("clocks are sorted by `due`, with different names", "clocks");
        }
    }

    private static void checkOffer(Members payload) {
        payload.text("currency", 3, CURRENCY);
        payload.integer("from");
        if (!"".equals(payload.values().get("recipient"))) payload.text("recipient", 63, Acts.PARTICIPANT); // empty: for everybody
        payload.text("tariff", 64, Acts.CODE);
        payload.integer("utc_offset", -840, 840);
        for (Members line : payload.objects("lines", 1, 16)) {
            line.exactly(List.of("free", "tiers"), List.of("attended", "purpose", "resource", "rows_from", "rows_to"));
            if (line.has("attended")) line.flag("attended");
            for (String name : List.of("purpose", "resource")) if (line.has(name)) line.text(name, 64, Acts.CODE);
            long low = line.has("rows_from") ? line.integer("rows_from") : 0;
            if (line.has("rows_to")) line.integer("rows_to", low);
            line.integer("free");
            List<Long> begins = new ArrayList<>();
            for (Members tier : line.objects("tiers", 1, 8)) {
                tier.exactly(List.of("from", "price"));
                begins.add(tier.integer("from"));
                tier.integer("price", 0, 1_000_000_000_000L);
            }
            if (begins.get(0) != 0 || !rises(begins)) throw Members.bad("the tiers of a line begin at 0 and rise", "tiers");
        }
    }

    private static void checkUsage(Members payload) {
        for (Members amount : payload.objects("amounts", 1, 16)) {
            amount.exactly(List.of("amount", "count"));
            amount.integer("amount");
            amount.integer("count");
        }
        for (String name : List.of("count", "from", "offer", "to", "to_index", "total")) payload.integer(name);
        payload.text("recipient", 63, Acts.PARTICIPANT);
        payload.integer("replaces", -1);
        payload.bytes("root", 32);
        checkNamed(payload, "left_out");
    }

    /** Entries that are named with a reason each; how many. */
    private static int checkNamed(Members payload, String name) {
        List<Long> indexes = new ArrayList<>();
        for (Members row : payload.objects(name, 0, 100)) {
            row.exactly(List.of("index", "reason"));
            indexes.add(row.integer("index"));
            row.text("reason", 64, Acts.CODE);
        }
        if (!rises(indexes)) throw Members.bad("the entries are not sorted, each once", name);
        return indexes.size();
    }

    private static boolean rises(List<Long> numbers) {
        for (int at = 1; at < numbers.size(); at++) if (numbers.get(at - 1) >= numbers.get(at)) return false;
        return true;
    }
}
