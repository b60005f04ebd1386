/**
 * Asking again, politely: bounded tries, growing pauses with jitter, Retry-After obeyed, several addresses.
 *
 * Repeating is safe for every request of this client, at any node of the log: reads change nothing, and a statement is
 * recorded once however often and wherever it arrives (docs/spec/statements.md, `jti`).
 */
import type { Addresses } from "./addresses.js";
import { type Bytes, concat, textOf } from "./bytes.js";
import { LedgerUnavailable, RefusedByLedger, WrongAnswer } from "./errors.js";

/** How long to try. Times in milliseconds. */
export interface Patience {
  /** Of each address. */
  readonly tries: number;
  readonly firstPause: number;
  readonly longestPause: number;
  /** A ledger that asks for more than this is given up at once: the caller decides. */
  readonly longestRetryAfter: number;
  /** For one try. The ledger itself answers within 60 s. */
  readonly timeout: number;
  /** For all tries of one request together, whatever each of them takes. */
  readonly longest: number;
}

/** What a client with one address has, unless told otherwise. */
export const PATIENCE: Patience = {
  tries: 6, firstPause: 100, longestPause: 5_000, longestRetryAfter: 30_000, timeout: 65_000, longest: 400_000,
};

/** And one with several: a database's failover takes seconds, and that of a whole machine some twenty. */
export const THROUGH_A_FAILOVER: Patience = { ...PATIENCE, tries: 60, longestPause: 1_000, longest: 90_000 };

export interface Answer {
  readonly status: number;
  readonly body: Bytes;
  /** What the next DPoP proof for this address brings, where the ledger wants nonces (RFC 9449 §8.2). */
  readonly nonce: string | null;
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
/** The headers of one try, a proof of possession among them. */
export interface Headers {
  /** For the address that it goes to, within so many milliseconds. */
  make(address: string, within: number): Promise<Record<string, string>>;
  /** The nonce that the next proof for an address brings. */
  learn(address: string, nonce: string): void;
}

/** The error of a proof without the nonce that the ledger wants (RFC 9449 §8, §9). */
const WANTS_NONCE = "use_dpop_nonce";

const AGAIN = [429, 502, 503, 504];
/** It is about the client and not about the node: no other node is asked before its time either. */
const TOO_MANY = 429;
/** A node that only reads, asked to record: another one is asked, and this one not again. */
const ELSEWHERE = 421;
const BEHIND_TRIES = 10;
/** Between two tries: another node learns within a second what one has recorded, a reader as soon as its standby does. */
const BEHIND_PAUSE = 500;
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

/** HTTP with patience, to whichever address answers. */
export class Transport {
  constructor(
    private readonly addresses: Addresses,
    private readonly patience: Patience,
    private readonly fetch: Fetch,
    /** Waits so many milliseconds. */
    readonly pause: (ms: number) => Promise<void>,
  ) {}

  /**
   * Send until an answer comes: the same bytes to one address after the other. `headers` are made again for each try, as a
   * proof of possession is for one use and one address.
   * Throws RefusedByLedger for a final no, LedgerUnavailable when patience ends.
   */
  async ask(method: string, path: string, body?: string, headers?: Headers): Promise<Answer> {
    const { patience, addresses } = this;
    const [round, begun, tries] = [addresses.round(), performance.now(), patience.tries * addresses.all.length];
    let reason = "no try was made";
    for (let made = 0; made < tries; made += 1) {
      const [address, wait] = round.next();
      if (wait > patience.longestRetryAfter) {
        throw new LedgerUnavailable(`${method} ${path}: the ledger asks to wait ${wait / 1_000} s (${reason})`);
      }
      const left = begun + patience.longest - performance.now() - wait;
      if (left <= 0) {
        const within = `no answer within ${patience.longest / 1_000} s (${reason})`;
        throw new LedgerUnavailable(`${method} ${path}: ${within}; sending the same again is safe`);
      }
      if (wait > 0) await this.pause(wait);
      round.passed(wait);
      const asked = performance.now();
      let [asksFor, everywhere] = [0, false];
      try {
        const [answer, retryAfter] = await this.proved(method, address, path, body, headers, begun);
        if (answer.status < 300) {
          addresses.answered(address);
          return answer;
        }
        if (!AGAIN.includes(answer.status) && !(answer.status === ELSEWHERE && addresses.all.length > 1)) {
          throw new Final(refusal(answer));
        }
        reason = `${answer.status}: ${detailOf(answer)}`;
        asksFor = answer.status === ELSEWHERE ? patience.longest : retryAfter;
        everywhere = answer.status === TOO_MANY;
      } catch (error) {
        if (error instanceof Final) throw error.why;
        if (error instanceof RefusedByLedger || error instanceof WrongAnswer) throw error;
        reason = error instanceof LedgerUnavailable ? error.message : String(error);
      }
      round.passed(performance.now() - asked);
      const ceiling = Math.min(patience.longestPause, patience.firstPause * 2 ** Math.min(round.failures(address), 30));
      round.failed(address, Math.max(asksFor, ceiling * Math.random()), everywhere);
    }
    throw new LedgerUnavailable(
      `${method} ${path}: no answer after ${tries} tries (${reason}); sending the same again is safe`,
    );
  }

