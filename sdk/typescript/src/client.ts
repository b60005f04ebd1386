/** The participant's client: it signs, submits, and returns nothing that it has not verified. */
import { Addresses } from "./addresses.js";
import { type Bytes, b64u, unb64u, utf8 } from "./bytes.js";
import { WrongAnswer } from "./errors.js";
import { type JsonObject, canonical } from "./json.js";
import { leafHash, rootOf } from "./merkle.js";
import { type Head, type Trust } from "./policy.js";
import { type Complete, verifyCompleteness } from "./completeness.js";
import { PublicLog } from "./public.js";
import { type VerifiedReceipt, chainOf, verifyReceipt } from "./receipt.js";
import { freshJti } from "./signer.js";
import { type Signer, signStatement } from "./statement.js";
import { type KeySuccession, successors } from "./succession.js";
import { Tokens } from "./tokens.js";
import { type Answer, type Fetch, type Patience, type Transport, jsonOf, openTransport } from "./transport.js";
import { type CheckpointMemory, CheckpointWatch, InMemory } from "./watch.js";

/** A signed statement with what travels beside it. Sending it twice is safe: it is recorded once. */
export interface Question {
  readonly path: string;
  readonly statement: string;
  /** The CL-JSON of a batch's items, in their order. */
  readonly items: readonly string[];
  /** The `subject.consent` of an authorisation. */
  readonly companion: string | null;
  /** The customer's passkey assertion for an authorisation, as CL-JSON. */
  readonly assertion: string | null;
}

export interface ClientOptions {
  /** The public URL of the ledger, or of each node of it: also the issuer of that node's tokens. */
  readonly baseUrl: string | readonly string[];
  readonly participant: string;
  /** The key registered for `statement` use. */
  readonly signer: Signer;
  readonly trust: Trust;
  /** The key registered for `client` use: for reads, and for the receipts of what an earlier try has recorded. */
  readonly clientKey?: Signer;
  readonly memory?: CheckpointMemory;
  /** Whom this participant, a technology provider, signs for. */
  readonly onBehalfOf?: string;
  /** What differs from PATIENCE or, with several addresses, from THROUGH_A_FAILOVER. */
  readonly patience?: Partial<Patience>;
  readonly fetch?: Fetch;
  readonly sleep?: (ms: number) => Promise<void>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** The steps of docs/api.md that are posted to `/consents/{id}/<step>` and ask for `by` and `reason` alone. */
export type Step = "pause" | "reject" | "resume" | "revoke" | "suspend" | "terminate" | "reconfirm";

export class LedgerClient {
  readonly watch: CheckpointWatch;
  private readonly transport: Transport;
  private readonly published: PublicLog;
  private readonly tokens: Tokens | null;
  private readonly origin: string;
  private readonly now: () => number;
  private trusted: Trust;

  constructor(private readonly options: ClientOptions) {
    this.trusted = options.trust;
    const [log] = options.trust.logs;
    if (log === undefined) throw new TypeError("the policy names no log key that can be verified with here");
    this.origin = log.name;
    const addresses = new Addresses(options.baseUrl);
    this.transport = openTransport(addresses, options);
    this.tokens = options.clientKey === undefined
      ? null
      : new Tokens(this.transport, options.participant, options.clientKey, addresses.all);
    this.now = options.now ?? Date.now;
    this.published = new PublicLog(this.transport);
    const proofs = (old: bigint, size: bigint): Promise<Bytes[]> => this.published.consistency(old, size);
    this.watch = new CheckpointWatch(options.trust, options.memory ?? new InMemory(), proofs);
  }

  // -- writing --------------------------------------------------------------------------------------------------------

  /** Sign a statement of any act with its members, for the log of the policy. Throws Refuted for a wrong form. */
  async sign(act: string, members: JsonObject): Promise<string> {
    const { onBehalfOf, participant, signer } = this.options;
    const payload: JsonObject = {
      act, aud: this.origin, iat: Math.floor(this.now() / 1_000), iss: participant, jti: freshJti(), v: 1, ...members,
    };
    if (onBehalfOf !== undefined) payload["on_behalf_of"] = onBehalfOf;
    return signStatement(signer, payload);
  }

