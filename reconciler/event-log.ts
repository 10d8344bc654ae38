/** What happened, as an operator would tell it: made of what differs between one status and the next. */
import { ALL, type EventRow } from '../schemas/operate.ts';
import type { Condition, InstanceStatus, ServerStatus, Status } from '../schemas/status.ts';
import { Bell } from './async.ts';
import { reviewNews } from './review/news.ts';

/** Enough for a bad night; what is older is in the audit log, as far as it was about the config. */
const MAX_EVENTS = 1000;

type Happening = Pick<EventRow, 'type' | 'about' | 'instance' | 'reason' | 'message'>;

export class EventLog {
  /** Oldest first, each by what it says. */
  readonly #events = new Map<string, EventRow>();
  #seq = 0;
  readonly #bell = new Bell();

  /** @param at ISO 8601 */
  note(before: Status | undefined, after: Status, at: string): void {
    const happened = happenings(before, after);
    for (const one of happened) this.#add(one, at);
    if (happened.length > 0) this.#bell.ring();
  }

  /** Oldest first. */
  list(after = 0): readonly EventRow[] {
    return [...this.#events.values()].filter(({ seq }) => seq > after);
  }

  /** Those to come, until the signal aborts. */
  async *follow(signal: AbortSignal): AsyncGenerator<EventRow> {
    let seen = this.#seq;
    for await (const _ of this.#bell.rings(signal)) {
      const fresh = this.list(seen);
      seen = this.#seq;
      yield* fresh;
    }
  }

  /** What happens again in the same words is one event, with a count: a crash loop must not push out all else. */
  #add(one: Happening, at: string): void {
    const key = JSON.stringify([one.about, one.instance, one.reason, one.message]);
    const { firstAt = at, count = 0 } = this.#events.get(key) ?? {};
    this.#events.delete(key);
    this.#events.set(key, { seq: ++this.#seq, firstAt, at, count: count + 1, ...one });
    if (this.#events.size > MAX_EVENTS) this.#events.delete(this.#events.keys().next().value ?? '');
  }
}

/** Tells those who watch lists that these may look different. Counters do not count: whoever looks makes them change. */
export class Changes {
  readonly #bell = new Bell();
  #shown = '';

