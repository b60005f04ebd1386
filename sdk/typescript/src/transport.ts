/** Asking again, politely: bounded tries, growing pauses with jitter, Retry-After obeyed. */
import { type Bytes, concat, textOf } from "./bytes.js";
import { LedgerUnavailable, RefusedByLedger, WrongAnswer } from "./errors.js";

/** How long to try. Times in milliseconds. */
export interface Patience {
  readonly tries: number;
  readonly firstPause: number;
  readonly longestPause: number;
  /** A ledger that asks for more than this is given up at once: the caller decides. */
  readonly longestRetryAfter: number;
  /** For one try. The ledger itself answers within 60 s. */
  readonly timeout: number;
}

export const PATIENCE: Patience = {
  tries: 6, firstPause: 100, longestPause: 5_000, longestRetryAfter: 30_000, timeout: 65_000,
};

export interface Answer {
  readonly status: number;
  readonly body: Bytes;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
export type Headers = () => Promise<Record<string, string>>;

const AGAIN = [429, 502, 503, 504];
const ANSWER_LIMIT = 64 * 1024 * 1024;

/** The JSON object of an answer. Throws WrongAnswer. */
export function jsonOf(answer: Answer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(textOf(answer.body));
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw new WrongAnswer("the ledger's answer is not a JSON object");
}

function problemOf(answer: Answer): Record<string, unknown> {
  try {
    return jsonOf(answer);
  } catch {
    return {};
  }
}

export class Transport {
  constructor(
    private readonly base: string,
    private readonly patience: Patience,
    private readonly fetch: Fetch,
    private readonly sleep: (ms: number) => Promise<void>,
  ) {}

  /**
   * Send until an answer comes. Safe for all that this client sends: reads change nothing, and a statement is recorded
   * once, however often it arrives. `headers` is asked again for each try, as a proof of possession is for one use.
   * Throws RefusedByLedger for a final no, LedgerUnavailable when patience ends.
   */
  async ask(method: string, path: string, body?: string, headers?: Headers): Promise<Answer> {
    let reason = "no try was made";
    for (let attempt = 0; attempt < this.patience.tries; attempt += 1) {
      const ceiling = Math.min(this.patience.longestPause, this.patience.firstPause * 2 ** attempt);
      let pause = ceiling * Math.random();
      // Outside the guard below: a token that is refused is refused for good.
      const extra = headers === undefined ? {} : await headers();
      try {
        const [answer, retryAfter] = await this.send(method, path, body, extra);
        if (answer.status < 300) return answer;
        const detail = String(problemOf(answer)["detail"] ?? "no reason given");
        if (!AGAIN.includes(answer.status)) {
          if (answer.status < 500) throw new RefusedByLedger(answer.status, problemOf(answer));
          throw new LedgerUnavailable(`the ledger answered ${answer.status}: ${detail}; sending the same again is safe`);
        }
        reason = `${answer.status}: ${detail}`;
        pause = Math.max(pause, retryAfter);
      } catch (error) {
        if (error instanceof RefusedByLedger || error instanceof LedgerUnavailable || error instanceof WrongAnswer) throw error;
        reason = String(error);
      }
      if (pause > this.patience.longestRetryAfter) {
        throw new LedgerUnavailable(`${method} ${path}: the ledger asks to wait ${pause / 1_000} s (${reason})`);
      }
      if (attempt + 1 < this.patience.tries) await this.sleep(pause);
    }
    throw new LedgerUnavailable(
      `${method} ${path}: no answer after ${this.patience.tries} tries (${reason}); sending the same again is safe`,
    );
  }

  /** One request that is not repeated by itself: its proof is for one use. Throws as `ask` does. */
  async once(path: string, body: string, headers: Record<string, string>): Promise<Answer> {
    const answer = await this.send("POST", path, body, headers).then(
      ([came]) => came,
      (error: unknown) => {
        throw new LedgerUnavailable(`POST ${path}: ${String(error)}`);
      },
    );
    if (answer.status < 300) return answer;
    if (AGAIN.includes(answer.status) || answer.status >= 500) throw new LedgerUnavailable(`POST ${path}: ${answer.status}`);
    throw new RefusedByLedger(answer.status, problemOf(answer));
  }

  private async send(
    method: string,
    path: string,
    body: string | undefined,
    extra: Record<string, string>,
  ): Promise<[Answer, number]> {
    const response = await this.fetch(this.base + path, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...extra },
      ...(body === undefined ? {} : { body }),
      redirect: "error",
      signal: AbortSignal.timeout(this.patience.timeout),
    });
    const after = response.headers.get("retry-after") ?? "";
    const answer = { status: response.status, body: await bounded(response) };
    return [answer, /^[0-9]{1,6}$/.test(after) ? Number(after) * 1_000 : 0];
  }
}

async function bounded(response: Response): Promise<Bytes> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size > ANSWER_LIMIT) throw new WrongAnswer(`the answer has more than ${ANSWER_LIMIT} bytes`);
  }
  return concat(...parts);
}
