/** THE list of what is measured. Loaded one by one: see `suite.ts`. */
import type { Row } from './measure.ts';

/** @param program the built one */
export type Suite = (program: string) => Promise<Row[]>;

export const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  reconcile: async () => (await import('./reconcile.ts')).reconcileBench,
  gateway: async () => (await import('./gateway.ts')).gatewayBench,
  access: async () => (await import('./access.ts')).accessBench,
  cli: async () => (await import('./cli.ts')).cliBench,
  leaks: async () => (await import('./leaks.ts')).leaksBench,
  peers: async () => (await import('./peers.ts')).peersBench,
  metrics: async () => (await import('./metrics.ts')).metricsBench,
  rollout: async () => (await import('./rollout.ts')).rolloutBench,
  results: async () => (await import('./results.ts')).resultsBench,
  tokens: async () => (await import('./tokens.ts')).tokensBench,
  containers: async () => (await import('./containers.ts')).containersBench,
  images: async () => (await import('./images.ts')).imagesBench,
  audit: async () => (await import('./audit.ts')).auditBench,
};
