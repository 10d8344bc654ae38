/** How much of a route's tools a client is told before it asks (Project, Gateway). */
import { z } from 'zod';

export const DISCOVERY_MODES = ['full', 'lazy', 'search'] as const;

export const discovery = z
  .enum(DISCOVERY_MODES)
  .default('full')
  .describe(
    'What tools/list gives: full, all tools; lazy, four tools with which a model looks for servers and commands; search, one that finds tools by words and three that call them. What may be called is the same.',
  );

export const embedServerSummaries = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Whether to do so.'),
    maxServers: z.int().min(1).max(100).default(10).describe('How many servers, in the order of the route.'),
  })
  .optional()
  .describe('Put the names and descriptions of servers into the description of the tool that lists them.');
