/** What is new of reviews between one status and the next, as an operator would tell it. Pure. */
import type { ReviewStatus } from '../../schemas/status.ts';

export interface ReviewNews {
  readonly reason: 'Reviewed' | 'ReviewFailed' | 'HookRefused';
  readonly message: string;
  readonly isBad: boolean;
}

export function reviewNews(before: ReviewStatus | undefined, after: ReviewStatus | undefined): ReviewNews[] {
  const known = new Map(before?.requests.map((row) => [row.number, row]));
  const { lastRefused, requests = [] } = after ?? {};
  const isNew = lastRefused !== undefined && lastRefused.at !== before?.lastRefused?.at;
  return [
    ...(isNew ? [{ reason: 'HookRefused', message: lastRefused.reason, isBad: true } as const] : []),
    ...requests.flatMap(({ number, state, head = '', verdict = '', summary = '', error }): ReviewNews[] => {
      const earlier = known.get(number);
      if (error !== undefined && error !== earlier?.error)
        return [{ reason: 'ReviewFailed', message: `#${number}: ${error}`, isBad: true }];
      const isPlanned =
        (state === 'planned' || state === 'told') && (earlier?.head !== head || earlier.verdict !== verdict);
      return isPlanned
        ? [{ reason: 'Reviewed', message: `#${number} at ${head.slice(0, 8)}, ${verdict}: ${summary}`, isBad: false }]
        : [];
    }),
  ];
}
