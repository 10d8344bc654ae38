/** The rows of each tab, and what is told of the one that is looked into. Pure. */
import type { AuditEvent } from '../../reconciler/index.ts';
import { conditionOf, type InstanceStatus, type ServerStatus, type UpstreamStatus } from '../../schemas/status.ts';
import { commitText } from '../print/events.ts';
import { plain } from '../print/plain.ts';
import { serverSections } from '../print/server.ts';
import { age, rowText, widest } from '../print/table.ts';
import { formatValue } from '../print/value.ts';
import type { Model } from './model.ts';

/** What colour says: it is never the only one that says it. */
export type Tone = 'good' | 'bad' | 'busy' | 'quiet';

export interface Row {
  readonly key: string;
  readonly text: string;
  readonly tone?: Tone;
  /** Told when it is looked into. */
  readonly details: () => readonly string[];
}

export interface Rows {
  readonly head: string;
  readonly rows: readonly Row[];
}

/** A row before its columns are as wide as all others'. */
interface Wide extends Omit<Row, 'text'> {
  readonly cells: readonly string[];
}

export function rowsOf(model: Model): Rows {
  const { head, rows } = { servers: serverRows, calls: callRows, syncs: syncRows }[model.tab](model);
  const wanted = model.filter.toLowerCase();
  const shown = rows.filter(({ cells }) => cells.join(' ').toLowerCase().includes(wanted));
  const upper = head.map((name) => name.toUpperCase());
  // What stands alone in its row must not push the others' columns away.
  const columns = shown.map(({ cells }) => cells).filter((cells) => cells.length > 1);
  const widths = widest([], [upper, ...columns]);
  return {
    head: rowText(upper, widths),
    rows: shown.map(({ cells, ...row }) => ({ ...row, text: rowText(cells, widths) })),
  };
}

function serverRows({ status, projects }: Model): { head: string[]; rows: Wide[] } {
  const servers = status?.servers ?? [];
  const byName = new Map(servers.map((server) => [server.name, server]));
  const within = new Set(projects.flatMap((project) => project.servers));
  const groups = [
    ...projects.map(({ name, servers: names }) => ({
      name: `project ${name}`,
      members: names.flatMap((server) => byName.get(server) ?? []),
    })),
    { name: 'no project', members: servers.filter(({ name }) => !within.has(name)) },
  ].filter(({ name, members }) => name !== 'no project' || members.length > 0);
  const rows = groups.flatMap(({ name, members }): Wide[] => [
    { key: name, cells: [name], tone: 'quiet', details: () => members.map((server) => server.name) },
    ...members.flatMap((server) => [
      serverRow(name, server),
      ...server.instances.map((one) => instanceRow(name, server, one)),
    ]),
  ]);
  return { head: ['name', 'state', 'calls/s', 'p95', 'in flight', 'failed', 'restarts', 'age'], rows };
}

function serverRow(group: string, server: ServerStatus): Wide {
  const ready = conditionOf(server, 'Ready');
  const word = ready?.status === 'True' ? 'ready' : (ready?.reason ?? 'Unknown');
  return {
    key: `${group}/${server.name}`,
    cells: [`  ${server.name}`, word, ...loadOf(server.upstreams ?? [])],
    tone: ready?.status === 'True' ? 'good' : ready?.status === 'False' ? 'bad' : 'busy',
    details: () => serverSections(server, undefined, []).join('\n').split('\n'),
  };
}

const STATES: Readonly<Record<InstanceStatus['state'], Tone>> = {
  running: 'good',
  sleeping: 'quiet',
  starting: 'busy',
  stopping: 'busy',
  crashed: 'bad',
};

function instanceRow(group: string, server: ServerStatus, instance: InstanceStatus): Wide {
  const { name, state, restarts, startedAt } = instance;
  const own = (server.upstreams ?? []).filter(({ id }) => id === name);
  return {
    key: `${group}/${server.name}/${name}`,
    cells: [`    ${name}`, state, ...loadOf(own), String(restarts), age(startedAt)],
    tone: STATES[state],
    details: () => formatValue(instance, 'yaml').split('\n'),
  };
}

