/** Serves bare repositories over HTTP as a git host does: `git http-backend` run as a CGI program. */
import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What is wrong with the host: it takes no connection, answers every request with an error, wants other credentials, never
 * answers, or breaks off in the middle of a pack.
 */
export type Fault = 'down' | 'error' | 'unauthorized' | 'silent' | 'truncated';

export interface GitHttp extends AsyncDisposable {
  fault: Fault | undefined;
  /** Requests so far. */
  readonly requests: number;
  /** Of a repository below the root. */
  url(repository: string, credentials?: string): string;
}

export interface GitHttpOptions {
  readonly root: string;
  /** `user:password`; absent where everybody may read and write. */
  readonly credentials?: string;
}

export async function gitHttp({ root, credentials }: GitHttpOptions): Promise<GitHttp> {
  const wanted = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
  let fault: Fault | undefined;
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    if (fault === 'down') return void request.socket.destroy();
    if (fault === 'silent') return;
    if (fault === 'error') return void response.writeHead(500).end('the database is on fire');
    if (fault === 'unauthorized')
      return void response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    if (wanted !== undefined && request.headers.authorization !== wanted)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end();
    else void backend(root, request, response, fault === 'truncated');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    get fault() {
      return fault;
    },
    set fault(next) {
      fault = next;
    },
    get requests() {
      return requests;
    },
    url: (repository, user) => `http://${user === undefined ? '' : `${user}@`}127.0.0.1:${port}/${repository}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function backend(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  breaksOff: boolean,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...process.env,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'somebody', // Allows pushing.
      REMOTE_ADDR: '127.0.0.1',
      REQUEST_METHOD: request.method,
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
    },
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  const output = await buffer(child.stdout);
  const end = output.indexOf('\r\n\r\n');
  const headers = output.toString('latin1', 0, end).split('\r\n');
  for (const line of headers) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).trim();
    if (/^status$/i.test(line.slice(0, colon))) response.statusCode = Number.parseInt(value, 10);
    else if (colon > 0) response.setHeader(line.slice(0, colon), value);
  }
  const body = output.subarray(end + 4);
  const pack = body.indexOf('PACK');
  if (!breaksOff || pack < 0) return void response.end(body);
  response.write(body.subarray(0, Math.floor((pack + body.length) / 2)), () => request.socket.destroy());
}
