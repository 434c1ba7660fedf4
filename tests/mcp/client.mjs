// A client of the official SDK, as a program that a person uses would have it inside:
//
//     KEY=… CONTROL=http://… node client.mjs GENERATION URL SCENARIO
//
// GENERATION: `v1` (@modelcontextprotocol/sdk), `v2` (@modelcontextprotocol/client in the revision
// 2026-07-28), `v2-legacy` (the same client as it begins by default, with `initialize`) or `v2-auto`
// (it asks the server which of the two).
// SCENARIO: a name of `scenarios` below. Prints one JSON line for each thing it saw; a step that
// failed is `{step, error: {name, code, text, body}}`, where `text` is what a person at the client reads
// and `body` the answer that the SDK keeps beside it, if it does.
// Without KEY no key is sent. With STDIO (a JSON list: a program and its arguments) the client speaks to that
// program's standard input and output instead of URL. CONTROL is the control address of server.mjs.
import { setTimeout as sleep } from 'node:timers/promises';

const [generation, url, name] = process.argv.slice(2);
const { KEY, CONTROL, STDIO } = process.env;

const print = (line) => console.log(JSON.stringify(line));
const control = async (method, path) => (await fetch(`${CONTROL}${path}`, { method })).json();
const kill = () => control('POST', '/kill');

const told = (error) => ({ name: error.name, code: error.code ?? null, text: error.message, body: error.data?.text ?? null });

/** Runs one step and prints what came of it; false if it failed. */
async function step(what, run) {
  try {
    print({ step: what, ...await run() });
    return true;
  } catch (error) {
    print({ step: what, error: told(error) });
    return false;
  }
}

const saying = (result) => ({ text: result.content[0].text, isError: result.isError ?? false });

/** The client's own OAuth support: keeps nothing, and prints what the SDK made it do. */
const ownOAuth = {
  redirectUrl: 'http://127.0.0.1:1/callback',
  clientMetadata: { client_name: 'own-oauth', redirect_uris: ['http://127.0.0.1:1/callback'] },
  clientInformation: () => undefined,
  saveClientInformation: () => print({ oauth: 'registered' }),
  tokens: () => undefined,
  saveTokens: () => print({ oauth: 'got tokens' }),
  saveCodeVerifier: () => {},
  codeVerifier: () => 'none',
  redirectToAuthorization: () => print({ oauth: 'sent the person to a page' }),
};

/** Whatever the SDK asks for besides the MCP address is a beginning of its own OAuth, and is printed. */
async function watched(input, init) {
  const target = new URL(input);
  const response = await fetch(input, init);
  if (target.href !== new URL(url).href) {
    print({ oauth: 'asked', method: init?.method ?? 'GET', path: target.pathname, status: response.status });
  }
  return response;
}

/** All tokens that the server has seen die before each request. */
async function dying(input, init) {
  await kill();
  return fetch(input, init);
}

/** The parts of the SDK that have other names in the other generation. */
async function generationOf() {
  const info = { name: 'signbell-test', version: '1.0.0' };
  const capabilities = { elicitation: {} };
  if (generation === 'v1') {
    const [{ Client }, { StreamableHTTPClientTransport }, types] = await Promise.all([
      import('@modelcontextprotocol/sdk/client/index.js'),
      import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
      import('@modelcontextprotocol/sdk/types.js'),
    ]);
    const client = new Client(info, { capabilities });
    return {
      client,
      Transport: StreamableHTTPClientTransport,
      onListChanged: (run) => client.setNotificationHandler(types.ToolListChangedNotificationSchema, run),
      onLog: (run) => client.setNotificationHandler(types.LoggingMessageNotificationSchema, run),
      onQuestion: (run) => client.setRequestHandler(types.ElicitRequestSchema, run),
      call: (tool, args, options) => client.callTool({ name: tool, arguments: args }, undefined, options),
      modern: () => false,
    };
  }
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const mode = { v2: { pin: '2026-07-28' }, 'v2-legacy': 'legacy', 'v2-auto': 'auto' }[generation];
  if (!mode) throw new Error(`no such generation: ${generation}`);
  const client = new Client(info, { capabilities, versionNegotiation: { mode } });
  return {
    client,
    Transport: StreamableHTTPClientTransport,
    onListChanged: (run) => client.setNotificationHandler('notifications/tools/list_changed', run),
    onLog: (run) => client.setNotificationHandler('notifications/message', run),
    onQuestion: (run) => client.setRequestHandler('elicitation/create', run),
    call: (tool, args, options) => client.callTool({ name: tool, arguments: args }, options),
    modern: () => client.getProtocolEra() === 'modern',
  };
}

