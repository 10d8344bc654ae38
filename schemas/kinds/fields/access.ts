/** Fields that say who somebody is and what they may do. */
import { z } from 'zod';
import { SCOPE_SPELLINGS } from '../../access.ts';
import { name } from '../fields.ts';
import type { Reference } from '../kind.ts';

export const scopes = z.array(z.enum(SCOPE_SPELLINGS)).max(64);

export const roles = z.array(name).max(64);

export function roleReferences(names: readonly string[], path: readonly (string | number)[]): Reference[] {
  return names.map((role, index) => ({ path: [...path, index], kind: 'Role', name: role }));
}

/** An OAuth scope (RFC 6749 §3.3). */
export const oauthScope = z
  .string()
  .regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'must be an OAuth scope: visible characters without quotes and backslashes')
  .max(255);

/** A claim's name; a dot leads into an object, unless a claim has that very name. */
export const claimName = z.string().min(1).max(255);
