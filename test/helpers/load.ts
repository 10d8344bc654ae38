/** Calls through a gateway at a steady pace, whatever happens meanwhile. */
import { session } from '../gateway/helpers/gateway.ts';

export interface LoadReport {
  /** What the tool answered, in the order in which the calls were made. */
  readonly answers: readonly string[];
  /** What went wrong. */
  readonly failures: readonly string[];
}

/** @returns ends the load, and tells how it went once every call is answered */
export async function startLoad(
  url: string,
  tool: string,
  { perSecond, sessions = 4, args = {} }: { perSecond: number; sessions?: number; args?: object },
): Promise<() => Promise<LoadReport>> {
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
  const timer = setInterval(() => calls.push(one(calls.length + 1)), 1000 / perSecond);
  return async () => {
    clearInterval(timer);
    calls.push(one(calls.length + 1)); // What is served at the end is heard in any case.
    return { answers: await Promise.all(calls), failures };
  };
}
