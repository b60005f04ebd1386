/** The forms of words that many members share (docs/spec/statements.md). */
export const PARTICIPANT = /^[a-z0-9][a-z0-9._-]{1,62}$/;
export const CODE = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/;
export const COUNTRY = /^[A-Z]{2}$/;
export const REFERENCE = /^[A-Za-z0-9_-]{22,64}$/;
export const INTERACTION = /^[A-Za-z0-9._:-]{8,64}$/;
export const CONSENT_ID =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}|urn:[a-zA-Z0-9][a-zA-Z0-9-]{0,31}:[A-Za-z0-9._~:\/-]{20,})$/;
