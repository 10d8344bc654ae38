/** `slipway.lock.yaml`: which tools, of which exact packages and images, somebody has looked at and accepted. */
import { z } from 'zod';
import { check } from '../check.ts';
import { add } from '../issue-list.ts';
import { name } from '../kinds/fields.ts';
import { readFile, type Parsed } from '../parse.ts';
import { unescaped, visible } from './hidden.ts';
import { PARTS } from './pin.ts';
import { hashesSchema } from './pinned.ts';
import { placesIn, type Places } from './places.ts';
import { isOf, unreadIn } from './shown.ts';

/** At the config path. */
export const LOCK_FILE = 'slipway.lock.yaml';
/** It is written by a program: a thousand tools with long descriptions fit. */
export const MAX_LOCK_BYTES = 8 * 1024 * 1024;

const part = z.unknown().optional();

const toolSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .refine((text) => visible(unescaped(text)) === text, 'must have its hidden characters made visible')
      .describe('As its server calls it, with hidden characters made visible.'),
    title: part,
    description: z.string().optional(),
    inputSchema: part,
    outputSchema: part,
    annotations: part,
    others: part,
    tokens: z.int().min(0).describe('What it takes of a model’s context where it is listed.'),
    hashes: hashesSchema.describe('SHA-256 of the canonical JSON (RFC 8785) of each part that it has.'),
    keys: z.unknown().optional().describe('Of format 1, which had no schemas: nobody reads it any more.'),
  })
  .describe('What a model reads of it stands here for people and word diffs, so each hash must be of its part.')
  .check(({ value: tool, issues }) => {
    const wrong = (path: string[], message: string): void =>
      void issues.push({ code: 'custom', input: undefined, path, message });
    // Whoever merges reads the text, and what is accepted is the hash: a poisoned one must not stand behind a harmless text.
    if (issues.length > 0) return;
    if (tool.description === undefined && tool.hashes.description !== undefined) wrong(['description'], 'has a hash');
    for (const one of PARTS) {
      const hash = tool.hashes[one];
      if (tool[one] === undefined) continue;
      if (hash === undefined) wrong(['hashes', one], 'is not there');
      else if (!isOf(one, tool[one], hash)) wrong([one], 'is not what its hash is of: `slipway lock` writes both');
    }
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

/** What `slipway lock` writes. Format 1 had hashes of schemas and not what they say; it counts as it ever did. */
const FORMAT = 2;

export const lockSchema = z
  .strictObject({
    formatVersion: z.literal([1, FORMAT]),
    servers: z.record(name, serverSchema).default({}).describe('By name of the Server.'),
  })
  .check(({ value: { formatVersion, servers }, issues }) => {
    if (formatVersion !== FORMAT || issues.length > 0) return;
    for (const [server, { tools }] of Object.entries(servers))
      for (const [at, tool] of tools.entries())
        for (const one of unreadIn(tool))
          issues.push({
            code: 'custom',
            input: undefined,
            path: ['servers', server, 'tools', at, one],
            message: 'has a hash',
          });
  });

export interface Lock extends z.output<typeof lockSchema> {
  /** Of one that was read. */
  readonly lines?: Places;
}
export type LockedServer = Lock['servers'][string];
export type LockedTool = LockedServer['tools'][number];

export const NO_LOCK: Lock = { formatVersion: FORMAT, servers: {} };

/** Of the format in which all of it can be said: what was accepted by its hash alone stays in the older one. */
export function asLock(servers: Lock['servers']): Lock {
  const isWhole = Object.values(servers).every(({ tools }) => tools.every((tool) => unreadIn(tool).length === 0));
  return { formatVersion: isWhole ? FORMAT : 1, servers };
}

/** @returns no lock where the file is empty, or has issues */
export function parseLock(content: Uint8Array): { readonly lock?: Lock; readonly issues: Parsed['issues'] } {
  let documents = 0;
  const { values, issues } = readFile(LOCK_FILE, content, MAX_LOCK_BYTES, (context, value) => {
    const about = { ...context, schema: 'lock' };
    if (++documents > 1) add(about, { code: 'invalid-value', message: 'A lock file is one document.' });
    const lock = check(about, lockSchema, value, []);
    return lock && { ...lock, lines: placesIn(context) };
  });
  const [lock] = issues.length === 0 ? values : [];
  return { ...(lock ? { lock } : {}), issues };
}

/** What is pinned of a server; `undefined` where nothing is. */
export const lockedIn = (lock: Lock | undefined, server: string): LockedServer | undefined =>
  lock && Object.hasOwn(lock.servers, server) ? lock.servers[server] : undefined;
