/** What a route costs an agent before it has done anything. The gateway knows what it lists, the reconciler what changes. */
import type { Snapshot } from './snapshot.ts';

/**
 * Tokens of a model's context that each of the routes takes from the start, for who may use all of it: its first `tools/list`
 * and the instructions of route and servers (not those of a gate, which tell of Prompts). Asks no server: the tools of those
 * that list theirs stand in the snapshot.
 */
export type ContextOf = (snapshot: Snapshot, routes: readonly string[]) => Promise<Readonly<Record<string, number>>>;
