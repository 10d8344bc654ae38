/** What a container printed while nobody was connected: its log driver has kept it. */
import { Demux } from './attach.ts';
import type { Engine } from './engine.ts';

/** The engine's clock and ours may differ a little; what comes twice is found and dropped. */
const SLACK_MS = 2000;

/** Standard output since a moment (ms since 1970), and what came a little before. Empty where the engine keeps no log. */
export async function outputSince(engine: Engine, container: string, since: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const demux = new Demux({ stdout: (chunk) => chunks.push(chunk), stderr: () => {} });
  try {
    const options = { follow: false as const, stdout: true, stderr: false, since: (since - SLACK_MS) / 1000 };
    demux.push(await engine.docker.getContainer(container).logs(options));
  } catch {
    // Without a log, what was said meanwhile is lost; calls that wait for it run into their timeout.
  }
  return Buffer.concat(chunks);
}
