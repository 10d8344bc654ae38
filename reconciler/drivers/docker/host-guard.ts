/**
 * Keeps containers off the services of this host. A bridge network, an internal one too, leaves them the host's own
 * addresses: databases and admin interfaces that listen there trust the host they are on. And link-local addresses outside
 * are where clouds hand out the host's credentials.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Engine } from './engine.ts';
import { BRIDGE_PREFIX } from './network-plan.ts';

const run = promisify(execFile);

/** A service's PATH may lack where the firewall's programs are. */
const OPTIONS = { timeout: 15_000, env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } };

interface Rule {
  readonly table: string;
  readonly chain: string;
  readonly rest: readonly string[];
}

const FROM = ['-i', `${BRIDGE_PREFIX}+`];

/** What containers answer to the host's own connections passes; whatever they begin does not. */
const HOST: Rule = {
  table: 'filter',
  chain: 'INPUT',
  rest: [...FROM, '-m', 'conntrack', '!', '--ctstate', 'ESTABLISHED,RELATED', '-j', 'REJECT'],
};

/**
 * Where clouds hand out credentials: AWS, Azure, Google and most others; Alibaba. In a table of its own: engines put their
 * rules in front of others in `filter` whenever they start.
 */
const METADATA: readonly Rule[] = ['169.254.0.0/16', '100.100.100.200/32'].map((to) => ({
  table: 'mangle',
  chain: 'FORWARD',
  rest: [...FROM, '-d', to, '-j', 'DROP'],
}));

/**
 * Sets the rules, where they are not there already, for all of our bridges.
 * @param bridge one of them @returns why the host is not guarded; nothing when it is
 */
export async function guardHost({ info }: Engine, bridge: string): Promise<string | undefined> {
  if (info.reach !== 'address') return 'its engine is not on this host itself';
  if (process.getuid?.() !== 0) return 'only root can set rules of the firewall';
  // Podman makes it with the first container; and a Slipway or engine in a container has a network of its own.
  if (!info.podman && !existsSync(`/sys/class/net/${bridge}`)) return 'its network is not one of this host';
  try {
    await set('iptables', [HOST, ...METADATA]);
    if (existsSync('/proc/net/if_inet6')) await set('ip6tables', [HOST]);
    return undefined;
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return 'iptables is not installed';
    return `the firewall refused its rule (${(stderr ?? String(error)).trim().split('\n').at(-1)})`;
  }
}

async function set(program: string, rules: readonly Rule[]): Promise<void> {
  for (const { table, chain, rest } of rules) {
    const call = (...action: string[]) => run(program, ['-w', '5', '-t', table, ...action, ...rest], OPTIONS);
    const there = await call('-C', chain).then(
      () => true,
      (error: { code?: unknown }) => {
        if (error.code === 1) return false;
        throw error;
      },
    );
    // Two at once may both set it, which does no harm. First in the chain: the host's own rules may accept.
    if (!there) await call('-I', chain, '1');
  }
}
