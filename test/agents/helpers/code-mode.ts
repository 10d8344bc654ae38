/** Room for scripts that no test comes to the end of, but where it means to. */
import type { Route } from '../../../schemas/snapshot.ts';

export const CODE_MODE: NonNullable<Route['codeMode']> = {
  timeoutMs: 60_000,
  cpuMs: 30_000,
  memoryBytes: 32 * 2 ** 20,
  maxCalls: 20,
  maxConcurrentCalls: 4,
  scriptBytes: 10_000,
  resultBytes: 5_000,
  consoleBytes: 1_000,
};
