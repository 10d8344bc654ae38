/** Questions to a running container: what it uses, and what a program in it answers. */
import type { Readable } from 'node:stream';
import type { Container } from 'dockerode';
import { SlipwayError } from '../../../schemas/errors.ts';
import { limiter, untilAborted } from '../../async.ts';
import type { ExecResult, InstanceStats } from '../driver.ts';
import { ifThere } from './answers.ts';
import { Demux } from './attach.ts';
import type { Engine } from './engine.ts';

const MAX_OUTPUT = 8192;

/** Questions to engines at a time. */
const QUESTIONS = 8;

/** What those that run use. One whose engine is away is left out. */
export async function statsOfAll(containers: readonly (readonly [id: string, Container])[]): Promise<InstanceStats[]> {
  const limit = limiter(QUESTIONS);
  const asked = containers.map(([id, container]) => limit(() => statsOf(container, id).catch(() => undefined)));
  return (await Promise.all(asked)).filter((stats) => stats !== undefined);
}

/** @returns nothing for a container that does not run */
async function statsOf(container: Container, id: string): Promise<InstanceStats | undefined> {
  // One look, without the second that the engine would wait to compare it with.
  const found = await ifThere(container.stats({ stream: false, 'one-shot': true }));
  const { cpu_stats: cpu, memory_stats: memory, pids_stats: pids } = found ?? {};
  if (!memory?.usage) return undefined;
  // Pages of files that could be given back any time are not what a limit is about (as `docker stats` counts).
  const cache = memory.stats?.inactive_file ?? memory.stats?.total_inactive_file ?? 0;
  return {
    id,
    cpuSeconds: (cpu?.cpu_usage.total_usage ?? 0) / 1e9,
    memoryBytes: Math.max(0, memory.usage - cache),
    ...(memory.limit ? { memoryLimitBytes: memory.limit } : {}),
    pids: pids?.current ?? 0,
  };
}

/**
 * Runs a program in the container, as its user and with its environment. An engine cannot end what it runs so: one that
 * hangs goes on, and nothing else is run until it ends, lest such programs fill the container.
 * @param last id of what was run last, if anything was @param started called with the id of what is run now
 */
export async function execIn(
  { docker }: Engine,
  container: Container,
  argv: readonly string[],
  { last, started, signal }: { last: string | undefined; started: (id: string) => void; signal: AbortSignal },
): Promise<ExecResult> {
  const before = last === undefined ? undefined : await ifThere(docker.getExec(last).inspect());
  if (before?.Running) throw new SlipwayError('not-ready', 'what was run before still runs');
  const exec = await container.exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true, abortSignal: signal });
  started(exec.id);
  const stream = (await exec.start({ hijack: true, abortSignal: signal })) as Readable;
  let output = '';
  const take = (chunk: Buffer): void => void (output.length < MAX_OUTPUT && (output += chunk.toString()));
  const demux = new Demux({ stdout: take, stderr: take });
  stream.on('data', (chunk: Buffer) => demux.push(chunk)).on('error', () => {});
  await untilAborted(new Promise((resolve) => stream.once('close', resolve)), signal).finally(() => stream.destroy());
  const { ExitCode: code } = await exec.inspect();
  return { code: code ?? -1, output: output.slice(0, MAX_OUTPUT) };
}
