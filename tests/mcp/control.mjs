// What a real MCP server does to its clients now and then, on demand. On a port of its own, so that
// nothing here can be mistaken for a part of MCP.

export function control(state) {
  const generations = Object.values(state.generations);
  const routes = {
    // Each request: JSON-RPC method, status, the number of its token, whether the client left.
    'GET /log': () => state.log.map((entry) => entry()),

    // The tokens seen so far are dead from now on; one that comes later is good.
    'POST /kill': () => {
      for (const token of state.tokens.keys()) state.dead.add(token);
      return { dead: state.dead.size };
    },

    // Forgets all MCP sessions. A request of one is answered as the SDK does, 404, or with
    // ?as=401 (row 33) or ?as=400 (row 34) as other servers do.
    'POST /drop-session': (query) => {
      state.lost = query.get('as') ?? '404';
      return { dropped: generations.reduce((sum, generation) => sum + generation.drop(), 0) };
    },

    // Ends the streams that servers push on (GET, subscriptions/listen), as a load balancer does
    // with what has been open for long.
    'POST /end-streams': () => {
      for (const generation of generations) generation.endStreams();
      return {};
    },
  };

  return async (req, res) => {
    const url = new URL(req.url, 'http://control');
    const send = (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    req.resume();
    const route = routes[`${req.method} ${url.pathname}`];
    return route ? send(200, route(url.searchParams)) : send(404, { error: 'not_found' });
  };
}
