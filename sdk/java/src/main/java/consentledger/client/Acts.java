package consentledger.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;

/** The form of what participants sign: the members of each act, of terms and of access items (docs/spec/statements.md). */
final class Acts {
    static final Pattern PARTICIPANT = Pattern.compile("[a-z0-9][a-z0-9._-]{1,62}");
    static final Pattern CODE = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,63}");
    static final Pattern COUNTRY = Pattern.compile("[A-Z]{2}");
    static final Pattern REFERENCE = Pattern.compile("[A-Za-z0-9_-]{22,64}");
    private static final Pattern INTERACTION = Pattern.compile("[A-Za-z0-9._:-]{8,64}");
    private static final Pattern LANGUAGE = Pattern.compile("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*");
    private static final Pattern OPERATOR = Pattern.compile("eq|ge|gt|in|le|lt|ne");
    private static final Pattern CONSENT_ID = Pattern.compile(
            "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
                    + "|urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:/-]{20,}");
    private static final Set<String> BY = Set.of("customer", "guardian", "court", "holder", "recipient", "system");
    private static final List<String> COMMON = List.of("act", "aud", "iat", "iss", "jti", "v");
    static final List<String> ITEM = List.of(
            "accounts", "consent_id", "customer_present", "from", "interaction_id", "permissions", "purpose", "request_digest", "to");
    private static final List<String> LEG = List.of("consent_id", "interaction_id", "basis", "rows", "bytes", "digest");
    private static final List<String> ENDING = List.of("consent_id", "reason", "by");
    private static final List<String> TERMS = List.of(
            "authorisers_required", "expires_at", "frequency_per_day", "grade", "history_from", "history_to", "holder", "language",
            "notice_hash", "once", "permissions", "purpose", "recipient", "retention_days", "separate_consents", "standard",
            "standard_version", "starts_at");
    private static final List<String> LATER_TERMS =
            List.of(
                    "destinations", "details_hash", "filters", "frequency_period", "once_seconds", "reauthenticate_days",
                    "reconfirm_days", "utc_offset");
    private static final List<String> ASSERTED = List.of(
            "SOFTWARE_INACTIVE", "SOFTWARE_REMOVED", "CERT_MISSING", "CERT_INVALID", "CERT_EXPIRED", "CERT_REVOKED",
            "TOKEN_MISSING", "TOKEN_INVALID", "TOKEN_BINDING_MISMATCH", "TOKEN_EXPIRED", "TOKEN_REVOKED", "SCOPE_INSUFFICIENT",
            "TOKEN_CONSENT_MISMATCH", "RECIPIENT_NOT_NAMED", "REGION_NOT_CONSENTED", "ACCOUNT_CLOSED", "ACCOUNT_BLOCKED",
            "FILTER_EXCEEDED", "RATE_LIMITED", "LOW_VELOCITY_LIMIT", "RISK_BLOCKED", "HOLDER_UNAVAILABLE");
    private static final Map<String, List<String>> MEMBERS = new TreeMap<>();
    private static final Map<String, List<String>> OPTIONAL = new TreeMap<>(Map.of(
            "consent.authorise", List.of("acting_role", "joint_accounts", "separate_consents"),
            "access.request", List.of("asserted", "region", "relayed"),
            "access.release", List.of("masks"),
            "access.batch", List.of("relayed"),
            "subject.consent", List.of("suppress_notify"),
            "subject.feedback", List.of("text_hash"),
            "subject.answer", List.of("text_hash")));

    static {
        OPTIONAL.putAll(Declarations.OPTIONAL);
        MEMBERS.putAll(Declarations.MEMBERS);
        for (String step : List.of("reject", "suspend", "resume", "pause", "revoke", "terminate", "reconfirm")) {
            MEMBERS.put("consent." + step, ENDING);
        }
        MEMBERS.put("consent.request", List.of("consent_id", "terms"));
        MEMBERS.put(
                "consent.authorise", List.of("consent_id", "version", "terms_hash", "accounts", "authoriser", "subject", "sca"));
        MEMBERS.put("consent.amend", List.of("consent_id", "previous_version", "terms"));
        MEMBERS.put("consent.withdraw_accounts", joined(ENDING, List.of("accounts")));
        MEMBERS.put("consent.withdraw_approval", joined(ENDING, List.of("authoriser")));
        MEMBERS.put("consent.withdraw_separate", joined(ENDING, List.of("separate")));
        MEMBERS.put("consent.reauthenticate", List.of("consent_id", "sca"));
        MEMBERS.put("consent.supersede", joined(ENDING, List.of("superseded_by")));
        MEMBERS.put("consent.acknowledge", List.of("consent_id", "basis"));
        MEMBERS.put("access.request", ITEM);
        MEMBERS.put("access.batch", List.of("items_count", "items_root"));
        MEMBERS.put("access.release", LEG);
        MEMBERS.put("access.receive", LEG);
        MEMBERS.put("subject.consent", List.of("consent_id", "subject"));
        MEMBERS.put("subject.enrol", List.of("subject", "credential_id", "public_key", "rp_id", "sca"));
        MEMBERS.put("subject.unenrol", List.of("subject", "credential_id", "reason"));
        MEMBERS.put("subject.feedback", List.of("about", "consent_id", "due", "kind", "number", "subject"));
        MEMBERS.put("subject.answer", List.of("by", "number", "state", "subject"));
        MEMBERS.put("history.sheet", List.of("history", "path", "sheet"));
    }

    private Acts() {}

    static void check(String act, Members payload) {
        List<String> members = MEMBERS.get(act);
        if (members == null) throw Members.bad("an unknown act", "act");
        payload.exactly(joined(members, COMMON), joined(OPTIONAL.getOrDefault(act, List.of()), List.of("on_behalf_of")));
        checkOptional(payload);
        if (act.equals("access.request")) {
            checkItem(payload);
            return;
        }
        if (Declarations.MEMBERS.containsKey(act)) {
            Declarations.check(act, payload);
            return;
        }
        if (members.contains("consent_id")) payload.text("consent_id", 128, CONSENT_ID);
        switch (act) {
            case "consent.request" -> checkTerms(payload.object("terms"));
            case "consent.amend" -> {
                checkTerms(payload.object("terms"));
                payload.integer("previous_version", 1);
            }
            case "consent.authorise" -> checkAuthorise(payload);
            case "consent.withdraw_accounts" -> {
                payload.sortedTexts("accounts", 1, 100, REFERENCE);
                checkEnding(payload);
            }
            case "consent.withdraw_approval" -> {
                payload.text("authoriser", 64, REFERENCE);
                checkEnding(payload);
            }
            case "consent.withdraw_separate" -> {
                payload.text("separate", 64, CODE);
                checkEnding(payload);
            }
            case "consent.supersede" -> {
                payload.text("superseded_by", 128, CONSENT_ID);
                checkEnding(payload);
            }
            case "consent.reauthenticate" -> checkSca(payload);
            case "consent.acknowledge" -> payload.integer("basis");
            case "access.release", "access.receive" -> checkLeg(payload);
            case "access.batch" -> {
                payload.integer("items_count", 1, 1_000);
                payload.bytes("items_root", 32);
            }
            case "subject.consent" -> payload.text("subject", 64, REFERENCE);
            case "subject.enrol" -> checkEnrol(payload);
            case "subject.unenrol" -> {
                payload.text("subject", 64, REFERENCE);
                payload.bytes("credential_id", 16, 1_023);
                payload.text("reason", 64, CODE);
            }
            case "subject.feedback" -> {
                payload.integer("about", -1);
                payload.integer("due", payload.integer("iat") + 1);
                payload.choice("kind", "unexpected", "after-stop", "other");
                checkAbout(payload);
            }
            case "subject.answer" -> {
                payload.choice("by", "holder", "recipient");
                payload.choice("state", "received", "forwarded", "answered", "closed");
                checkAbout(payload);
            }
            case "history.sheet" -> Histories.checkSheet(payload);
            default -> checkEnding(payload);
        }
    }

    private static void checkAbout(Members payload) {
        payload.text("subject", 64, REFERENCE);
        payload.text("number", 64, CODE);
        if (payload.has("text_hash")) payload.bytes("text_hash", 32);
    }

    private static void checkOptional(Members payload) {
        for (String name : List.of("relayed", "suppress_notify")) {
            if (payload.has(name) && !Boolean.TRUE.equals(payload.values().get(name))) throw Members.bad("true or absent", name);
        }
        if (payload.has("on_behalf_of")
                && payload.text("on_behalf_of", 63, PARTICIPANT).equals(payload.values().get("iss"))) {
            throw Members.bad("the signer acts for itself", "on_behalf_of");
        }
        if (payload.has("asserted")) {
            List<String> asserted = payload.texts("asserted", 1, 8);
            if (!payload.has("relayed") || !asserted.equals(ASSERTED.stream().filter(asserted::contains).toList())) {
                throw Members.bad("asserted reasons are known ones in their order, in a relayed request", "asserted");
            }
        }
    }

    /** The members of an access item, but not their number. */
    static void checkItem(Members item) {
        item.text("consent_id", 128, CONSENT_ID);
        item.sortedTexts("accounts", 0, 100, REFERENCE);
        item.flag("customer_present");
        item.integer("from");
        item.integer("to");
        item.text("interaction_id", 64, INTERACTION);
        item.sortedTexts("permissions", 1, 64, CODE);
        item.text("purpose", 64, CODE);
        item.bytes("request_digest", 32);
        if (item.has("region")) item.text("region", 2, COUNTRY);
    }

    private static void checkTerms(Members terms) {
        terms.exactly(TERMS, LATER_TERMS);
        Members purpose = terms.object("purpose");
        purpose.exactly(List.of("code", "text"));
        purpose.text("text", 200);
        purpose.text("code", 64, CODE);
        terms.text("language", 35, LANGUAGE);
        terms.bytes("notice_hash", 32);
        terms.text("standard", 64, CODE);
        terms.text("standard_version", 64, CODE);
        if (terms.has("details_hash")) terms.bytes("details_hash", 32);
        terms.text("holder", 63, PARTICIPANT);
        terms.text("recipient", 63, PARTICIPANT);
        terms.sortedTexts("permissions", 1, 64, CODE);
        terms.integer("grade", 1, 5);
        terms.flag("once");
        for (String name : List.of("starts_at", "expires_at", "history_from", "history_to")) terms.integer(name);
        terms.integer("frequency_per_day", 0, 10_000);
        terms.integer("authorisers_required", 1, 10);
        terms.integer("retention_days", 0, 36_500);
        terms.sortedTexts("separate_consents", 0, 8, CODE);
        if (terms.has("filters")) checkFilters(terms.objects("filters", 1, 8));
        if (terms.has("reauthenticate_days")) terms.integer("reauthenticate_days", 1, 3_650);
        if (terms.has("reconfirm_days")) terms.integer("reconfirm_days", 1, 3_650);
        if (terms.has("utc_offset")) terms.integer("utc_offset", -840, 840);
        if (terms.has("once_seconds")) terms.integer("once_seconds", 1, 2_592_000);
        if (terms.has("frequency_period")) terms.choice("frequency_period", "hour", "day", "month", "year");
        if (terms.has("destinations")) {
            List<String> countries = new ArrayList<>();
            for (Members row : terms.objects("destinations", 1, 32)) {
                row.exactly(List.of("country", "mechanism"));
                row.text("mechanism", 64, CODE);
                countries.add(row.text("country", 2, COUNTRY));
            }
            Members.sorted(countries, "destinations");
        }
    }

    private static void checkFilters(List<Members> rows) {
        List<String> spelled = new ArrayList<>();
        for (Members row : rows) {
            row.exactly(List.of("field", "op", "value"));
            row.text("field", 64, CODE);
            row.text("op", 2, OPERATOR);
            row.text("value", 200);
            spelled.add(Bytes.textOf(Json.canonical(row.values())));
        }
        Members.sorted(spelled, "filters");
    }

    private static void checkAuthorise(Members payload) {
        payload.integer("version", 1);
        payload.bytes("terms_hash", 32);
        payload.sortedTexts("accounts", 1, 100, REFERENCE);
        payload.text("authoriser", 64, REFERENCE);
        payload.text("subject", 64, REFERENCE);
        checkSca(payload);
        if (payload.has("acting_role")) payload.text("acting_role", 64, CODE);
        if (payload.has("joint_accounts")) {
            payload.sortedTexts("joint_accounts", 1, 100, REFERENCE);
            if (!payload.texts("accounts", 1, 100).containsAll(payload.texts("joint_accounts", 1, 100))) {
                throw Members.bad("a joint account is not among the accounts", "joint_accounts");
            }
        }
        if (payload.has("separate_consents")) {
            List<String> kinds = new ArrayList<>();
            for (Members row : payload.objects("separate_consents", 1, 8)) {
                row.exactly(List.of("given_at", "kind", "text_hash"));
                row.integer("given_at");
                row.bytes("text_hash", 32);
                kinds.add(row.text("kind", 64, CODE));
            }
            Members.sorted(kinds, "separate_consents");
        }
    }

    private static void checkEnrol(Members payload) {
        payload.text("subject", 64, REFERENCE);
        payload.bytes("credential_id", 16, 1_023);
        byte[] key = payload.bytes("public_key", 1, 1_024);
        try {
            PublicKeys.fromCose(key);
        } catch (Refuted refusal) {
            throw Members.bad("not a COSE key that can be used", "public_key");
        }
        payload.text("rp_id", 253);
        checkSca(payload);
    }

    private static void checkSca(Members payload) {
        Members sca = payload.object("sca");
        sca.exactly(List.of("acr", "amr", "at"));
        sca.text("acr", 64, CODE);
        Members.each(sca.texts("amr", 0, 8), "amr", CODE);
        if (sca.integer("at") > payload.integer("iat") + Statements.SKEW_SECONDS) {
            throw new Refuted(
                    consentledger.client.Code.TIME_INVALID, "the customer was authenticated after the statement was made", "sca.at");
        }
    }

    private static void checkEnding(Members payload) {
        payload.text("reason", 64, CODE);
        if (!BY.contains(payload.text("by", 16))) throw Members.bad("in an unknown name", "by");
    }

    private static void checkLeg(Members payload) {
        payload.text("interaction_id", 64, INTERACTION);
        for (String name : List.of("basis", "rows", "bytes")) payload.integer(name);
        payload.bytes("digest", 32);
        if (payload.has("masks")) payload.sortedTexts("masks", 0, 16, CODE);
    }

    static List<String> joined(List<String> one, List<String> other) {
        List<String> both = new ArrayList<>(one);
        both.addAll(other);
        return both;
    }
}
