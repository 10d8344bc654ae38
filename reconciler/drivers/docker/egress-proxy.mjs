/**
 * The one way out for a server that may connect to a few places only. Runs in a container of its own, on the server's network
 * and on one that leads out; the server's container resolves the allowed names to it, and no others.
 *
 * It listens on each allowed port and asks a connection for whom it is: TLS says so in its server name (RFC 6066 §3), HTTP in
 * Host; what says nothing goes to the only host of its port, if there is one. It resolves that name itself and connects to
 * the address it found. Programs that honour HTTPS_PROXY may also ask it as a proxy, which covers addresses without a name.
 *
 * Plain Node ≥ 18, no dependencies: it is handed to whatever Node image there is. SLIPWAY_EGRESS holds
 * `{"allow": ["host:port", …], "proxyPort": 3128}`.
 */
import { lookup } from 'node:dns';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { BlockList, connect, createServer, isIP } from 'node:net';
import { pipeline } from 'node:stream';

const HELLO_MS = 10_000;
/** A program that waits for the other side to speak first has been silent for this long. */
const SILENCE_MS = 300;
const CONNECT_MS = 10_000;
const MAX_HELLO = 65_536;
const MAX_CONNECTIONS = 512;
const REFUSAL = 'This server may not connect there.\n';

const { allow, proxyPort } = JSON.parse(process.env.SLIPWAY_EGRESS ?? '{}');

/** port → hosts @type {Map<number, string[]>} */
const allowed = new Map();
for (const entry of allow) {
  const { host, port } = split(entry);
  allowed.set(port, [...(allowed.get(port) ?? []), host]);
}

/**
 * Addresses that a name must not lead to, whoever answers for the name: this machine, and where clouds hand out credentials.
 * Written down literally they are left to the firewall.
 */
const forbidden = new BlockList();
forbidden.addSubnet('0.0.0.0', 8);
forbidden.addSubnet('127.0.0.0', 8);
forbidden.addSubnet('169.254.0.0', 16);
forbidden.addAddress('100.100.100.200');
forbidden.addSubnet('224.0.0.0', 3);
forbidden.addSubnet('::', 127, 'ipv6');
forbidden.addSubnet('fe80::', 10, 'ipv6');
forbidden.addAddress('fd00:ec2::254', 'ipv6');
forbidden.addSubnet('ff00::', 8, 'ipv6');

const listeners = [listen(proxy(), proxyPort)];
for (const [port, hosts] of allowed) {
  const names = hosts.filter((host) => !isIP(host));
  const server = createServer({ allowHalfOpen: true }, (client) => decide(client, port, names));
  if (names.length > 0) listeners.push(listen(server, port));
}
await Promise.all(listeners);
say('ready');

function listen(server, port) {
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', (error) => {
    say(`port ${port}: ${error.message}`);
    process.exit(1); // Started again from outside, with a pause.
  });
  return new Promise((done) => server.listen(port, '0.0.0.0', done));
}

/**
 * Reads until it is clear for whom the connection is; nothing is sent on before. Where only one host is possible a silent
 * client hears that host meanwhile, but what it says at last is looked at all the same.
 */
function decide(client, port, hosts, head = Buffer.alloc(0)) {
  let seen = head;
  let upstream;
  let slow;
  const hurry = () => (slow ??= setTimeout(() => give(`something slow on port ${port}`), HELLO_MS));
  const silent = setTimeout(() => {
    if (hosts.length === 1) upstream = open(client, hosts[0], port);
    else hurry();
  }, SILENCE_MS);
  const settle = () => {
    clearTimeout(slow);
    clearTimeout(silent);
    client.off('data', read).off('end', ended).pause();
  };
  const give = (what, http) => {
    settle();
    upstream?.destroy();
    refuse(client, what, http && !upstream);
  };
  const ended = () => {
    settle();
    if (upstream) upstream.end();
    else client.destroy();
  };
  const read = (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    clearTimeout(silent);
    hurry();
    const says = seen.length > MAX_HELLO ? { host: '(too much)' } : whom(seen);
    if (!says) return;
    const host = choose(says.host, hosts);
    if (host === undefined) return give(`${says.host ?? 'no name'}:${port}`, says.http);
    settle();
    upstream ??= open(client, host, port);
    client.unshift(seen);
    pipeline(client, upstream, () => {});
  };
  client.on('close', () => (settle(), upstream?.destroy()));
  client.on('error', () => client.destroy());
  client.on('data', read).on('end', ended);
  if (seen.length > 0) read(Buffer.alloc(0));
}

/** Connects to the host; what it says goes to the client. */
function open(client, host, port) {
  const upstream = dial(host, port);
  upstream.on('error', (error) => {
    say(`${host}:${port}: ${error.message}`);
    client.destroy();
  });
  pipeline(upstream, client, () => {});
  return upstream;
}

