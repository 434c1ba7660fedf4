// The server of the second generation: @modelcontextprotocol/server. One address for both eras, as its
// guide for existing deployments has it: the 2026-07-28 revision (no sessions, a server for each
// request, subscriptions/listen), and the revisions before it with session ids.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node';
import { McpServer, acceptedContent, createMcpHandler, inputRequired, isLegacyRequest } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Sessions } from './sessions.mjs';

const text = (value) => ({ content: [{ type: 'text', text: value }] });
const person = z.object({ name: z.string() });

/** `announce` tells the clients that the list of tools has changed. */
function build(announce) {
  const server = new McpServer(
    { name: 'signbell-test-v2', version: '1.0.0' },
    { capabilities: { logging: {}, tools: { listChanged: true } } },
  );
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text: said }) => text(said));

  // Streams: one progress notification a step, and the result at the end.
  server.registerTool('count', { inputSchema: z.object({ to: z.number(), ms: z.number() }) }, async ({ to, ms }, { mcpReq }) => {
    for (let progress = 1; progress <= to && !mcpReq.signal.aborted; progress += 1) {
      const { progressToken } = mcpReq._meta;
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } });
      await sleep(ms);
    }
    return text(`counted to ${to}`);
  });

  server.registerTool('announce', {}, async () => {
    await announce(server);
    return text('announced');
  });

  // Asks the client for input: in the new revision by a result that makes the client call again, in
  // the older ones by a request from the server in the middle of the call.
  server.registerTool('ask', {}, ({ mcpReq }) => {
    const answer = acceptedContent(mcpReq.inputResponses, 'person', person);
    if (answer) return text(`accept: ${answer.name}`);
    const request = inputRequired.elicit({ message: 'What is your name?', requestedSchema: person });
    return inputRequired({ inputRequests: { person: request } });
  });
  return server;
}

export function serveV2() {
  const sessions = new Sessions(async (options) => {
    const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, ...options });
    await build(async (server) => {
      server.sendToolListChanged();
      await server.sendLoggingMessage({ level: 'info', data: 'announced' });
    }).connect(transport);
    return transport;
  });
  const start = () => createMcpHandler(() => build(async () => modern.notify.toolsChanged()), { legacy: 'reject' });
  let modern = start();
  let handleModern = toNodeHandler(modern);
  return {
    sessions,
    async handle(req, res, body) {
      // GET and DELETE are of sessions, which the new revision has none of.
      const legacy = req.method !== 'POST' || await isLegacyRequest(await toWebRequest(req, body));
      return legacy ? sessions.handle(req, res, body) : handleModern(req, res, body);
    },
    drop: () => sessions.drop(),
    endStreams() {
      sessions.endStreams();
      modern.close();
      modern = start();
      handleModern = toNodeHandler(modern);
    },
  };
}
