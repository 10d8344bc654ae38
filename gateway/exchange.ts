/** What travels through the pipeline: one HTTP request with the snapshot it began with. */
import type { HttpRequest, HttpResponse } from './http/message.ts';
import type { AuditSink } from '../schemas/audit.ts';
import type { Control } from '../schemas/control.ts';
import type { Hooks } from '../schemas/hooks.ts';
import type { Log } from '../schemas/log.ts';
import type { MetricFamily } from '../schemas/metrics.ts';
import type { Tracing } from './tracing/tracing.ts';
import type { Trace } from './audit/trace.ts';
import type { Addresses } from './limits/addresses.ts';
import type { Budgets } from './limits/budgets.ts';
import type { Limiter, Permit } from './limits/limiter.ts';
import type { Course } from './limits/limits.ts';
import type { ResultCache } from './cache/results.ts';
import type { TextCache } from './cache/texts.ts';
import type { Denials } from './denials.ts';
import type { Authorizer } from './upstream/auth/authorizer.ts';
import type { Llms } from './llm/llm.ts';
import type { Monitor } from './lazy/monitor.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Asks } from './sessions/asks.ts';
import type { Calls } from './sessions/calls.ts';
import type { Tasks } from './sessions/tasks.ts';
import type { Elicitations } from './sessions/elicitations.ts';
import type { Sections } from './results/sections.ts';
import type { EndedSessions } from './sessions/ended.ts';
import type { Followers } from './sessions/followers.ts';
import type { Levels } from './sessions/levels.ts';
import type { OldSessions } from './sessions/old-sessions.ts';
import type { Parked } from './sessions/parked.ts';
import type { Replays } from './sessions/replay.ts';
import type { Seal } from './sessions/seal.ts';
import type { Streams } from './sessions/streams.ts';
import type { Subscriptions } from './sessions/subscriptions.ts';
import type { Plugins } from './plugins/plugins.ts';
import type { PromptDesk } from './prompts/desk.ts';
import type { RouteView } from './route-view.ts';
import type { Generation } from './snapshot.ts';
import type { Identity } from './steps/authenticate.ts';
import type { Scripts } from './script/scripts.ts';
import type { HostPolicy } from './steps/origin.ts';
import type { Workers } from './workers.ts';

/** What all requests of one gateway share. `current` is replaced whole by a swap; `closing` only ever becomes true. */
export interface State {
  readonly log: Log;
  readonly version: string;
  readonly control: Control | undefined;
  readonly hooks: Hooks | undefined;
  readonly ready: () => boolean;
  readonly metrics: GatewayMetrics;
  readonly audit: AuditSink;
  readonly tracing: Tracing;
  readonly limiter: Limiter;
  readonly addresses: Addresses;
  /** How to get into servers that want to know who comes. */
  readonly authorizer: Authorizer;
  readonly budgets: Budgets;
  /** Threads for what only computes. What waits for others keeps one busy, and has its own. */
  readonly workers: Workers;
  /** Threads for code of the config repo that may wait for a model. */
  readonly askers: Workers;
  readonly scripts: Scripts;
  /** The models that may be asked, and what they answered. */
  readonly llm: Llms;
  readonly texts: TextCache;
  /** Results of tools that are given again. */
  readonly results: ResultCache;
  /** What was split, for agents that read on. */
  readonly sections: Sections;
  /** What others count, and `/metrics` shows too. */
  readonly moreMetrics: (() => Promise<MetricFamily[]>) | undefined;
  readonly seal: Seal;
  readonly ended: EndedSessions;
  readonly calls: Calls;
  readonly asks: Asks;
  readonly levels: Levels;
  readonly elicitations: Elicitations;
  readonly tasks: Tasks;
  readonly parked: Parked;
  readonly oldSessions: OldSessions;
  readonly subscriptions: Subscriptions;
  readonly streams: Streams;
  readonly replays: Replays;
  readonly denials: Denials;
  /** Of the servers that agents search. */
  readonly monitor: Monitor;
  readonly prompts: PromptDesk;
  /** What sessions keep for the code that takes part in them. */
  readonly plugins: Plugins;
  /** Gives back what a session had of its own. */
  readonly onEnded: (sessionId: string) => void;
  readonly followers: Followers;
  current: Generation;
  closing: boolean;
}

/** Where a request came in. */
export interface Source {
  readonly kind: 'tcp' | 'unix';
  /** Whether only this machine can reach it. */
  readonly loopback: boolean;
  /** The names and origins that are this listener's own; none on a unix socket. */
  readonly own: HostPolicy;
  /** Still answering, but no longer accepting. */
  closing: boolean;
}

export interface Exchange {
  readonly state: State;
  readonly source: Source;
  readonly generation: Generation;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** What is learned of the request on its way, for audit and traces. */
  readonly trace: Trace;
  /** The request target up to `?`, as it was sent: never decoded, never normalised. */
  readonly path: string;
}

/** One that may take something of limits, which it holds until it is answered to the end. */
export interface Holder extends Exchange {
  held: Permit | undefined;
}

/** An exchange whose caller is known. */
export interface Known extends Exchange {
  readonly identity: Identity;
}

/** What limits leave to a request. */
export interface Limited {
  /** What bounds it. */
  readonly course: Course;
  /** What it holds; none where nothing is counted. */
  readonly permit: Permit | undefined;
}

/** An exchange whose caller may use the route, or a part of it, and is within its limits. */
export interface Caller extends Known, Limited {
  readonly route: RouteView;
}
