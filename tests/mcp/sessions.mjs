// MCP sessions as the SDK's own examples keep them: one transport for each session id. The transports
// of both generations have the same face.

export class Sessions {
  #transports = new Map();
  #open;

  /** `open` makes a transport with these options and connects a server to it. */
  constructor(open) {
    this.#open = open;
  }

  has(id) {
    return this.#transports.has(id);
  }

  async handle(req, res, body) {
    const id = req.headers['mcp-session-id'];
    const transport = this.#transports.get(id) ?? await this.#start(id, body);
    if (transport) return transport.handleRequest(req, res, body);
    // What the SDK's transport itself answers to a session id that is not its own, and to none.
    const [status, code, message] = id === undefined
      ? [400, -32000, 'Bad Request: Mcp-Session-Id header is required']
      : [404, -32001, 'Session not found'];
    res.writeHead(status, { 'content-type': 'application/json' });
    return res.end(JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null }));
  }

  /** Forgets all sessions and ends their streams, as a restart of the server would. */
  drop() {
    const transports = [...this.#transports.values()];
    this.#transports.clear();
    for (const transport of transports) transport.close();
    return transports.length;
  }

  endStreams() {
    for (const transport of this.#transports.values()) transport.closeStandaloneSSEStream();
  }

  async #start(id, body) {
    if (id !== undefined || body?.method !== 'initialize') return undefined;
    const transport = await this.#open({
      onsessioninitialized: (session) => { this.#transports.set(session, transport); },
      onsessionclosed: (session) => { this.#transports.delete(session); },
    });
    return transport;
  }
}
