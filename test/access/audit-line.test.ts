/** What a line of the audit log says, and what it does not. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashArguments, hashLarge } from '../../reconciler/record/audit/arguments.ts';
import { tempDir } from '../helpers/temp.ts';
import { start, call, refusal, linesIn, eventsIn } from './helpers/audit-log.ts';

describe('a line', () => {
  test('begins with the eight keys of the team server, and holds hashes of arguments instead of them', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      log.record(
        call({ at: 1_763_722_757_123, arguments: { b: 'swordfish', a: [1] }, session: 'sealed', status: 200 }),
      );
      log.record(call({ arguments: { a: [1], b: 'swordfish' } }));
      log.record(call());
      log.record(call({ kind: 'mcp_request', tool: 'x"\n\u2028', principal: 'user:eve', project: undefined }));
    }
    const [begun, first, second, third, odd] = eventsIn(dir.path);
    expect(begun).toMatchObject({ kind: 'audit', method: 'chain.begun', seq: 1 });
    const eight = ['ts', 'tokenId', 'workspaceId', 'tool', 'method', 'allowed', 'deniedReason', 'argumentsMd5'];
    expect(Object.keys(first ?? {}).slice(0, 8)).toEqual(eight);
    const canonical = '{"a":[1],"b":"swordfish"}';
    const by = (name: string): string => createHash(name).update(canonical).digest('hex');
    expect(first).toMatchObject({
      ts: '2025-11-21T10:59:17.123Z',
      tokenId: 'ada',
      workspaceId: 'dev',
      tool: 'forecast',
      allowed: true,
      deniedReason: null,
      argumentsMd5: by('md5'),
      argumentsSha256: by('sha256'),
      source: 'gateway',
      verified: true,
    });
    expect(first?.sessionId).toMatch(/^[0-9a-f]{32}$/);
    expect(second?.argumentsSha256).toBe(first?.argumentsSha256);
    expect(third).toMatchObject({ argumentsMd5: '', argumentsSha256: '' });
    expect(odd).toMatchObject({ tool: 'x"\n\u2028', tokenId: null, workspaceId: null, principal: 'user:eve' });
    const text = linesIn(dir.path).join('\n');
    expect(text).not.toContain('swordfish');
    expect(text).not.toContain('sealed');
  });

  test('levels: hash leaves names out but can be asked for one, off keeps only refusals', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      log.record(call({ level: 'hash' }));
      const limit = { level: 'tool', name: 'weather forecast' };
      const decision = { level: 'server', rule: { pattern: 'fore*', action: 'deny' } };
      log.record(refusal({ level: 'hash', tool: 'forecast', detail: { limit, decision } }));
      log.record(call({ level: 'off' }));
      log.record(refusal({ level: 'off', tool: undefined }));
    }
    const [, hashed, limited, refused, ...rest] = eventsIn(dir.path);
    expect(linesIn(dir.path).join('\n')).not.toMatch(/forecast|fore\*/);
    expect(limited?.detail).toMatchObject({ limit: { level: 'tool' }, decision: { rule: { action: 'deny' } } });
    expect(rest).toEqual([]);
    expect(hashed?.tool).toBe(`sha256:${createHash('sha256').update('forecast').digest('hex').slice(0, 32)}`);
    expect(refused).toMatchObject({ allowed: false, deniedReason: 'unauthorized' });
  });

  test('large arguments are hashed in slices, to the same hash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        expect(await hashLarge(value)).toEqual(hashArguments(value));
        const sha256 = createHash('sha256')
          .update(canonicalize(value) ?? '')
          .digest('hex');
        expect(hashArguments(value).sha256).toBe(sha256);
      }),
    );
    const big = { rows: Array.from({ length: 20_000 }, (_, n) => ({ n, text: 'ü'.repeat(20) })) };
    let turns = 0;
    const other = setInterval(() => turns++, 0);
    expect(await hashLarge(big)).toEqual(hashArguments(big));
    clearInterval(other);
    expect(turns).toBeGreaterThan(0);
  });
});
