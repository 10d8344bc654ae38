/** Runs a container to its end. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { ContainerCreateOptions } from 'dockerode';
import type { Engine } from '../../reconciler/drivers/docker/engine.ts';

/** @returns what it printed, on both of its streams */
export async function printed({ docker }: Engine, options: ContainerCreateOptions): Promise<string> {
  const container = await docker.createContainer(options);
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const out = new PassThrough();
    let text = '';
    out.on('data', (chunk: Buffer) => (text += chunk.toString()));
    docker.modem.demuxStream(stream, out, out);
    const ended = once(stream, 'end'); // It may end before the answer to its start is here.
    await container.start();
    await ended;
    return text.trim();
  } finally {
    await container.remove({ force: true });
  }
}
