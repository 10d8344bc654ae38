/** The whole program: what happened is found again, in git too, and after it was killed in the middle of its work. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { AuditEvent, Verdict } from '../../reconciler/index.ts';
import { resource, server } from '../helpers/config.ts';
import { Desk, type Result } from '../helpers/slipway.ts';
import { eventually } from '../helpers/until.ts';
import { raw, session } from '../gateway/helpers/gateway.ts';

/** 100 000 calls take minutes. */
const SLOW = process.env['SLIPWAY_SLOW'] !== undefined;
const CALLS = SLOW ? 100_000 : 3000;
/** What a kill may cost: events are gathered for 250 ms before they are written (fsyncInterval is for power failures). */
const MAY_BE_LOST_MS = 1000;

const audit = (desk: Desk, ...args: string[]): Promise<Result> =>
  desk.slipway(['audit', ...args, '--state-dir', desk.state, '--repo', desk.remote]);

async function query(desk: Desk, ...args: string[]): Promise<AuditEvent[]> {
  const { code, out, err } = await audit(desk, 'query', '-o', 'json', ...args);
  expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as AuditEvent[];
}

async function verify(desk: Desk, ...args: string[]): Promise<{ code: number | null; verdicts: Verdict[] }> {
  const { code, out } = await audit(desk, 'verify', '-o', 'json', ...args);
  return { code, verdicts: JSON.parse(out) as Verdict[] };
}

test('calls are found by who, what and when, also from what is left; the chain is whole until somebody touches it', async () => {
  await using desk = new Desk();
  const gateway = { audit: { commit: { maxEvents: 10 } } };
  const first = desk.push({ 'a.yaml': server('tiny', 'good', ['v1']), 'g.yaml': resource('Gateway', 'main', gateway) });
  const running = await desk.up();
  const url = await running.serving;
  const client = await session(url);
  const answer = await client.rpc('tools/call', { name: 'tiny__version', arguments: { secret: 'swordfish' } });
  expect(answer.status).toBe(200);
  await client.rpc('tools/call', { name: 'tiny__nothing' });
  const second = desk.push({ 'a.yaml': server('tiny', 'good', ['v2']) });
  expect((await desk.sync()).code).toBe(0);
  await client.rpc('tools/call', { name: 'tiny__version' });

  const ask = async (filter: string): Promise<AuditEvent[]> =>
    ((await raw(url, { path: `/v1/audit?${filter}` })).json as unknown as { events: AuditEvent[] }).events;
  const [call] = await ask(`request=${String(answer.headers['x-request-id'])}`);
  expect(call).toMatchObject({ principal: 'local', server: 'tiny', tool: 'version', commit: first, outcome: 'ok' });
  expect((await ask('tool=version')).map(({ commit }) => commit)).toEqual([second, first]);
  expect(await ask(`tool=version&sinceCommit=${second.slice(0, 8)}`)).toHaveLength(1);
  expect((await ask('kind=reconcile')).map(({ method, commit }) => [method, commit])).toContainEqual(['sync', second]);
  expect(await ask('outcome=error')).toMatchObject([{ tool: 'tiny__nothing', deniedReason: 'invalid_arguments' }]);
  expect(await ask('until=1h')).toEqual([]);
  expect((await raw(url, { path: '/v1/audit?outcome=good' })).text).toContain('outcome must be one of');
  expect((await raw(url, { path: '/v1/audit/sessions' })).json).toMatchObject({
    sessions: [{ principal: 'local', events: 3 }],
  });
  const { out } = await audit(desk, 'query', '--server', 'tiny', '--limit', '1');
  expect(out).toMatch(/TIME +WHO +WHAT +WHERE +OUTCOME\n\S+ +local +(tools\/call version|rollout)/);
  // Who reads the log is in the log.
  expect(new Set((await ask('kind=control')).map(({ method }) => method))).toEqual(
    new Set(['POST /api/v1/sync', 'GET /api/v1/audit']),
  );

  // The index holds nothing of its own.
  expect((await running.stop()).code).toBe(0);
  const all = await query(desk);
  for (const end of ['', '-wal', '-shm']) rmSync(join(desk.state, 'audit', `index.db${end}`), { force: true });
  expect(await query(desk)).toEqual(all);
  writeFileSync(join(desk.state, 'audit', 'index.db'), 'no database');
  expect(await query(desk)).toEqual(all);

  expect(await verify(desk)).toMatchObject({ code: 0, verdicts: [{ problems: [] }] });
  const inGit = await verify(desk, '--from', 'git');
  expect(inGit).toMatchObject({ code: 0, verdicts: [{ problems: [], lines: all.length }] });
  const files = desk.git(desk.remote, 'ls-tree', '-r', '--name-only', 'slipway/audit', 'events/').split('\n');
  const lines = files.map((file) => desk.git(desk.remote, 'show', `slipway/audit:${file}`)).join('\n');
  expect(lines).not.toContain('swordfish');
  // From git only, where nothing is left here.
  const segments = readdirSync(join(desk.state, 'audit')).filter((name) => name.endsWith('.jsonl'));
  const [oldest = ''] = segments.toSorted();
  const kept = readFileSync(join(desk.state, 'audit', oldest), 'utf8');
  rmSync(join(desk.state, 'audit', oldest));
  rmSync(join(desk.state, 'audit', 'index.db'));
  expect(await query(desk)).toEqual(all);
  expect((await verify(desk)).code).toBe(1);
  // Cut off at the end, with the note of how far it was: only the commits know better.
  writeFileSync(join(desk.state, 'audit', oldest), kept);
  const newest = join(desk.state, 'audit', segments.toSorted().at(-1) ?? '');
  const whole = readFileSync(newest, 'utf8');
  truncateSync(newest, whole.lastIndexOf('\n', whole.length - 2) + 1);
  rmSync(join(desk.state, 'audit', 'head'));
  expect((await verify(desk)).verdicts[0]?.problems).toEqual([expect.stringContaining('are missing at the end')]);
}, 180_000);

