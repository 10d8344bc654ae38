/**
 * Results of tools that are given again, where the config says which (`Server.spec.cache`). What is kept is the server's answer:
 * who may call, how often, and what it is counted as, is decided for each call anew.
 */
import { createHash } from 'node:crypto';
import type { LRUCache } from 'lru-cache';
import { parseExact } from '../../schemas/exact-json.ts';
import { glob } from '../../schemas/glob.ts';
import type { Log } from '../../schemas/log.ts';
import type { ServerEntry, Snapshot } from '../../schemas/snapshot.ts';
import type { Target } from '../catalog.ts';
import type { Call } from '../era/era.ts';
import { redacts } from '../limits/redact.ts';
import type { Known } from '../upstream/known.ts';
import { canonical } from './canonical.ts';

/** What is kept in all, and of one result (bytes of JSON). */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_RESULT = 1024 * 1024;
const MAX_ENTRIES = 2_000;
/** However long a server says that its result is good (ms). */
const MAX_SAID = 24 * 60 * 60 * 1000;
/** Arguments that are longer are hardly ever the same twice (characters). */
const MAX_ARGUMENTS = 64 * 1024;

type Rule = NonNullable<ServerEntry['cache']>[number];
type Result = Record<string, unknown>;

interface Rules {
  readonly of: (tool: string) => Rule | undefined;
  /** Equal for equal rules: what was kept by others is not found. */
  readonly id: string;
}

interface Kept {
  readonly json: string;
  /** As `performance.now()` gave it. */
  readonly at: number;
}

/** What the cache has to do with one call. */
export interface Keeping {
  /** The result, if it is known already: the server is not asked. */
  readonly known: Result | undefined;
  /** The server was asked. @param result absent for what may not be given again */
  end(result: unknown): void;
}

