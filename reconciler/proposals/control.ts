/** The part of the control API that is about proposals. */
import type { ControlRequest, ControlResponse } from '../../schemas/control.ts';
import { SlipwayError } from '../../schemas/errors.ts';
import { proposalSchema, type Proposal } from '../../schemas/proposals.ts';
import type { Reconciler } from '../reconciler.ts';

const ok = (body: unknown): ControlResponse => ({ status: 200, body });

/** `GET /proposals`: those that the caller may see; `/proposals/<id>`: one, and what saying yes would do. */
export async function proposals(
  reconciler: Reconciler,
  { signal, caller: { key, grant } }: ControlRequest,
  [id, ...more]: readonly string[],
): Promise<ControlResponse> {
  if (more.length > 0) throw new SlipwayError('not-found');
  const maySee = ({ by }: Pick<Proposal, 'by'>): boolean => by === key || grant.may('view', 'proposals');
  if (id === undefined) return ok((await reconciler.proposals.list(signal)).filter(maySee));
  const found = await reconciler.proposals.find(id, signal);
  if (!maySee(found)) throw new SlipwayError('not-found', `There is no proposal ${id}.`);
  // What would change tells what is there.
  if (!grant.may('edit', 'proposals')) return ok(found);
  return ok({ ...found, plan: await reconciler.proposals.plan(id, signal) });
}

/** `POST /proposals`, `/proposals/<id>/approve`, `/proposals/<id>/reject`. */
export async function propose(
  reconciler: Reconciler,
  { body, signal, caller }: ControlRequest,
  [id, verb, ...more]: readonly string[],
): Promise<ControlResponse> {
  if (id === undefined) {
    const parsed = proposalSchema.safeParse(body ?? {});
    if (parsed.success) return { status: 201, body: await reconciler.proposals.propose(parsed.data, caller, signal) };
    const words = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new SlipwayError('bad-request', `${words.join('; ')}.`);
  }
  if (more.length === 0 && verb === 'approve') return ok(await reconciler.proposals.approve(id, caller, signal));
  if (more.length > 0 || verb !== 'reject') throw new SlipwayError('not-found');
  await reconciler.proposals.reject(id, caller, signal);
  return ok({ rejected: id });
}
