/** The part of the control API that reads: what is wanted, what happened, what was said. Each caller gets its own share. */
import type { Grant } from '../schemas/access.ts';
import type { ControlRequest, ControlResponse } from '../schemas/control.ts';
import { SlipwayError } from '../schemas/errors.ts';
import { findKind } from '../schemas/kinds/index.ts';
import type { History } from '../schemas/operate.ts';
import type { Resource } from '../schemas/resource.ts';
import { pause } from './async.ts';
import { changeFor, checkOperation, maySeeEvent, nameIn, visible } from './control-access.ts';
import { maskedResource } from './diff.ts';
import type { LogOptions } from './drivers/driver.ts';
import type { Reconciler } from './reconciler.ts';
import { timeOf } from './record/audit/query.ts';

/** `/resources`, `/resources/<kind>`, `/resources/<kind>/<name>`: what the last good commit says. */
export function resources(reconciler: Reconciler, grant: Grant, parts: readonly string[]): readonly Resource[] {
  return found(reconciler, grant, parts).map(maskedResource);
}

function found({ world }: Reconciler, grant: Grant, [word, name]: readonly string[]): readonly Resource[] {
  const all = world.compiled.resources;
  if (word === undefined) return visible(grant, all);
  const kind = findKind(word);
  if (!kind) throw new SlipwayError('unknown-kind', `There is no kind ${word}.`);
  const named = all.filter(
    (resource) => resource.kind === kind.kind && (name === undefined || resource.metadata.name === name),
  );
  const seen = visible(grant, named, { word: kind.plural, ...(name === undefined ? {} : { name }) });
  if (name !== undefined && seen.length === 0)
    throw new SlipwayError('not-found', `There is no ${kind.kind} named ${name}.`);
  return seen;
}

/** How long git may look for the commit of a few lines: it is a courtesy, and a history can be long. */
const HISTORY_MS = 5000;

/** `/history/<kind>/<name>` @throws SlipwayError not-found, forbidden, bad-request */
export async function history(
  reconciler: Reconciler,
  { signal, caller: { grant } }: ControlRequest,
  parts: readonly string[],
): Promise<History> {
  if (parts.length !== 2) throw new SlipwayError('bad-request', 'Name a kind and a name.');
  const [resource] = found(reconciler, grant, parts);
  if (!resource) throw new SlipwayError('not-found');
  const { file, line } = resource.source;
  const { source, compiled } = reconciler.world;
  const after = compiled.resources.flatMap((other) =>
    other.source.file === file && other.source.line > line ? [other.source.line] : [],
  );
  const lines = { first: line, ...(after.length === 0 ? {} : { last: Math.min(...after) - 1 }) };
  const patient = AbortSignal.any([signal, AbortSignal.timeout(HISTORY_MS)]);
  const change = await source.lastChange?.(compiled.commit, file, lines, patient).catch(() => undefined);
  return { file, line, ...(change ? { change: changeFor(grant, change) } : {}) };
}

/** `/events`, oldest first; with `follow`, those to come as well, line by line. `for` names what they are about. */
export function events(reconciler: Reconciler, { query, signal, caller: { grant } }: ControlRequest): ControlResponse {
  const { since = 0 } = timeOf(query, 'since', Date.now());
  const about = query.get('for');
  const isWanted = (event: (typeof past)[number]): boolean =>
    maySeeEvent(grant, event) && (about === null || about === event.about) && Date.parse(event.at) >= since;
  const past = reconciler.events.list();
  if (query.get('follow') !== 'true') return { status: 200, body: past.filter(isWanted) };
  const coming = reconciler.events.follow(signal);
  const lines = async function* (): AsyncGenerator<string> {
    for (const event of past) if (isWanted(event)) yield JSON.stringify(event);
    for await (const event of coming) if (isWanted(event)) yield JSON.stringify(event);
  };
  return { status: 200, lines: lines() };
}

/** However much changes, whoever watches asks for all of it again: not more often than this. */
const CALM_MS = 200;
/** Counters ring no bell, and a connection that broke shows only when something is sent. */
const BEAT_MS = 5000;

/** `/changes`: an empty line at once, whenever a list may look different, and now and then. It tells nobody what. */
export function changes(reconciler: Reconciler, { signal }: ControlRequest): ControlResponse {
  const lines = async function* (): AsyncGenerator<string> {
    const rings = reconciler.changes.rings(signal);
    let next = rings.next();
    while (!signal.aborted) {
      yield '';
      await pause(CALM_MS, signal).catch(() => {});
      const beat = pause(BEAT_MS, signal).then(
        () => false,
        () => false,
      );
      if (await Promise.race([next.then(() => true), beat])) next = rings.next();
    }
  };
  return { status: 200, lines: lines() };
}

/** `/logs/<kind>/<name>` */
export async function logs(
  { world }: Reconciler,
  { query, signal, caller: { grant } }: ControlRequest,
  parts: readonly string[],
): Promise<ControlResponse> {
  const address = parts.join('/');
  checkOperation(grant, 'logs', nameIn(address));
  const [index, tail] = [countIn(query, 'index'), countIn(query, 'tail')];
  const { since } = timeOf(query, 'since', Date.now());
  const options: LogOptions = {
    signal,
    follow: query.get('follow') === 'true',
    ...(index === undefined ? {} : { index }),
    ...(tail === undefined ? {} : { tail }),
  };
  for (const driver of world.drivers.values()) {
    const lines = driver.logs?.(address, options);
    if (lines) return { status: 200, lines: since === undefined ? lines : linesSince(lines, since) };
  }
  throw new SlipwayError(
    'not-found',
    `There is no log of ${address}${index === undefined ? '' : ` with index ${index}`}.`,
  );
}

/** Lines begin with their time. */
async function* linesSince(lines: AsyncIterable<string>, since: number): AsyncGenerator<string> {
  for await (const line of lines) if (!(Date.parse(line.slice(0, line.indexOf(' '))) < since)) yield line;
}

function countIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw new SlipwayError('bad-request', `${name} must be a number.`);
  return Number(text);
}
