// node --test smoke.mjs: does this provider do what the end-to-end tests count on?
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

const REDIRECT = 'http://127.0.0.1:45678/callback'; // nobody listens: never followed
const sha256 = (data, encoding) => createHash('sha256').update(data).digest(encoding);

async function start(t, options = {}) {
  const child = spawn(process.execPath, [fileURLToPath(new URL('server.mjs', import.meta.url)), JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { errors += text; });
  const lines = [];
  const reader = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = once(child, 'exit');
  t.after(async () => {
    child.stdin.end();
    await ended;
    assert.equal(lines.length, 1, 'one line on standard output');
    assert.doesNotMatch(errors, /Error|NOTICE/);
  });
  await Promise.race([once(reader, 'line'), ended.then(() => { throw new Error(`server ended: ${errors}`); })]);
  const server = JSON.parse(lines[0]);
  const call = async (method, path, body) => {
    const answer = await fetch(server.control + path, { method, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200);
    return answer.json();
  };
  return { ...server, child, ended, get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}

/** A browser profile: cookies and forms, no JavaScript. */
class Browser {
  cookies = new Map();

  async go(url, init = {}) {
    const answer = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { accept: 'text/html', cookie: [...this.cookies].map((pair) => pair.join('=')).join('; ') },
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) this.cookies.set(name, value); else this.cookies.delete(name);
    }
    const location = answer.headers.get('location');
    if (!location) {
      this.url = answer.url;
      this.html = await answer.text();
      return { status: answer.status, page: /<h1>(.*?)<\/h1>/.exec(this.html)?.[1] };
    }
    const next = new URL(location, url);
    if (next.origin === new URL(REDIRECT).origin) return { callback: Object.fromEntries(next.searchParams) };
    return this.go(next);
  }

  submit(fields) {
    const action = /action="(.*?)"/.exec(this.html)[1];
    return this.go(new URL(action, this.url), { method: 'POST', body: new URLSearchParams(fields) });
  }
}

function authorizeUrl(server, params = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: 'signbell-test',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid profile email offline_access notes:read notes:write',
    state: 'st',
    nonce: 'no',
    code_challenge: sha256(verifier, 'base64url'),
    code_challenge_method: 'S256',
  });
  for (const [name, value] of Object.entries(params)) {
    query.delete(name);
    for (const one of [value].flat()) if (one !== undefined) query.append(name, one);
  }
  return { url: `${server.issuer}/auth?${query}`, verifier };
}

async function token(server, params, secret) {
  const body = new URLSearchParams(secret ? params : { client_id: 'signbell-test', ...params });
  const headers = secret ? { authorization: `Basic ${btoa(secret)}` } : {};
  const answer = await fetch(`${server.issuer}/token`, { method: 'POST', body, headers });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, ...(text.startsWith('{') ? JSON.parse(text) : { text }) };
}
const exchange = (server, code, verifier, more = {}, secret = undefined) => token(server, {
  grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT, ...more,
}, secret);
const refresh = (server, refreshToken, more = {}) => token(server, {
  grant_type: 'refresh_token', refresh_token: refreshToken, ...more,
});

async function signIn(server, { params, browser = new Browser(), login = 'ada', more } = {}) {
  const { url, verifier } = authorizeUrl(server, params);
  let at = await browser.go(url);
  if (at.page === 'Sign in') at = await browser.submit({ login });
  assert.equal(at.page, 'Allow access?');
  at = await browser.submit({ decision: 'allow' });
  return exchange(server, at.callback.code, verifier, more);
}

const call = (url, accessToken, init = {}) => fetch(url, {
  ...init, redirect: 'manual', headers: { ...(accessToken && { authorization: `Bearer ${accessToken}` }), ...init.headers },
});
const status = async (url, accessToken) => (await call(url, accessToken)).status;
const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url'));

