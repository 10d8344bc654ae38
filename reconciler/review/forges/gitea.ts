/** Gitea and Forgejo, which speak alike. https://docs.gitea.com/usage/webhooks, https://forgejo.org/docs/latest/user/webhooks */
import { checkHmac, headerOf } from '../verify.ts';
import { asked, patient } from './asked.ts';
import { readPush, readRequest } from './github-events.ts';
import { STATUS_CONTEXT, type ConnectOptions, type Forge, type ForgeClient, type Verdict } from './forge.ts';

const ACTIONS = new Set(['opened', 'reopened', 'synchronized', 'edited', 'closed']);

const STATES = {
  success: 'success',
  changes: 'success',
  failure: 'failure',
  blocked: 'failure',
} as const satisfies Record<Verdict, string>;
const MAX_DESCRIPTION = 255;

export const gitea: Forge = {
  url: 'https://gitea.com',
  signedBy: ['x-forgejo-signature', 'x-gitea-signature'],
  verify(delivery) {
    const isForgejo = delivery.headers['x-forgejo-signature'] !== undefined;
    checkHmac(delivery, isForgejo ? 'x-forgejo-signature' : 'x-gitea-signature');
    return headerOf(delivery.headers, 'x-gitea-delivery') ?? headerOf(delivery.headers, 'x-forgejo-delivery');
  },
  read(headers, payload) {
    const event = headerOf(headers, 'x-gitea-event') ?? headerOf(headers, 'x-forgejo-event');
    if (event === 'push') return readPush(payload);
    // New commits are an event of their own in some versions.
    const isRequest = event === 'pull_request' || event === 'pull_request_sync';
    return isRequest ? readRequest(payload, ACTIONS) : undefined;
  },
  headRef: (number) => `refs/pull/${number}/head`,
  connect,
};

async function connect({ url, repository: name, token }: ConnectOptions): Promise<ForgeClient> {
  const { giteaApi } = await import('gitea-js');
  const { repos } = giteaApi(url, { token, customFetch: patient });
  const [owner = '', repo = ''] = name.split('/');

  return {
    comment: (number, marker, text) =>
      asked(async () => {
        // All of them in one answer: this list has no pages.
        const { data: comments } = await repos.issueGetComments(owner, repo, number);
        const id = comments.find(({ body }) => body?.startsWith(marker))?.id;
        const body = `${marker}\n${text}`;
        const { data } =
          id === undefined
            ? await repos.issueCreateComment(owner, repo, number, { body })
            : await repos.issueEditComment(owner, repo, id, { body });
        return data.html_url ?? '';
      }),
    report: (sha, { verdict, summary, url: target }) =>
      asked(async () => {
        await repos.repoCreateStatus(owner, repo, sha, {
          context: STATUS_CONTEXT,
          state: STATES[verdict],
          description: summary.slice(0, MAX_DESCRIPTION),
          ...(target === undefined ? {} : { target_url: target }),
        });
      }),
    open: ({ branch, into, title, text }) =>
      asked(async () => {
        const { data } = await repos.repoCreatePullRequest(owner, repo, {
          head: branch,
          base: into,
          title,
          body: text,
        });
        return data.html_url ?? '';
      }),
  };
}
