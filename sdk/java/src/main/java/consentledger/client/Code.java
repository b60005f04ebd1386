package consentledger.client;

/** What can be wrong with evidence: the codes of docs/spec/verdicts.md that this library tells. */
public enum Code {
    BAD_ENCODING,
    BAD_SIGNATURE,
    BAD_PROOF,
    BAD_CHAIN,
    BAD_COMMITMENT,
    CONSENT_INVALID,
    TIME_INVALID,
    POLICY_REJECTED,
    KEY_COMPROMISED,
    INCOMPLETE,
    EQUIVOCATION
}
