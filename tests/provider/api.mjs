// The resource API: two bases, /notes and /issues, each its own RFC 8707 resource. Tokens are
// checked against the provider's own state, so that whatever kills a token there kills it here.
import { createHash, verify } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** The live token's { login, aud }, or { problem }. */
async function inspect(value, base, { provider, publicKey, jwts }) {
  let token;
  const parts = value.split('.');
  if (parts.length === 3) {
    const [header, claims] = parts.slice(0, 2).map((p) => JSON.parse(Buffer.from(p, 'base64url')));
    const signed = header.alg === 'RS256' && header.typ === 'at+jwt'
      && verify('RSA-SHA256', `${parts[0]}.${parts[1]}`, publicKey, Buffer.from(parts[2], 'base64url'));
    // The provider stores no JWT access tokens: `jwts` holds the ones not yet destroyed by a test.
    if (signed && claims.iss === provider.issuer && claims.exp > Date.now() / 1000 && jwts.has(claims.jti)) {
      token = { login: claims.sub, aud: claims.aud };
    }
  } else {
    const found = await provider.AccessToken.find(value);
    if (found) token = { login: found.accountId, aud: found.aud, jkt: found.jkt };
    const client = !found && await provider.ClientCredentials.find(value);
    if (client) token = { login: client.clientId, aud: client.aud, jkt: client.jkt };
  }
  if (!token) return { problem: 'the access token is unknown, expired or revoked' };
  if (token.aud !== undefined && token.aud !== base) return { problem: 'the access token is for another audience' };
  return token;
}

async function drain(req) {
  for await (const chunk of req) chunk.length;
}

function* pattern(length) {
  // Byte i is i % 251: a test can check any part of the answer without a copy of it.
  const block = Buffer.from(Uint8Array.from({ length: 251 * 256 }, (_, i) => i % 251));
  for (let left = length; left > 0; left -= block.length) yield block.subarray(0, Math.min(left, block.length));
}

const endpoints = {
  me: (req, _url, _rest, { login, aud }) => ({
    login,
    aud: aud ?? null,
    via: req.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()),
    xff: req.headers['x-forwarded-for'] ?? null,
  }),

  async echo(req) {
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of req) {
      length += chunk.length;
      hash.update(chunk);
    }
    return { method: req.method, length, sha256: hash.digest('hex'), trailers: req.trailers };
  },

  async events(_req, { searchParams }, _rest, _token, start) {
    const n = Number(searchParams.get('n') ?? 10);
    const ms = Number(searchParams.get('ms') ?? 100);
    const res = start(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    for (let i = 0; i < n && !res.destroyed; i += 1) {
      if (i) await sleep(ms);
      res.write(`id: ${i}\ndata: {"i":${i}}\n\n`);
    }
    res.end();
  },

  async progress(req, _url, _rest, _token, start) {
    const hash = createHash('sha256');
    const res = start(200, { 'content-type': 'text/plain' });
    res.flushHeaders();
    for await (const chunk of req) {
      hash.update(chunk);
      res.write(`got ${chunk.length}\n`);
    }
    res.end(`end ${hash.digest('hex')}\n`);
  },

  redirect(_req, { searchParams }, _rest, _token, start) {
    start(302, { location: searchParams.get('to') ?? '' }).end();
  },

  status(_req, _url, rest, _token, _start, json) {
    const status = Number(rest);
    if (!(Number.isInteger(status) && status >= 200 && status <= 599)) return undefined;
    return json(status, { status });
  },

  bytes(_req, _url, rest, _token, start) {
    if (!/^\d+$/.test(rest ?? '')) return undefined;
    const res = start(200, { 'content-type': 'application/octet-stream', 'content-length': rest });
    return new Promise((done) => {
      Readable.from(pattern(Number(rest))).on('error', done).pipe(res);
      res.on('close', done);
    });
  },
};

const methods = { echo: ['POST', 'PUT'], progress: ['POST'] }; // all others: GET