export class ResultCache {
  readonly #log: Log;
  readonly #rules = new WeakMap<ServerEntry, Rules>();
  readonly #ids = new WeakMap<Known, number>();
  /** How often what a server answered became void, by its name. */
  readonly #voided = new Map<string, number>();
  readonly #told = new Set<string>();
  #kept: LRUCache<string, Kept> | undefined;
  #count = 0;
  hits = 0;
  misses = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Another snapshot is in force. Until the library is there, servers are asked. */
  configure({ servers }: Snapshot): void {
    for (const name of this.#voided.keys()) if (!(name in servers)) this.#voided.delete(name);
    if (!this.#kept && Object.values(servers).some(({ cache }) => cache)) void this.#open();
  }

  async #open(): Promise<void> {
    const { LRUCache: Lru } = await import('lru-cache');
    this.#kept ??= new Lru({
      max: MAX_ENTRIES,
      maxSize: MAX_BYTES,
      maxEntrySize: MAX_RESULT,
      sizeCalculation: ({ json }) => json.length,
    });
  }

  /** `undefined` where no rule has to do with the call. @param params as the server would get them */
  keeping(call: Call, params: Readonly<Record<string, unknown>>, target: Target): Keeping | undefined {
    const { server, name, item } = target;
    if (!server.entry.cache || !this.#kept) return undefined;
    // What a canary says is no matter of those who are with the version before; what an instance of one's own says, of nobody else.
    if (server.entry.canary || server.isolated) return undefined;
    const rules = this.#rulesOf(server.entry);
    const rule = rules.of(name);
    const isReader = (item['annotations'] as { readOnlyHint?: unknown } | undefined)?.readOnlyHint === true;
    if (rule && !isReader && !rule.force) this.#tell(server.name, name);
    if (!rule || (!isReader && !rule.force)) return isReader ? undefined : this.#write(server.name);
    // A task is begun anew each time.
    if (params['task'] !== undefined) return undefined;
    const base = this.#keyOf(call, params, target, rules);
    return base === undefined ? undefined : this.#read(call, server.name, base, rule);
  }

  /** What a server answered so far may be wrong by now: it said that something changed. */
  void(server: string): void {
    this.#voided.set(server, (this.#voided.get(server) ?? 0) + 1);
  }

  clear(): void {
    this.#kept?.clear();
  }

  get stats(): { entries: number; bytes: number; maxBytes: number; hits: number; misses: number } {
    const { size: entries = 0, calculatedSize: bytes = 0 } = this.#kept ?? {};
    return { entries, bytes, maxBytes: MAX_BYTES, hits: this.hits, misses: this.misses };
  }

  #read(call: Call, server: string, base: string, rule: Rule): Keeping {
    const own = `${base} ${call.caller.identity.key}`;
    const found = this.#kept?.get(base) ?? this.#kept?.get(own);
    if (found) this.hits++;
    else this.misses++;
    const before = this.#voided.get(server);
    return {
      known: found && again(found),
      end: (result) => {
        if (!isResult(result) || this.#voided.get(server) !== before) return;
        const ttl = ttlOf(result, rule);
        if (ttl <= 0) return;
        // Cross-principal leak: what a server says is for one is kept for that one.
        const key = result['cacheScope'] === 'private' ? own : base;
        this.#kept?.set(key, { json: JSON.stringify(result), at: performance.now() }, { ttl });
      },
    };
  }

  /** A tool that may change something: what was read before it is void, and what is read while it runs. */
  #write(server: string): Keeping {
    this.void(server);
    return { known: undefined, end: () => this.void(server) };
  }

  /** A new version, or another principal's part of a server, has another {@link Known}: it finds nothing of the one before. */
  #keyOf(call: Call, params: Readonly<Record<string, unknown>>, target: Target, rules: Rules): string | undefined {
    const { server, name } = target;
    const { progressToken: _, traceparent: __, tracestate: ___, ...meta } = (params['_meta'] ?? {}) as Result;
    const given = canonical([params['arguments'] ?? {}, meta]);
    if (given === undefined || given.length > MAX_ARGUMENTS) return undefined;
    const about = [server.name, name, rules.id, redacts(call.caller, server), this.#voided.get(server.name) ?? 0];
    return createHash('sha256')
      .update(JSON.stringify([...about, this.#idOf(server.known), given]))
      .digest('base64');
  }

  #idOf(known: Known): number {
    let id = this.#ids.get(known);
    if (id === undefined) this.#ids.set(known, (id = ++this.#count));
    return id;
  }

  #rulesOf(entry: ServerEntry): Rules {
    let rules = this.#rules.get(entry);
    if (!rules) {
      const compiled = (entry.cache ?? []).map((rule) => ({ rule, fits: rule.tools.map(glob) }));
      const of = (tool: string): Rule | undefined =>
        compiled.findLast(({ fits }) => fits.some((fit) => fit(tool)))?.rule;
      this.#rules.set(entry, (rules = { of, id: JSON.stringify(entry.cache) }));
    }
    return rules;
  }

  /** A rule that does nothing is told once, not with each call. */
  #tell(server: string, tool: string): void {
    const key = `${server} ${tool}`;
    if (this.#told.has(key) || this.#told.size >= MAX_ENTRIES) return;
    this.#told.add(key);
    const hint = 'if it does, say so with force: true';
    this.#log('warn', 'results of a tool are not kept: it does not say that it only reads', { server, tool, hint });
  }
}

/** How long it may be given again (ms). */
function ttlOf(result: Result, { ttlMs }: Rule): number {
  const said = result['ttlMs'];
  const promised = typeof said === 'number' && said >= 0 ? Math.min(said, MAX_SAID) : undefined;
  return Math.floor(Math.min(ttlMs ?? promised ?? 0, promised ?? Infinity));
}

/** A question to the client, or a task, is no result yet. */
function isResult(result: unknown): result is Result {
  if (typeof result !== 'object' || result === null) return false;
  const type = (result as Result)['resultType'];
  return type === undefined || type === 'complete';
}

/** With its age, for whoever cares. */
function again({ json, at }: Kept): Result {
  const result = parseExact(json) as Result;
  const ageMs = Math.round(performance.now() - at);
  const { ttlMs } = result;
  return {
    ...result,
    ...(typeof ttlMs === 'number' ? { ttlMs: Math.max(0, ttlMs - ageMs) } : {}),
    _meta: { ...(result['_meta'] as object | undefined), 'slipway/cached': { ageMs } },
  };
}
