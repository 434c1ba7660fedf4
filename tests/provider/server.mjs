// A real OAuth 2 / OpenID Connect authorization server for the end-to-end tests:
//
//     node server.mjs '<json options>'
//
// Prints one JSON line when ready, and ends when its standard input closes (so that it cannot
// outlive a killed test) or on SIGTERM. Options: `defaults` below. Loopback only.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Provider, errors } from 'oidc-provider';
import { api } from './api.mjs';
import { control } from './control.mjs';
import { Proofs } from './dpop.mjs';
import { moreGrants } from './grants.mjs';
import { devicePages, errorPage, interactions } from './pages.mjs';
import { Store } from './store.mjs';

console.info = console.error; // oidc-provider's notices: standard output is for the ready line alone

const DAYS = 24 * 60 * 60;
const REDIRECT = 'http://127.0.0.1/callback'; // native client: any port will do
const defaults = {
  accessTtl: 5, // seconds
  refreshTtl: 14 * DAYS,
  rotate: true, // a new refresh token at each refresh; reuse of an old one revokes the whole grant
  graceSeconds: 0, // how long a refresh token may be used again, as some providers allow
  clients: [
    {
      client_id: 'signbell-test',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
    },
    {
      client_id: 'signbell-secret',
      client_secret: 's3cr3t-for-tests',
      token_endpoint_auth_method: 'client_secret_basic',
      application_type: 'native',
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
  resources: [], // resource indicators to accept besides the two API bases
  accessFormat: 'opaque', // or 'jwt': of tokens for a resource; others are always opaque
  useGrantedResource: false, // true: a token request without `resource` gets the one authorized
  identityFrom: 'id_token', // or 'userinfo': name and email only there
  register: false, // true: dynamic client registration (RFC 7591) without a token
  par: false, // true: pushed authorization requests (RFC 9126) are offered; 'required': nothing else
  describe: null, // 'challenge': the APIs have RFC 9728 metadata and their 401 names it; 'well-known': it is there only
  apiScope: null, // what the APIs' challenge asks for
  device: false, // true: sign-in on another device (RFC 8628)
  clientCredentials: false, // true: clients may ask in their own name
  authMethods: null, // how clients may show themselves; all that the library knows if null
  dpop: false, // 'offered': tokens may be bound to a key (RFC 9449); 'required': the APIs take no others
  dpopNonces: false, // true: both servers want their nonces in proofs
  trust: [], // issuers whose word for a person counts (identity assertions, see grants.mjs)
  clientDocument: null, // a client ID metadata document, published at its client_id: such are taken then
  autoConsent: null, // a login: signs it in and consents without any page
};

function readOptions() {
  const given = JSON.parse(process.argv[2] ?? '{}');
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(defaults, name));
  if (unknown.length) throw new Error(`unknown options: ${unknown.join(', ')}`);
  return { ...defaults, ...given };
}

/** Listens first: the issuer, with its port, must be known before the provider is built. */
async function listen() {
  // Node's 5 s would close idle connections just when a 5-second token has run out and its client
  // comes back: a race that is none of the things tested here.
  const server = createServer({ keepAliveTimeout: 120_000 });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return { server, port: server.address().port, origin: `http://127.0.0.1:${server.address().port}` };
}

const options = readOptions();
const [main, resource, test] = await Promise.all([listen(), listen(), listen()]);
const issuer = main.origin;
const bases = { notes: `${resource.origin}/notes`, issues: `${resource.origin}/issues` };

const store = new Store(options.graceSeconds);
const jwts = new Map(); // jti -> login of the JWT access tokens no test has destroyed
const state = {
  counts: {
    authorization_code: { ok: 0, failed: 0 },
    refresh_token: { ok: 0, failed: 0 },
    faults: 0,
    authorize: 0,
    userinfo: 0,
    revocation: 0,
    introspection: 0,
    api: {},
    apiByPath: {},
  },
  last: { authorize: null, token: null },
  fault: null,
  autoConsent: options.autoConsent,
};

// ---- the provider ---------------------------------------------------------------------------

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const resources = new Set([...Object.values(bases), ...options.resources]);

const provider = new Provider(issuer, {
  adapter: store.Adapter,
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' }] },
  clients: options.clients,
  // The default, 15 s, would keep a 5-second token alive for 20.
  clockTolerance: 0,
  cookies: {
    keys: [randomBytes(16).toString('hex')],
    // A browser keeps cookies by host without port: two servers on 127.0.0.1 would share a session.
    names: {
      session: `session_${main.port}`,
      interaction: `interaction_${main.port}`,
      resume: `resume_${main.port}`,
    },
  },
  scopes: ['openid', 'profile', 'email', 'offline_access', 'notes:read', 'notes:write'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  conformIdTokenClaims: options.identityFrom === 'userinfo',
  findAccount: (_ctx, login) => ({
    accountId: login,
    claims: () => ({
      sub: login,
      name: `Test ${login}`,
      email: login.includes('@') ? login : `${login}@example.test`,
      email_verified: true,
    }),
  }),
  ...(options.authMethods && { clientAuthMethods: options.authMethods }),
  pkce: { required: () => true }, // S256 is the only method oidc-provider knows
  ttl: {
    AccessToken: options.accessTtl,
    ClientCredentials: options.accessTtl,
    DeviceCode: 600,
    RefreshToken: options.refreshTtl,
    AuthorizationCode: 60,
    IdToken: 3600,
    Interaction: 3600,
    Session: 14 * DAYS,
    Grant: Math.max(14 * DAYS, options.refreshTtl),
  },
  rotateRefreshToken: options.rotate,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  // By default tokens without offline_access die with the browser's session.
  expiresWithSession: () => false,
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
    introspection: { enabled: true, allowedPolicy: (_ctx, client, token) => client.clientId === token.clientId },
    registration: { enabled: options.register },
    deviceFlow: { enabled: options.device, ...devicePages },
    clientCredentials: { enabled: options.clientCredentials },
    dPoP: {
      enabled: Boolean(options.dpop),
      nonceSecret: options.dpopNonces ? randomBytes(32) : undefined,
      requireNonce: () => options.dpopNonces,
    },
    // Still an experiment there, of which a revision has to be named.
    ...(options.clientDocument && { clientIdMetadataDocument: { enabled: true, ack: 'draft-02' } }),
    pushedAuthorizationRequests: {
      enabled: Boolean(options.par),
      requirePushedAuthorizationRequests: options.par === 'required',
    },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => options.useGrantedResource,
      getResourceServerInfo(_ctx, indicator) {
        if (!resources.has(indicator)) throw new errors.InvalidTarget('unknown resource');
        return {
          scope: 'notes:read notes:write',
          accessTokenTTL: options.accessTtl,
          accessTokenFormat: options.accessFormat,
          jwt: { sign: { alg: 'RS256' } },
        };
      },
    },
  },
  // The only thing that it fetches is the client's document; nothing leaves this machine.
  fetch: (url, init) => (String(url) === options.clientDocument?.client_id
    ? Response.json(options.clientDocument) : Promise.reject(new Error(`nothing is fetched here: ${url} ${init?.method}`))),
  renderError: (ctx, out) => {
    ctx.type = 'html';
    ctx.body = errorPage(out);
  },
});

