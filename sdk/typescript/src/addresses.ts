/** Several addresses of one ledger: whom a request asks next, and whom it asks not before some time. */
const MOST = 16;

/** The addresses of nodes of one log, in the order in which they are tried; the one that answered last comes first. */
export class Addresses {
  readonly all: readonly string[];
  private preferred = 0;

  /** Throws TypeError for none, for too many, for one that is given twice, and for what is not an http or https URL. */
  constructor(addresses: string | readonly string[]) {
    this.all = (typeof addresses === "string" ? [addresses] : addresses).map((one) => one.replace(/\/+$/, ""));
    if (this.all.length < 1 || this.all.length > MOST) {
      throw new TypeError(`a client has 1 to ${MOST} addresses of its ledger, and ${this.all.length} were given`);
    }
    if (new Set(this.all).size !== this.all.length) {
      throw new TypeError(`an address of the ledger is given twice: ${this.all.join(", ")}`);
    }
    for (const one of this.all) {
      if (!/^https?:\/\/[^/?#]+[^?#]*$/.test(one)) {
        throw new TypeError(`${one} is not an address of a ledger: it begins with http:// or https://, and names a host`);
      }
    }
  }

  /** This one works: the next request begins with it. */
  answered(address: string): void {
    this.preferred = this.all.indexOf(address);
  }

  /** For one request. */
  round(): Round {
    return new Round([...this.all.slice(this.preferred), ...this.all.slice(0, this.preferred)]);
  }
}

/**
 * One request's way through the addresses. Each rests after a failure for as long as it asked for, or as patience says;
 * meanwhile the others are asked, and so nobody is asked before its time and no time is lost. Times in milliseconds.
 */
export class Round {
  private readonly rests: Map<string, number>;
  private readonly counts: Map<string, number>;

  constructor(private turn: readonly string[]) {
    this.rests = new Map(turn.map((one) => [one, 0]));
    this.counts = new Map(turn.map((one) => [one, 0]));
  }

  /** Whom to ask, and how long from now: the one whose rest ends first, the one asked longest ago among equals. */
  next(): [address: string, wait: number] {
    const wait = (one: string): number => Math.max(0, this.rests.get(one) ?? 0);
    const address = this.turn.reduce((best, one) => (wait(one) < wait(best) ? one : best));
    this.turn = [...this.turn.filter((one) => one !== address), address];
    return [address, wait(address)];
  }

  /** So much time has passed. */
  passed(time: number): void {
    for (const [address, rest] of this.rests) this.rests.set(address, rest - time);
  }

  /**
   * It is asked again after `rest`; `everywhere`: so is every other one, since the answer was about the client and not about
   * the node.
   */
  failed(address: string, rest: number, everywhere: boolean): void {
    this.counts.set(address, this.failures(address) + 1);
    this.rests.set(address, rest);
    if (everywhere) for (const [other, its] of this.rests) this.rests.set(other, Math.max(its, rest));
  }

  /** How often it failed in this round. */
  failures(address: string): number {
    return this.counts.get(address) ?? 0;
  }
}
