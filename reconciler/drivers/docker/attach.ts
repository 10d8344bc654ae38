/**
 * A container's stdio over the engine's attach API
 * (https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach).
 * Asked for without dockerode: it posts its options as a body, which Podman hands on to the program's stdin.
 */
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { request as httpRequest } from '../../../schemas/node-http.ts';
import { ANSWER_MS, tookTooLong } from './answers.ts';
import type { Engine } from './engine.ts';

/** Where a container's output goes. Both must take what they get: a connection that is not read freezes the container. */
export interface Sink {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
}

const VERSION = 'v1.40';

/**
 * @param id of a container @param options.paused its output waits until the socket is resumed
 * @returns what is written to it goes to the program's stdin; its `close` event tells that the connection ended, for
 * whatever reason @throws the engine's refusal, with `statusCode`
 */
export async function attach(
  engine: Engine,
  id: string,
  sink: Sink,
  options: { readonly paused?: boolean } = {},
): Promise<Duplex> {
  const socket = await upgrade(engine, `/${VERSION}/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`);
  const demux = new Demux(sink);
  if (options.paused) socket.pause();
  socket.on('data', (chunk: Buffer) => demux.push(chunk));
  socket.on('error', () => {}); // Followed by close, which is what counts.
  return socket;
}

function upgrade(engine: Engine, path: string): Promise<Duplex> {
  const { request: target } = engine;
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = { Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Length': 0 };
  return new Promise((resolve, reject) => {
    const request = send({ ...target, method: 'POST', path, headers });
    request.once('upgrade', (_answer, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    request.once('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk));
      answer.once('close', () => reject(Object.assign(new Error(text.trim()), { statusCode: answer.statusCode })));
    });
    request.setTimeout(ANSWER_MS, () => request.destroy(tookTooLong()));
    request.once('upgrade', (_answer, socket) => socket.setTimeout?.(0));
    request.once('error', reject);
    request.end();
  });
}

/**
 * Whether the engine takes new connections. One that is being stopped does not, while it still answers on those that it has,
 * and ends its containers.
 */
export function isAccepting({ request: target, address }: Engine): Promise<boolean> {
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const agent = address.host.startsWith('ssh:') ? target.agent : false;
  return new Promise((resolve) => {
    const request = send({ ...target, agent, path: '/_ping', headers: { Host: 'docker' } });
    request.once('response', (answer) => resolve(answer.resume().statusCode === 200));
    request.once('error', () => resolve(false));
    request.setTimeout(ANSWER_MS, () => request.destroy());
    request.end();
  });
}

const HEADER = 8;
const STDERR = 2;

/** Takes apart the engine's framing: one byte says which stream, four how long, then the bytes themselves. */
export class Demux {
  readonly #sink: Sink;
  #head: Buffer = Buffer.alloc(0);
  #left = 0;
  #stderr = false;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        const wanted = HEADER - this.#head.length;
        this.#head =
          this.#head.length === 0 && rest.length >= HEADER
            ? rest.subarray(0, HEADER)
            : Buffer.concat([this.#head, rest.subarray(0, wanted)]);
        rest = rest.subarray(wanted);
        if (this.#head.length < HEADER) return;
        this.#stderr = this.#head[0] === STDERR;
        this.#left = this.#head.readUInt32BE(4);
        this.#head = Buffer.alloc(0);
        continue;
      }
      const part = rest.subarray(0, this.#left);
      rest = rest.subarray(part.length);
      this.#left -= part.length;
      if (this.#stderr) this.#sink.stderr(part);
      else this.#sink.stdout(part);
    }
  }
}
