/** Changes that somebody without push rights asks for: a branch of the config repo each, until somebody with the right to says yes or no. */
import { z } from 'zod';

/** `POST /proposals`. */
export const proposalSchema = z.strictObject({
  title: z
    .string()
    .regex(/^[^\p{Cc}]{3,120}$/u, 'must be one line of 3 to 120 characters')
    .refine((text) => text.trim() === text, 'must not begin or end with a space'),
  description: z.string().max(8192).optional(),
  /** Whole resources, as `slipway get -o json` shows them. What is masked in them stays as it is. */
  resources: z.array(z.record(z.string(), z.unknown())).max(64).default([]),
  /** Addresses of those that should go: `Server/github`. */
  remove: z.array(z.string().max(256)).max(64).default([]),
});
export type ProposalRequest = z.output<typeof proposalSchema>;

/** `GET /proposals`. */
export interface Proposal {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  /** Who asked, as {@link Identity.key}; absent for a branch that somebody pushed. */
  readonly by?: string;
  /** ISO 8601. */
  readonly at: string;
  readonly branch: string;
  readonly commit: string;
  /** The pull request that was opened for it, told to who asked; or why there is none. */
  readonly request?: string;
  readonly requestError?: string;
  /** Addresses of resources that it adds, changes or removes. */
  readonly changes: readonly string[];
  /** Paths of files that are no resources. */
  readonly files: readonly string[];
  /** Why it cannot be had as it is: it conflicts with what was pushed since, or is no valid config. */
  readonly problem?: string;
}

export const PROPOSALS = 'slipway/proposals/';