/** A client that is not connected yet, with its transport. */
async function start(options = {}) {
  const sdk = await generationOf();
  if (STDIO) {
    const [command, ...args] = JSON.parse(STDIO);
    const { StdioClientTransport } = generation === 'v1'
      ? await import('@modelcontextprotocol/sdk/client/stdio.js') : await import('@modelcontextprotocol/client/stdio');
    sdk.client.onerror = (error) => print({ background: told(error) });
    return { ...sdk, transport: new StdioClientTransport({ command, args, env: process.env, stderr: 'inherit' }) };
  }
  const transport = new sdk.Transport(new URL(url), {
    requestInit: KEY ? { headers: { authorization: `Bearer ${KEY}` } } : {},
    reconnectionOptions: { initialReconnectionDelay: 100, maxReconnectionDelay: 100, reconnectionDelayGrowFactor: 1, maxRetries: 1 },
    ...options,
  });
  // Trouble of a stream that no step waits for.
  sdk.client.onerror = (error) => print({ background: told(error) });
  return { ...sdk, transport };
}

/** The first generation reports the end that it puts to its own streams here as trouble: it is none. */
async function close(client) {
  client.onerror = undefined;
  await client.close();
}

/** Connects, and waits until the server's own stream is open where there is one. */
async function connect({ client, transport, modern }) {
  const before = (await opened()).length;
  await client.connect(transport);
  if (!modern()) await until(async () => (await opened()).length > before);
  return { server: client.getServerVersion().name, session: transport.sessionId !== undefined, modern: modern() };
}

const opened = async () => (await control('GET', '/log')).filter((entry) => entry.method === 'GET' && entry.status === 200);

async function until(probe) {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await probe()) return;
    await sleep(50);
  }
  throw new Error('waited in vain');
}

/** Everything that a client and a server do with each other. */
async function everything(options) {
  const sdk = await start(options);
  const { client, transport, call } = sdk;
  const heard = [];
  sdk.onListChanged(() => { heard.push('list_changed'); });
  sdk.onLog(({ params }) => { heard.push(params.data); });
  sdk.onQuestion(() => ({ action: 'accept', content: { name: 'Ada' } }));

  if (!await step('connect', () => connect(sdk))) return;
  await step('list', async () => ({ tools: (await client.listTools()).tools.map((tool) => tool.name) }));
  await step('echo', async () => saying(await call('echo', { text: 'hello' })));
  await step('count', async () => {
    const progress = [];
    const result = await call('count', { to: 4, ms: 150 }, {
      onprogress(at) {
        progress.push({ at: at.progress, ms: Date.now() });
        // The token dies while the answer streams: what has begun goes on.
        if (at.progress === 1 && options?.fetch === dying) kill();
      },
    });
    const times = progress.map(({ ms }) => ms);
    return { ...saying(result), progress: progress.map(({ at }) => at), spread: Math.max(...times) - Math.min(...times) };
  });
  await step('announce', async () => {
    const subscription = sdk.modern() ? await client.listen({ toolsListChanged: true }) : undefined;
    const wanted = sdk.modern() ? 1 : 2;
    const result = await call('announce', {});
    await until(() => heard.length >= wanted);
    await subscription?.close();
    return { ...saying(result), heard: heard.sort() };
  });
  await step('ask', async () => saying(await call('ask', {})));
  if (!sdk.modern() && !STDIO) {
    await step('end', async () => {
      await transport.terminateSession();
      return { session: transport.sessionId !== undefined };
    });
  }
  await close(client);
}

