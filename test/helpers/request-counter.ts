/** A socket in front of an engine's that notes what is asked for. */
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { tempDir } from './temp.ts';

export interface RequestCounter extends AsyncDisposable {
  /** For an Engine's `host`. */
  readonly host: string;
  /** `METHOD /path?query`, in the order in which they came. */
  readonly requests: string[];
}

export async function requestCounter(enginePath: string): Promise<RequestCounter> {
  const dir = tempDir();
  const path = dir.at('engine.sock');
  const requests: string[] = [];
  const server = createServer((from, to) => {
    requests.push(`${from.method} ${from.url}`);
    const { method, url, headers } = from;
    const onward = request({ socketPath: enginePath, method, path: url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 500, answer.headers);
      to.flushHeaders();
      answer.pipe(to);
    });
    onward.on('error', () => to.destroy());
    to.on('close', () => onward.destroy());
    from.pipe(onward);
  });
  server.on('upgrade', (from, socket, head) => {
    requests.push(`${from.method} ${from.url}`);
    const engine = connect(enginePath);
    const lines = from.rawHeaders.flatMap((name, index, all) =>
      index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : [],
    );
    engine.write(`${from.method} ${from.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    engine.write(head);
    engine.on('error', () => {}).on('close', () => socket.destroy());
    socket.on('error', () => {}).on('close', () => engine.destroy());
    engine.pipe(socket).pipe(engine);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    host: `unix://${path}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      dir[Symbol.dispose]();
    },
  };
}
