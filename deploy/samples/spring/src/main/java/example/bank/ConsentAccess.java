package example.bank;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** What consent-guard lets out of this request: the header Consent-Access. Unknown masks and filters refuse, never pass. */
public record ConsentAccess(
        int v,
        long entry,
        String recipient,
        @JsonProperty("consent_id") String consentId,
        Map<String, String> accounts,
        List<String> permissions,
        String purpose,
        @JsonProperty("customer_present") boolean customerPresent,
        long from,
        long to,
        List<String> directions,
        List<String> masks,
        List<Filter> filters,
        @JsonProperty("keep_until") Long keepUntil) {

    public record Filter(String field, String op, String value) {}

    /** Only rows of the window and of the permitted directions. */
    public <Row> Stream<Row> transactions(List<Row> rows, Function<Row, Long> when, Function<Row, String> direction) {
        if (!filters.isEmpty()) {
            throw new IllegalStateException("this service cannot apply filters, so it gives nothing out under them");
        }
        return rows.stream()
                .filter(row -> when.apply(row) >= from && (to == 0 || when.apply(row) <= to))
                .filter(row -> directions.contains(direction.apply(row)))
                .sorted(Comparator.comparing(when));
    }

    /** The value of a field that holds card numbers, as the decision obliges. */
    public String pan(String value) {
        return masks.contains("pan") ? "*".repeat(Math.max(0, value.length() - 4)) + value.substring(value.length() - 4) : value;
    }
}
