/** What a running Slipway tells the console, as it happens. Each feed goes on by itself: one that fails is told, and tried again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditEvent } from '../../reconciler/index.ts';
import { toSlipwayError } from '../../schemas/errors.ts';
import { serversOf } from '../../schemas/kinds/fields/server-selector.ts';
import type { project } from '../../schemas/kinds/project.ts';
import type { EventRow } from '../../schemas/operate.ts';
import type { Resource } from '../../schemas/resource.ts';
import type { Status } from '../../schemas/status.ts';
import type { z } from 'zod';
import type { Target } from '../target.ts';
import type { Feed, News } from './model.ts';

/** Until a feed that ended is asked again (ms). */
const AGAIN = 1000;
/** How often the load of servers is looked at while nothing else changes (ms). */
const LOAD = 1000;
/** Thousands of calls a second are no thousand pictures (ms). */
const FRAME = 100;
/** Events of a page. */
const PAGE = 200;

type Tell = (news: News) => void;

/** Ends with the signal. */
export async function follow(target: Target, tell: Tell, signal: AbortSignal): Promise<void> {
  await Promise.all([
    forever('status', tell, signal, () => status(target, tell, signal)),
    forever('calls', tell, signal, () => calls(target, tell)),
    forever('events', tell, signal, () => events(target, tell)),
  ]);
}

async function forever(feed: Feed, tell: Tell, signal: AbortSignal, once: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await once();
    } catch (error) {
      if (signal.aborted) return;
      const { message } = toSlipwayError(error);
      tell({ feed, trouble: message });
    }
    await delay(AGAIN, undefined, { signal }).catch(() => {});
  }
}

/** At once after each change; calls are none, so the load is looked at with time. */
async function status(target: Target, tell: Tell, signal: AbortSignal): Promise<void> {
  let changed = Promise.withResolvers<void>();
  const watch = (async () => {
    for await (const _ of target.lines('/changes')) changed.resolve();
  })();
  watch.catch(() => {}); // Whoever waits below hears of it.
  while (!signal.aborted) {
    changed = Promise.withResolvers();
    const [now, resources] = await Promise.all([
      target.json<Status>('GET', '/status'),
      target.json<Resource<z.output<typeof project.spec>>[]>('GET', '/resources/projects'),
    ]);
    const isSelected = resources.some(({ spec }) => spec.serverSelector);
    const all = isSelected ? await target.json<Resource[]>('GET', '/resources/servers') : [];
    const projects = resources.map(({ metadata: { name }, spec }) => ({ name, servers: serversOf(spec, all) }));
    tell({ feed: 'status', status: now, projects });
    await Promise.race([changed.promise, watch, delay(LOAD, undefined, { signal })]);
  }
}

async function calls(target: Target, tell: Tell): Promise<void> {
  await olderCalls(target, tell);
  let gathered: AuditEvent[] = [];
  const timer = setInterval(() => {
    if (gathered.length > 0) tell({ feed: 'calls', calls: gathered });
    gathered = [];
  }, FRAME);
  try {
    for await (const line of target.lines('/audit?follow=true')) gathered.push(JSON.parse(line) as AuditEvent);
  } finally {
    clearInterval(timer);
  }
}

/** The page before an event, or the newest. @param before its number */
export async function olderCalls(target: Target, tell: Tell, before?: number): Promise<void> {
  const from = before === undefined ? '' : `&before=${before}`;
  const page = await target.json<{ events: AuditEvent[]; next?: number }>('GET', `/audit?limit=${PAGE}${from}`);
  tell({ feed: 'calls', calls: page.events.toReversed(), older: page.next !== undefined });
}

async function events(target: Target, tell: Tell): Promise<void> {
  for await (const line of target.lines('/events?follow=true'))
    tell({ feed: 'events', events: [JSON.parse(line) as EventRow] });
}
