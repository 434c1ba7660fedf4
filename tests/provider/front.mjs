// Hosts out in the world, as far as a test needs them: one TLS server for all of their names, and a
// corporate proxy that leads every name there.
//
//   node front.mjs KEY.pem CERT.pem READY.json '{"api.example": "127.0.0.1:4000"}'
//
// Behind the TLS the bytes go as they are to the plain server that the name (SNI) stands for; without a name
// to that of "". READY.json gets the two addresses.
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import tls from 'node:tls';

const [key, cert, ready, names] = process.argv.slice(2);
const targets = JSON.parse(names);

const join = (a, b) => {
  a.pipe(b).pipe(a);
  a.on('error', () => b.destroy());
  b.on('error', () => a.destroy());
};

const front = tls.createServer(
  { key: fs.readFileSync(key), cert: fs.readFileSync(cert), ALPNProtocols: ['http/1.1'] },
  (socket) => {
    const target = targets[socket.servername || ''];
    if (!target) return socket.destroy();
    const [host, port] = target.split(':');
    return join(socket, net.connect({ port, host }));
  },
);
front.on('tlsClientError', () => {});

const proxy = http.createServer((_, response) => response.writeHead(405).end());
proxy.on('connect', (request, tool, head) => {
  const tunnel = net.connect(front.address().port, '127.0.0.1', () => {
    tool.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    tunnel.write(head);
    join(tunnel, tool);
  });
  tunnel.on('error', () => tool.destroy());
});

front.listen(0, '127.0.0.1', () =>
  proxy.listen(0, '127.0.0.1', () => {
    const address = (server) => `127.0.0.1:${server.address().port}`;
    fs.writeFileSync(`${ready}.new`, JSON.stringify({ front: address(front), proxy: `http://${address(proxy)}` }));
    fs.renameSync(`${ready}.new`, ready);
  }),
);