test('the whole code flow, expiry, rotation, reuse', async (t) => {
  const server = await start(t, { accessTtl: 3 });
  const { url, verifier } = authorizeUrl(server, { login_hint: 'a"da' });
  const browser = new Browser();
  assert.equal((await browser.go(url)).page, 'Sign in');
  assert.match(browser.html, /<input name="login" id="login"[^>]* value="a&#34;da">/);
  assert.equal((await browser.submit({ login: 'ada' })).page, 'Allow access?');
  assert.match(browser.html, /id="client">signbell-test</);
  assert.match(browser.html, /id="account">ada</);
  assert.match(browser.html, /notes:write/);
  const { callback } = await browser.submit({ decision: 'allow' });
  assert.equal(callback.state, 'st');
  assert.equal(callback.iss, server.issuer);

  const first = await exchange(server, callback.code, verifier);
  assert.equal(first.status, 200);
  assert.equal(first.expires_in, 3);
  const { sub, email, name, nonce } = claims(first.id_token);
  assert.deepEqual({ sub, email, name, nonce }, { sub: 'ada', email: 'ada@example.test', name: 'Test ada', nonce: 'no' });
  for (const base of Object.values(server.apis)) assert.equal(await status(`${base}/me`, first.access_token), 200);
  assert.equal((await (await call(`${server.issuer}/me`, first.access_token)).json()).email, 'ada@example.test');

  await sleep(3100);
  const late = await call(`${server.api}/me`, first.access_token);
  assert.equal(late.status, 401);
  assert.match(late.headers.get('www-authenticate'), /^Bearer error="invalid_token", error_description="/);
  assert.deepEqual(await late.json(), { error: 'invalid_token' });
  const bare = await call(`${server.api}/me`);
  assert.deepEqual([bare.status, bare.headers.get('www-authenticate')], [401, 'Bearer']);

  const second = await refresh(server, first.refresh_token);
  assert.equal(second.status, 200);
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal(await status(`${server.api}/me`, second.access_token), 200);

  const reuse = await refresh(server, first.refresh_token);
  assert.deepEqual([reuse.status, reuse.error], [400, 'invalid_grant']);
  assert.equal((await refresh(server, second.refresh_token)).error, 'invalid_grant', 'reuse revokes the whole family');
  assert.equal(await status(`${server.api}/me`, second.access_token), 401, 'and its access tokens');

  const counts = await server.get('/counts');
  assert.deepEqual(counts.authorization_code, { ok: 1, failed: 0 });
  assert.deepEqual(counts.refresh_token, { ok: 1, failed: 2 });
  assert.equal(counts.authorize, 1);
  assert.equal(counts.userinfo, 1);
  assert.deepEqual(counts.api, { 200: 3, 401: 3 });
  assert.deepEqual(counts.apiByPath['/issues/me'], { 200: 1 });
  const { authorize, token: last } = await server.get('/last');
  assert.equal(authorize.code_challenge_method, 'S256');
  assert.equal(authorize.login_hint, 'a"da');
  assert.deepEqual([last.grant_type, last.outcome, last.client_id], ['refresh_token', 'failed', 'signbell-test']);
});

test('sessions, prompts, denial, refused requests', async (t) => {
  const server = await start(t);
  const browser = new Browser();
  await signIn(server, { browser });
  assert.equal((await browser.go(authorizeUrl(server).url)).page, 'Allow access?', 'login remembered');
  assert.equal((await browser.go(authorizeUrl(server, { prompt: 'consent' }).url)).page, 'Allow access?');
  assert.equal((await browser.go(authorizeUrl(server, { prompt: 'login' }).url)).page, 'Sign in');
  assert.equal((await new Browser().go(authorizeUrl(server).url)).page, 'Sign in', 'a fresh profile');

  await browser.go(authorizeUrl(server).url);
  const denied = await browser.submit({ decision: 'deny' });
  assert.deepEqual([denied.callback.error, denied.callback.state], ['access_denied', 'st']);

  const refused = async (params) => (await browser.go(authorizeUrl(server, params).url));
  assert.equal((await refused({ code_challenge: undefined, code_challenge_method: undefined })).callback.error, 'invalid_request');
  assert.equal((await refused({ code_challenge_method: 'plain' })).callback.error, 'invalid_request');
  assert.equal((await refused({ resource: 'http://127.0.0.1:1/other' })).callback.error, 'invalid_target');
  assert.equal((await refused({ prompt: 'none' })).callback.error, 'interaction_required', 'native clients always ask');
  for (const redirect of ['http://127.0.0.1:45678/other', 'http://localhost:45678/callback', 'http://[::1]:45678/callback']) {
    assert.equal((await refused({ redirect_uri: redirect })).status, 400, redirect);
  }
});

test('offline_access is dropped without prompt=consent, the refresh token is not', async (t) => {
  const server = await start(t);
  const without = await signIn(server);
  assert.doesNotMatch(without.scope, /offline_access/);
  assert.ok(without.refresh_token);
  assert.match((await signIn(server, { params: { prompt: 'consent' } })).scope, /offline_access/);
});

test('another login in the same profile does not end the first one\'s tokens', async (t) => {
  const server = await start(t);
  const browser = new Browser();
  const ada = await signIn(server, { browser });
  const { url, verifier } = authorizeUrl(server, { prompt: 'login' });
  await browser.go(url);
  await browser.submit({ login: 'bob@corp.test' });
  // oidc-provider's own page between the two: a form that JavaScript, or a click, submits.
  const hidden = [...browser.html.matchAll(/name="(.*?)" value="(.*?)"/g)].map(([, n, v]) => [n, v]);
  const at = await browser.submit(hidden);
  assert.equal(at.page, 'Allow access?');
  const { callback } = await browser.submit({ decision: 'allow' });
  const bob = await exchange(server, callback.code, verifier);
  assert.equal(claims(bob.id_token).email, 'bob@corp.test');
  assert.equal((await refresh(server, ada.refresh_token)).status, 200);
});

for (const accessFormat of ['opaque', 'jwt']) {
  test(`resource indicators, ${accessFormat}`, async (t) => {
    const server = await start(t, { accessFormat });
    const { notes, issues } = server.apis;
    const params = { resource: [notes, issues] };
    const one = await signIn(server, { params, more: { resource: notes } });
    assert.equal(one.access_token.split('.').length === 3, accessFormat === 'jwt');
    assert.equal(one.scope, 'notes:read notes:write');
    const two = await refresh(server, one.refresh_token, { resource: issues });
    const me = async (base, accessToken) => (await call(`${base}/me`, accessToken)).json();
    assert.equal((await me(notes, one.access_token)).aud, notes);
    assert.equal((await me(issues, two.access_token)).aud, issues);
    assert.equal(await status(`${issues}/me`, one.access_token), 401);
    assert.equal(await status(`${notes}/me`, two.access_token), 401);
    const userinfo = await status(`${server.issuer}/me`, one.access_token);
    assert.equal(userinfo, accessFormat === 'jwt' ? 401 : 403, 'userinfo takes no token for a resource');
    assert.deepEqual((await server.get('/last')).authorize.resource, [notes, issues]);

    // openid, several resources authorized, none named at the token endpoint: the userinfo token
    const none = await refresh(server, two.refresh_token);
    assert.equal((await me(notes, none.access_token)).aud, null);
    assert.equal((await refresh(server, none.refresh_token, { resource: 'http://127.0.0.1:1/x' })).error, 'invalid_target');

    await server.post('/expire-access?login=ada');
    assert.equal(await status(`${notes}/me`, one.access_token), 401);
    assert.equal(await status(`${issues}/me`, two.access_token), 401);
  });
}

test('useGrantedResource', async (t) => {
  const server = await start(t, { useGrantedResource: true });
  const got = await signIn(server, { params: { resource: server.apis.issues } });
  assert.equal((await (await call(`${server.apis.issues}/me`, got.access_token)).json()).aud, server.apis.issues);
});

test('control: revoke, expire', async (t) => {
  const server = await start(t, { accessTtl: 60 });
  const ada = await signIn(server);
  const bob = await signIn(server, { login: 'bob' });
  await server.post('/expire-access?login=ada');
  assert.equal(await status(`${server.api}/me`, ada.access_token), 401);
  const again = await refresh(server, ada.refresh_token);
  assert.equal(await status(`${server.api}/me`, again.access_token), 200);
  await server.post('/revoke-refresh?login=ada');
  assert.equal(await status(`${server.api}/me`, again.access_token), 200);
  assert.equal((await refresh(server, again.refresh_token)).error, 'invalid_grant');
  await server.post('/revoke-refresh?login=bob&access=1');
  assert.equal(await status(`${server.api}/me`, bob.access_token), 401);
  assert.equal((await refresh(server, bob.refresh_token)).error, 'invalid_grant');

  const eve = await signIn(server, { login: 'eve' });
  const revoked = await fetch(`${server.issuer}/token/revocation`, {
    method: 'POST', body: new URLSearchParams({ client_id: 'signbell-test', token: eve.refresh_token }),
  });
  assert.equal(revoked.status, 200);
  assert.equal(await status(`${server.api}/me`, eve.access_token), 401, 'revoking the refresh token ends the grant');
  assert.equal((await server.get('/counts')).revocation, 1);
});

test('a sign-in after a revocation in the same profile works', async (t) => {
  const server = await start(t);
  const browser = new Browser();
  await signIn(server, { browser });
  await server.post('/revoke-refresh?login=ada&access=1');
  const again = await signIn(server, { browser });
  assert.equal((await refresh(server, again.refresh_token)).status, 200);
});

test('faults of the token endpoint', async (t) => {
  const server = await start(t);
  const fault = (tokenEndpoint) => server.post('/fault', { tokenEndpoint });
  let { refresh_token: now } = await signIn(server);
  await fault({ mode: '500', times: 2 });
  assert.equal((await refresh(server, now)).status, 500);
  assert.equal((await refresh(server, now)).status, 500);
  await fault({ mode: '429', ms: 2500 });
  const limited = await refresh(server, now);
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '3']);
  await fault({ mode: 'slow', ms: 300 });
  const began = Date.now();
  ({ refresh_token: now } = await refresh(server, now));
  assert.ok(now && Date.now() - began >= 300);
  await fault({ mode: 'hang' });
  await assert.rejects(fetch(`${server.issuer}/token`, { method: 'POST', body: 'x=y', signal: AbortSignal.timeout(300) }));
  await fault({ mode: '500', times: 9 });
  await fault(null);
  await fault({ mode: 'drop' });
  await assert.rejects(refresh(server, now));
  assert.equal((await refresh(server, now)).error, 'invalid_grant', 'the lost rotation');
  const counts = await server.get('/counts');
  assert.equal(counts.faults, 6);
  assert.deepEqual(counts.refresh_token, { ok: 2, failed: 1 });
});