const scenarios = {
  everything: () => everything(),

  'everything-dying': () => everything({ fetch: dying }),

  /** Leaves in the middle of a call, once by taking the call back and once altogether. */
  async leave() {
    const sdk = await start();
    const { client, call } = sdk;
    await step('connect', () => connect(sdk));
    const begun = (signal) => new Promise((resolve, reject) => {
      call('count', { to: 600, ms: 100 }, { signal, onprogress: () => resolve() }).catch(reject);
    });
    const taken = new AbortController();
    await step('begin', async () => { await begun(taken.signal); });
    taken.abort('the person pressed Stop');
    await step('taken', () => until(async () => (await control('GET', '/log')).some((entry) => (
      sdk.modern() ? entry.rpc === 'tools/call count' && entry.aborted : entry.rpc === 'notifications/cancelled'
    ))));
    await step('echo', async () => saying(await call('echo', { text: 'still here' })));
    await step('begin', async () => { await begun(); });
    await close(client);
    print({ step: 'left' });
  },

  /** What comes first: which tools there are, and a call of one. */
  async 'first-call'() {
    const sdk = await start();
    await step('connect', async () => { await sdk.client.connect(sdk.transport); });
    await step('list', async () => ({ tools: (await sdk.client.listTools()).tools.map((tool) => tool.name) }));
    await step('echo', async () => saying(await sdk.call('echo', { text: 'hello' })));
    await close(sdk.client);
  },

  /** The server forgets its sessions: as the SDK does (404), or as other servers do. */
  lost: () => lost('404'),
  'lost-401': () => lost('401'),
  'lost-400': () => lost('400'),
  'own-oauth-lost-401': () => lost('401', { authProvider: ownOAuth, fetch: watched }),

  /** A client with its own OAuth support begins: with a dead session, without a key, with a wrong one. */
  async 'own-oauth-begin'() {
    const sdk = await start({ authProvider: ownOAuth, fetch: watched });
    if (await step('connect', () => connect(sdk))) await close(sdk.client);
  },

  /** The same, and the session dies when the client is connected. */
  async 'own-oauth'() {
    const sdk = await start({ authProvider: ownOAuth, fetch: watched });
    const { client, transport, call } = sdk;
    await step('connect', () => connect(sdk));
    await step('echo', async () => saying(await call('echo', { text: 'hello' })));
    await kill();
    await step('echo', async () => saying(await call('echo', { text: 'hello' })));
    await step('list', async () => ({ tools: (await client.listTools()).tools.length }));
    if (sdk.modern()) await step('listen', async () => { await client.listen({ toolsListChanged: true }); });
    else await step('end', async () => { await transport.terminateSession(); });
    await close(client);
  },

  /** The same, and the first to meet it is the server's stream, which ends and is opened anew. */
  async 'own-oauth-stream'() {
    const answers = []; // to the client's GETs
    const fetch = async (input, init) => {
      const response = await watched(input, init);
      if (init?.method === 'GET' && String(input) === url) answers.push(response.status);
      return response;
    };
    const sdk = await start({ authProvider: ownOAuth, fetch });
    const { client } = sdk;
    await step('connect', () => connect(sdk));
    const listen = () => client.listen({ toolsListChanged: true });
    const subscription = sdk.modern() ? await listen() : undefined;
    await kill();
    await control('POST', '/end-streams');
    if (subscription) {
      await step('ended', async () => ({ by: await subscription.closed }));
      await step('listen', async () => { await listen(); });
    } else {
      // The SDK does it by itself.
      await step('ended', async () => { await until(() => answers.length > 1); });
      await sleep(1000); // what follows from it
    }
    await step('echo', async () => saying(await sdk.call('echo', { text: 'hello' })));
    await close(client);
  },
};

async function lost(as, options) {
  const sdk = await start(options);
  await step('connect', () => connect(sdk));
  await step('drop', () => control('POST', `/drop-session?as=${as}`));
  await step('echo', async () => saying(await sdk.call('echo', { text: 'hello' })));
  // What every client does about it: it begins anew.
  await close(sdk.client);
  const anew = await start(options);
  await step('connect', () => connect(anew));
  await step('echo', async () => saying(await anew.call('echo', { text: 'hello' })));
  await close(anew.client);
}

const scenario = scenarios[name];
if (!scenario) throw new Error(`no such scenario: ${name}`);
await scenario();
