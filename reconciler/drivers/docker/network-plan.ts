/** Which network an instance belongs on. Pure. */
import { createHash } from 'node:crypto';
import type { Workload } from '../../workload.ts';
import { LABEL, ownLabels, ROLE, type Owner } from './labels.ts';

/** The names of all our bridges begin so: one rule of the firewall covers them all. */
export const BRIDGE_PREFIX = 'slw-';

/** A network as it is wanted. All of them are bridges of the engine's host. */
export interface NetworkSpec {
  readonly name: string;
  /** No way out of it. */
  readonly internal: boolean;
  /** Whether containers on it can reach each other. */
  readonly peers: boolean;
  /** Whether the host has an address on it, so that it can reach the containers. */
  readonly hostAddress: boolean;
  readonly labels: Readonly<Record<string, string>>;
}

/** `host:port` pairs that a server may connect to, in one order, so that the same list is the same network. */
export function allowList({ run }: Workload): string[] | undefined {
  const egress = run.isolation?.egress;
  if (typeof egress !== 'object') return undefined;
  return [...new Set(egress.allow.map((entry) => entry.toLowerCase()))].sort();
}

/**
 * One network per project without a way out, one with a way out, on neither of which servers reach each other; and one per
 * server and list of what it may connect to, so that an old instance keeps its list while a new one has another.
 * @returns `none` where there is nothing to connect to, `host` where the config asks for it
 */
export function networkOf(owner: Owner, workload: Workload): NetworkSpec | 'none' | 'host' {
  const { transport, isolation } = workload.run;
  if (isolation?.hostNetwork) return 'host';
  const labels = ownLabels(owner);
  const allowed = allowList(workload);
  if (allowed) {
    const hash = createHash('sha256').update(allowed.join(' ')).digest('hex').slice(0, 8);
    return {
      name: `${stem(owner)}-${workload.name}.${hash}`,
      internal: true,
      peers: true, // The proxy is one.
      hostAddress: transport !== 'stdio',
      labels: { ...labels, [LABEL.server]: workload.name, [LABEL.role]: ROLE.egress },
    };
  }
  const open = isolation?.egress === 'all';
  if (!open && transport === 'stdio') return 'none';
  return {
    name: `${stem(owner)}-${workload.project}${open ? '.open' : ''}`,
    internal: !open,
    peers: false,
    hostAddress: true,
    labels: { ...labels, [LABEL.project]: workload.project },
  };
}

/** Where proxies reach the world from. They cannot reach each other. */
export function outwardNetwork(owner: Owner): NetworkSpec {
  const labels = { ...ownLabels(owner), [LABEL.role]: ROLE.egress };
  return { name: `${stem(owner)}.out`, internal: false, peers: false, hostAddress: true, labels };
}

/** Names of resources hold no dots, so what has one in it is no project's. */
const stem = (owner: Owner): string => `slipway-${owner.id.slice(0, 8)}`;

/** Interface names have 15 characters. */
export function bridgeName(network: string): string {
  return BRIDGE_PREFIX + createHash('sha256').update(network).digest('hex').slice(0, 11);
}
