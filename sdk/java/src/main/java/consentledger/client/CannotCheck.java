package consentledger.client;

/** Nothing can be said: an object of a version, or a policy, that this library does not know. It is never a success. Unchecked. */
public final class CannotCheck extends RuntimeException {
    private static final long serialVersionUID = 1L;

    CannotCheck(String message) {
        super(message);
    }
}
