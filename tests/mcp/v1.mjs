// The server of the first generation: @modelcontextprotocol/sdk, stateful, with session ids.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';
import { Sessions } from './sessions.mjs';

const text = (value) => ({ content: [{ type: 'text', text: value }] });

function build() {
  const server = new McpServer(
    { name: 'signbell-test-v1', version: '1.0.0' },
    { capabilities: { logging: {}, tools: { listChanged: true } } },
  );
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text: said }) => text(said));

  // Streams: one progress notification a step, and the result at the end.
  server.registerTool('count', { inputSchema: { to: z.number(), ms: z.number() } }, async ({ to, ms }, extra) => {
    for (let progress = 1; progress <= to && !extra.signal.aborted; progress += 1) {
      const { progressToken } = extra._meta;
      await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: to } });
      await sleep(ms);
    }
    return text(`counted to ${to}`);
  });

  // What the server says on its own account goes out on the GET stream.
  server.registerTool('announce', {}, async () => {
    await server.server.sendToolListChanged();
    await server.sendLoggingMessage({ level: 'info', data: 'announced' });
    return text('announced');
  });

  // A request from the server to the client, in the middle of a call.
  server.registerTool('ask', {}, async (extra) => {
    const answer = await server.server.elicitInput(
      { message: 'What is your name?', requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } },
      { relatedRequestId: extra.requestId },
    );
    return text(`${answer.action}: ${answer.content?.name}`);
  });
  return server;
}

export function serveV1() {
  const sessions = new Sessions(async (options) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, ...options });
    await build().connect(transport);
    return transport;
  });
  return {
    sessions,
    handle: (req, res, body) => sessions.handle(req, res, body),
    drop: () => sessions.drop(),
    endStreams: () => sessions.endStreams(),
  };
}