test('confidential client, autoConsent, identity from userinfo, no rotation', async (t) => {
  const server = await start(t, { autoConsent: 'zoe', identityFrom: 'userinfo', rotate: false });
  const { url, verifier } = authorizeUrl(server, { client_id: 'signbell-secret', prompt: 'login consent' });
  const answer = await fetch(url, { redirect: 'manual' });
  assert.equal(answer.status, 302);
  const { searchParams } = new URL(answer.headers.get('location'));
  const wrong = await exchange(server, searchParams.get('code'), verifier, {}, 'signbell-secret:nope');
  assert.deepEqual([wrong.status, wrong.error], [401, 'invalid_client']);
  const got = await exchange(server, searchParams.get('code'), verifier, {}, 'signbell-secret:s3cr3t-for-tests');
  assert.equal(got.status, 200);
  assert.equal(claims(got.id_token).email, undefined);
  assert.equal((await (await call(`${server.issuer}/me`, got.access_token)).json()).email, 'zoe@example.test');
  const again = await token(server, { grant_type: 'refresh_token', refresh_token: got.refresh_token }, 'signbell-secret:s3cr3t-for-tests');
  assert.equal(again.refresh_token, got.refresh_token);
  assert.equal((await server.get('/last')).token.authorization, 'Basic');
  assert.equal((await server.get('/counts')).authorize, 1);
  await server.post('/auto-consent');
  assert.equal((await new Browser().go(url)).page, 'Sign in');
});

