package consentledger.client;

import java.util.Map;

/** Signs for one registered key, wherever the key is kept: a key in hardware is an implementation of this. */
public interface Signer {
    /** The key id under which the public key is registered. */
    String kid();

    /** The one algorithm registered for the key: EdDSA, ES256 or PS256. */
    String alg();

    /** The public members that a registration takes. */
    Map<String, Object> jwk();

    /** The raw signature of JWS: for ES256, 64 bytes r and s. */
    byte[] sign(byte[] message);
}
