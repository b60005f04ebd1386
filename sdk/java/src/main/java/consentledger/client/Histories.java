package consentledger.client;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Attested history: what a holder brings from before the log (docs/spec/history.md, 1 to 3): the form of its three acts. All methods
 * throw {@link Refuted}.
 */
final class Histories {
    private static final int SHEET_LIMIT = 8_192;
    private static final long LAST_SECOND = 9_999_999_999L;
    private static final Map<String, List<String>> SOURCES = Map.of(
            "csv", List.of("files", "hash", "kind"),
            "qldb", List.of(
                    "checked", "files", "first_block", "hash", "kind", "last_block", "mapping_hash", "redacted", "revisions",
                    "strand", "tip"));
    private static final List<String> ALL = List.of("kind", "place", "time");
    private static final List<String> SAID = List.of("consent", "note", "permissions", "purpose", "recipient_id");
    private static final Map<String, List<String>> ROWS = Map.of(
            "access", Acts.joined(SAID, List.of("reason", "result")),
            "consent", Acts.joined(SAID, List.of("until")),
            "redacted", List.of(),
            "revocation", Acts.joined(SAID, List.of("reason")));

    private Histories() {}

    static void checkAttest(Members payload) {
        payload.integer("last", payload.integer("first"), payload.integer("iat"));
        long sheets = payload.integer("sheets", payload.integer("customers", 1));
        payload.integer("rows", sheets);
        payload.integer("left_out");
        payload.text("history", 64, Acts.CODE);
        payload.text("title", 200);
        payload.bytes("root", 32);
        Members source = payload.object("source");
        source.choice("kind", SOURCES.keySet().toArray(String[]::new));
        source.exactly(SOURCES.get(source.text("kind", 64)));
        source.integer("files", 1);
        source.bytes("hash", 32);
        if ("csv".equals(source.values().get("kind"))) return;
        source.flag("checked");
        source.integer("last_block", source.integer("first_block"));
        source.integer("revisions", source.integer("redacted"));
        for (String name : List.of("mapping_hash", "tip")) source.bytes(name, 32);
        source.text("strand", 64, Acts.CODE);
    }

    static void checkWithdraw(Members payload) {
        for (String name : List.of("history", "reason")) payload.text(name, 64, Acts.CODE);
    }

    static void checkSheet(Members payload) {
        payload.integer("history");
        for (String hash : payload.texts("path", 0, 63)) Bytes.unb64u(hash, 32);
        Members sheet = payload.object("sheet");
        sheet.exactly(List.of("part", "parts", "position", "rows", "salt", "subject"));
        sheet.integer("part", 0, sheet.integer("parts", 1) - 1);
        sheet.integer("position");
        sheet.bytes("salt", 32);
        sheet.text("subject", 64, Acts.REFERENCE);
        long before = 0;
        for (Members row : sheet.objects("rows", 1, 64)) before = checkRow(row, before);
        if (Json.canonical(sheet.values()).length > SHEET_LIMIT) {
            throw Members.bad("a sheet has at most " + SHEET_LIMIT + " bytes", "sheet");
        }
    }

    /** The row's time, which is none below {@code before}. */
    private static long checkRow(Members row, long before) {
        row.choice("kind", ROWS.keySet().toArray(String[]::new));
        String kind = row.text("kind", 64);
        boolean redacted = kind.equals("redacted");
        row.exactly(redacted ? ALL : Acts.joined(ALL, List.of("recipient")), ROWS.get(kind));
        for (String name : List.of("consent", "note", "purpose", "reason", "recipient")) if (row.has(name)) row.text(name, 200);
        if (row.has("recipient_id")) row.text("recipient_id", 63, Acts.PARTICIPANT);
        if (row.has("result")) row.choice("result", "allowed", "refused");
        if (row.has("permissions")) {
            List<String> permissions = new ArrayList<>(row.texts("permissions", 1, 32));
            for (String permission : permissions) new Members(Map.of("permissions", permission)).text("permissions", 200);
            Members.sorted(permissions, "permissions");
        }
        if (row.has("until")) row.integer("until", 1, LAST_SECOND);
        checkPlace(row.object("place"), redacted);
        return row.integer("time", Math.max(1, before), LAST_SECOND);
    }

    private static void checkPlace(Members place, boolean redacted) {
        if (!redacted && !place.has("block")) {
            place.exactly(List.of("file", "record"));
            place.integer("file");
            place.integer("record", 1);
            return;
        }
        place.exactly(List.of("block", "document", "hash", "version")); // only a journal has redacted rows
        for (String name : List.of("block", "version")) place.integer(name);
        place.text("document", 64, Acts.CODE);
        place.bytes("hash", 32);
    }
}
