package example.bank;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ResponseStatusException;

/** A bank's service. It listens on loopback only: whoever reaches it has come by way of the proxy and its guard. */
@SpringBootApplication
@RestController
public class Application {
    record Row(long booked, String direction, String card, String amount) {}

    private static final List<Row> ROWS = List.of(
            new Row(100, "credit", "4000123412341234", "12.00"),
            new Row(200, "debit", "4000123412341234", "8.50"),
            new Row(300, "credit", "4000123412341234", "99.00"));

    // A member that this service does not know may be an obligation: then it gives nothing out.
    private final ObjectMapper json = new ObjectMapper().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    @GetMapping("/accounts/{account}/balances")
    Map<String, String> balances(@PathVariable String account, @RequestHeader("Consent-Access") String told) {
        return Map.of("account", mine(account, told), "balance", "99.50");
    }

    @GetMapping("/accounts/{account}/transactions")
    List<Map<String, String>> transactions(@PathVariable String account, @RequestHeader("Consent-Access") String told) {
        mine(account, told);
        ConsentAccess access = read(told);
        return access.transactions(ROWS, Row::booked, Row::direction)
                .map(row -> Map.of("card", access.pan(row.card()), "amount", row.amount(), "direction", row.direction()))
                .toList();
    }

    /** The bank's own id of the account that the address names by its reference. */
    private String mine(String reference, String told) {
        String own = read(told).accounts().get(reference);
        if (own == null) {
            throw new ResponseStatusException(HttpStatus.FORBIDDEN, "the access is about another account");
        }
        return own;
    }

    private ConsentAccess read(String told) {
        try {
            ConsentAccess access = json.readValue(told, ConsentAccess.class);
            if (access.v() != 1) {
                throw new ResponseStatusException(HttpStatus.SERVICE_UNAVAILABLE, "the guard speaks another version");
            }
            return access;
        } catch (JsonProcessingException error) {
            throw new ResponseStatusException(HttpStatus.SERVICE_UNAVAILABLE, "Consent-Access cannot be read", error);
        }
    }

    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }
}