moreGrants(provider, { issuer, privateKey, publicKey, trust: options.trust, state });

const countGrant = (ctx, outcome) => {
  const { grant_type: type = 'unknown', scope, resource: target, ...params } = ctx.oidc.params ?? {};
  (state.counts[type] ??= { ok: 0, failed: 0 })[outcome] += 1;
  state.last.token = {
    grant_type: type,
    outcome,
    client_id: ctx.oidc.client?.clientId ?? params.client_id,
    authorization: ctx.get('authorization').split(' ')[0] || null, // the scheme, "Basic" or none
    assertion: ctx.oidc.body?.client_assertion_type ?? null,
    proof: Boolean(ctx.get('dpop')),
    scope,
    resource: target,
    redirect_uri: params.redirect_uri,
    code_verifier: params.code_verifier !== undefined,
    claims: ctx.oidc.body?.claims ?? null,
  };
};
provider.on('grant.success', (ctx) => countGrant(ctx, 'ok'));
provider.on('grant.error', (ctx) => countGrant(ctx, 'failed'));
provider.on('pushed_authorization_request.success', (ctx) => {
  state.last.pushed = Object.fromEntries(Object.entries({ ...ctx.oidc.body }).filter(([name]) => name !== 'client_secret'));
});
provider.on('registration_create.success', (ctx) => {
  state.counts.registered = (state.counts.registered ?? 0) + 1;
  state.last.registered = { ...ctx.oidc.body };
});
provider.on('server_error', (ctx, error) => {
  if (ctx.oidc?.route === 'token') countGrant(ctx, 'failed');
  console.error(error);
});
provider.on('access_token.issued', (token) => jwts.set(token.jti, token.accountId)); // "issued": not stored