function loadOf(upstreams: readonly UpstreamStatus[]): string[] {
  const sum = (of: (one: UpstreamStatus) => number): number => upstreams.reduce((total, one) => total + of(one), 0);
  const times = upstreams.flatMap(({ p95Ms }) => p95Ms ?? []);
  return [
    String(Number(sum(({ perSecond }) => perSecond).toPrecision(3))),
    times.length === 0 ? '-' : `${Math.max(...times)}ms`,
    String(sum(({ inFlight }) => inFlight)),
    String(sum(({ errors }) => errors)),
  ];
}

/** What clients asked for, and were refused. */
const isCall = ({ source, kind, allowed }: AuditEvent): boolean =>
  source === 'gateway' && (kind !== 'control' || !allowed);

/** What is told first of an event. The rest follows; what is not known is left out. */
const FIRST = ['seq', 'ts', 'kind', 'method', 'tool', 'outcome', 'deniedReason', 'principal', 'project', 'server'];

function fieldsOf(event: AuditEvent): string[] {
  const all = Object.entries(event).filter(([, value]) => value !== null && value !== '');
  const rank = (key: string): number => (FIRST.indexOf(key) + FIRST.length + 1) % (FIRST.length + 1);
  const sorted = all.toSorted(([a], [b]) => rank(a) - rank(b));
  return formatValue(Object.fromEntries(sorted), 'yaml').split('\n');
}

function callRows({ calls, all }: Model): { head: string[]; rows: Wide[] } {
  const rows = calls
    .filter((event) => all || isCall(event))
    .map((event): Wide => {
      const { seq, ts, method, tool, project, server, outcome, deniedReason, durationMs } = event;
      return {
        key: String(seq),
        cells: [
          ts.slice(11, 23),
          event.principal ?? event.address ?? '-',
          [method, tool].filter(Boolean).join(' '),
          [project, server].filter(Boolean).join('/') || '-',
          deniedReason === null ? outcome : `${outcome} (${deniedReason})`,
          durationMs === undefined ? '-' : `${durationMs.toFixed(1)}ms`,
        ],
        tone: outcome === 'ok' ? 'good' : outcome === 'denied' ? 'bad' : 'busy',
        details: () => fieldsOf(event),
      };
    });
  return { head: ['time', 'who', 'what', 'where', 'outcome', 'took'], rows };
}

function syncRows({ events }: Model): { head: string[]; rows: Wide[] } {
  const rows = events.map((event): Wide => {
    const { seq, at, type, about, reason, message, count } = event;
    return {
      key: String(seq),
      cells: [at.slice(11, 19), about, reason, count === 1 ? message : `${message} (×${count})`],
      tone: type === 'Warning' ? 'bad' : 'good',
      details: () => formatValue(event, 'yaml').split('\n'),
    };
  });
  return { head: ['time', 'about', 'reason', 'message'], rows };
}

/** How all of it does, in two lines. */
export function headline({ status, trouble }: Model): { text: string; tone: Tone }[] {
  if (!status) return [{ text: trouble.status ?? 'asking …', tone: trouble.status ? 'bad' : 'busy' }];
  const ready = conditionOf(status, 'Ready');
  const word = ready?.status === 'True' ? 'Ready' : (ready?.reason ?? 'Unknown');
  const { lastApplied, lastAttempted, gateway } = status;
  const why = ready?.status === 'True' ? (gateway?.url ?? '') : (ready?.message ?? '');
  const behind = lastAttempted && lastAttempted.id !== lastApplied?.id ? `; tried ${commitText(lastAttempted)}` : '';
  return [
    {
      text: plain(`${word}  ${why}`.trimEnd()),
      tone: ready?.status === 'True' ? 'good' : ready?.status === 'False' ? 'bad' : 'busy',
    },
    {
      text: plain(lastApplied ? `applied ${commitText(lastApplied)}${behind}` : `nothing applied yet${behind}`),
      tone: 'quiet',
    },
  ];
}