  /** A question of one statement, to be sent by `submit`. Keep it to be able to send the same again. */
  async question(path: string, act: string, members: JsonObject): Promise<Question> {
    return { path, statement: await this.sign(act, members), items: [], companion: null, assertion: null };
  }

  /**
   * Submit a question; its receipts, each verified and compared with what was asked. Safe to call again with the same
   * question. What an earlier try has recorded is answered by indexes alone, and its receipts are then read with a
   * token, which needs `clientKey`.
   * Throws RefusedByLedger, LedgerUnavailable, Refuted, CannotCheck, WrongAnswer, Equivocation.
   */
  async submit(question: Question): Promise<VerifiedReceipt[]> {
    const body: Record<string, unknown> = { statement: question.statement };
    if (question.items.length) body["items"] = question.items;
    if (question.companion !== null) body["companion"] = question.companion;
    if (question.assertion !== null) body["assertion"] = question.assertion;
    const receipts = await this.openAll(await this.transport.ask("POST", question.path, JSON.stringify(body)));
    checkAnswer(question, receipts);
    return receipts;
  }

  /** As recipient: ask for a consent under these terms. */
  requestConsent(consentId: string, terms: JsonObject): Promise<VerifiedReceipt> {
    return this.one("/consents", "consent.request", { consent_id: consentId, terms });
  }

  /** As recipient: propose new terms. */
  amend(consentId: string, terms: JsonObject, previousVersion: number): Promise<VerifiedReceipt> {
    return this.one(consentPath(consentId, "amend"), "consent.amend", {
      consent_id: consentId, previous_version: previousVersion, terms,
    });
  }

  /**
   * As holder: the members of `consent.authorise` (all but `consent_id`) and the holder's own reference for this
   * customer, which no recipient sees. The receipts of the authorisation and of its companion.
   */
  async authorise(
    consentId: string,
    members: JsonObject,
    customer: string,
    extra: { assertion?: string; suppressNotify?: boolean } = {},
  ): Promise<[VerifiedReceipt, VerifiedReceipt]> {
    const beside: JsonObject = { consent_id: consentId, subject: customer };
    if (extra.suppressNotify === true) beside["suppress_notify"] = true;
    const receipts = await this.submit({
      path: consentPath(consentId, "authorise"),
      statement: await this.sign("consent.authorise", { consent_id: consentId, ...members }),
      items: [],
      companion: await this.sign("subject.consent", beside),
      assertion: extra.assertion ?? null,
    });
    return [receipts[0] as VerifiedReceipt, receipts[1] as VerifiedReceipt];
  }

  /** A step of a consent; `by` is who wanted it. */
  step(step: Step, consentId: string, by: string, reason: string): Promise<VerifiedReceipt> {
    return this.change(step, consentId, { by, reason });
  }

  /** End a consent for ever: no access is allowed at any higher index. */
  revoke(consentId: string, by = "customer", reason = "customer-request"): Promise<VerifiedReceipt> {
    return this.step("revoke", consentId, by, reason);
  }

  /** Any other act of `/consents/{id}/<change>`: `withdraw_accounts`, `withdraw_approval`, `reauthenticate`, … */
  change(change: string, consentId: string, members: JsonObject): Promise<VerifiedReceipt> {
    return this.one(consentPath(consentId, change), `consent.${change}`, { consent_id: consentId, ...members });
  }

  /** As recipient: ask to read data now; the decision, allowed or denied, is in the receipt (`allowed`). */
  access(item: JsonObject): Promise<VerifiedReceipt> {
    return this.one("/accesses", "access.request", item);
  }

  /** As recipient: up to 1,000 accesses under one signature; a receipt for each, in their order. */
  async accessMany(items: readonly JsonObject[]): Promise<VerifiedReceipt[]> {
    const spelled = items.map((item) => canonical(item));
    const root = await rootOf(await Promise.all(spelled.map(leafHash)));
    const statement = await this.sign("access.batch", { items_count: items.length, items_root: b64u(root) });
    const texts = spelled.map((bytes) => new TextDecoder().decode(bytes));
    return this.submit({ path: "/accesses/batch", statement, items: texts, companion: null, assertion: null });
  }

