/** A resource is one checked YAML document and where it came from. */
import type { ErrorCode } from './errors.ts';

export const API_VERSION = 'slipway/v1';

export interface Metadata {
  readonly name: string;
  readonly project?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** What a commit must not do with it, as long as the commit before says so. `replace` means delete, too. */
  readonly protect?: 'delete' | 'replace' | undefined;
}

/** Where a resource was written. `line` and `column` count from 1; `commit` is absent for a plain folder. */
export interface Source {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Who wrote a field that does not stand in the resource's own document. */
export interface Origin {
  /** From the top of the document: `spec.replicas`. */
  readonly path: string;
  /** Address of an Overlay, say. */
  readonly from: string;
  readonly file: string;
  readonly line: number;
}

/** `spec` has its defaults filled in; its shape is the kind's (`schemas/kinds`). */
export interface Resource<Spec = unknown> {
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
  readonly source: Source;
  /** Lines of fields that decisions cite, by their paths below `spec`: `permissions.rules[0]`. */
  readonly lines?: Readonly<Record<string, number>>;
  /** The spec as it is written, where a Template is still to be put below it. */
  readonly written?: unknown;
  /** Name of the Template that it is made of. */
  readonly madeFrom?: string;
  /** Fields that others wrote; of two about the same, the later one holds. */
  readonly origins?: readonly Origin[];
  /** What files of the config repo say that belong to it, by path: values by key. Encrypted ones stay so. */
  readonly files?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One thing wrong with what was written. `path` names the field: `spec.env[0].name`. */
export interface Issue {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** `Server/github`: how plans, status and errors name a resource. */
export function addressOf(resource: { kind: string; metadata: { name: string } }): string {
  return `${resource.kind}/${resource.metadata.name}`;
}

/** Who wrote the field at `path`, or what it is a part of; `undefined` where it is the resource itself. */
export function originOf({ origins = [] }: Pick<Resource, 'origins'>, path: string): Origin | undefined {
  return origins.findLast((origin) => isWithin(path, origin.path));
}

/** Whether a path is another, or leads to something in it: `spec.env[0].value` is within `spec.env`. */
export function isWithin(path: string, outer: string): boolean {
  return path.startsWith(outer) && (path.length === outer.length || /[.[]/.test(path.charAt(outer.length)));
}

/** `config/servers.yaml:3:5 unknown-field …`, one line, as compilers print it so that editors can jump there. */
export function formatIssue(issue: Issue): string {
  const where = `${issue.file}:${issue.line}:${issue.column}`;
  const path = issue.path === '' ? '' : ` (${issue.path})`;
  return `${where}: ${issue.code}: ${issue.message}${path}\n    hint: ${issue.hint}`;
}

/** `['env', 0, 'name']` → `env[0].name`. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}
