/** `slipway.lock.yaml`: which tools, of which exact packages and images, somebody has looked at and accepted. */
import { z } from 'zod';
import { check } from '../check.ts';
import { add } from '../issue-list.ts';
import { name } from '../kinds/fields.ts';
import { readFile, type Parsed } from '../parse.ts';
import { unescaped, visible } from './hidden.ts';
import { isDescription } from './pin.ts';
import { hashesSchema } from './pinned.ts';

/** At the config path. */
export const LOCK_FILE = 'slipway.lock.yaml';
/** It is written by a program: a thousand tools with long descriptions fit. */
export const MAX_LOCK_BYTES = 8 * 1024 * 1024;

const toolSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .refine((text) => visible(unescaped(text)) === text, 'must have its hidden characters made visible')
      .describe('As its server calls it, with hidden characters made visible.'),
    description: z
      .string()
      .optional()
      .describe(
        'With hidden characters made visible. It is there for people and word diffs, so its hash must be of it.',
      ),
    tokens: z.int().min(0).describe('What it takes of a model’s context where it is listed.'),
    hashes: hashesSchema.describe('SHA-256 of the canonical JSON (RFC 8785) of each part that it has.'),
    keys: z
      .record(z.string(), z.string().regex(/^[0-9a-f]{12}$/, 'must be 12 digits in hex'))
      .default({})
      .describe('Begin of the hash of each key of its schemas and annotations, to tell where one changed.'),
  })
  .check(({ value: { description, hashes }, issues }) => {
    const wrong = (path: string[], input: unknown, message: string): void =>
      void issues.push({ code: 'custom', input, path, message });
    // Whoever merges reads the text, and what is accepted is the hash: a poisoned one must not stand behind a harmless text.
    if (issues.length > 0 || (description === undefined && hashes.description === undefined)) return;
    if (description === undefined) wrong(['description'], description, 'has a hash');
    else if (hashes.description === undefined) wrong(['hashes', 'description'], undefined, 'is not there');
    else if (!isDescription(description, hashes.description))
      wrong(['description'], description, 'is not the text that its hash is of: `slipway lock` writes both');
  });

/** What exactly runs, as far as a driver knows. */
export const artifact = z.strictObject({
  package: z.string().optional().describe('Name and version of its package: npm:left-pad@1.0.0.'),
  integrity: z.string().optional().describe('Hash of the package, as its registry gives it (npm: SRI).'),
  image: z.string().optional().describe('Its image, as the config names it.'),
  digest: z.string().optional().describe('Of the image’s manifest, where it came from a registry.'),
  id: z.string().optional().describe('Of the image’s configuration, as the engine knows it.'),
});
export type Artifact = z.output<typeof artifact>;

const serverSchema = z.strictObject({
  artifact: artifact.optional(),
  tools: z.array(toolSchema).check((given) => {
    const seen = new Set<string>();
    for (const [at, { name: one }] of given.value.entries()) {
      if (seen.has(one))
        given.issues.push({ code: 'custom', input: one, path: [at, 'name'], message: 'stands there twice' });
      seen.add(one);
    }
  }),
});

export const lockSchema = z.strictObject({
  formatVersion: z.literal(1),
  servers: z.record(name, serverSchema).default({}).describe('By name of the Server.'),
});

export type Lock = z.output<typeof lockSchema>;
export type LockedServer = Lock['servers'][string];
export type LockedTool = LockedServer['tools'][number];

export const NO_LOCK: Lock = { formatVersion: 1, servers: {} };

/** @returns no lock where the file is empty, or has issues */
export function parseLock(content: Uint8Array): { readonly lock?: Lock; readonly issues: Parsed['issues'] } {
  let documents = 0;
  const { values, issues } = readFile(LOCK_FILE, content, MAX_LOCK_BYTES, (context, value) => {
    if (++documents > 1) add(context, { code: 'invalid-value', message: 'A lock file is one document.' });
    return check(context, lockSchema, value, []);
  });
  const [lock] = issues.length === 0 ? values : [];
  return { ...(lock ? { lock } : {}), issues };
}

/** What is pinned of a server; `undefined` where nothing is. */
export const lockedIn = (lock: Lock | undefined, server: string): LockedServer | undefined =>
  lock && Object.hasOwn(lock.servers, server) ? lock.servers[server] : undefined;