/** @returns the host that is meant; undefined when it is not allowed, or not clear which */
function choose(name, hosts) {
  if (name === undefined) return hosts.length === 1 ? hosts[0] : undefined;
  // Whoever is at a literal address may have any name.
  if (hosts.length === 1 && isIP(hosts[0])) return hosts[0];
  return hosts.find((host) => host === name.toLowerCase().replace(/\.$/, ''));
}

function dial(host, port) {
  const socket = connect({ host, port, lookup: resolve, autoSelectFamily: true, allowHalfOpen: true });
  socket.setKeepAlive(true, 60_000);
  const slow = setTimeout(() => socket.destroy(new Error('no answer')), CONNECT_MS);
  return socket.once('connect', () => clearTimeout(slow)).once('close', () => clearTimeout(slow));
}

/** As `dns.lookup`, without addresses that no name may lead to. The connection is made to what was looked at. */
function resolve(name, options, done) {
  lookup(name, { ...options, all: true }, (error, found) => {
    if (error) return done(error);
    const usable = found.filter(({ address, family }) => !forbidden.check(address, family === 6 ? 'ipv6' : 'ipv4'));
    if (usable.length === 0) return done(new Error('it resolves to a local address'));
    return options.all ? done(null, usable) : done(null, usable[0].address, usable[0].family);
  });
}

function refuse(client, what, http) {
  say(`refused ${what}`);
  if (!http) return client.destroy();
  client.end(`HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: ${REFUSAL.length}\r\n\r\n${REFUSAL}`);
  return client.resume();
}

/** @returns nothing while more must be read; the name that the first bytes give, if they give one */
function whom(bytes) {
  if (bytes[0] === 0x16) return serverName(bytes);
  const start = bytes.subarray(0, 24).toString('latin1');
  if (!/^[A-Z]{1,20}( |$)/.test(start)) return {};
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const hosts = [...text.slice(0, end).matchAll(/^host:[ \t]*(.*?)[ \t]*\r?$/gim)].map(([, value]) => value);
  if (hosts.length !== 1) return { host: hosts.length > 1 ? '(several hosts)' : undefined, http: true };
  return { host: hosts[0].replace(/:\d+$/, ''), http: true };
}

/** The server name of a ClientHello (RFC 8446 §4.1.2), which may be spread over records and packets. */
function serverName(bytes) {
  let hello = Buffer.alloc(0);
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== 0x16) return { host: '(broken TLS)' };
    if (bytes.length < at + 5) return undefined;
    const length = bytes.readUInt16BE(at + 3);
    hello = Buffer.concat([hello, bytes.subarray(at + 5, at + 5 + length)]);
    at += 5 + length;
    if (hello.length >= 4 && hello.length >= 4 + hello.readUIntBE(1, 3)) return parseHello(hello);
  }
  return undefined;
}

function parseHello(hello) {
  try {
    if (hello[0] !== 1) return { host: '(broken TLS)' };
    let at = 4 + 2 + 32;
    at += 1 + hello.readUInt8(at); // session id
    at += 2 + hello.readUInt16BE(at); // cipher suites
    at += 1 + hello.readUInt8(at); // compression methods
    const end = at + 2 + hello.readUInt16BE(at);
    for (at += 2; at < end; at += 4 + hello.readUInt16BE(at + 2))
      if (hello.readUInt16BE(at) === 0)
        return { host: hello.toString('latin1', at + 9, at + 9 + hello.readUInt16BE(at + 7)) };
    return {};
  } catch {
    return { host: '(broken TLS)' };
  }
}

/** For programs that are told of a proxy: CONNECT, and requests with a whole URL. */
function proxy() {
  const isAllowed = (host, port) => allowed.get(port)?.includes(host) === true;
  const server = createHttpServer((request, response) => {
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
    const { host, port } = split(url?.protocol === 'http:' ? `${url.hostname}:${url.port || 80}` : '');
    if (!isAllowed(host, port)) {
      say(`refused ${host}:${port}`);
      return response.writeHead(403).end(REFUSAL);
    }
    const { 'proxy-connection': _, 'proxy-authorization': __, ...headers } = request.headers;
    const path = url.pathname + url.search;
    const own = { ...headers, host: url.host };
    const onward = httpRequest({ host, port, method: request.method, path, lookup: resolve, headers: own });
    onward.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      pipeline(answer, response, () => {});
    });
    response.on('close', () => onward.destroy());
    return pipeline(request, onward, () => {});
  });
  server.on('connect', (request, client, head) => {
    client.on('error', () => client.destroy());
    const { host, port } = split(request.url);
    if (!isAllowed(host, port)) return refuse(client, `${host}:${port}`, true);
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    return decide(client, port, [host], head);
  });
  return server;
}

/** `host:port`, `[address]:port` */
function split(authority) {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(authority) ?? [];
  return { host: host.toLowerCase().replace(/^\[|\]$/g, ''), port: Number(port) };
}

function say(text) {
  process.stderr.write(`${text.replace(/[^\x20-\x7e]/g, '?').slice(0, 300)}\n`);
}
