/** What a gateway is given, and what it gives. */
import type { Pace } from './lazy/monitor.ts';
import type { AuditSink } from '../schemas/audit.ts';
import type { BudgetStatus } from '../schemas/budgets.ts';
import type { CacheDesk, TextStore } from '../schemas/cache.ts';
import type { Control } from '../schemas/control.ts';
import type { Hooks } from '../schemas/hooks.ts';
import type { LlmDesk } from '../schemas/llm.ts';
import type { Log } from '../schemas/log.ts';
import type { Era } from '../schemas/modern.ts';
import type { MetricFamily } from '../schemas/metrics.ts';
import type { Connect } from '../schemas/peer.ts';
import type { LinkState, UpstreamStatus } from '../schemas/status.ts';
import type { Snapshot, Tally, Tool } from '../schemas/snapshot.ts';
import type { OpenSecret } from '../schemas/upstream-auth.ts';
import type { Store } from '../schemas/store.ts';
import type { VaultOptions } from './upstream/auth/vault.ts';

export interface GatewayOptions {
  readonly snapshot: Snapshot;
  /** 32 bytes that seal client session ids. The same key on a restarted or second gateway keeps sessions alive. */
  readonly sessionKey: Uint8Array;
  readonly log: Log;
  /** For `serverInfo`. */
  readonly version: string;
  /** `host:port` instead of the snapshot's; port 0 takes any free one. */
  readonly listen?: string;
  /** Also serve on this unix socket (mode 0600); whoever can open it is trusted as the local user. */
  readonly socketPath?: string;
  /** Answers `/api/v1/…`. */
  readonly control?: Control;
  /** Answers what forges send to `/hooks/git`. */
  readonly hooks?: Hooks;
  /** Reads the secrets that the snapshot refers to. Absent: there are none. */
  readonly secrets?: OpenSecret;
  /** Where tokens that people consented to are kept, sealed. Absent: in memory only. */
  readonly vault?: VaultOptions;
  /** Keeps what was used of budgets; without one, a restart forgets it. */
  readonly budgets?: Store;
  /** Keeps what sessions want to hear of, and which have ended; without one, a restart forgets it, and not the sessions. */
  readonly sessions?: Store;
  /** Keeps what models made; without one, a restart forgets it. */
  readonly texts?: TextStore;
  /** Takes what is to be remembered of requests. */
  readonly audit?: AuditSink;
  /** Hands over instances that live in this process; others are dialled at their endpoint's address. */
  readonly connect?: Connect;
  /** Shown by `/metrics` beside what the gateway itself counts. */
  readonly metrics?: () => Promise<MetricFamily[]>;
  /** How often servers are looked after while agents search them; 10 s, 30 s and 5 minutes by default. */
  readonly discoveryPace?: Pace;
  /** Called when a server's tools became others, or were listed for the first time. */
  readonly listed?: () => void;
  /** Asked by `/readyz`, besides whether the gateway itself is up. */
  readonly ready?: () => boolean;
}

export interface Gateway extends AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:9877`. Another one after a swap that changed the address. */
  readonly url: string;
  /** What a server speaks; `undefined` until it was connected to. */
  era(server: string): Era | undefined;
  /**
   * Serves another snapshot from now on; requests that run finish under theirs.
   * @throws SlipwayError `listen-failed`, `unsafe-listen` — then nothing has changed
   */
  swap(snapshot: Snapshot): Promise<void>;
  /** Requests in flight to an endpoint. */
  busy(endpointId: string): number;
  /** Resolves when no request runs on any of these endpoints. On one that a swap took away, none begins any more. */
  idle(endpointIds: readonly string[]): Promise<void>;
  /** What became of the calls on an endpoint. */
  tally(endpointId: string): Tally;
  /** When each Token was last used since the gateway started, by name (Unix time in ms). */
  lastUsed(): ReadonlyMap<string, number>;
  /** How it stands with the budgets. */
  budgets(): BudgetStatus[];
  /** What is kept so that it need not be made again. */
  readonly cache: CacheDesk;
  /** The language models. */
  readonly llms: LlmDesk;
  /** How it stands with the instances of a server. */
  upstreams(server: string): UpstreamStatus[];
  /** What a server lists, as far as anybody asked; `undefined` where nobody did. */
  tools(server: string): readonly Tool[] | undefined;
  /** The same, asked anew. Wakes it where it sleeps. */
  relist(server: string): Promise<readonly Tool[] | undefined>;
  /** Which of its lists could not be had when they were wanted (`tools`, …), and why. */
  unlisted(server: string): Readonly<Record<string, string>>;
  /** How the last reading of each Prompt went that is a link, by its name. */
  links(): ReadonlyMap<string, LinkState>;
}
