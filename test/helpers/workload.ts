/** Workloads as `compile` makes them, without a config. */
import { specHash, type RunSpec, type Workload } from '../../reconciler/workload.ts';

export interface WorkloadOptions extends Partial<Omit<Workload, 'run' | 'hash' | 'address' | 'rollout'>> {
  readonly argv: readonly string[];
  readonly env?: RunSpec['env'];
  readonly transport?: RunSpec['transport'];
  /** More of what makes a new instance necessary. */
  readonly run?: Partial<RunSpec>;
  readonly rollout?: Partial<Workload['rollout']>;
}

export function workload({ argv, env = [], transport = 'stdio', run: more, ...around }: WorkloadOptions): Workload {
  const run: RunSpec = {
    program: { type: 'command', argv },
    transport,
    ...(transport === 'stdio' ? {} : { http: { path: '/mcp' } }),
    env,
    files: [],
    ...more,
  };
  const name = around.name ?? 'tiny';
  return {
    address: `Server/${name}`,
    name,
    driver: 'process',
    commit: 'c0ffee',
    project: 'default',
    hash: specHash(run, around.driver ?? 'process'),
    run,
    replicas: 1,
    lifecycle: transport === 'stdio' ? 'onDemand' : 'always',
    idleTimeoutMs: 600_000,
    callTimeoutMs: 60_000,
    dependsOn: [],
    drift: 'enforce',
    ...around,
    rollout: {
      strategy: 'rollingUpdate',
      surge: 1,
      unavailable: 0,
      timeoutMs: 10_000,
      drainMs: 1000,
      monitorMs: 0,
      ...around.rollout,
    },
  };
}
