import { formatIssue, type Issue } from '../../schemas/resource.ts';
import type { Io } from '../io.ts';

/** Every issue on stderr, as compilers print them, and how many there are. */
export function printIssues(issues: readonly Issue[], io: Io): void {
  for (const issue of issues) io.err(formatIssue(issue));
  io.err(`${issues.length} issue${issues.length === 1 ? '' : 's'}`);
}
