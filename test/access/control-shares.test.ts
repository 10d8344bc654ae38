/** What the control API tells those who may see a part of it: that part, and nothing that gives away the rest. */
import { expect, test } from 'vitest';
import { changeFor, maySeeEvent, refusalFor, statusFor, type Offer } from '../../reconciler/control-access.ts';
import { grantOf, NO_ACCESS, type Access, type Grant } from '../../schemas/access.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { ALL, type EventRow } from '../../schemas/operate.ts';
import type { Status } from '../../schemas/status.ts';

const at = { file: 'access.yaml', line: 1 };
const now = '2026-01-02T03:04:05Z';

const server = (name: string): Status['servers'][0] => ({
  name,
  address: `Server/${name}`,
  runtime: 'remote',
  enabled: true,
  transport: 'http',
  conditions: [],
  instances: [{ name: `${name}-1`, state: 'running', hash: 'x', restarts: 0 }],
  upstreams: [
    {
      id: name,
      transport: 'http',
      connected: true,
      inFlight: 0,
      calls: 1,
      errors: 0,
      perSecond: 0,
      breaker: 'closed',
      principal: 'user:grace',
    },
  ],
});

const commit = { id: 'c0ffee', at: now, author: 'Hopper', subject: 'Hide the server vault from ada' };

const STATUS: Status = {
  formatVersion: 1,
  version: '1.0.0',
  pid: 1,
  startedAt: now,
  source: '/srv/hidden-repo',
  conditions: [
    { type: 'Ready', status: 'False', reason: 'CrashLoop', message: 'vault crashes', lastTransitionTime: now },
  ],
  lastAttempted: commit,
  lastApplied: commit,
  issues: [{ file: 'vault.yaml', line: 1, code: 'invalid-value', message: 'vault' }],
  servers: [server('wiki'), server('vault')],
  workspaces: [
    { name: 'hidden', address: 'Workspace/hidden', conditions: [], source: '/srv/hidden', path: '/srv/hidden' },
  ],
  tokens: [{ address: 'Token/hopper', name: 'hopper' }],
  outbox: { pending: 2, lastError: 'vault.example refused' },
  audit: { events: 9, head: 'ab', waiting: 0, dropped: 0, lastError: '/srv/hidden-repo is full' },
};

const OFFER: Offer = { tools: () => [], projects: () => [] };

function grant(role: string, servers?: string[]): Grant {
  const subjects = [{ kind: 'User' as const, name: 'ada' }];
  const rule = { verbs: ['view'], resources: ['servers'], ...at };
  const access: Access = {
    ...NO_ACCESS,
    roles: { looker: { rules: [rule], operations: [], scopes: [], ...at } },
    bindings: [{ name: 'b', subjects, role, ...(servers ? { servers } : {}), ...at }],
  };
  return grantOf(access, { kind: 'User', name: 'ada', groups: [], roles: [], scopes: [] });
}

test('who may view one server learns of no other, of nobody else, and of no commit about them', () => {
  const seen = statusFor(grant('viewer', ['wiki']), STATUS, OFFER);
  expect(seen.servers.map(({ name, instances }) => [name, instances.length])).toEqual([['wiki', 1]]);
  expect(JSON.stringify(seen)).not.toMatch(/vault|hidden|hopper|grace/i);
  expect(seen).toMatchObject({ lastApplied: { id: 'c0ffee', at: now }, outbox: { pending: 2 } });
});

test('who may view servers and nothing else learns nothing else, by way of issues or commits neither', () => {
  for (const role of ['looker', 'member']) {
    const seen = statusFor(grant(role), STATUS, OFFER);
    expect(seen.servers.map(({ name }) => name)).toEqual(['wiki', 'vault']);
    expect(JSON.stringify(seen)).not.toMatch(/hidden|hopper|grace|crashes/i);
    expect(seen).toMatchObject({ tokens: [], workspaces: [], issues: [], lastApplied: { id: 'c0ffee', at: now } });
  }
  expect(statusFor(grant('member', ['wiki']), STATUS, OFFER).servers.map(({ name }) => name)).toEqual(['wiki']);
});

test('instances are for those who may view them; all of it is for whoever may view everything', () => {
  const [wiki] = statusFor(grant('looker'), STATUS, OFFER).servers;
  expect([wiki?.instances, wiki?.upstreams]).toEqual([[], undefined]);
  expect(statusFor(grant('viewer'), STATUS, OFFER)).toEqual(STATUS);
});

test('events of what one may not view are not told, nor those about all', () => {
  const event = (about: string, instance?: string): EventRow => ({
    seq: 1,
    firstAt: now,
    at: now,
    count: 1,
    type: 'Normal',
    about,
    ...(instance === undefined ? {} : { instance }),
    reason: 'x',
    message: 'x',
  });
  const all = [event(ALL), event('Server/wiki'), event('Server/wiki', 'wiki-1'), event('Server/vault', 'vault-1')];
  const seen = (by: Grant): EventRow[] => all.filter((one) => maySeeEvent(by, one));
  expect(seen(grant('viewer'))).toEqual(all);
  expect(seen(grant('viewer', ['wiki']))).toEqual(all.slice(1, 3));
  expect(seen(grant('looker'))).toEqual(all.slice(1, 2));
  expect(seen(grant('nobody'))).toEqual([]);
});

test('what the last change of a resource is called is for who may view everything', () => {
  expect(changeFor(grant('viewer'), commit)).toEqual(commit);
  expect(changeFor(grant('viewer', ['wiki']), commit)).toEqual({ id: 'c0ffee', at: now });
});

test('why a commit came to nothing is told in general to who may not see everything: guards name what would be deleted', () => {
  const error = new SlipwayError('blocked', 'The commit deletes 5 of 6 resources: Server/vault.');
  expect(JSON.stringify(refusalFor(grant('viewer', ['wiki']), error).toJSON())).not.toContain('vault');
  expect(refusalFor(grant('viewer', ['wiki']), error).code).toBe('blocked');
  expect(refusalFor(grant('admin'), error)).toBe(error);
});
