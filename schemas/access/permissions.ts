/** Which tools may be called: the order of the rules. Pure. */
import { glob } from '../glob.ts';
import type { Access, Cited, Permissions, ToolRule } from './compiled.ts';

/** Who decided. `grant`: no role lets the caller use the server. `lock`: no commit accepted the tool as it is. `none`: nothing speaks against it. */
export type Level = 'grant' | 'lock' | 'floor' | 'server' | 'project' | 'role' | 'global' | 'none';

export interface Decision {
  readonly allowed: boolean;
  readonly level: Level;
  /** What is another than was accepted. */
  readonly because?: string;
  /** What it rests on, where something is written. */
  readonly rule?: Cited & {
    readonly what: 'rule' | 'default' | 'readOnly' | 'lock';
    readonly pattern?: string;
    readonly message?: string;
  };
}

/** What a server says of its tool: MCP's `ToolAnnotations`. Hints, as good as the server. */
export type Annotations = { readonly readOnlyHint?: unknown } | undefined;

/** Decides for the tools of one server. */
export type Decide = (tool: string, annotations: Annotations) => Decision;

type Match = (tool: string) => ToolRule | undefined;

interface Layer {
  readonly level: Level;
  readonly said: Permissions;
  /** The last rule that matches. */
  readonly match: Match;
}

/**
 * First the floor, which only denies. Then whatever is `readOnly`, which only a rule beside it loosens. Then the rules:
 * of the server, the project, the role, the gateway; the first of these levels with a rule that matches decides, and in
 * it the last such rule. Then their defaults, in the same order. What nobody speaks of is allowed.
 */
export function deciderFor(
  access: Access,
  server: string,
  project: string | undefined,
  role: Permissions | undefined,
): Decide {
  const floor = matcher(access.floor, server);
  const layer = (level: Level, said: Permissions | undefined): Layer[] =>
    said ? [{ level, said, match: matcher(said.rules, server) }] : [];
  const layers = [
    ...layer('server', own(access.servers, server)),
    ...layer('project', project === undefined ? undefined : own(access.projects, project)),
    ...layer('role', role),
    ...layer('global', access.global),
  ];
  return (tool, annotations) => {
    const denied = floor(tool);
    if (denied) return { allowed: false, level: 'floor', rule: cite(denied) };
    const rules = layers.map(({ match }) => match(tool));
    if (annotations?.readOnlyHint !== true) {
      const at = layers.findIndex(({ said }, index) => said.readOnly && rules[index]?.action !== 'allow');
      const shut = layers[at];
      if (shut) return { allowed: false, level: shut.level, rule: { what: 'readOnly', ...place(shut.said) } };
    }
    const at = rules.findIndex((rule) => rule !== undefined);
    const rule = rules[at];
    if (rule) return { allowed: rule.action === 'allow', level: layers[at]?.level ?? 'none', rule: cite(rule) };
    const last = layers.find(({ said }) => said.default !== undefined);
    if (!last) return { allowed: true, level: 'none' };
    return {
      allowed: last.said.default === 'allow',
      level: last.level,
      rule: { what: 'default', ...place(last.said) },
    };
  };
}

function matcher(rules: readonly ToolRule[], server: string): Match {
  const mine = rules
    .filter((rule) => rule.server === undefined || glob(rule.server)(server))
    .map((rule) => ({ rule, fits: glob(rule.pattern) }));
  return (tool) => mine.findLast(({ fits }) => fits(tool))?.rule;
}

function cite({ pattern, message, ...rule }: ToolRule): NonNullable<Decision['rule']> {
  return { what: 'rule', pattern, ...(message === undefined ? {} : { message }), ...place(rule) };
}

const place = ({ file, line }: Cited): Cited => ({ file, line });

const own = <T>(record: Readonly<Record<string, T>>, key: string): T | undefined =>
  Object.hasOwn(record, key) ? record[key] : undefined;