  note({ conditions, servers, tokens, lastApplied }: Status): void {
    if (!this.#bell.isHeard) return;
    const shown = JSON.stringify([conditions, servers, tokens, lastApplied?.id], (key, value: unknown) =>
      key === 'upstreams' ? undefined : value,
    );
    if (shown !== this.#shown) this.#bell.ring();
    this.#shown = shown;
  }

  rings(signal: AbortSignal): AsyncGenerator<void> {
    return this.#bell.rings(signal);
  }
}

/** Pure. Without a status before there is only what is so now. */
export function happenings(before: Status | undefined, after: Status): Happening[] {
  const known = new Map(before?.servers.map((server) => [server.address, server]));
  const wanted = new Set(after.servers.map(({ address }) => address));
  const gone = [...known.values()].filter(({ address }) => !wanted.has(address));
  return [
    ...(before ? [] : [happened(ALL, 'Started', `slipway ${after.version} follows ${after.source}`)]),
    ...applied(before, after),
    ...conditionNews(ALL, before?.conditions, after.conditions),
    ...reviewNews(before?.review, after.review).map(({ reason, message, isBad }) => {
      const one = happened(ALL, reason, message);
      return isBad ? bad(one) : one;
    }),
    ...gone.map(({ address }) => happened(address, 'Removed', 'it is in the config no more')),
    ...after.workspaces.flatMap(({ address, conditions }) => {
      const earlier = before?.workspaces.find((one) => one.address === address);
      return conditionNews(address, earlier?.conditions, conditions);
    }),
    ...after.servers.flatMap((server) => aboutServer(before, known.get(server.address), server)),
  ];
}

const happened = (about: string, reason: string, message: string, instance?: string): Happening => ({
  type: 'Normal',
  about,
  ...(instance === undefined ? {} : { instance }),
  reason,
  message,
});

const bad = (one: Happening): Happening => ({ ...one, type: 'Warning' });

function applied(before: Status | undefined, { lastApplied }: Status): Happening[] {
  if (!lastApplied || lastApplied.id === before?.lastApplied?.id) return [];
  const { id, subject = '', author } = lastApplied;
  return [happened(ALL, 'Applied', `${id.slice(0, 12)} ${subject}${author === undefined ? '' : ` by ${author}`}`)];
}

/** Those whose changes are news, and what of them is bad news. */
const NEWS: Partial<Record<Condition['type'], (condition: Condition) => boolean>> = {
  Ready: ({ status }) => status === 'False',
  Drifted: ({ status }) => status === 'True',
  Pinned: ({ status }) => status === 'False',
  Authorized: ({ status }) => status === 'False',
  Suspended: () => false,
  AuditDegraded: ({ status }) => status === 'True',
  Verified: ({ status }) => status === 'False',
};

function conditionNews(about: string, before: readonly Condition[] = [], after: readonly Condition[]): Happening[] {
  return after.flatMap((condition) => {
    const { type, status, reason, message } = condition;
    const isBad = NEWS[type];
    const earlier = before.find((entry) => entry.type === type);
    if (!isBad || (earlier?.status === status && earlier.reason === reason)) return [];
    const one = happened(about, type === 'Ready' ? reason : type, message);
    return [isBad(condition) ? bad(one) : one];
  });
}

function aboutServer(status: Status | undefined, before: ServerStatus | undefined, after: ServerStatus): Happening[] {
  const { address, instances } = after;
  const earlier = new Map(before?.instances.map((instance) => [instance.name, instance]));
  const now = new Set(instances.map(({ name }) => name));
  const gone = [...earlier.keys()].filter((name) => !now.has(name));
  return [
    ...(status && !before ? [happened(address, 'Added', 'it is new in the config')] : []),
    ...conditionNews(address, before?.conditions, after.conditions),
    ...toolNews(before, after),
    ...instances.flatMap((instance) => aboutInstance(address, earlier.get(instance.name), instance)),
    ...gone.map((name) => happened(address, 'Stopped', 'it was removed', name)),
  ];
}

/** Without their names: which of them somebody may see, `describe` knows. */
function toolNews(before: ServerStatus | undefined, { address, tools: now }: ServerStatus): Happening[] {
  const { tools: earlier } = before ?? {};
  if (!earlier || !now) return [];
  const came = now.filter((tool) => !earlier.includes(tool)).length;
  const went = earlier.filter((tool) => !now.includes(tool)).length;
  return came + went === 0
    ? []
    : [happened(address, 'ToolsChanged', `${came} new, ${went} gone, ${now.length} in all`)];
}

const STATES: Partial<Record<InstanceStatus['state'], readonly [reason: string, message: string]>> = {
  starting: ['Starting', 'it is starting'],
  running: ['Started', 'it runs'],
  sleeping: ['Sleeping', 'nobody called it for long; the next call wakes it'],
};

function aboutInstance(address: string, before: InstanceStatus | undefined, after: InstanceStatus): Happening[] {
  const { name, state, restarts, lastError = 'it ended', unready } = after;
  // One that was made sleeps until it is started: no news.
  const isNew = state !== before?.state && !(state === 'sleeping' && !before);
  const [reason, message] = STATES[state] ?? [];
  const fell = state === 'crashed' ? isNew : restarts > (before?.restarts ?? 0);
  return [
    ...(fell ? [bad(happened(address, 'Crashed', lastError, name))] : []),
    ...(isNew && reason !== undefined && message !== undefined ? [happened(address, reason, message, name)] : []),
    ...(unready !== undefined && before?.unready === undefined
      ? [bad(happened(address, 'Unready', unready, name))]
      : []),
  ];
}
