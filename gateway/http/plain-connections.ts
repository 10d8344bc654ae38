/** The connections of one listener that are read here, from the first byte to the one that is for `node:http`. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Handle } from './message.ts';
import { PlainConnection, type PlainOptions } from './plain-connection.ts';

/** Between looks at what connections do (ms). */
const TICK = 5000;

export interface PlainTimes {
  /** How long a connection may stay without any request, and between requests (ms). No less, and at most a tick more. */
  readonly fresh: number;
  readonly idle: number;
}

export class PlainConnections implements Disposable {
  readonly #all = new Map<Socket, PlainConnection>();
  readonly #ticking: NodeJS.Timeout;
  #isClosing = false;

  /**
   * @param server whose connections these are, with nothing listening to them but itself
   * @param handle what requests are for that are read here; others stay the server's
   */
  constructor(server: Server, handle: Handle, { fresh, idle }: PlainTimes) {
    // That a server can be given connections, and does the same with them, is part of what node:http promises.
    const own = server.listeners('connection') as ((socket: Socket) => void)[];
    server.removeAllListeners('connection');
    const options: PlainOptions = {
      handle,
      passOn: (socket) => {
        this.#all.delete(socket);
        for (const listener of own) listener.call(server, socket);
      },
      keepAlive: `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(idle / 1000)}\r\n`,
      isClosing: () => this.#isClosing,
    };
    server.on('connection', (socket) => {
      this.#all.set(socket, new PlainConnection(socket, options));
      socket.once('close', () => this.#all.delete(socket));
    });
    const ticks = (ms: number): number => Math.ceil(ms / TICK);
    this.#ticking = setInterval(() => {
      for (const connection of this.#all.values()) connection.tick(ticks(fresh), ticks(idle));
    }, TICK).unref();
    server.once('close', () => this[Symbol.dispose]());
  }

  /** Ends those on which nothing is asked; others when they are answered. */
  close(): void {
    this.#isClosing = true;
    for (const connection of this.#all.values()) if (connection.isIdle) connection.destroy();
  }

  /** Ends whatever is open. */
  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
    for (const connection of this.#all.values()) connection.destroy();
  }
}
