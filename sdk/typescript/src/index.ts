export * from "./errors.js";
export { type Bytes, b64, b64u, decimal, hex, sha256, unb64, unb64u, utf8 } from "./bytes.js";
export { type Json, type JsonObject, canonical, readCanonical, readJson } from "./json.js";
export { inclusionRoot, leafHash, nodeHash, rootOf, verifyConsistency, verifyInclusion } from "./merkle.js";
export { type Algorithm, type PublicKey, checkCoseKey, readJwk } from "./keys.js";
export {
  type Checkpoint, type NoteKey, type Proof, type Signed, openNote, readCheckpoint, readProof, readVkey,
} from "./note.js";
export { type Head, Trust, readTrust } from "./policy.js";
export {
  type Envelope, type Signer, checkTerms, readEnvelope, readPayload, signStatement, termsHash, verifyStatement,
} from "./statement.js";
export {
  type Checked, type Disclosed, type Leaf, type VerifiedReceipt, chainOf, checkReceipt, commitment, readLeaf, verifyReceipt,
} from "./receipt.js";
export { type CheckedTransparent, checkTransparent } from "./transparent.js";
export { type CheckedInSet, type ShardHead, type Vouched, checkInSet } from "./shard.js";
export { LedgerSet, NotInSet, type SetOptions, type SetReceipt } from "./set.js";
export { type FetchInclusion, type KeyDocument, type KeySuccession, successors } from "./succession.js";
export { LocalSigner } from "./signer.js";
export { PATIENCE, type Patience, THROUGH_A_FAILOVER } from "./transport.js";
export { type CheckpointMemory, CheckpointWatch, InMemory } from "./watch.js";
export { type ClientOptions, LedgerClient, type Question, type Step, allowed, checkAnswer } from "./client.js";
export { type Complete, verifyAbsent, verifyCompleteness, verifyPresent } from "./completeness.js";
