/** Tools as tests of the lock file mean them. */
import { NO_LOCK, type Lock, type LockedTool } from '../../../schemas/lock/lock.ts';
import { pinOf, type Listed, type Pin } from '../../../schemas/lock/pin.ts';
import { shown } from '../../../schemas/lock/shown.ts';

export const schema = { type: 'object', properties: { title: { type: 'string' } }, required: ['title'] };

export const tool = (name: string, more: object = {}): Listed => ({
  name,
  description: `What ${name} does.`,
  inputSchema: schema,
  ...more,
});

export const pins = (...tools: Listed[]): Pin[] => tools.map(pinOf);

export function lockedTool(listed: Listed, tokens = 10): LockedTool {
  const { name, hashes } = pinOf(listed);
  return { name, ...shown(listed), tokens, hashes } as LockedTool;
}

export const lockOf = (servers: Record<string, readonly Listed[]>): Lock => ({
  ...NO_LOCK,
  servers: Object.fromEntries(
    Object.entries(servers).map(([name, tools]) => [name, { tools: tools.map((one) => lockedTool(one)) }]),
  ),
});
