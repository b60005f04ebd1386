/** What needs a file system: import from `@consent-ledger/client/node`. */
import { createPrivateKey } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { LocalSigner } from "./signer.js";
import type { CheckpointMemory } from "./watch.js";

/** The signer of a private key in PEM (PKCS #8). Throws TypeError for a kind of key that signs no statements. */
export const signerOfPem = (kid: string, pem: string): Promise<LocalSigner> =>
  LocalSigner.fromJwk(kid, createPrivateKey(pem).export({ format: "jwk" }) as JsonWebKey);

/** Remembers the newest checkpoint in a file, replaced as a whole. */
export class InFile implements CheckpointMemory {
  constructor(private readonly path: string) {}

  async read(): Promise<string | null> {
    try {
      return await readFile(this.path, "utf8");
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return null;
      throw error;
    }
  }

  async write(note: string): Promise<void> {
    const partial = `${this.path}.new`;
    const file = await open(partial, "w");
    try {
      await file.writeFile(note, "utf8");
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, this.path);
  }
}
