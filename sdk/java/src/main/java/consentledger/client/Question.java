package consentledger.client;

import java.util.ArrayList;
import java.util.List;

/**
 * A signed statement with what travels beside it; {@code companion} and {@code assertion} are null where there are none. Sending it
 * twice is safe: it is recorded once.
 */
public record Question(String path, String statement, List<String> items, String companion, String assertion) {
    public Question {
        items = List.copyOf(items);
    }

    static Question of(String path, String statement) {
        return new Question(path, statement, List.of(), null, null);
    }

    /** The JSON body of the POST that submits it. */
    String body() {
        StringBuilder out = new StringBuilder("{\"statement\":");
        Json.quote(statement, out);
        if (!items.isEmpty()) {
            List<String> quoted = new ArrayList<>();
            for (String item : items) {
                StringBuilder one = new StringBuilder();
                Json.quote(item, one);
                quoted.add(one.toString());
            }
            out.append(",\"items\":[").append(String.join(",", quoted)).append(']');
        }
        if (companion != null) Json.quote(companion, out.append(",\"companion\":"));
        if (assertion != null) Json.quote(assertion, out.append(",\"assertion\":"));
        return out.append('}').toString();
    }
}
