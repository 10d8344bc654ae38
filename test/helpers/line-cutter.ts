/** A socket in front of an engine's, whose connections can be cut: the engine goes away and comes back, unharmed. */
import { connect, createServer, type Socket } from 'node:net';
import { tempDir } from './temp.ts';

export interface LineCutter extends AsyncDisposable {
  /** For an Engine's `host`. */
  readonly host: string;
  /** Cuts all connections, and refuses new ones until {@link LineCutter.mend}. */
  cut(): void;
  /** Nothing passes any more, and nobody is told. */
  freeze(): void;
  mend(): void;
}

export async function lineCutter(enginePath: string): Promise<LineCutter> {
  const dir = tempDir();
  const path = dir.at('engine.sock');
  const sockets = new Set<Socket>();
  let away = false;
  let frozen = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (away) return void socket.destroy();
    if (frozen) return void sockets.add(socket.on('error', () => {}));
    const engine = connect({ path: enginePath, allowHalfOpen: true });
    for (const [one, other] of [
      [socket, engine],
      [engine, socket],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => {}).on('close', () => (sockets.delete(one), other.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const cut = (): void => {
    away = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    host: `unix://${path}`,
    cut,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    /** What was frozen is cut: it would not come back to life in the middle of a message. */
    mend() {
      if (frozen) for (const socket of sockets) socket.destroy();
      frozen = away = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
      dir[Symbol.dispose]();
    },
  };
}
