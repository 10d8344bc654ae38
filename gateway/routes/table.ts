/** THE table of routes: what there is, who may come in, and who answers. A test tries every row with every credential. */
import type { Scope } from '../../schemas/access.ts';
import { METADATA_PATH, serveMetadata } from '../auth/resource.ts';
import type { Caller, Exchange, Known } from '../exchange.ts';
import type { Generation } from '../snapshot.ts';
import { serveAudit } from './audit.ts';
import { CALLBACK_PATH, CLIENT_PATH } from '../upstream/auth/client.ts';
import { serveCallback, serveClientDocument } from './consent.ts';
import { serveCanI } from './can-i.ts';
import { CONTROL_PREFIX, serveControl } from './control.ts';
import { serveDenied } from './denied.ts';
import { serveForget } from './forget.ts';
import { HOOKS_PATH, serveHook } from './hooks.ts';
import { serveHealth } from './health.ts';
import { openOld, postOld } from './http-sse.ts';
import { serveMcp } from './mcp.ts';
import { serveMetrics } from './metrics.ts';
import { serveInstructions, serveMcpConfig } from './project.ts';
import { servePromptIndex, serveVisiblePrompts } from './prompts.ts';

type Served = void | Promise<void>;

interface Row {
  /** `{}` stands for one part of the path, a `*` at the end for the rest. */
  readonly pattern: string;
  /** Absent: whoever answers decides. */
  readonly methods?: readonly string[];
}

/** Anybody may come. `always`: also while the gateway shuts down. */
interface PublicRow extends Row {
  readonly access: 'public';
  readonly always?: true;
  serve(exchange: Exchange): Served;
}

/** Operators: the local user of the control socket, or a caller with a role; what it may do there is asked there. */
export interface ControlRow extends Row {
  readonly access: 'control';
  serve(known: Known): Served;
}

/** Whoever has the scope, for all that there is. */
export interface ScopeRow extends Row {
  readonly access: { readonly scope: Scope };
  /** Whatever clients do, it can be had. */
  readonly unlimited?: true;
  serve(known: Known): Served;
}

/** Whoever shows who they are. */
export interface CallerRow extends Row {
  readonly access: 'caller';
  serve(known: Known): Served;
}

/** MCP clients, who see what their grant lets them see. */
export interface McpRow extends Row {
  readonly access: 'mcp';
  /** What the path ends with instead of `/mcp`. */
  readonly end: string;
  /** Who opens it with GET only listens. */
  readonly listens?: true;
  /** Whether it is there at all. */
  when?(generation: Generation): boolean;
  serve(caller: Caller): Served;
}

export type RouteRow = PublicRow | CallerRow | ControlRow | ScopeRow | McpRow;

/** All servers, those of a project, one server. */
const PLACES = ['/projects/{}', '/servers/{}', ''];

const isOld = ({ snapshot }: Generation): boolean => snapshot.gateway.httpSse === true;

export const ROUTES: readonly RouteRow[] = [
  ...PLACES.flatMap((place): McpRow[] => [
    {
      pattern: `${place}/mcp`,
      access: 'mcp',
      end: '/mcp',
      methods: ['GET', 'POST', 'DELETE'],
      listens: true,
      serve: serveMcp,
    },
    {
      pattern: `${place}/sse`,
      access: 'mcp',
      end: '/sse',
      methods: ['GET'],
      listens: true,
      when: isOld,
      serve: openOld,
    },
    { pattern: `${place}/messages`, access: 'mcp', end: '/messages', methods: ['POST'], when: isOld, serve: postOld },
  ]),
  {
    pattern: '/projects/{}/mcp-config',
    access: 'mcp',
    end: '/mcp-config',
    methods: ['GET'],
    serve: serveMcpConfig,
  },
  {
    pattern: '/projects/{}/instructions',
    access: 'mcp',
    end: '/instructions',
    methods: ['GET'],
    serve: serveInstructions,
  },
  {
    pattern: '/projects/{}/prompt-index',
    access: 'mcp',
    end: '/prompt-index',
    methods: ['GET'],
    serve: servePromptIndex,
  },
  {
    pattern: '/projects/{}/prompts/visible',
    access: 'mcp',
    end: '/prompts/visible',
    methods: ['GET'],
    serve: serveVisiblePrompts,
  },
  ...['/health', '/healthz', '/readyz'].map((pattern): PublicRow => ({
    pattern,
    access: 'public',
    methods: ['GET', 'HEAD'],
    always: true,
    serve: serveHealth,
  })),
  ...[METADATA_PATH, `${METADATA_PATH}/*`].map((pattern): PublicRow => ({
    pattern,
    access: 'public',
    methods: ['GET', 'HEAD', 'OPTIONS'],
    serve: serveMetadata,
  })),
  // A browser that comes back from a consent has no token: what it may do is up to the state that it brings.
  { pattern: CALLBACK_PATH, access: 'public', methods: ['GET'], serve: serveCallback },
  { pattern: CLIENT_PATH, access: 'public', methods: ['GET'], serve: serveClientDocument },
  // A forge has no token: that it is one is shown by the signature of what it sends.
  ...[HOOKS_PATH, `${HOOKS_PATH}/{}`].map((pattern): PublicRow => ({
    pattern,
    access: 'public',
    methods: ['POST'],
    serve: serveHook,
  })),
  { pattern: '/metrics', access: { scope: 'audit' }, methods: ['GET', 'HEAD'], unlimited: true, serve: serveMetrics },
  ...['/v1/audit', '/v1/audit/sessions'].map((pattern): ScopeRow => ({
    pattern,
    access: { scope: 'audit' },
    methods: ['GET'],
    serve: serveAudit,
  })),
  { pattern: `${CONTROL_PREFIX}/auth/can-i`, access: 'caller', methods: ['GET'], serve: serveCanI },
  { pattern: `${CONTROL_PREFIX}/consents/{}`, access: 'caller', methods: ['DELETE'], serve: serveForget },
  { pattern: `${CONTROL_PREFIX}/consents/{}/{}`, access: 'control', methods: ['DELETE'], serve: serveForget },
  { pattern: `${CONTROL_PREFIX}/denied/{}`, access: 'control', methods: ['GET'], serve: serveDenied },
  ...[CONTROL_PREFIX, `${CONTROL_PREFIX}/*`].map((pattern): ControlRow => ({
    pattern,
    access: 'control',
    serve: serveControl,
  })),
];

const exact = new Map(ROUTES.filter(({ pattern }) => !/[{*]/.test(pattern)).map((row) => [row.pattern, row]));
const shaped = ROUTES.filter(({ pattern }) => /[{*]/.test(pattern)).map((row) => ({
  row,
  shape: shapeOf(row.pattern),
}));

/** The row of a path as it was sent. By shape, so that whether a route exists is told only to those who may know. */
export function routeAt(path: string): RouteRow | undefined {
  return exact.get(path) ?? shaped.find(({ shape }) => shape.test(path))?.row;
}

/** The route of the snapshot that a path leads to: `/projects/dev/sse` to `/projects/dev/mcp`. */
export function targetOf({ end }: McpRow, path: string): string {
  return `${path.slice(0, path.length - end.length)}/mcp`;
}

function shapeOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.]/g, '\\$&').replaceAll('{}', '[^/]+').replace(/\*$/, '.*');
  return new RegExp(`^${escaped}$`, 's');
}