test('the API', async (t) => {
  const server = await start(t, { accessTtl: 60 });
  const { access_token: good } = await signIn(server);
  const api = (path, init) => call(server.api + path, good, init);

  const me = await (await api('/me', { headers: { 'X-Forwarded-For': '10.0.0.1' } })).json();
  assert.deepEqual([me.login, me.aud, me.xff], ['ada', null, '10.0.0.1']);
  assert.ok(me.via.includes('x-forwarded-for'));

  const body = randomBytes(300_000);
  assert.deepEqual(await (await api('/echo', { method: 'PUT', body })).json(), {
    method: 'PUT', length: body.length, sha256: sha256(body, 'hex'), trailers: {},
  });
  const trailed = await new Promise((resolve, reject) => {
    const req = request(`${server.api}/echo`, {
      method: 'POST', headers: { authorization: `Bearer ${good}`, trailer: 'x-sum', 'transfer-encoding': 'chunked' },
    }, async (res) => resolve(JSON.parse((await res.toArray()).join('')))).on('error', reject);
    req.write('abc');
    req.addTrailers({ 'x-sum': '6' });
    req.end();
  });
  assert.deepEqual([trailed.length, trailed.trailers], [3, { 'x-sum': '6' }]);

  // The 401 comes before the body is complete with early=1 only, and `progress` answers as it reads.
  const upload = async (path, accessToken) => {
    const req = request(server.api + path, { method: 'POST', headers: { authorization: `Bearer ${accessToken}` } });
    req.on('error', () => {});
    req.write('first');
    const res = await Promise.race([once(req, 'response').then(([r]) => r), sleep(300)]);
    return { req, res };
  };
  const early = await upload('/echo?early=1', 'dead');
  assert.equal(early.res.statusCode, 401);
  early.req.destroy();
  const late = await upload('/echo', 'dead');
  assert.equal(late.res, undefined);
  const [lateAnswer] = await Promise.all([once(late.req, 'response'), late.req.end('last')]);
  assert.equal(lateAnswer[0].statusCode, 401);
  lateAnswer[0].resume();
  const progress = await upload('/progress', good);
  assert.equal(String((await once(progress.res, 'data'))[0]), 'got 5\n');
  progress.req.end('last');
  assert.equal((await progress.res.toArray()).join(''), `got 4\nend ${sha256('firstlast', 'hex')}\n`);

  const began = Date.now();
  const events = await (await api('/events?n=3&ms=100')).text();
  assert.equal(events, [0, 1, 2].map((i) => `id: ${i}\ndata: {"i":${i}}\n\n`).join(''));
  assert.ok(Date.now() - began >= 195);

  assert.equal((await api(`/redirect?to=${encodeURIComponent('//evil.test/x?y')}`)).headers.get('location'), '//evil.test/x?y');
  assert.equal((await api('/redirect?to=%0d%0ax')).status, 400);
  assert.deepEqual(await (await api('/status/503')).json(), { status: 503 });
  assert.equal((await api('/status/204')).status, 204);
  assert.equal((await api('/status/999')).status, 404);
  const bytes = await api('/bytes/1000001');
  assert.equal(bytes.headers.get('content-length'), '1000001');
  const content = Buffer.from(await bytes.arrayBuffer());
  assert.equal(content.length, 1000001);
  assert.ok(content.every((byte, i) => byte === i % 251));
  assert.equal((await api('/bytes/0')).headers.get('content-length'), '0');
  for (const path of ['/nothing', '/toString', '', '/me/x/y', '/bytes/x']) assert.equal((await api(path)).status, 404, path);
  assert.equal((await api('/me', { method: 'POST' })).status, 404);

  const cut = new AbortController();
  const stream = await api('/events?n=100&ms=50', { signal: cut.signal });
  await stream.body.getReader().read();
  cut.abort();
  await sleep(200);
  assert.equal((await server.get('/counts')).apiByPath['/notes/events'].aborted, 1);
});

test('ends with its standard input, and on SIGTERM', async (t) => {
  const one = await start(t);
  one.child.stdin.end();
  assert.deepEqual(await one.ended, [0, null]);
  const two = await start(t);
  two.child.kill('SIGTERM');
  assert.deepEqual(await two.ended, [0, null]);
});
