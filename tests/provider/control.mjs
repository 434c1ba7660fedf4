// What a real provider does to its users now and then, on demand. On a port of its own, so that
// nothing here can be mistaken for a part of the provider.

const modes = ['hang', '500', '429', 'drop', 'slow'];

function parseFault(fault) {
  if (fault === null) return null;
  const { mode, ms = 0, times = 1, ...unknown } = fault ?? {};
  if (!modes.includes(String(mode))) throw new Error(`mode must be one of ${modes.join(', ')}`);
  if (Object.keys(unknown).length) throw new Error(`unknown: ${Object.keys(unknown)}`);
  return { mode: String(mode), ms, times };
}

export function control({ state, store, jwts, proofs, resources }) {
  const destroyJwts = (login) => {
    for (const [jti, owner] of jwts) if (owner === login) jwts.delete(jti);
  };
  const ofResource = (query) => query.get('resource') || undefined; // all of them without
  const login = (query) => query.get('login') || (() => { throw new Error('login is missing'); })();

  const routes = {
    'GET /counts': () => state.counts,
    'GET /last': () => state.last,

    // The token values of a login, also those that were rotated away: what must be found nowhere.
    'GET /tokens': (query) => Object.fromEntries(['AccessToken', 'RefreshToken', 'AuthorizationCode']
      .map((model) => [model, store.idsFor(login(query), model)])),

    // Without the grant no refresh token of it can be used; the browser's session stays.
    // ?resource=… leaves the tokens of other resources, and the grant, alone.
    'POST /revoke-refresh': (query) => {
      const resource = ofResource(query);
      const models = ['RefreshToken', 'AuthorizationCode', ...(resource ? [] : ['Grant'])];
      if (query.get('access') === '1') {
        models.push('AccessToken');
        destroyJwts(login(query));
      }
      return { destroyed: store.destroyFor(login(query), models, resource) };
    },

    'POST /expire-access': (query) => {
      destroyJwts(login(query));
      return { destroyed: store.destroyFor(login(query), ['AccessToken'], ofResource(query)) };
    },

    // Those that clients got in their own name.
    'POST /expire-clients-tokens': () => ({ destroyed: store.clear('ClientCredentials') }),

    'POST /fault': (_query, body) => {
      const { tokenEndpoint } = JSON.parse(body);
      state.fault = parseFault(tokenEndpoint);
      return { tokenEndpoint: state.fault };
    },

    // The clients that registered by themselves are forgotten, as servers do that keep them for a while.
    'POST /forget-clients': () => ({ forgotten: store.destroyClients() }),

    // Tokens for this resource may be asked for, besides those of the options.
    'POST /accept-resource': (query) => {
      resources.add(query.get('resource'));
      return {};
    },

    // The APIs want another nonce in proofs from now on (RFC 9449 section 8.2).
    'POST /rotate-nonce': () => {
      proofs.rotate();
      return {};
    },

    // ?login=bob signs bob in without pages from now on; without login the pages are back.
    'POST /auto-consent': (query) => {
      state.autoConsent = query.get('login') || null;
      return { autoConsent: state.autoConsent };
    },
  };

  return async (req, res) => {
    const url = new URL(req.url, 'http://control');
    const send = (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    let body = '';
    for await (const chunk of req.setEncoding('utf8')) body += chunk;
    const route = routes[`${req.method} ${url.pathname}`];
    if (!route) return send(404, { error: 'not_found' });
    try {
      return send(200, route(url.searchParams, body));
    } catch (error) {
      return send(400, { error: error.message });
    }
  };
}