export function api(bases, context) {
  const { counts } = context.state;
  const count = (pathname, outcome) => {
    counts.api[outcome] = (counts.api[outcome] ?? 0) + 1;
    const [, base, name] = pathname.split('/');
    for (const prefix of new Set([`/${base}`, name ? `/${base}/${name}` : `/${base}`])) {
      counts.apiByPath[prefix] ??= {};
      counts.apiByPath[prefix][outcome] = (counts.apiByPath[prefix][outcome] ?? 0) + 1;
    }
  };

  return async (req, res) => {
    const url = new URL(req.url, 'http://api');
    const [, baseName, name, rest, ...more] = url.pathname.split('/');
    // Counted when the answer starts: a test that has seen the answer finds it counted.
    const start = (status, headers = {}) => {
      res.writeHead(status, headers); // throws, uncounted, on a header that cannot be sent
      count(url.pathname, status);
      return res;
    };
    const json = (status, body, headers = {}) => start(status, { 'content-type': 'application/json', ...headers })
      .end([204, 304].includes(status) ? undefined : JSON.stringify(body));
    res.on('close', () => { if (!res.writableFinished) count(url.pathname, 'aborted'); });

    const metadata = '/.well-known/oauth-protected-resource';
    try {
      if (context.options.describe && url.pathname.startsWith(`${metadata}/`)) {
        const described = bases[url.pathname.slice(metadata.length + 1)];
        return described
          ? json(200, {
            resource: described,
            authorization_servers: [context.issuer],
            scopes_supported: ['notes:read', 'notes:write'],
            ...(context.options.dpop === 'required' && { dpop_bound_access_tokens_required: true }),
          })
          : json(404, { error: 'not_found' });
      }
      const base = bases[baseName];
      if (!base) return json(404, { error: 'not_found' });

      const [, scheme, value] = /^(Bearer|DPoP) +(.+)$/i.exec(req.headers.authorization ?? '') ?? [];
      const bound = context.options.dpop === 'required';
      let token = value && await inspect(value, base, context).catch(() => ({ problem: 'the access token is malformed' }));
      const asked = scheme?.toLowerCase() === 'dpop';
      // Section 7.2: a bound token is none without its proof, and here no other kind is taken.
      if (token && !token.problem && (token.jkt || bound) && !asked) token = { problem: 'the token needs its proof' };
      const headers = context.proofs.nonce && bound ? { 'dpop-nonce': context.proofs.nonce } : {};
      for (const [name, text] of Object.entries(headers)) res.setHeader(name, text);
      const problem = asked && token && !token.problem ? await context.proofs.problem(req, base, value, token.jkt) : null;
      if (problem) {
        await drain(req);
        return json(401, { error: problem }, { 'www-authenticate': `DPoP error="${problem}", algs="ES256"` });
      }
      const challengeScheme = bound ? 'DPoP algs="ES256",' : 'Bearer';
      if (!token || token.problem) {
        // Most servers answer after reading the body, some (early=1) while it is still being sent.
        if (url.searchParams.get('early') !== '1') await drain(req);
        const challenge = context.options.describe === 'challenge'
          ? `, resource_metadata="${new URL(base).origin}${metadata}/${baseName}"` : '';
        const scope = context.options.apiScope ? `, scope="${context.options.apiScope}"` : '';
        return token
          ? json(401, { error: 'invalid_token' }, {
            'www-authenticate': `${challengeScheme} error="invalid_token", error_description="${token.problem}"`,
          })
          : json(401, { error: 'missing_token' }, {
            'www-authenticate': `${challengeScheme}${(challenge + scope).replace(',', '')}`,
          });
      }

      const known = Object.hasOwn(endpoints, name) && !more.length
        && (methods[name] ?? ['GET']).includes(req.method);
      const answer = known && await endpoints[name](req, url, rest, token, start, json);
      if (!res.headersSent) json(answer ? 200 : 404, answer || { error: 'not_found' });
    } catch (error) {
      // An upload that the caller broke off ends here too: then there is nobody left to answer.
      if (res.headersSent || req.destroyed) res.destroy();
      else json(400, { error: 'bad_request', detail: error.message });
    }
    return undefined;
  };
}
