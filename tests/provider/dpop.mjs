// What a resource server does about tokens that are bound to a key (RFC 9449 section 7), nonces included.
import { createHash, randomBytes } from 'node:crypto';
import { EmbeddedJWK, calculateJwkThumbprint, jwtVerify } from 'jose';

export class Proofs {
  constructor(nonces) {
    this.nonce = nonces ? randomBytes(12).toString('base64url') : null;
    this.seen = new Set();
  }

  /** From now on another nonce is wanted. */
  rotate() {
    this.nonce = randomBytes(12).toString('base64url');
  }

  /** Null where the proof is good for this request and token, else the error code of the challenge. */
  async problem(req, base, value, jkt) {
    const proof = req.headers.dpop;
    if (!proof || proof.includes(',')) return 'invalid_dpop_proof';
    let result;
    try {
      result = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', algorithms: ['ES256'], maxTokenAge: 300 });
    } catch {
      return 'invalid_dpop_proof';
    }
    const { payload, protectedHeader } = result;
    const htu = new URL(req.url, base);
    htu.search = '';
    const ath = createHash('sha256').update(value).digest('base64url');
    if (payload.htm !== req.method || payload.htu !== htu.href || payload.ath !== ath) return 'invalid_dpop_proof';
    if (await calculateJwkThumbprint(protectedHeader.jwk) !== jkt) return 'invalid_token';
    if (this.nonce && payload.nonce !== this.nonce) return 'use_dpop_nonce';
    if (this.seen.has(payload.jti)) return 'invalid_dpop_proof';
    this.seen.add(payload.jti);
    return null;
  }
}
