/** Calls through a gateway at a steady pace, whatever happens meanwhile. */
import { EventEmitter, once } from 'node:events';
import { session } from '../gateway/helpers/gateway.ts';

export interface LoadReport {
  /** What the tool answered, in the order in which the calls were made. */
  readonly answers: readonly string[];
  /** What went wrong. */
  readonly failures: readonly string[];
}

export interface Load {
  /** Ends it, and tells how it went once every call is answered. */
  (): Promise<LoadReport>;
  /** Resolves when as many more calls as that were made and answered. */
  answered(calls: number): Promise<void>;
}

export async function startLoad(
  url: string,
  tool: string,
  { perSecond, sessions = 4, args = {} }: { perSecond: number; sessions?: number; args?: object },
): Promise<Load> {
  const clients = await Promise.all(Array.from({ length: sessions }, () => session(url)));
  const calls: Promise<string>[] = [];
  const failures: string[] = [];
  const one = async (id: number): Promise<string> => {
    const client = clients[id % clients.length];
    try {
      const { json, status } = (await client?.rpc('tools/call', { name: tool, arguments: args }, id)) ?? {};
      const { content, isError } = (json?.result ?? {}) as { content?: { text: string }[]; isError?: boolean };
      if (status === 200 && content && !isError) return content.map(({ text }) => text).join('');
      failures.push(JSON.stringify(json));
    } catch (error) {
      failures.push(String(error));
    }
    return '';
  };
  const made = new EventEmitter();
  const timer = setInterval(() => {
    calls.push(one(calls.length + 1));
    made.emit('call');
  }, 1000 / perSecond);
  const stop = async (): Promise<LoadReport> => {
    clearInterval(timer);
    calls.push(one(calls.length + 1)); // What is served at the end is heard in any case.
    return { answers: await Promise.all(calls), failures };
  };
  const answered = async (count: number): Promise<void> => {
    for (const wanted = calls.length + count; calls.length < wanted;) await once(made, 'call');
    await Promise.all(calls);
  };
  return Object.assign(stop, { answered });
}
