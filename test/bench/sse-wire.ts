/** A client of HTTP+SSE (MCP 2024-11-05) for load generators: requests on one connection, answers on the stream of another. */
import { request } from 'node:http';
import { SseParser } from '../../schemas/sse.ts';
import { Wire } from './wire.ts';

export class SseWire implements Disposable {
  readonly #wire: Wire;
  readonly #waiting = new Map<number, (data: string) => void>();
  readonly #stop: () => void;

  private constructor(wire: Wire, stop: () => void) {
    this.#wire = wire;
    this.#stop = stop;
  }

  static async open(url: URL): Promise<SseWire> {
    const endpoint = Promise.withResolvers<URL>();
    let own: SseWire | undefined;
    const parser = new SseParser(
      ({ event, data }) => {
        if (event === 'endpoint') endpoint.resolve(new URL(data, url));
        else own?.answered(data);
      },
      64 * 1024 * 1024,
    );
    const stream = request(url, { headers: { Accept: 'text/event-stream' }, agent: false }, (response) => {
      response.on('data', (chunk: Buffer) => parser.push(chunk)).on('error', () => {});
    });
    stream.on('error', endpoint.reject).end();
    const wire = await Wire.open(await endpoint.promise);
    return (own = new SseWire(wire, () => stream.destroy()));
  }

  answered(data: string): void {
    const { id } = JSON.parse(data) as { id?: number };
    if (id === undefined) return;
    this.#waiting.get(id)?.(data);
    this.#waiting.delete(id);
  }

  async post(id: number, body: string): Promise<string> {
    const answer = new Promise<string>((resolve) => this.#waiting.set(id, resolve));
    await this.#wire.post(body, '');
    return answer;
  }

  /** @param body of a notification */
  async tell(body: string): Promise<void> {
    await this.#wire.post(body, '');
  }

  [Symbol.dispose](): void {
    this.#stop();
    this.#wire[Symbol.dispose]();
  }
}
