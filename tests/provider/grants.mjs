// Grants that oidc-provider has no word for, on its own machinery: RFC 7523 assertions, and the token
// exchange by which an employer's server vouches for a person (RFC 8693, the id-jag token type). The
// protocol is checked here as a real server would; the library has no implementation to use.
import { createPublicKey } from 'node:crypto';
import { SignJWT, createLocalJWKSet, importJWK, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';

/** Adds both grants. `trust`: issuers whose word for a person counts here. */
export function moreGrants(provider, { issuer, privateKey, publicKey, trust, state }) {
  const refuse = (why) => { throw new errors.InvalidGrant(why); };

  async function vouched(assertion, client) {
    const [header, claims] = assertion.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')));
    const audience = [issuer, `${issuer}/token`];
    if (header.typ === 'oauth-id-jag+jwt') {
      if (!trust.includes(claims.iss)) refuse('nobody trusts that issuer here');
      const keys = await (await fetch(`${claims.iss}/jwks`)).json();
      const { payload } = await jwtVerify(assertion, createLocalJWKSet(keys), { audience: issuer, issuer: claims.iss });
      return payload;
    }
    const keys = createLocalJWKSet({ keys: client.jwks?.keys ?? [] });
    const { payload } = await jwtVerify(assertion, keys, { audience, issuer: client.clientId });
    return payload;
  }

  provider.registerGrantType(JWT_BEARER, async (ctx) => {
    const { client, params } = ctx.oidc;
    const claims = await vouched(params.assertion, client).catch((error) => refuse(error.message));
    state.last.assertion = claims;
    const grant = new provider.Grant({ accountId: claims.sub, clientId: client.clientId });
    grant.addOIDCScope(params.scope ?? '');
    if (params.resource) grant.addResourceScope(params.resource, params.scope ?? '');
    const token = new provider.AccessToken({
      accountId: claims.sub, client, scope: params.scope, grantId: await grant.save(), gty: 'jwt_bearer', aud: params.resource,
    });
    const value = await token.save();
    ctx.body = { access_token: value, token_type: 'Bearer', expires_in: token.expiration, scope: params.scope };
  }, ['assertion', 'scope', 'resource']);

  const exchange = ['subject_token', 'subject_token_type', 'requested_token_type', 'audience', 'scope', 'resource'];
  provider.registerGrantType(TOKEN_EXCHANGE, async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.requested_token_type !== ID_JAG) refuse('only id-jag is given');
    const { payload } = await jwtVerify(params.subject_token, createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })), {
      issuer, audience: client.clientId,
    }).catch((error) => refuse(error.message));
    const key = await importJWK(privateKey.export({ format: 'jwk' }), 'RS256');
    const jag = await new SignJWT({ resource: params.resource, scope: params.scope, client_id: client.clientId })
      .setProtectedHeader({ alg: 'RS256', kid: 'test', typ: 'oauth-id-jag+jwt' })
      .setIssuer(issuer).setSubject(payload.sub).setAudience(params.audience)
      .setJti(crypto.randomUUID()).setIssuedAt().setExpirationTime('5m')
      .sign(key);
    ctx.body = { access_token: jag, issued_token_type: ID_JAG, token_type: 'N_A', expires_in: 300, scope: params.scope };
  }, exchange);
}
