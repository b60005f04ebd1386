package consentledger.client;

import java.util.List;

/**
 * A receipt without a defect. {@code file} can be handed on as it is; {@code disclosed} is null where the receipt discloses
 * nothing; {@code unchecked} names what nobody looked at.
 */
public record VerifiedReceipt(
        String file, Leaf leaf, Trust.Head head, Receipts.Disclosed disclosed, List<String> unchecked) {
    /** The entry's index. */
    public long index() {
        return leaf.index();
    }

    /** When the ledger recorded the entry, in milliseconds. */
    public long time() {
        return leaf.time();
    }

    /** Whether the policy asks for witnesses, and enough of them have signed. */
    public boolean witnessed() {
        return head.witnessed();
    }

    /** Whether an access was allowed. Throws IllegalStateException when this is the receipt of no access. */
    public boolean allowed() {
        if (disclosed == null || !disclosed.act().equals("access.request")) {
            throw new IllegalStateException("entry " + index() + " holds no decision about an access");
        }
        return "allow".equals(disclosed.outcome().get("decision"));
    }
}
