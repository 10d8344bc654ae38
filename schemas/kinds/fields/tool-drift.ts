import { z } from 'zod';

/** What becomes of tools that are not what the lock file says, from the mildest to the strictest. */
export const TOOL_DRIFTS = ['off', 'warn', 'block'] as const;
export type ToolDriftMode = (typeof TOOL_DRIFTS)[number];

const mode = z.enum(TOOL_DRIFTS);

export const toolDrift = mode
  .optional()
  .describe(
    'What becomes of tools that are new or not what slipway.lock.yaml says: block holds them until a commit accepts them, warn marks them. Default: as the Gateway says.',
  );

export const toolDriftOfAll = mode
  .optional()
  .describe(
    'The same as Server.spec.toolDrift, for all servers. Default: warn for servers in slipway.lock.yaml, off for others.',
  );

export const leastToolDrift = mode
  .exclude(['off'])
  .optional()
  .describe('What Server.spec.toolDrift comes to at least, on every server.');
