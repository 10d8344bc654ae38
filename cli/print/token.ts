/** Tokens as people see them: what they may do, until when, and when they last did. */
import type { token as kind } from '../../schemas/kinds/token.ts';
import { addressOf, type Resource } from '../../schemas/resource.ts';
import type { TokenStatus } from '../../schemas/status.ts';
import type { z } from 'zod';
import { age, type Table } from './table.ts';

type Spec = z.output<typeof kind.spec>;

/** @param statuses by address; without one, nobody knows when a token was used */
export function tokenTable(resources: readonly Resource[], statuses: ReadonlyMap<string, TokenStatus>): Table {
  return {
    head: ['name', 'roles', 'scopes', 'projects', 'expires', 'last used', 'source'],
    rows: resources.map((resource) => {
      const { roles, scopes, projects, expiresAt } = resource.spec as Spec;
      const { file, line } = resource.source;
      return [
        resource.metadata.name,
        (roles ?? (scopes ? [] : ['member'])).join(',') || '-',
        scopes?.join(',') || '-',
        projects ? projects.join(',') || 'none' : 'all',
        expiry(expiresAt),
        lastUse(statuses.get(addressOf(resource))),
        `${file}:${line}`,
      ];
    }),
  };
}

/** For `describe`. */
export function tokenSection(status: TokenStatus): string {
  return `Last used: ${lastUse(status)}${status.lastUsed === undefined ? '' : ` (${status.lastUsed})`}\nExpires:   ${expiry(status.expiresAt)}`;
}

function lastUse(status: TokenStatus | undefined): string {
  if (!status) return '-';
  return status.lastUsed === undefined ? 'never' : `${age(status.lastUsed)} ago`;
}

function expiry(at: string | undefined): string {
  if (at === undefined) return 'never';
  return Date.parse(at) <= Date.now() ? `expired ${at}` : at;
}
