// An HTTPS upstream that speaks HTTP/2 and HTTP/1.1, and a corporate proxy in front of it.
//
//   node upstream.mjs KEY.pem CERT.pem READY.json
//
// The proxy opens a tunnel to the upstream whatever host it is asked for, so a name that no DNS knows
// works through it and nowhere else. READY.json gets the two addresses.
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';

const [key, cert, ready] = process.argv.slice(2);
const tunnels = [];

const upstream = http2.createSecureServer(
  { key: fs.readFileSync(key), cert: fs.readFileSync(cert), allowHTTP1: true },
  (request, response) => {
    const [scheme] = (request.headers.authorization ?? '').split(' ');
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ version: request.httpVersion, scheme, tunnels }));
  },
);

const proxy = http.createServer((_, response) => response.writeHead(405).end());
proxy.on('connect', (request, tool, head) => {
  tunnels.push(request.url);
  const tunnel = net.connect(upstream.address().port, '127.0.0.1', () => {
    tool.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    tunnel.write(head);
    tunnel.pipe(tool).pipe(tunnel);
  });
  tunnel.on('error', () => tool.destroy());
  tool.on('error', () => tunnel.destroy());
});

upstream.listen(0, '127.0.0.1', () =>
  proxy.listen(0, '127.0.0.1', () => {
    const address = (server) => `127.0.0.1:${server.address().port}`;
    const text = JSON.stringify({ upstream: `https://${address(upstream)}`, proxy: `http://${address(proxy)}` });
    fs.writeFileSync(`${ready}.new`, text);
    fs.renameSync(`${ready}.new`, ready);
  }),
);
