/** GitLab. https://docs.gitlab.com/user/project/integrations/webhook_events, https://docs.gitlab.com/api/rest */
import { z } from 'zod';
import { checkStandard, headerOf, sameText, STANDARD_SIGNATURE, ungenuine } from '../verify.ts';
import { asked, TIMEOUT_MS } from './asked.ts';
import { STATUS_CONTEXT, type ConnectOptions, type Forge, type ForgeClient, type Verdict } from './forge.ts';

const project = z.object({ path_with_namespace: z.string(), default_branch: z.string().nullish() });
const push = z.object({ ref: z.string(), project });
const mergeRequest = z.object({
  project,
  object_attributes: z.object({
    iid: z.int().positive(),
    state: z.string(),
    target_branch: z.string(),
    action: z.string().optional(),
    /** There when commits were pushed. */
    oldrev: z.string().optional(),
  }),
  changes: z.looseObject({}).optional(),
});

const STATES = {
  success: 'success',
  changes: 'success',
  failure: 'failed',
  blocked: 'failed',
} as const satisfies Record<Verdict, string>;
const MAX_DESCRIPTION = 255;

export const gitlab: Forge = {
  url: 'https://gitlab.com',
  signedBy: [STANDARD_SIGNATURE, 'x-gitlab-token'],
  /** A signing token, where the hook has one; else the secret token, which is sent as it is. */
  verify(delivery) {
    const { headers, secret } = delivery;
    if (headers[STANDARD_SIGNATURE] !== undefined) checkStandard(delivery);
    else if (!sameText(headerOf(headers, 'x-gitlab-token') ?? '', secret)) throw ungenuine();
    return headerOf(headers, 'webhook-id') ?? headerOf(headers, 'idempotency-key');
  },
  read(headers, payload) {
    const event = headerOf(headers, 'x-gitlab-event');
    if (event === 'Push Hook' || event === 'Tag Push Hook') {
      const { ref, project: of } = push.parse(payload);
      return { type: 'push', ref, ...named(of) };
    }
    if (event !== 'Merge Request Hook') return undefined;
    const { object_attributes: request, project: of, changes } = mergeRequest.parse(payload);
    // An update may be of its title only.
    const isNews =
      request.action !== 'update' || request.oldrev !== undefined || changes?.['target_branch'] !== undefined;
    if (!isNews || !['open', 'reopen', 'update', 'close', 'merge'].includes(request.action ?? '')) return undefined;
    const { iid: number, state, target_branch: into } = request;
    return { type: 'request', number, isOpen: state === 'opened', into, ...named(of) };
  },
  headRef: (number) => `refs/merge-requests/${number}/head`,
  connect,
};

const named = ({ path_with_namespace, default_branch }: z.output<typeof project>) => ({
  repository: path_with_namespace,
  ...(typeof default_branch === 'string' ? { defaultBranch: default_branch } : {}),
});

async function connect({ url, repository, token }: ConnectOptions): Promise<ForgeClient> {
  const { Gitlab } = await import('@gitbeaker/rest');
  // As a bearer token: a header of GitLab's own would go along wherever a redirect leads.
  const api = new Gitlab({ host: url, oauthToken: token, queryTimeout: TIMEOUT_MS });

  const find = async (number: number, marker: string): Promise<number | undefined> => {
    for (let page = 1; ; page++) {
      const notes = await api.MergeRequestNotes.all(repository, number, {
        sort: 'asc',
        orderBy: 'created_at',
        perPage: 100,
        page,
        maxPages: 1,
      });
      const found = notes.find(({ body }) => body.startsWith(marker));
      if (found) return found.id;
      if (notes.length < 100) return undefined;
    }
  };
  return {
    comment: (number, marker, text) =>
      asked(async () => {
        const id = await find(number, marker);
        const body = `${marker}\n${text}`;
        const note =
          id === undefined
            ? await api.MergeRequestNotes.create(repository, number, body)
            : await api.MergeRequestNotes.edit(repository, number, id, { body });
        return `${url}/${repository}/-/merge_requests/${number}#note_${note.id}`;
      }),
    report: (sha, { verdict, summary, url: target }) =>
      asked(async () => {
        await api.Commits.editStatus(repository, sha, STATES[verdict], {
          name: STATUS_CONTEXT,
          description: summary.slice(0, MAX_DESCRIPTION),
          ...(target === undefined ? {} : { targetUrl: target }),
        });
      }),
    open: ({ branch, into, title, text }) =>
      asked(async () => {
        const made = await api.MergeRequests.create(repository, branch, into, title, { description: text });
        return String(made.web_url);
      }),
  };
}
