// An MCP server that does its own authorization, as the official SDK has it: the SDK's bearer
// middleware and its metadata router, on the SDK's Streamable HTTP transport.
//
//     node authorized.mjs ISSUER
//
// ISSUER is an authorization server whose JWT access tokens it takes, if they are for its own address.
// Prints one JSON line when ready (`url`), and ends when its standard input closes or on SIGTERM.
import { createServer } from 'node:http';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import express from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { serveV1 } from './v1.mjs';

const [issuer] = process.argv.slice(2);
const oauthMetadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(oauthMetadata.jwks_uri));

const app = express();
const server = createServer({ keepAliveTimeout: 120_000 }, app);
await new Promise((resolve, reject) => {
  server.once('error', reject).listen(0, '127.0.0.1', resolve);
});
const url = new URL(`http://127.0.0.1:${server.address().port}/mcp`);

const verifier = {
  async verifyAccessToken(token) {
    try {
      const { payload } = await jwtVerify(token, keys, { issuer: oauthMetadata.issuer, audience: url.href, typ: 'at+jwt' });
      const { client_id: clientId, scope = '', exp: expiresAt } = payload;
      return { token, clientId, scopes: scope.split(' '), expiresAt, resource: new URL(payload.aud) };
    } catch (error) {
      throw new InvalidTokenError(error.message);
    }
  },
};

app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: url, scopesSupported: ['notes:read'] }));
const { handle } = serveV1();
app.all(
  '/mcp',
  requireBearerAuth({
    verifier,
    requiredScopes: ['notes:read'],
    resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url),
    expectedResource: url,
  }),
  express.json(),
  (req, res) => handle(req, res, req.body),
);

process.stdin.resume().on('close', () => process.exit()).on('end', () => process.exit());
process.on('SIGTERM', () => process.exit());
console.log(JSON.stringify({ url: url.href }));
