package consentledger.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;

/**
 * JSON that has one meaning: usual parsers keep the last of two members of one name and read {@code 1.0} as 1, so that two readers
 * of the same bytes could see two different things (docs/spec/encoding.md). Values are {@code Map<String, Object>},
 * {@code List<Object>}, String, Long, Boolean and null. All methods throw {@link Refuted}.
 */
public final class Json {
    static final long MAX_INTEGER = (1L << 53) - 1;
    private static final int MAX_DEPTH = 8;
    private static final int DEEPEST = 100;
    private static final Pattern NAME = Pattern.compile("[a-z_][a-z0-9_]*");

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** One JSON object in any spelling, of at most {@code limit} bytes. */
    public static Map<String, Object> read(byte[] bytes, int limit) {
        if (bytes.length > limit) throw bad("more than " + limit + " bytes");
        Json parser = new Json(Bytes.textOf(bytes));
        Object value = parser.value(1);
        parser.space();
        if (parser.at != parser.text.length()) throw bad("something stands behind the JSON value");
        return object(value);
    }

    /** CL-JSON of at most {@code limit} bytes: accepted only if encoding the value gives the same bytes. */
    public static Map<String, Object> readCanonical(byte[] bytes, int limit) {
        Map<String, Object> value = read(bytes, limit);
        if (!Arrays.equals(canonical(value), bytes)) throw bad("the bytes are not the canonical spelling");
        return value;
    }

    /** The CL-JSON bytes of an object, whose whole numbers are Integer or Long. */
    public static byte[] canonical(Map<String, ?> value) {
        StringBuilder out = new StringBuilder();
        spell(value, 1, out);
        return Bytes.utf8(out.toString());
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) {
        if (!(value instanceof Map)) throw bad("not a JSON object");
        return (Map<String, Object>) value;
    }

