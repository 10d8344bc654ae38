/** What is said on stderr, and how (Gateway). */
import { z } from 'zod';
import { LEVELS } from '../../log.ts';

export const logging = z
  .strictObject({
    level: z.enum(LEVELS).default('info').describe('The least that is said. debug adds a line for each request.'),
    format: z
      .enum(['plain', 'json'])
      .default('plain')
      .describe('plain for people, json (one object per line) for machines.'),
    redactKeys: z
      .array(z.string().min(1).max(128))
      .max(64)
      .default([])
      .describe('Names of fields to mask in logs, besides those that sound like secrets. In any case of letters.'),
  })
  .prefault({})
  .describe('Logs on stderr. In force at once, without a restart.');
