/** Identity providers and role bindings, as snapshots say them. */
import { NO_ACCESS, type Access } from '../../../schemas/access.ts';
import type { Provider } from '../../../schemas/snapshot.ts';

/** A provider on this machine, trusted as far as the test says. */
export function provider(issuer: string, more: Partial<Provider> = {}): Provider {
  return {
    name: 'corp',
    issuer,
    algorithms: ['RS256', 'ES256'],
    userClaim: 'sub',
    groupsClaim: 'groups',
    trustEmail: false,
    requiredClaims: {},
    clockSkewMs: 0,
    scopes: [],
    requiredScopes: [],
    stepUp: [],
    publicOnly: false,
    keys: { refreshMs: 600_000, cooldownMs: 30_000, keepMs: 86_400_000 },
    ...more,
  };
}

type Binding = Access['bindings'][0];

/** Roles for subjects, in the whole config unless a binding says otherwise. */
export function bound(...bindings: (Pick<Binding, 'role'> & Binding['subjects'][0] & Partial<Binding>)[]): Access {
  return {
    ...NO_ACCESS,
    bindings: bindings.map(({ kind, name, ...binding }, line) => ({
      name: `binding-${line}`,
      subjects: [{ kind, name }],
      file: 'access.yaml',
      line,
      ...binding,
    })),
  };
}