  /** As holder: record what was given out under an allowed access. `digest`: SHA-256 of the content. */
  release(access: VerifiedReceipt, rows: number, size: number, digest: Uint8Array): Promise<VerifiedReceipt> {
    return this.leg("release", access, rows, size, digest);
  }

  /** As recipient: record what arrived. */
  receive(access: VerifiedReceipt, rows: number, size: number, digest: Uint8Array): Promise<VerifiedReceipt> {
    return this.leg("receive", access, rows, size, digest);
  }

  private async leg(
    leg: string,
    access: VerifiedReceipt,
    rows: number,
    size: number,
    digest: Uint8Array,
  ): Promise<VerifiedReceipt> {
    const item = access.disclosed?.item;
    if (item === null || item === undefined) throw new WrongAnswer(`entry ${access.index} is no access`);
    const { consent_id, interaction_id } = item as { consent_id: string; interaction_id: string };
    const members = { basis: access.index, bytes: size, consent_id, digest: b64u(digest), interaction_id, rows };
    return this.one(`/accesses/${leg}`, `access.${leg}`, members);
  }

  private async one(path: string, act: string, members: JsonObject): Promise<VerifiedReceipt> {
    return (await this.submit(await this.question(path, act, members)))[0] as VerifiedReceipt;
  }

  // -- reading --------------------------------------------------------------------------------------------------------

  /**
   * Follow the log: its newest checkpoint, consistent with all seen before. This and `learnKeys` also work where the log's
   * published files alone are. Throws RolledBack, Equivocation, Refuted.
   */
  async follow(): Promise<Head> {
    const before = await this.watch.known();
    const read = async (): Promise<Head> => this.trusted.open(await this.published.newest());
    const head = await this.transport.newest(read, before?.checkpoint.size ?? 0n);
    await this.watch.observe(head, before);
    return head;
  }

  /** Whom this client trusts now: as it was given, with what `learnKeys` found. */
  get trust(): Trust {
    return this.trusted;
  }

  /**
   * The keys of the log to which the trusted ones lead by its own documents, for when it has changed its key; from now on
   * they are trusted, too. Put their `vkey` into the policy: what is remembered of the log may be signed by the new key only.
   * Throws Refuted when the documents do not prove it, with KEY_COMPROMISED when somebody else may have the older key.
   */
  async learnKeys(): Promise<KeySuccession[]> {
    const listed = jsonOf(await this.published.keys())["documents"];
    if (!Array.isArray(listed)) throw new WrongAnswer("the answer is no list of the log's keys");
    const documents = (listed as { index?: unknown; leaf?: unknown }[]).map(({ index, leaf }) => {
      if (typeof index !== "number" || typeof leaf !== "string") throw new WrongAnswer("a document has no index or no leaf");
      return { index, leaf: unb64u(leaf) };
    });
    const own = this.trusted.logs.filter((key) => key.name === this.origin);
    const found = await successors(own, documents, (index, size) => this.published.inclusion(BigInt(index), BigInt(size)));
    if (found.length) {
      this.trusted = this.trusted.with(found);
      this.watch.believe(this.trusted);
    }
    return found;
  }

  /** The receipt of an entry that this participant signed or is a party of, verified. */
  async receipt(index: number): Promise<VerifiedReceipt> {
    const receipt = await this.open((await this.read(`/receipts/${index}`)).body);
    if (receipt.index !== index) throw new WrongAnswer(`entry ${index} was asked for, and that of ${receipt.index} came`);
    return receipt;
  }

  /** A consent's present state as the ledger tells it; what is proved of it is in `history`. */
  async consent(consentId: string): Promise<Readonly<Record<string, unknown>>> {
    const state = jsonOf(await this.read(consentPath(consentId)));
    if (state["consent_id"] !== consentId) throw new WrongAnswer("another consent came than the one that was asked for");
    return state;
  }

