package consentledger.client;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** The members of an object in the form that is asked for; all methods throw {@link Refuted} with BAD_ENCODING. */
record Members(Map<String, Object> values) {
    Members {
        values = java.util.Collections.unmodifiableMap(values);
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    void exactly(Collection<String> required, Collection<String> optional) {
        for (String name : required) if (!has(name)) throw bad("a member is missing", name);
        for (String name : values.keySet()) {
            if (!required.contains(name) && !optional.contains(name)) throw bad("an unknown member", name);
        }
    }

    void exactly(Collection<String> required) {
        exactly(required, List.of());
    }

    /** {@code v} of a format, to be asked before anything else in it. */
    void version(String what) {
        long number = integer("v", 1);
        if (number != 1) throw new CannotCheck(what + " is of version " + number + ", and version 1 is known here");
    }

    String text(String name, int limit) {
        if (!(values.get(name) instanceof String said) || said.isEmpty() || said.codePointCount(0, said.length()) > limit) {
            throw bad("not a text of the expected form", name);
        }
        return said;
    }

    String text(String name, int limit, Pattern pattern) {
        String said = text(name, limit);
        if (!pattern.matcher(said).matches()) throw bad("not a text of the expected form", name);
        return said;
    }

    long integer(String name) {
        return integer(name, 0);
    }

    long integer(String name, long low) {
        return integer(name, low, Json.MAX_INTEGER);
    }

    long integer(String name, long low, long high) {
        if (!(values.get(name) instanceof Long number) || number < low || number > high) {
            throw bad("not an integer from " + low + " to " + high, name);
        }
        return number;
    }

    /** A text that is one of a few. */
    void choice(String name, String... choices) {
        if (!List.of(choices).contains(text(name, 64))) throw bad("not one of the words that are allowed here", name);
    }

    boolean flag(String name) {
        if (!(values.get(name) instanceof Boolean flag)) throw bad("not true or false", name);
        return flag;
    }

    @SuppressWarnings("unchecked")
    Members object(String name) {
        if (!(values.get(name) instanceof Map<?, ?> inner)) throw bad("not an object", name);
        return new Members((Map<String, Object>) inner);
    }

    List<String> texts(String name, int low, int high) {
        if (!(values.get(name) instanceof List<?> items) || items.size() < low || items.size() > high) {
            throw bad("not a list of " + low + " to " + high + " texts", name);
        }
        List<String> texts = new ArrayList<>();
        for (Object item : items) {
            if (!(item instanceof String said)) throw bad("an item of the list is not a text", name);
            texts.add(said);
        }
        return texts;
    }

    @SuppressWarnings("unchecked")
    List<Members> objects(String name, int low, int high) {
        if (!(values.get(name) instanceof List<?> items) || items.size() < low || items.size() > high) {
            throw bad("not a list of " + low + " to " + high + " objects", name);
        }
        List<Members> rows = new ArrayList<>();
        for (Object item : items) {
            if (!(item instanceof Map<?, ?> row)) throw bad("an item of the list is not an object", name);
            rows.add(new Members((Map<String, Object>) row));
        }
        return rows;
    }

    byte[] bytes(String name, int low, int high) {
        if (!(values.get(name) instanceof String said)) throw bad("not a base64url text", name);
        byte[] bytes = Bytes.unb64u(said);
        if (bytes.length < low || bytes.length > high) throw bad("a wrong number of bytes", name);
        return bytes;
    }

    byte[] bytes(String name, int size) {
        return bytes(name, size, size);
    }

    /** Sorted by code points, each once. */
    static void sorted(List<String> texts, String name) {
        for (int at = 1; at < texts.size(); at++) {
            if (Arrays.compareUnsigned(Bytes.utf8(texts.get(at - 1)), Bytes.utf8(texts.get(at))) >= 0) {
                throw bad("the list is not sorted and unique", name);
            }
        }
    }

    void sortedTexts(String name, int low, int high, Pattern pattern) {
        List<String> texts = texts(name, low, high);
        sorted(texts, name);
        each(texts, name, pattern);
    }

    static void each(List<String> texts, String name, Pattern pattern) {
        for (String said : texts) if (!pattern.matcher(said).matches()) throw bad("an item has another form", name);
    }

    static Refuted bad(String message, String name) {
        return new Refuted(Code.BAD_ENCODING, message, name);
    }
}
