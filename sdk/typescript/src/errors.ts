/** What can be wrong with evidence: the codes of docs/spec/verdicts.md that this package tells. */
export type Code =
  | "BAD_ENCODING"
  | "BAD_SIGNATURE"
  | "BAD_PROOF"
  | "BAD_CHAIN"
  | "BAD_COMMITMENT"
  | "CONSENT_INVALID"
  | "TIME_INVALID"
  | "POLICY_REJECTED"
  | "KEY_COMPROMISED"
  | "INCOMPLETE"
  | "EQUIVOCATION";

/** Evidence that does not hold. `code` says in what way, `field` where. */
export class Refuted extends Error {
  override readonly name: string = "Refuted";
  constructor(
    readonly code: Code,
    message: string,
    readonly field?: string,
  ) {
    super(`${code}: ${message}${field === undefined ? "" : ` (${field})`}`);
  }
}

/** Nothing can be said: an object of a version, or a policy, that this package does not know. It is never a success. */
export class CannotCheck extends Error {
  override readonly name: string = "CannotCheck";
}

/** The ledger gave a final no. `problem` is its answer (RFC 9457). */
export class RefusedByLedger extends Error {
  override readonly name: string = "RefusedByLedger";
  constructor(
    readonly status: number,
    readonly problem: Readonly<Record<string, unknown>>,
  ) {
    super(`the ledger refused with ${status}: ${String(problem["detail"] ?? problem["title"] ?? "no reason given")}`);
  }
}

/** No answer within the patience asked for. The statement may be recorded all the same: send the same question again. */
export class LedgerUnavailable extends Error {
  override readonly name: string = "LedgerUnavailable";
}

/** The answer is not the one that was asked for, although it may hold by itself. */
export class WrongAnswer extends Error {
  override readonly name: string = "WrongAnswer";
}

/** The log has signed two histories. Keep both checkpoints, and show them to your regulator. */
export class Equivocation extends Error {
  override readonly name: string = "Equivocation";
  constructor(
    message: string,
    readonly known: string,
    readonly seen: string,
  ) {
    super(`${message}: keep both signed checkpoints`);
  }
}

/** The log shows less than it has shown before. */
export class RolledBack extends Equivocation {
  override readonly name: string = "RolledBack";
}

export function refuse(code: Code, message: string, field?: string): never {
  throw new Refuted(code, message, field);
}