test(
  `killed under load, the log has every call that was answered, but for the last moment (${CALLS} calls)`,
  async () => {
    await using desk = new Desk();
    desk.push({ 'a.yaml': server('tiny', 'good', ['v1']) });
    const running = await desk.up();
    const url = await running.serving;
    const clients = await Promise.all(Array.from({ length: 16 }, () => session(url)));
    const answered = new Map<string, number>();
    let begun = 0;
    await Promise.all(
      clients.map(async (client) => {
        while (begun++ < CALLS) {
          const { status, headers } = await client.rpc('tools/call', { name: 'tiny__version', arguments: { begun } });
          if (status === 200) answered.set(String(headers['x-request-id']), performance.now());
          if (answered.size === CALLS - 100) running.child.kill('SIGKILL');
        }
      }),
    ).catch(() => {}); // The connection is cut.
    const killed = performance.now();
    await running.kill();
    expect(answered.size).toBeGreaterThanOrEqual(CALLS - 200);

    const logged = readdirSync(join(desk.state, 'audit'))
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(desk.state, 'audit', name), 'utf8').split('\n'))
      .flatMap((line) => /"requestId":"([^"]+)".*\}$/.exec(line)?.[1] ?? []);
    const known = new Set(logged);
    const lost = [...answered].filter(([id]) => !known.has(id)).map(([, at]) => killed - at);
    expect(Math.max(0, ...lost)).toBeLessThan(MAY_BE_LOST_MS);
    expect((await verify(desk)).code).toBe(0);

    // The next run goes on where this one ended, and hands everything over.
    await desk.up();
    await eventually(async () => (await query(desk, '--kind', 'reconcile', '--limit', '1')).length > 0);
    expect(await verify(desk)).toMatchObject({ code: 0, verdicts: [{ problems: [] }] });
  },
  SLOW ? 900_000 : 120_000,
);

test('while the remote is away nothing is lost, and all of it is there when it is back', async () => {
  await using desk = new Desk();
  const gateway = { audit: { commit: { maxEvents: 5 } } };
  desk.push({ 'a.yaml': server('tiny', 'good', ['v1']), 'g.yaml': resource('Gateway', 'main', gateway) });
  const running = await desk.up();
  const client = await session(await running.serving);
  const away = `${desk.remote}.away`;
  renameSync(desk.remote, away);
  for (let n = 0; n < 20; n++) await client.rpc('tools/call', { name: 'tiny__version', arguments: { n } });
  await eventually(async () => ((await desk.status()).outbox.lastError ?? '') !== '');
  const all = await query(desk, '--tool', 'version');
  expect(all).toHaveLength(20);
  renameSync(away, desk.remote);
  expect((await running.stop()).code).toBe(0);
  const inGit = await verify(desk, '--from', 'git');
  expect(inGit).toMatchObject({ code: 0, verdicts: [{ problems: [] }] });
  expect(inGit.verdicts[0]?.lines).toBeGreaterThanOrEqual(all[0]?.seq ?? Infinity);
});

test.runIf(process.platform === 'linux' && process.getuid?.() === 0).for([
  ['stop', 'no call is served until there is room', 503],
  ['continue', 'calls go on, and are written when there is room', 200],
] as const)('a full disk is a loud condition; with onFailure: %s %s', async ([onFailure, , whileFull]) => {
  await using desk = new Desk();
  const gateway = { audit: { onFailure, fsyncInterval: '100ms' } };
  desk.push({ 'a.yaml': server('tiny', 'good', ['v1']), 'g.yaml': resource('Gateway', 'main', gateway) });
  const disk = join(desk.state, 'audit');
  mkdirSync(disk, { recursive: true });
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'none', disk]).status).toBe(0);
  try {
    const running = await desk.up();
    const url = await running.serving;
    const client = await session(url);
    const call = async () => (await client.rpc('tools/call', { name: 'tiny__version' })).status;
    const degraded = async () => /^slipway_audit_degraded 1$/m.test((await raw(url, { path: '/metrics' })).text);
    expect([await call(), await degraded()]).toEqual([200, false]);
    writeFileSync(join(disk, 'fill'), Buffer.alloc(2 ** 23 - 4 * 4096));
    const served: number[] = [];
    await eventually(async () => served.push(await call()) > 0 && (await degraded()));
    expect(await call()).toBe(whileFull);
    expect((await desk.status()).conditions).toContainEqual(
      expect.objectContaining({ type: 'AuditDegraded', status: 'True', message: expect.stringContaining('ENOSPC') }),
    );
    expect((await raw(url, { path: '/healthz' })).status).toBe(200);
    rmSync(join(disk, 'fill'));
    await eventually(async () => !(await degraded()));
    expect((await desk.status()).conditions.map(({ type }) => type)).not.toContain('AuditDegraded');
    expect(await call()).toBe(200);
    expect((await running.stop()).code).toBe(0);
    const made = served.filter((status) => status === 200).length + 2 + (whileFull === 200 ? 1 : 0);
    expect(await query(desk, '--tool', 'version', '--limit', '1000')).toHaveLength(made);
    expect(await verify(desk)).toMatchObject({ code: 0, verdicts: [{ problems: [], notes: [] }] });
  } finally {
    expect(spawnSync('umount', ['--lazy', disk]).status).toBe(0);
  }
});