    private static void spell(Object value, int depth, StringBuilder out) {
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Long || value instanceof Integer) {
            long number = ((Number) value).longValue();
            if (Math.abs(number) > MAX_INTEGER) throw bad("an integer is too large");
            out.append(number);
        } else if (value instanceof String said) {
            checkCharacters(said);
            quote(said, out);
        } else if (depth > MAX_DEPTH) {
            throw bad("nested deeper than " + MAX_DEPTH + " levels");
        } else if (value instanceof List<?> items) {
            out.append('[');
            String comma = "";
            for (Object item : items) {
                out.append(comma);
                comma = ",";
                spell(item, depth + 1, out);
            }
            out.append(']');
        } else if (value instanceof Map<?, ?> members) {
            out.append('{');
            String comma = "";
            for (Map.Entry<?, ?> member : new TreeMap<>(members).entrySet()) {
                String name = String.valueOf(member.getKey());
                if (!NAME.matcher(name).matches()) throw bad("a member name has a form that is not allowed");
                out.append(comma).append('"').append(name).append("\":");
                comma = ",";
                spell(member.getValue(), depth + 1, out);
            }
            out.append('}');
        } else {
            throw bad("a value has no CL-JSON form");
        }
    }

    /** An object of texts and whole numbers as JSON in some spelling: a receipt, whose members hold line ends. */
    static String relaxed(Map<?, ?> members) {
        List<String> spelled = new ArrayList<>();
        members.forEach((name, value) -> {
            StringBuilder one = new StringBuilder();
            quote(String.valueOf(name), one);
            one.append(':');
            if (value instanceof String said) quote(said, one);
            else one.append(value instanceof Long || value instanceof Boolean ? value : "null");
            spelled.add(one.toString());
        });
        return "{" + String.join(",", spelled) + "}";
    }

    /** A JSON string. */
    static void quote(String said, StringBuilder out) {
        out.append('"');
        for (int at = 0; at < said.length(); at++) {
            char one = said.charAt(at);
            if (one == '"' || one == '\\') out.append('\\').append(one);
            else if (one < 0x20) out.append(String.format("\\u%04x", (int) one));
            else out.append(one);
        }
        out.append('"');
    }

    private static void checkCharacters(String said) {
        for (int at = 0; at < said.length(); at++) {
            char one = said.charAt(at);
            if (one < 0x20 || one >= 0x7f && one <= 0x9f) throw bad("a string holds a control character");
        }
        checkSurrogates(said);
    }

    private static String checkSurrogates(String said) {
        for (int at = 0; at < said.length(); at++) {
            if (!Character.isSurrogate(said.charAt(at))) continue;
            boolean pair = at + 1 < said.length() && Character.isSurrogatePair(said.charAt(at), said.charAt(at + 1));
            if (!pair) throw bad("a string holds a lone surrogate");
            at++;
        }
        return said;
    }

    // -- the parser -----------------------------------------------------------------------------------------------------

    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private void space() {
        while (at < text.length() && " \t\n\r".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean take(char wanted) {
        if (at >= text.length() || text.charAt(at) != wanted) return false;
        at++;
        return true;
    }

    private Object value(int depth) {
        space();
        if (depth > DEEPEST) throw bad("nested too deeply");
        char first = peek();
        if (first == '{') return members(depth);
        if (first == '[') return items(depth);
        if (first == '"') return string();
        if (word("true")) return Boolean.TRUE;
        if (word("false")) return Boolean.FALSE;
        return word("null") ? null : number();
    }

    private boolean word(String word) {
        if (!text.startsWith(word, at)) return false;
        at += word.length();
        return true;
    }

    private Long number() {
        int start = at;
        take('-');
        int digits = at;
        while (peek() >= '0' && peek() <= '9') at++;
        int count = at - digits;
        boolean plain = count == 1 || count > 1 && text.charAt(digits) != '0';
        if (!plain || ".eE+-".indexOf(peek()) >= 0 && at < text.length()) throw bad("not JSON with whole numbers alone");
        if (count > 16) throw bad("an integer is too large");
        long number = Long.parseLong(text.substring(start, at));
        if (Math.abs(number) > MAX_INTEGER) throw bad("an integer is too large");
        return number;
    }

    private String string() {
        StringBuilder said = new StringBuilder();
        at++;
        while (true) {
            if (at >= text.length()) throw bad("a string has no end");
            char one = text.charAt(at++);
            if (one == '"') return checkSurrogates(said.toString());
            if (one < 0x20) throw bad("a string holds a bare control character");
            said.append(one == '\\' ? escape() : one);
        }
    }

    private char escape() {
        char kind = peek();
        at++;
        int known = "\"\\/bfnrt".indexOf(kind);
        if (kind != '\0' && known >= 0) return "\"\\/\b\f\n\r\t".charAt(known);
        if (kind != 'u' || at + 4 > text.length()) throw bad("an unknown escape");
        int code = 0;
        for (int end = at + 4; at < end; at++) {
            char one = text.charAt(at);
            int digit = one < 0x80 ? Character.digit(one, 16) : -1;
            if (digit < 0) throw bad("an unknown escape");
            code = code * 16 + digit;
        }
        return (char) code;
    }

    private List<Object> items(int depth) {
        List<Object> items = new ArrayList<>();
        at++;
        space();
        if (take(']')) return items;
        do items.add(value(depth + 1));
        while (more(']'));
        return items;
    }

    private Map<String, Object> members(int depth) {
        Map<String, Object> members = new LinkedHashMap<>();
        at++;
        space();
        if (take('}')) return members;
        do {
            space();
            if (peek() != '"') throw bad("a member has no name");
            String name = string();
            space();
            if (!take(':')) throw bad("a member has no value");
            Object value = value(depth + 1);
            if (members.containsKey(name)) throw new Refuted(Code.BAD_ENCODING, "a member name occurs twice", name);
            members.put(name, value);
        } while (more('}'));
        return members;
    }

    private boolean more(char end) {
        space();
        if (take(',')) return true;
        if (take(end)) return false;
        throw bad("not JSON");
    }

    private static Refuted bad(String message) {
        return new Refuted(Code.BAD_ENCODING, message);
    }
}
