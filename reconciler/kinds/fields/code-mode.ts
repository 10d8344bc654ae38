/** How far scripts of agents may go, as the snapshot has it. */
import type { CodeModeSpec } from '../../../schemas/kinds/fields/code-mode.ts';
import { bytes, milliseconds } from '../../../schemas/kinds/fields.ts';
import type { Route } from '../../../schemas/snapshot.ts';

export function withCodeMode(spec: CodeModeSpec): Pick<Route, 'codeMode'> {
  if (!spec?.enabled) return {};
  return {
    codeMode: {
      timeoutMs: milliseconds(spec.timeout),
      cpuMs: milliseconds(spec.cpuTime),
      memoryBytes: bytes(spec.memory),
      maxCalls: spec.maxCalls,
      maxConcurrentCalls: spec.maxConcurrentCalls,
      scriptBytes: bytes(spec.maxScriptSize),
      resultBytes: bytes(spec.maxResultSize),
      consoleBytes: bytes(spec.maxConsoleSize),
    },
  };
}
