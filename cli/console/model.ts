/** What the console shows: one value, and what keys and news make of it. Pure, so that all of it can be told without a terminal. */
import type { AuditEvent } from '../../reconciler/index.ts';
import type { EventRow } from '../../schemas/operate.ts';
import type { Status } from '../../schemas/status.ts';

export const TABS = ['servers', 'calls', 'syncs'] as const;
export type Tab = (typeof TABS)[number];

export interface ProjectRow {
  readonly name: string;
  readonly servers: readonly string[];
}

export interface Model {
  readonly tab: Tab;
  readonly status: Status | undefined;
  readonly projects: readonly ProjectRow[];
  /** Events of the audit log by number, oldest first. */
  readonly calls: readonly AuditEvent[];
  /** Whether older ones may be had. */
  readonly older: boolean;
  /** Whether only what clients asked for is shown, or all that the log holds. */
  readonly all: boolean;
  readonly events: readonly EventRow[];
  /** Lines of the plan, once somebody asked for it. */
  readonly plan: readonly string[] | undefined;
  /** Keys of the selected rows; without one, the newest, whatever comes. */
  readonly selected: Readonly<Partial<Record<Tab, string>>>;
  /** Whether the selected row is looked into, and the first line that is shown of it. */
  readonly open: boolean;
  readonly scroll: number;
  readonly filter: string;
  /** Whether keys go to the filter. */
  readonly typing: boolean;
  readonly paused: boolean;
  readonly help: boolean;
  /** What cannot be had just now, by where it comes from. */
  readonly trouble: Readonly<Partial<Record<Feed, string>>>;
}

/** Where news come from. */
export type Feed = 'status' | 'calls' | 'events' | 'plan';

export type News =
  | { readonly feed: 'status'; readonly status: Status; readonly projects: readonly ProjectRow[] }
  | { readonly feed: 'calls'; readonly calls: readonly AuditEvent[]; readonly older?: boolean }
  | { readonly feed: 'events'; readonly events: readonly EventRow[] }
  | { readonly feed: 'plan'; readonly plan: readonly string[] }
  | { readonly feed: Feed; readonly trouble: string };

/** What keys ask of the world. */
export type Wish = 'quit' | 'plan' | 'older' | 'sync';

/** A key by its name (`up`, `return` …) or its character. */
export interface Press {
  readonly key: string;
  /** Keys of the rows that are shown, in their order, and how many fit. */
  readonly rows: readonly string[];
  readonly page: number;
}

/** What is kept of each stream: a day of looking must not fill the memory. */
const MOST = 1000;

export const beginning = (all: boolean): Model => ({
  tab: all ? 'calls' : 'servers',
  status: undefined,
  projects: [],
  calls: [],
  older: true,
  all,
  events: [],
  plan: undefined,
  selected: {},
  open: false,
  scroll: 0,
  filter: '',
  typing: false,
  paused: false,
  help: false,
  trouble: {},
});

export function learn(model: Model, news: News): Model {
  if ('trouble' in news) return { ...model, trouble: { ...model.trouble, [news.feed]: news.trouble } };
  const { [news.feed]: _, ...trouble } = model.trouble;
  const known = { ...model, trouble };
  switch (news.feed) {
    case 'status':
      return { ...known, status: news.status, projects: news.projects };
    case 'calls':
      return { ...known, calls: merged(model.calls, news.calls), older: news.older ?? model.older };
    case 'events':
      return { ...known, events: unique([...model.events, ...news.events]).slice(-MOST) };
    case 'plan':
      return { ...known, plan: news.plan };
  }
}

/** Who asks again is told all of it again. Numbers begin anew with each start of Slipway. */
function unique(events: readonly EventRow[]): EventRow[] {
  return [...new Map(events.map((event) => [`${event.firstAt} ${event.seq}`, event])).values()];
}

