/** OAuth scopes of access tokens: what is needed where, and how to tell whoever lacks some. */
import { SlipwayError } from '../../schemas/errors.ts';
import type { Identity } from './identity.ts';
import { isUser, type UserIdentity } from './people.ts';

/** Routes of projects may need more than others. */
interface Route {
  readonly project: string | undefined;
}

const REFUSED: ReadonlySet<string> = new Set(['forbidden', 'scope-denied']);

/** The access token would do, had its user consented to more. */
export class InsufficientScope extends SlipwayError {
  /** All that are needed, those that it has included: clients ask for what they are told, and for nothing else. */
  readonly scopes: readonly string[];

  constructor(scopes: readonly string[]) {
    super('insufficient-scope');
    this.scopes = scopes;
  }
}

/**
 * Runs a decision about a route, or about the rest of the gateway. Where it falls against somebody who has a role that
 * the access token does not extend to, the answer is not that it is forbidden but what to ask for.
 * @throws InsufficientScope, and whatever `decide` throws
 */
export function withScopes<T>(identity: Identity, route: Route | undefined, decide: () => T): T {
  if (!isUser(identity)) return decide();
  const decided = orStepUp(identity, route, decide);
  if (lacksScopes(identity, route)) throw new InsufficientScope(neededBy(identity, route));
  return decided;
}

/** Whether a caller's access token no longer extends to a route. */
export function lacksScopes(identity: Identity, route: Route | undefined): boolean {
  return isUser(identity) && !neededBy(identity, route).every((scope) => identity.token.scopes.has(scope));
}

function orStepUp<T>(identity: UserIdentity, route: Route | undefined, decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    const isRefused = error instanceof SlipwayError && REFUSED.has(error.code);
    throw (isRefused && stepUpFor(identity, route)) || error;
  }
}

/** What to ask for, where a caller was refused who has a role that its access token does not extend to. */
export function stepUpFor(identity: Identity, route: Route | undefined): InsufficientScope | undefined {
  const { withheld } = identity.grant;
  if (!isUser(identity) || withheld.length === 0) return undefined;
  const steps = identity.token.provider.stepUp.filter(({ roles }) => roles.some((role) => withheld.includes(role)));
  return new InsufficientScope([...new Set([...neededBy(identity, route), ...steps.flatMap(({ scopes }) => scopes)])]);
}

function neededBy({ token: { provider } }: UserIdentity, route: Route | undefined): string[] {
  const project = route?.project;
  const steps = provider.stepUp.filter(({ projects }) => project !== undefined && projects.includes(project));
  return [...provider.requiredScopes, ...steps.flatMap(({ scopes }) => scopes)];
}
