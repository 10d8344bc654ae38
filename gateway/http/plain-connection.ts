/** A connection on which requests are plain, until one comes that is not: from then on it is `node:http`'s. */
import type { Socket } from 'node:net';
import type { Handle } from './message.ts';
import { readPlain } from './plain-request.ts';
import { PlainResponse } from './plain-response.ts';

export interface PlainOptions {
  readonly handle: Handle;
  /** Lets `node:http` have it. What was read and is not for us can be read again. */
  readonly passOn: (socket: Socket) => void;
  /** The headers that a connection that stays is told with. */
  readonly keepAlive: string;
  /** Whether no request is awaited any more. */
  readonly isClosing: () => boolean;
}

export class PlainConnection {
  readonly #socket: Socket;
  readonly #options: PlainOptions;
  /** What came and is not understood yet. */
  #rest: Buffer | undefined;
  #response: PlainResponse | undefined;
  #isFresh = true;
  /** How often {@link tick} found it as it was. */
  #ticks = 0;

  constructor(socket: Socket, options: PlainOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
    socket.on('drain', this.#onDrain).on('error', ignore);
  }

  get isIdle(): boolean {
    return !this.#response && !this.#rest;
  }

  /**
   * To be called every now and then. Slow-loris: a request that still is not whole is for `node:http`, which gives it no longer than any.
   * @param fresh how many ticks a connection may stay without any request @param idle the same between requests
   */
  tick(fresh: number, idle: number): void {
    if (this.#response) return;
    this.#ticks++;
    if (!this.#rest) {
      if (this.#ticks > (this.#isFresh ? fresh : idle)) this.#socket.destroy();
    } else if (this.#ticks > 1) this.#passOn(this.#rest);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    // Many clients send a head, and then the body. What comes in more pieces is large, or slow.
    const isSecond = this.#rest !== undefined;
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    if (this.#response) this.#wait(bytes);
    else this.#read(bytes, isSecond);
  };

  /** For the answer to the one before, with no more than one piece in memory. */
  #wait(bytes: Buffer): void {
    this.#rest = bytes;
    this.#socket.pause();
  }

  #read(bytes: Buffer, isSecond: boolean): void {
    const found = readPlain(bytes, this.#socket);
    if (found === 'other' || (found === 'partial' && isSecond)) return this.#passOn(bytes);
    this.#ticks = 0;
    if (found === 'partial') {
      this.#rest = bytes;
      return;
    }
    this.#isFresh = false;
    const response = new PlainResponse(this.#socket, this.#options.keepAlive, this.#onSent);
    this.#response = response;
    if (found.end < bytes.length) this.#wait(bytes.subarray(found.end));
    this.#options.handle(found.request, response);
  }

  readonly #onSent = (): void => {
    const stays = this.#response?.shouldKeepAlive;
    this.#response = undefined;
    if (!stays || this.#options.isClosing()) return this.#end();
    if (!this.#rest) return;
    // In a turn of its own: whoever sends thousands at once is one among others.
    setImmediate(() => {
      const next = this.#rest;
      this.#rest = undefined;
      if (!next || this.#socket.destroyed) return;
      this.#socket.resume();
      this.#read(next, false);
    });
  };

  /** What else comes is not read, and a client that does not hang up is not waited for. */
  #end(): void {
    this.#rest = undefined;
    this.#socket.off('data', this.#onData).destroySoon();
  }

  #passOn(bytes: Buffer): void {
    const socket = this.#socket;
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose);
    socket.off('drain', this.#onDrain).off('error', ignore);
    socket.pause();
    socket.unshift(bytes);
    this.#options.passOn(socket);
    process.nextTick(() => socket.resume());
  }

  /** Who says that nothing more will come has gone, as with `node:http`. */
  readonly #onEnd = (): void => void this.#socket.end();

  readonly #onDrain = (): void => void this.#response?.emit('drain');

  readonly #onClose = (): void => this.#response?.gone();
}

/** It is closed then, and whoever has to know hears of that. */
function ignore(): void {}
