// MCP servers for the end-to-end tests, one for each generation of the official SDK:
//
//     node server.mjs
//
// Prints one JSON line when ready (`v1`, `v2`: the servers' URLs; `control`), and ends when its
// standard input closes (so that it cannot outlive a killed test) or on SIGTERM. Loopback only.
//
// Every request needs a bearer token. Any will do that no test has killed: who signs in where is the
// provider's business, and here only whether a token is dead.
import { createServer } from 'node:http';
import { control } from './control.mjs';
import { serveV1 } from './v1.mjs';
import { serveV2 } from './v2.mjs';

const state = {
  tokens: new Map(), // token -> its number, in the order in which they were first seen
  dead: new Set(),
  log: [], // one entry a request, see `follow`
  lost: '404', // how a request of an unknown session is answered: as the SDK does, or see /drop-session
  generations: { v1: serveV1(), v2: serveV2() },
};

async function listen() {
  // Node's 5 s would close idle connections in the middle of a test.
  const server = createServer({ keepAliveTimeout: 120_000 });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return { server, origin: `http://127.0.0.1:${server.address().port}` };
}

/** The number of the request's token, and whether it is alive. */
function inspect(req) {
  const [, token] = /^Bearer (\S+)$/i.exec(req.headers.authorization ?? '') ?? [];
  if (token === undefined) return { number: null, alive: false };
  if (!state.tokens.has(token)) state.tokens.set(token, state.tokens.size + 1);
  return { number: state.tokens.get(token), alive: !state.dead.has(token) };
}

/** What the request is, in JSON-RPC's words: a method, `response`, or nothing. */
function rpcOf(body) {
  if (body === undefined) return null;
  const { method, params } = body;
  if (method === 'tools/call') return `${method} ${params?.name}`;
  return method ?? ('id' in body ? 'response' : null);
}

/** Notes the request; what became of it is read when the log is. */
function follow(req, res, generation, token, body) {
  const entry = { generation, method: req.method, rpc: rpcOf(body), token, session: 'mcp-session-id' in req.headers, aborted: false };
  res.on('close', () => { entry.aborted = !res.writableFinished; });
  state.log.push(() => ({ ...entry, status: res.headersSent ? res.statusCode : null, ended: res.writableFinished }));
}

async function parsed(req) {
  let text = '';
  for await (const chunk of req.setEncoding('utf8')) text += chunk;
  return text ? JSON.parse(text) : undefined;
}

/** Row 33 and row 34 of servers that tell a lost session in other ways than the SDK. */
function answerLost(res, id) {
  const unauthorized = state.lost === '401';
  res.writeHead(unauthorized ? 401 : 400, {
    'content-type': 'application/json',
    ...(unauthorized && { 'www-authenticate': 'Bearer error="invalid_token", error_description="Unknown session"' }),
  });
  const message = unauthorized ? 'Unauthorized: Unknown session' : 'Bad Request: No valid session ID provided';
  res.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message }, id: id ?? null }));
}

async function serve(origin, req, res) {
  const { pathname } = new URL(req.url, origin);
  const generation = pathname.slice(1);
  const target = Object.hasOwn(state.generations, generation) ? state.generations[generation] : null;
  if (!target) {
    // Such as the metadata that the challenge names: whoever asks for it would be seen here.
    follow(req, res, pathname, null, undefined);
    req.resume();
    return res.writeHead(404).end();
  }
  const token = inspect(req);
  const body = await parsed(req);
  follow(req, res, generation, token.number, body);
  if (!token.alive) {
    const metadata = `${origin}/.well-known/oauth-protected-resource/${generation}`;
    res.setHeader('www-authenticate', `Bearer error="invalid_token", error_description="The token has expired", resource_metadata="${metadata}"`);
    res.writeHead(401, { 'content-type': 'application/json' });
    return res.end(JSON.stringify({ error: 'invalid_token', error_description: 'The token has expired' }));
  }
  const session = req.headers['mcp-session-id'];
  if (session !== undefined && state.lost !== '404' && !target.sessions.has(session)) return answerLost(res, body?.id);
  return target.handle(req, res, body);
}

/** A bug in here shows on stderr and as a broken answer; it does not take the server down. */
const guarded = (handler) => (req, res) => handler(req, res).catch((error) => {
  console.error(error);
  res.destroy();
});

const [mcp, test] = await Promise.all([listen(), listen()]);
mcp.server.on('request', guarded((req, res) => serve(mcp.origin, req, res)));
test.server.on('request', guarded(control(state)));

process.stdin.resume().on('close', () => process.exit()).on('end', () => process.exit());
process.on('SIGTERM', () => process.exit());
console.log(JSON.stringify({ v1: `${mcp.origin}/v1`, v2: `${mcp.origin}/v2`, control: test.origin }));
