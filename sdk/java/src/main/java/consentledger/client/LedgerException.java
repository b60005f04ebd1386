package consentledger.client;

/**
 * What can happen between this client and a ledger. Checked, since every caller must say what it does then. Evidence that does
 * not hold is {@link Refuted}, which is unchecked.
 */
public class LedgerException extends Exception {
    private static final long serialVersionUID = 1L;

    LedgerException(String message) {
        super(message);
    }

    LedgerException(String message, Throwable cause) {
        super(message, cause);
    }

    /** The ledger gave a final no. */
    public static final class Refused extends LedgerException {
        private static final long serialVersionUID = 1L;
        private final int status;
        private final String type;

        Refused(int status, String type, String detail) {
            super("the ledger refused with " + status + ": " + detail);
            this.status = status;
            this.type = type;
        }

        /** The HTTP status. */
        public int status() {
            return status;
        }

        /** The problem's type (RFC 9457), which leads to its page. */
        public String type() {
            return type;
        }
    }

    /** The head log places this holder in no shard, or does not say where a shard of this name answers. */
    public static final class NotInSet extends LedgerException {
        private static final long serialVersionUID = 1L;

        NotInSet(String message) {
            super(message);
        }
    }

    /** No answer within the patience asked for. The statement may be recorded all the same: send the same question again. */
    public static final class Unavailable extends LedgerException {
        private static final long serialVersionUID = 1L;

        Unavailable(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** The answer is not the one that was asked for, although it may hold by itself. */
    public static final class WrongAnswer extends LedgerException {
        private static final long serialVersionUID = 1L;

        WrongAnswer(String message) {
            super(message);
        }
    }

    /** The log has signed two histories. Keep both checkpoints, and show them to your regulator. */
    public static class Equivocation extends LedgerException {
        private static final long serialVersionUID = 1L;
        private final String known;
        private final String seen;

        Equivocation(String message, String known, String seen) {
            super(message + ": keep both signed checkpoints");
            this.known = known;
            this.seen = seen;
        }

        /** The signed checkpoint that was remembered. */
        public String known() {
            return known;
        }

        /** The signed checkpoint that does not fit it. */
        public String seen() {
            return seen;
        }
    }

    /** The log shows less than it has shown before. */
    public static final class RolledBack extends Equivocation {
        private static final long serialVersionUID = 1L;

        RolledBack(String message, String known, String seen) {
            super(message, known, seen);
        }
    }
}
