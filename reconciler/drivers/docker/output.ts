/** What a container printed while nobody was connected: its log driver has kept it. */
import type { Readable } from 'node:stream';
import { Demux } from './attach.ts';
import type { Engine } from './engine.ts';

/** The engine's clock and ours may differ a little; an answer that comes twice does no harm. */
const SLACK_MS = 100;

/** Standard output since a moment (ms since 1970). Empty where the engine keeps no log. */
export async function* outputSince(engine: Engine, container: string, since: number): AsyncGenerator<Buffer> {
  const options = {
    stdout: true,
    stderr: false,
    follow: true as const,
    since: (since - SLACK_MS) / 1000,
    until: Date.now() / 1000,
  };
  const chunks: Buffer[] = [];
  const demux = new Demux({ stdout: (chunk) => chunks.push(chunk), stderr: () => {} });
  try {
    const stream = (await engine.docker.getContainer(container).logs(options)) as unknown as Readable;
    for await (const chunk of stream) {
      demux.push(chunk as Buffer);
      yield* chunks.splice(0);
    }
  } catch {
    // Without a log, what was said meanwhile is lost; calls that wait for it run into their timeout.
  }
}
