/** Questions to a running container: what it uses, and what a program in it answers. */
import type { Readable } from 'node:stream';
import type { Container } from 'dockerode';
import type { ExecResult, InstanceStats } from '../driver.ts';
import { ifThere } from './answers.ts';
import { Demux } from './attach.ts';

const MAX_OUTPUT = 8192;

/** @returns nothing for a container that does not run */
export async function statsOf(container: Container, id: string): Promise<InstanceStats | undefined> {
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

/** Runs a program in the container, as its user and with its environment. */
export async function execIn(container: Container, argv: readonly string[], signal: AbortSignal): Promise<ExecResult> {
  const exec = await container.exec({
    Cmd: [...argv],
    AttachStdout: true,
    AttachStderr: true,
    abortSignal: signal,
  });
  const stream = (await exec.start({ hijack: true, abortSignal: signal })) as Readable;
  let output = '';
  const take = (chunk: Buffer): void => void (output.length < MAX_OUTPUT && (output += chunk.toString()));
  const demux = new Demux({ stdout: take, stderr: take });
  using abort = onAbort(signal, () => stream.destroy());
  void abort;
  for await (const chunk of stream) demux.push(chunk as Buffer);
  const { ExitCode: code } = await exec.inspect();
  return { code: code ?? -1, output: output.slice(0, MAX_OUTPUT) };
}

function onAbort(signal: AbortSignal, act: () => void): Disposable {
  signal.addEventListener('abort', act, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', act) };
}
