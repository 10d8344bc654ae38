/** What a reconciler is made of, and how it learns of what the gateway sees. */
import type { OpenSecret } from '../schemas/upstream-auth.ts';
import type { CacheDesk } from '../schemas/cache.ts';
import type { LlmDesk } from '../schemas/llm.ts';
import type { BudgetStatus } from '../schemas/budgets.ts';
import type { Era } from '../schemas/modern.ts';
import type { LinkState, Status, UpstreamStatus } from '../schemas/status.ts';
import type { Lists } from './pins/offers.ts';
import type { LastUsed } from './token-usage.ts';
import type { Workspaces } from './workspaces/workspaces.ts';
import type { WorldOptions } from './world.ts';

export interface ReconcilerOptions extends WorldOptions {
  /** How often the source is asked, in ms. */
  readonly intervalMs: number;
  /** How often instances are compared with the config although nothing was pushed, in ms. */
  readonly resyncMs?: number;
  readonly gatewayUrl?: () => string | undefined;
  /** What a server speaks, as the gateway found it. */
  readonly spoken?: (server: string) => Era | undefined;
  /** How the gateway stands with a server's instances. */
  readonly upstreams?: (server: string) => readonly UpstreamStatus[];
  /** How it stands with the budgets. */
  readonly budgets?: () => readonly BudgetStatus[];
  /** The gateway's language models; `undefined` while none runs. */
  readonly llms?: () => LlmDesk | undefined;
  /** What the gateway keeps; `undefined` while none runs. */
  readonly cache?: () => CacheDesk | undefined;
  /** Which lists of a server the gateway could not get. */
  readonly unlisted?: (server: string) => Readonly<Record<string, string>>;
  /** How Prompts that are links were read last, by name. */
  readonly links?: () => ReadonlyMap<string, LinkState>;
  /** What a gateway knows of servers' tools. */
  readonly lists?: () => Lists | undefined;
  /** When Tokens were used since the gateway started. */
  readonly lastUsed?: LastUsed;
  /** How it stands with reviews. */
  readonly review?: () => Status['review'];
  /** Trees of files that are kept ready. */
  readonly workspaces?: () => Pick<Workspaces, 'facts' | 'sync'>;
  /** Called after every status write; tests assert invariants here. */
  readonly onStatus?: (status: Status) => void;
  /** Opens what Slipway itself needs: the token of a forge. */
  readonly secrets?: OpenSecret;
}