// ---- in front of the provider ---------------------------------------------------------------

const providerCallback = provider.callback();
const interact = interactions(provider, state);
const proofs = new Proofs(options.dpopNonces);
const walking = randomBytes(16).toString('hex'); // marks our own requests

/**
 * autoConsent: walks the provider's own redirects here, cookies and all, and hands the caller the
 * last one, so that a test needs neither pages nor a cookie jar.
 */
async function walk(path, res) {
  const jar = new Map();
  let url = new URL(path, issuer);
  for (let hop = 0; hop < 20; hop += 1) {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { walking, accept: 'text/html', cookie: [...jar].map((pair) => pair.join('=')).join('; ') },
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) jar.set(name, value);
      else jar.delete(name);
    }
    const location = answer.headers.get('location');
    if (!location) {
      return res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
        .end(await answer.text());
    }
    url = new URL(location, url);
    if (url.origin !== issuer) return res.writeHead(302, { location }).end();
  }
  return res.writeHead(500).end('too many redirects');
}

/** Answers a token request wrongly, as told by /fault; true when it is not to be handled further. */
async function faulty(req, res) {
  const { fault } = state;
  if (!fault || fault.times < 1) return false;
  fault.times -= 1;
  state.counts.faults += 1;
  switch (fault.mode) {
    case 'slow':
      await sleep(fault.ms);
      return false;
    case 'drop':
      // Handled fully, rotation and all, but the answer never arrives.
      res.write = () => true;
      res.end = () => { req.socket.destroy(); return res; };
      return false;
    case 'hang':
      req.resume();
      return true;
    default: {
      req.resume();
      const headers = { 'content-type': 'text/plain' };
      if (fault.mode === '429') headers['retry-after'] = String(Math.ceil(fault.ms / 1000) || 1);
      res.writeHead(Number(fault.mode), headers).end('not now\n');
      return true;
    }
  }
}

const counted = {
  '/me': 'userinfo',
  '/token/revocation': 'revocation',
  '/token/introspection': 'introspection',
};

async function serve(req, res) {
  const { pathname, searchParams } = new URL(req.url, issuer);
  if (pathname.startsWith('/interaction/')) return interact(req, res, pathname);
  if (pathname === '/auth' && req.headers.walking !== walking) {
    state.counts.authorize += 1;
    // What was pushed belongs to the request that refers to it.
    state.last.authorize = searchParams.has('request_uri') ? { ...state.last.pushed } : {};
    for (const name of new Set(searchParams.keys())) {
      const values = searchParams.getAll(name);
      state.last.authorize[name] = values.length > 1 ? values : values[0];
    }
    if (state.autoConsent && req.method === 'GET') return walk(req.url, res);
  }
  if (counted[pathname]) state.counts[counted[pathname]] += 1;
  if (pathname === '/token' && req.method === 'POST' && await faulty(req, res)) return undefined;
  return providerCallback(req, res);
}

/** A bug in here shows on stderr and as a broken answer; it does not take the server down. */
const guarded = (handler) => (req, res) => handler(req, res).catch((error) => {
  console.error(error);
  res.destroy();
});

main.server.on('request', guarded(serve));
resource.server.on('request', guarded(api(bases, { provider, publicKey, jwts, state, issuer, options, proofs })));
test.server.on('request', guarded(control({ state, store, jwts, proofs, resources })));

process.stdin.resume().on('close', () => process.exit()).on('end', () => process.exit());
process.on('SIGTERM', () => process.exit());
console.log(JSON.stringify({ issuer, api: bases.notes, apis: bases, control: test.origin }));