/** Two streams of the same log: what was, and what comes. */
function merged(known: readonly AuditEvent[], more: readonly AuditEvent[]): AuditEvent[] {
  const bySeq = new Map([...known, ...more].map((event) => [event.seq, event]));
  const all = [...bySeq.values()].sort((a, b) => a.seq - b.seq);
  // Older ones were asked for: then it is the newest that go.
  const isBack = (more[0]?.seq ?? 0) < (known[0]?.seq ?? 0);
  return all.length <= MOST ? all : isBack ? all.slice(0, MOST) : all.slice(-MOST);
}

export function press(model: Model, { key, rows, page }: Press): { model: Model; wish?: Wish } {
  if (key === 'ctrl-c') return { model, wish: 'quit' };
  if (model.typing) return { model: typed(model, key) };
  if (model.help) return { model: { ...model, help: false } };
  const tab = TABS[Number(key) - 1];
  if (tab) return { model: toTab(model, tab) };
  switch (key) {
    case 'q':
      return { model, wish: 'quit' };
    case 'escape':
      return { model: model.open ? { ...model, open: false, scroll: 0 } : { ...model, filter: '' } };
    case 'tab':
      return { model: toTab(model, TABS[(TABS.indexOf(model.tab) + 1) % TABS.length] ?? 'servers') };
    case 'return':
      return { model: rows.length === 0 ? model : { ...model, open: !model.open, scroll: 0 } };
    case '/':
      return { model: { ...model, typing: true } };
    case '?':
      return { model: { ...model, help: true } };
    case ' ':
      return { model: { ...model, paused: !model.paused } };
    case 'a':
      return { model: { ...model, all: !model.all } };
    case 'o':
      return model.tab === 'calls' && model.older ? { model, wish: 'older' } : { model };
    case 'p':
      return { model: toTab(model, 'syncs'), wish: 'plan' };
    case 's':
      return { model, wish: 'sync' };
    default:
      return { model: moved(model, key, rows, page) };
  }
}

const toTab = (model: Model, tab: Tab): Model => ({ ...model, tab, open: false, scroll: 0 });

function typed(model: Model, key: string): Model {
  if (key === 'return') return { ...model, typing: false };
  if (key === 'escape') return { ...model, typing: false, filter: '' };
  if (key === 'backspace') return { ...model, filter: model.filter.slice(0, -1) };
  return key.length === 1 ? { ...model, filter: model.filter + key } : model;
}

/** How far each key goes, in rows. */
const STEPS: Readonly<Record<string, (page: number) => number>> = {
  up: () => -1,
  k: () => -1,
  down: () => 1,
  j: () => 1,
  pageUp: (page) => -page,
  pageDown: (page) => page,
  home: () => -Infinity,
  g: () => -Infinity,
  end: () => Infinity,
  G: () => Infinity,
};

function moved(model: Model, key: string, rows: readonly string[], page: number): Model {
  const step = STEPS[key]?.(page);
  if (step === undefined || rows.length === 0) return model;
  if (model.open && (key === 'pageUp' || key === 'pageDown'))
    return { ...model, scroll: Math.max(0, model.scroll + step) };
  const last = rows.length - 1;
  const { [model.tab]: current, ...others } = model.selected;
  const at = current === undefined ? startOf(model.tab, last) : Math.max(0, rows.indexOf(current));
  const next = Math.min(last, Math.max(0, at + step));
  // At the end of a stream one stays at its end.
  const follows = model.tab !== 'servers' && next === last;
  const selected = follows ? others : { ...others, [model.tab]: rows[next] ?? '' };
  return { ...model, selected, scroll: 0 };
}

/** Which row is selected before anybody has chosen: the first of the servers, the newest of a stream. */
const startOf = (tab: Tab, last: number): number => (tab === 'servers' ? 0 : last);

/** The place of the selected row. */
export function selectedAt({ tab, selected }: Pick<Model, 'tab' | 'selected'>, rows: readonly string[]): number {
  const key = selected[tab];
  const at = key === undefined ? -1 : rows.indexOf(key);
  return at >= 0 ? at : startOf(tab, rows.length - 1);
}