  /** The events of a consent that this participant may see, oldest first, each verified. */
  async history(consentId: string): Promise<VerifiedReceipt[]> {
    const all: VerifiedReceipt[] = [];
    for (let after = -1; ; ) {
      const page = await this.openAll(
        await this.read(`${consentPath(consentId, "history")}?limit=100${after < 0 ? "" : `&after=${after}`}`),
      );
      all.push(...page);
      const last = Math.max(...page.map((receipt) => receipt.leaf.members["seq"] as number));
      if (!page.length || last <= after) return all;
      after = last;
    }
  }

  /** The proof that these are all entries of a consent, up to an entry that is at most a second old. Throws Refuted too. */
  async completeness(consentId: string): Promise<Complete> {
    const file = (await this.read(consentPath(consentId, "completeness"))).body;
    const complete = await verifyCompleteness(file, this.trusted);
    if (complete.chain !== (await chainOf(consentId))) throw new WrongAnswer("the proof is of another consent");
    await this.watch.observe(complete.head.head);
    return complete;
  }

  private read(path: string): Promise<Answer> {
    return this.transport.ask("GET", path, undefined, this.tokens?.headers("GET", path));
  }

  private async openAll(answer: Answer): Promise<VerifiedReceipt[]> {
    const entries = jsonOf(answer)["entries"];
    if (!Array.isArray(entries)) throw new WrongAnswer("the answer holds no entries");
    const receipts: VerifiedReceipt[] = [];
    for (const entry of entries as { index?: unknown; receipt?: unknown }[]) {
      if (entry.receipt !== undefined) {
        receipts.push(await this.open(utf8(JSON.stringify(entry.receipt))));
      } else if (typeof entry.index !== "number") {
        throw new WrongAnswer("an entry of the answer has neither a receipt nor an index");
      } else if (this.tokens === null) {
        throw new WrongAnswer(`recorded before, as entry ${entry.index}: reading its receipt needs a clientKey`);
      } else {
        receipts.push(await this.receipt(entry.index));
      }
    }
    return receipts;
  }

  private async open(file: Bytes): Promise<VerifiedReceipt> {
    const receipt = await verifyReceipt(file, this.trusted);
    await this.watch.observe(receipt.head);
    return receipt;
  }
}

/** Whether an access was allowed. Throws WrongAnswer when the receipt is that of no access. */
export function allowed(receipt: VerifiedReceipt): boolean {
  const decision = receipt.disclosed?.act === "access.request" ? receipt.disclosed.outcome?.["decision"] : undefined;
  if (decision === undefined) throw new WrongAnswer(`entry ${receipt.index} holds no decision about an access`);
  return decision === "allow";
}

/** The receipts are those of exactly this question: one for each entry, in order. Throws WrongAnswer. */
export function checkAnswer(question: Question, receipts: readonly VerifiedReceipt[]): void {
  const expected = question.items.length
    ? question.items.map((item) => ({ statement: question.statement, item }))
    : [question.statement, question.companion].flatMap((one) => (one === null ? [] : [{ statement: one, item: null }]));
  if (receipts.length !== expected.length || new Set(receipts.map((one) => one.index)).size !== receipts.length) {
    throw new WrongAnswer(`${expected.length} entries were asked for, and ${receipts.length} receipts came`);
  }
  for (const [at, { statement, item }] of expected.entries()) {
    const said = receipts[at]?.disclosed;
    if (said?.statement !== statement) throw new WrongAnswer(`receipt ${at} is about another statement than the one sent`);
    if (item !== null && (said.position !== at || said.item === null || spelled(said.item) !== item)) {
      throw new WrongAnswer(`receipt ${at} is about another item than the one at its place`);
    }
    if (said.outcome === null && (said.act.startsWith("consent.") || said.act === "access.request")) {
      throw new WrongAnswer(`the receipt of ${said.act} says nothing about its outcome`);
    }
  }
}

const spelled = (item: JsonObject): string => new TextDecoder().decode(canonical(item));

const consentPath = (consentId: string, step = ""): string =>
  `/consents/${encodeURIComponent(consentId)}${step === "" ? "" : `/${step}`}`;