  /**
   * What `read` finds to be the log's newest checkpoint. One of several nodes may not have heard yet of the `size` that
   * another one recorded: it is asked again for some seconds, and what it says then is what it says.
   */
  async newest<T extends { readonly checkpoint: { readonly size: bigint } }>(read: () => Promise<T>, size: bigint): Promise<T> {
    let found = await read();
    for (let left = this.addresses.all.length > 1 ? BEHIND_TRIES : 1; found.checkpoint.size < size && left > 1; left -= 1) {
      await this.pause(BEHIND_PAUSE);
      found = await read();
    }
    return found;
  }

  /**
   * One request with a proof, which is for one use: sent once, and once more where the ledger tells the nonce that the proof
   * must bring. `made`: its body and headers; `learn`: hears the nonce of each answer. Throws as `ask` does.
   */
  async once(
    url: string,
    made: () => Promise<[string, Record<string, string>]>,
    learn: (nonce: string) => void,
    within: number,
  ): Promise<Answer> {
    const end = performance.now() + within;
    const sent = async (): Promise<Answer> => {
      const [body, headers] = await made();
      const [answer] = await this.send("POST", url, body, headers, end - performance.now()).catch((error: unknown) => {
        throw new LedgerUnavailable(`POST ${url}: ${String(error)}`);
      });
      if (answer.nonce !== null) learn(answer.nonce);
      return answer;
    };
    let answer = await sent();
    if (answer.nonce !== null && answer.status === 400 && problemOf(answer)["error"] === WANTS_NONCE) answer = await sent();
    if (answer.status < 300) return answer;
    throw AGAIN.includes(answer.status) ? new LedgerUnavailable(`POST ${url}: ${answer.status}`) : refusal(answer);
  }

  /** One try; twice where the ledger asks for a proof with the nonce that it tells. */
  private async proved(
    method: string,
    address: string,
    path: string,
    body: string | undefined,
    headers: Headers | undefined,
    begun: number,
  ): Promise<[Answer, number]> {
    const sent = async (): Promise<[Answer, number, boolean]> => {
      const left = (): number => begun + this.patience.longest - performance.now();
      const extra = (await headers?.make(address, left())) ?? {};
      return this.send(method, address + path, body, extra, left());
    };
    const [answer, retryAfter, wantsNonce] = await sent();
    if (headers === undefined || answer.nonce === null) return [answer, retryAfter];
    headers.learn(address, answer.nonce);
    if (!wantsNonce) return [answer, retryAfter];
    const [again, later] = await sent();
    if (again.nonce !== null) headers.learn(address, again.nonce);
    return [again, later];
  }

  private async send(
    method: string,
    url: string,
    body: string | undefined,
    extra: Record<string, string>,
    within: number,
  ): Promise<[Answer, number, boolean]> {
    const response = await this.fetch(url, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...extra },
      ...(body === undefined ? {} : { body }),
      redirect: "error",
      signal: AbortSignal.timeout(Math.ceil(Math.max(1, Math.min(this.patience.timeout, within)))),
    });
    const after = response.headers.get("retry-after") ?? "";
    const wantsNonce = response.status === 401 && (response.headers.get("www-authenticate") ?? "").includes(WANTS_NONCE);
    const answer = { status: response.status, body: await bounded(response), nonce: response.headers.get("dpop-nonce") };
    return [answer, /^[0-9]{1,6}$/.test(after) ? Number(after) * 1_000 : 0, wantsNonce];
  }
}

/** What a transport is made of; the usual means where nothing is said. */
export interface Means {
  readonly patience?: Partial<Patience>;
  readonly fetch?: Fetch;
  readonly sleep?: (ms: number) => Promise<void>;
}

/** HTTP to these addresses, with the patience that is usual for as many. */
export function openTransport(addresses: Addresses, { patience, fetch: means, sleep }: Means): Transport {
  return new Transport(
    addresses,
    { ...(addresses.all.length > 1 ? THROUGH_A_FAILOVER : PATIENCE), ...patience },
    means ?? ((url, init) => fetch(url, init)),
    sleep ?? ((ms: number) => new Promise<void>((done) => void setTimeout(done, ms))),
  );
}

/** An answer after which nobody else is asked. */
class Final {
  constructor(readonly why: Error) {}
}

const detailOf = (answer: Answer): string => String(problemOf(answer)["detail"] ?? "no reason given");

function refusal(answer: Answer): Error {
  if (answer.status < 500) return new RefusedByLedger(answer.status, problemOf(answer));
  const said = `the ledger answered ${answer.status}: ${detailOf(answer)}`;
  return new LedgerUnavailable(`${said}; sending the same again is safe`);
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
