import { formatIssue, type Issue } from '../../schemas/resource.ts';
import type { Io } from '../io.ts';
import { plain } from './plain.ts';

/**
 * Every issue on stderr, as compilers print them, and how many there are. Injection: what files are called is up to whoever
 * opened a pull request, and many a CI takes lines of its log for commands.
 */
export function printIssues(issues: readonly Issue[], io: Io): void {
  for (const { file, message, hint, ...rest } of issues)
    io.err(formatIssue({ ...rest, file: plain(file), message: plain(message), hint: plain(hint) }));
  io.err(`${issues.length} issue${issues.length === 1 ? '' : 's'}`);
}
