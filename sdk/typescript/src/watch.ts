/** What a participant remembers of the log: the newest checkpoint, against which every later one is held. */
import type { Bytes } from "./bytes.js";
import { equal } from "./bytes.js";
import { Equivocation, Refuted, RolledBack } from "./errors.js";
import { verifyConsistency } from "./merkle.js";
import type { Head, Trust } from "./policy.js";

/** Where the newest signed checkpoint is kept between runs. */
export interface CheckpointMemory {
  read(): Promise<string | null>;
  write(note: string): Promise<void>;
}

/** Remembers as long as the process lives. */
export class InMemory implements CheckpointMemory {
  private note: string | null = null;
  async read(): Promise<string | null> {
    return this.note;
  }
  async write(note: string): Promise<void> {
    this.note = note;
  }
}

export type FetchConsistency = (old: bigint, size: bigint) => Promise<Bytes[]>;

/** Holds every checkpoint that is seen against the newest one. */
export class CheckpointWatch {
  private newest: Head | null | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(
    private trust: Trust,
    private readonly memory: CheckpointMemory,
    private readonly fetchProof: FetchConsistency,
  ) {}

  /** The largest checkpoint that was found consistent with all before it. Throws Refuted if what is remembered is none. */
  async known(): Promise<Head | null> {
    if (this.newest === undefined) {
      const note = await this.memory.read();
      this.newest = note === null ? null : await this.trust.open(note);
    }
    return this.newest;
  }

  /** Trust these keys from now on: what is remembered may be signed by a later key of the log. */
  believe(trust: Trust): void {
    this.trust = trust;
  }

  /**
   * Take in a verified checkpoint. With `newest`, it is the log's newest, which is never smaller than an earlier one.
   * Throws Equivocation when it does not fit what is known, RolledBack, and what fetching the proof throws.
   */
  observe(head: Head, before: Head | null = null): Promise<void> {
    const mine = this.turn.then(() => this.hold(head, before));
    this.turn = mine.catch(() => undefined); // one at a time; the next is not to fail for this one
    return mine;
  }

  private async hold(head: Head, before: Head | null): Promise<void> {
    if (before !== null && head.checkpoint.size < before.checkpoint.size) {
      const said = `the log shows ${head.checkpoint.size} entries, and had ${before.checkpoint.size} before`;
      throw new RolledBack(said, before.note, head.note);
    }
    const known = await this.known();
    if (known !== null) await this.compare(known, head);
    if (known === null || head.checkpoint.size > known.checkpoint.size) {
      await this.memory.write(head.note);
      this.newest = head;
    }
  }

  private async compare(known: Head, seen: Head): Promise<void> {
    const [small, large] = known.checkpoint.size <= seen.checkpoint.size
      ? [known.checkpoint, seen.checkpoint]
      : [seen.checkpoint, known.checkpoint];
    if (small.size === large.size) {
      if (!equal(small.root, large.root)) throw new Equivocation("two roots for one size", known.note, seen.note);
      return;
    }
    if (small.size === 0n) return;
    const proof = await this.fetchProof(small.size, large.size);
    try {
      await verifyConsistency(small.size, large.size, proof, small.root, large.root);
    } catch (error) {
      if (!(error instanceof Refuted)) throw error;
      throw new Equivocation(`sizes ${small.size} and ${large.size}: ${error.message}`, known.note, seen.note);
    }
  }
}
