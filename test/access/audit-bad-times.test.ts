/** What floods, large bodies, names of any length and disks that fail cost the audit log. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { Trace } from '../../gateway/audit/trace.ts';
import { traceRequest } from '../../gateway/audit/requests.ts';
import { hashArguments } from '../../reconciler/record/audit/arguments.ts';
import { verifyLocal } from '../../reconciler/record/audit/verify.ts';
import { noRecorder } from '../../reconciler/record/recorder.ts';
import { tempDir } from '../helpers/temp.ts';
import { eventually } from '../helpers/until.ts';
import { SETTINGS, start, call, refusal, linesIn, eventsIn, heldBytes } from './helpers/audit-log.ts';

describe('in bad times', () => {
  test('a flood of refusals from one address is told twenty times and then counted; others are told', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 5000; n++) log.record(refusal({ principal: undefined, address: '10.0.0.1' }));
      log.record(refusal({ principal: undefined, address: '10.0.0.2' }));
    }
    const events = eventsIn(dir.path).filter(({ kind }) => kind === 'auth_failure');
    expect(events.filter(({ address }) => address === '10.0.0.2')).toHaveLength(1);
    const flood = events.filter(({ address }) => address === '10.0.0.1');
    expect(flood).toHaveLength(21);
    expect(flood.at(-1)).toMatchObject({ method: 'summary', detail: { count: 4980 } });
    expect(verifyLocal(dir.path, new Map()).problems).toEqual([]);
  });

  test('what was refused is counted, not kept', async () => {
    using dir = tempDir();
    await using log = start(dir.path);
    const before = heldBytes();
    for (let n = 0; n < 64; n++)
      log.record(refusal({ principal: `user:${n}`, kind: 'limit', arguments: { a: `${n}`.repeat(2 ** 20) } }));
    await log.flush();
    expect(heldBytes() - before).toBeLessThan(2 ** 24);
  });

  test('addresses without number fill neither memory nor disk; a network of IPv6 is one', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 30_000; n++)
        log.record(refusal({ principal: undefined, address: `10.0.${(n >> 8) & 63}.${n & 255}` }));
    }
    // A thousand told, and as many callers counted.
    expect(linesIn(dir.path).length).toBeLessThan(2100);
    {
      await using log = start(dir.at('v6'));
      for (let n = 0; n < 5000; n++)
        log.record(refusal({ principal: undefined, address: `2001:db8::${n.toString(16)}` }));
    }
    expect(linesIn(dir.at('v6'))).toHaveLength(1 + 20 + 1);
  });

  test('beyond so many strangers refusals are counted for all, and put on none; who is known does not vanish in them', async () => {
    using dir = tempDir();
    {
      await using log = start(dir.path);
      for (let n = 0; n < 1100; n++)
        log.record(refusal({ principal: undefined, address: `10.1.${n >> 8}.${n & 255}` }));
      log.record(refusal({ address: '10.1.0.1' }));
    }
    const summaries = eventsIn(dir.path).filter(({ method }) => method === 'summary');
    expect(summaries).toMatchObject([{ kind: 'auth_failure', deniedReason: 'various', detail: { count: 100 } }]);
    expect(summaries[0]).not.toHaveProperty('address');
    expect(eventsIn(dir.path).filter(({ principal }) => principal === 'token:ada')).toHaveLength(1);
  });

  test('names of any length are kept short', async () => {
    const trace = new Trace({ headers: {} });
    const params = { name: `${'n'.repeat(600)}\ud83d` };
    traceRequest(trace, { jsonrpc: '2.0', id: 1, method: 'tools/call', params });
    expect(trace.tool).toBe(`${'n'.repeat(512)}…`);
    traceRequest(trace, { jsonrpc: '2.0', id: 2, method: 'm'.repeat(1_000_000) });
    expect(trace.method).toBe(`${'m'.repeat(512)}…`);
    // Wherever they come from, they are gone with their event.
    using dir = tempDir();
    await using log = start(dir.path);
    const before = heldBytes();
    for (let n = 0; n < 64; n++) log.record(call({ principal: `${n}`.repeat(2 ** 20) }));
    await log.flush();
    expect(heldBytes() - before).toBeLessThan(2 ** 24);
  });

  test('large bodies that come faster than they are hashed do not pile up', async () => {
    using dir = tempDir();
    let hashed = 0;
    const large = () => ({
      get a(): number {
        hashed++;
        return 1;
      },
    });
    {
      await using log = start(dir.path);
      for (let n = 0; n < 20; n++) log.record(call({ arguments: large(), bodyBytes: 8 * 2 ** 20 }));
      // Of 160 MB, no more than 64 are held; the first is being hashed.
      expect(hashed).toBeGreaterThanOrEqual(20 - 8 - 1);
    }
    expect(hashed).toBe(20);
    const events = eventsIn(dir.path).filter(({ kind }) => kind === 'tool_call_trace');
    const { sha256 } = hashArguments({ a: 1 });
    expect(events.map(({ argumentsSha256 }) => argumentsSha256)).toEqual(Array<string>(20).fill(sha256));
  });

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0).for(['continue', 'stop'] as const)(
    'a full disk (onFailure: %s) is told, loses nothing that it need not, and is over when there is room',
    async (onFailure) => {
      using dir = tempDir();
      const disk = dir.at('disk');
      mkdirSync(disk);
      const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', disk]);
      expect(mount.status, String(mount.stderr)).toBe(0);
      try {
        await using log = start(join(disk, 'audit'), { settings: { ...SETTINGS, onFailure, fsyncMs: 100 } });
        writeFileSync(join(disk, 'fill'), Buffer.alloc(960 * 1024));
        let taken = 0;
        while (log.state().lastError === undefined) {
          for (let n = 0; n < 50; n++, taken++) log.record(call());
          await log.flush();
          expect(taken).toBeLessThan(10_000);
        }
        expect(log.state().lastError).toContain('ENOSPC');
        expect(log.blocked).toBe(onFailure === 'stop');
        log.record(call({ tool: 'while-full' }));
        rmSync(join(disk, 'fill'));
        await eventually(() => log.state().lastError === undefined);
        await log.flush();
        expect(log.blocked).toBe(false);
        expect(log.state()).toMatchObject({ dropped: 0, waiting: 0 });
        const tools = eventsIn(join(disk, 'audit')).filter(({ kind }) => kind === 'tool_call_trace');
        expect(tools).toHaveLength(taken + 1);
        expect(verifyLocal(join(disk, 'audit'), new Map()).problems).toEqual([]);
      } finally {
        expect(spawnSync('umount', [disk]).status).toBe(0);
      }
    },
  );

  test('what a disk took only half of, and would not give back, stands before no line', async () => {
    using dir = tempDir();
    await using log = start(dir.path);
    await log.flush();
    const handle = await open(dir.at('any'), 'w');
    await handle.close();
    const handles = Object.getPrototypeOf(handle) as FileHandle;
    using append = vi.spyOn(handles, 'appendFile').mockImplementationOnce(async function (this: FileHandle) {
      await this.write('{"ts":"half');
      throw new Error('EIO: i/o error, write');
    });
    using truncate = vi.spyOn(handles, 'truncate').mockRejectedValueOnce(new Error('EIO: i/o error, ftruncate'));
    log.record(call());
    await log.flush();
    expect(log.state().lastError).toContain('EIO');
    expect(linesIn(dir.path)).toHaveLength(1);
    await eventually(() => log.state().lastError === undefined);
    expect([append.mock.calls.length, truncate.mock.calls.length]).toEqual([2, 2]);
    expect(verifyLocal(dir.path, new Map())).toMatchObject({ lines: 2, problems: [], notes: [] });
  });

  test('a place in the outbox that cannot be had for a while stops the log only that long, with nothing new to write', async () => {
    using dir = tempDir();
    const handed: string[] = [];
    let full = true;
    const recorder = {
      ...noRecorder,
      hand: async ({ file }: { file: string }) => {
        if (full) throw new Error('ENOSPC: no space left on device');
        handed.push(file);
      },
    };
    await using log = start(dir.path, { recorder, settings: { ...SETTINGS, onFailure: 'stop', maxEvents: 5 } });
    for (let n = 0; n < 10; n++) log.record(call());
    await log.flush();
    expect(log.blocked).toBe(true);
    full = false;
    await eventually(() => !log.blocked);
    expect(handed).toHaveLength(1);
    expect(log.state()).toMatchObject({ waiting: 0, dropped: 0 });
  });

  test('more than can wait is counted, said in the status and, when it is over, in the log', async () => {
    using dir = tempDir();
    const told: string[] = [];
    {
      await using log = start(dir.path, { log: (_level, message) => told.push(message) });
      for (let n = 0; n < 25_000; n++) log.record(call());
      expect(log.state()).toMatchObject({ dropped: 5001 });
      await log.flush();
      log.record(call({ tool: 'after' }));
    }
    expect(told).toContainEqual(expect.stringContaining('left out'));
    const events = eventsIn(dir.path);
    expect(events.find(({ method }) => method === 'dropped')?.detail).toEqual({ count: 5001 });
    expect(verifyLocal(dir.path, new Map())).toMatchObject({ problems: [], notes: [expect.stringContaining('5001')] });
    expect(existsSync(dir.at('head'))).toBe(true);
  });
});
