package consentledger.client;

/** Evidence that does not hold. Unchecked: whoever verifies must decide where a forgery is handled. */
public final class Refuted extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private final Code code;
    private final String field;

    Refuted(Code code, String message) {
        this(code, message, null);
    }

    Refuted(Code code, String message, String field) {
        super(code + ": " + message + (field == null ? "" : " (" + field + ")"));
        this.code = code;
        this.field = field;
    }

    /** In what way it does not hold. */
    public Code code() {
        return code;
    }

    /** The offending member, or null where there is none. */
    public String field() {
        return field;
    }
}
