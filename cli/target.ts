/** Finds a running Slipway and speaks to it: over its control socket, or over HTTP with a token. */
import { existsSync, readdirSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { SlipwayError, ERRORS, type ErrorCode } from '../schemas/errors.ts';
import { request as httpRequest } from '../schemas/node-http.ts';
import { stateHome, statePaths } from '../reconciler/index.ts';
import { text, type Options } from './command.ts';
import type { Io } from './io.ts';
import { keptToken } from './login/session.ts';
import { placeOf, stateDirOf } from './place.ts';

export interface Target {
  readonly description: string;
  /** @returns the JSON of the answer @throws SlipwayError with the code of the answer */
  json<T>(method: string, path: string, options?: { body?: unknown }): Promise<T>;
  /** The answer line by line, as it comes. */
  lines(path: string): AsyncIterable<string>;
  /** For MCP clients: what `fetch` would do, but to this target. */
  readonly fetch: typeof fetch;
}

interface Address {
  readonly description: string;
  readonly base: URL;
  readonly socketPath?: string;
  /** Asked before each request: a log-in brings new ones. */
  readonly token?: () => Promise<string | undefined>;
}

/** `own`: only the Slipway of this repo will do. `any`: the only one that runs will do as well. */
export type Scope = 'own' | 'any';

/** @throws SlipwayError not-running when there is none, or more than one and none was named */
export async function findTarget(options: Options, io: Io, scope: Scope = 'any'): Promise<Target> {
  const server = text(options, 'server');
  const address = server === undefined ? await findSocket(options, io, scope) : remoteAddress(server, options, io);
  return {
    description: address.description,
    async json(method, path, { body } = {}) {
      const began = performance.now();
      const response = await send(address, method, `/api/v1${path}`, body, io.signal);
      const ms = Math.round(performance.now() - began);
      io.log('debug', `${method} ${path} at ${address.description}: ${response.statusCode} after ${ms} ms`);
      return readJson(response);
    },
    async *lines(path) {
      const response = await send(address, 'GET', `/api/v1${path}`, undefined, io.signal);
      if (response.statusCode !== 200) await readJson(response);
      yield* linesOf(response, address, io.signal);
    },
    fetch: (input, init) => fetchOver(address, input, init),
  };
}

/** Named directory, then the one of the config repo we stand in, then the only one that runs. */
async function findSocket(options: Options, io: Io, scope: Scope): Promise<Address> {
  const named = text(options, 'stateDir') || io.env['SLIPWAY_STATE_DIR'] || undefined;
  const dirs =
    named === undefined
      ? [stateDirOf(options, placeOf(text(options, 'repo') ?? '.', io.cwd), io)]
      : [resolve(io.cwd, named)];
  const found = await firstAlive(dirs);
  if (found) return found;
  if (named !== undefined) throw new SlipwayError('not-running', `No Slipway runs with the state directory ${named}.`);
  if (scope === 'own') throw new SlipwayError('not-running');
  const home = stateHome(io.env);
  const others = existsSync(home)
    ? readdirSync(home).flatMap((name) => [join(home, name), join(home, name, 'state')])
    : [];
  const alive = (await Promise.all(others.map((dir) => firstAlive([dir])))).filter((address) => address !== undefined);
  if (alive.length > 1) {
    const list = alive.map((address) => address.description).join(', ');
    throw new SlipwayError('not-running', `Several Slipways run: ${list}.`, { hint: 'Name one with --state-dir.' });
  }
  if (!alive[0]) throw new SlipwayError('not-running');
  io.err(`(speaking to the only Slipway that runs: ${alive[0].description})`);
  return alive[0];
}

/** The token that was named, else the one that `slipway login` keeps for that gateway. */
function remoteAddress(server: string, options: Options, io: Io): Address {
  const base = urlOf(server);
  const named = text(options, 'token') ?? io.env['SLIPWAY_TOKEN'];
  return { description: server, base, token: named === undefined ? keptToken(base, io) : async () => named };
}

function urlOf(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new SlipwayError('usage', `--server ${server} is no URL.`, { hint: 'For example http://127.0.0.1:9877.' });
}

async function firstAlive(dirs: readonly string[]): Promise<Address | undefined> {
  for (const dir of dirs) {
    const socketPath = statePaths(dir).control;
    if (!existsSync(socketPath)) continue;
    const address = { description: dir, base: new URL('http://localhost'), socketPath };
    const alive = await send(address, 'GET', '/healthz', undefined, AbortSignal.timeout(2000)).then(
      (response) => response.resume(),
      () => undefined,
    );
    if (alive) return address;
  }
  return undefined;
}

async function send(
  address: Address,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  // The gateway may live below a path, behind a proxy.
  const url = new URL(address.base.href.replace(/\/+$/, '') + path);
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const token = await address.token?.();
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method,
    signal,
    ...(address.socketPath === undefined ? {} : { socketPath: address.socketPath }),
    headers: {
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
  });
  return new Promise((fulfil, reject) => {
    request.once('response', fulfil);
    request.once('error', (error: NodeJS.ErrnoException) => {
      const why = signal.aborted
        ? new SlipwayError('cancelled')
        : new SlipwayError('not-running', `${address.description} does not answer: ${error.code ?? error.message}.`, {
            cause: error,
          });
      reject(why);
    });
    request.end(payload);
  });
}

/** @throws SlipwayError cancelled, or not-running where the connection breaks before its end */
async function* linesOf(
  response: IncomingMessage,
  { description }: Address,
  signal: AbortSignal,
): AsyncGenerator<string> {
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch (error) {
    if (signal.aborted) throw new SlipwayError('cancelled');
    throw new SlipwayError('not-running', `${description} went away.`, { cause: error });
  }
  if (rest !== '') yield rest;
}

async function readJson<T>(response: IncomingMessage): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks).toString('utf8');
  const body = (content.startsWith('{') || content.startsWith('[') ? JSON.parse(content) : {}) as T & Partial<Refusal>;
  if ((response.statusCode ?? 500) < 300) return body;
  const code = body.error_code !== undefined && body.error_code in ERRORS ? body.error_code : 'internal';
  throw new Refused(new SlipwayError(code, body.error, body.hint === undefined ? {} : { hint: body.hint }), body);
}

interface Refusal {
  readonly error: string;
  readonly error_code: ErrorCode;
  readonly hint: string;
}

/** An answer that says no, with all that it said. */
export class Refused extends SlipwayError {
  readonly body: Readonly<Record<string, unknown>>;

  constructor(error: SlipwayError, body: object) {
    super(error.code, error.message, { hint: error.hint });
    this.body = body as Readonly<Record<string, unknown>>;
  }
}

async function fetchOver(address: Address, input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input);
  const headers = Object.fromEntries(new Headers(init.headers));
  const response = await send(
    address,
    init.method ?? 'GET',
    url.pathname + url.search,
    init.body ?? undefined,
    init.signal ?? new AbortController().signal,
    headers,
  );
  const status = response.statusCode ?? 500;
  const kept = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const empty = status === 204 || status === 202 || status === 304;
  if (empty) response.resume();
  return new Response(empty ? null : (Readable.toWeb(response) as ReadableStream), { status, headers: kept });
}
