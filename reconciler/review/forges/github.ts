/** GitHub, and GitHub Enterprise Server. https://docs.github.com/webhooks, https://docs.github.com/rest */
import { checkHmac, headerOf } from '../verify.ts';
import { asked, patient } from './asked.ts';
import { readPush, readRequest } from './github-events.ts';
import { STATUS_CONTEXT, type ConnectOptions, type Forge, type ForgeClient, type Verdict } from './forge.ts';

/** `edited`: it may go into another branch now. */
const ACTIONS = new Set(['opened', 'reopened', 'synchronize', 'edited', 'ready_for_review', 'closed']);

/** What a commit status can say there. */
const STATES = {
  success: 'success',
  changes: 'success',
  failure: 'failure',
  blocked: 'failure',
} as const satisfies Record<Verdict, string>;
/** Longer descriptions are refused. */
const MAX_DESCRIPTION = 140;

export const github: Forge = {
  url: 'https://github.com',
  signedBy: ['x-hub-signature-256'],
  verify(delivery) {
    checkHmac(delivery, 'x-hub-signature-256', 'sha256=');
    return headerOf(delivery.headers, 'x-github-delivery');
  },
  read(headers, payload) {
    const event = headerOf(headers, 'x-github-event');
    if (event === 'push') return readPush(payload);
    return event === 'pull_request' ? readRequest(payload, ACTIONS) : undefined;
  },
  headRef: (number) => `refs/pull/${number}/head`,
  connect,
};

async function connect({ url, repository: name, token }: ConnectOptions): Promise<ForgeClient> {
  const { Octokit } = await import('@octokit/rest');
  const baseUrl = url === github.url ? 'https://api.github.com' : `${url}/api/v3`;
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const { rest, paginate } = new Octokit({ auth: token, baseUrl, log: silent, request: { fetch: patient } });
  const [owner = '', repo = ''] = name.split('/');
  const at = { owner, repo };

  const find = async (number: number, marker: string): Promise<number | undefined> => {
    const pages = paginate.iterator(rest.issues.listComments, { ...at, issue_number: number, per_page: 100 });
    for await (const { data } of pages) {
      const found = data.find(({ body }) => body?.startsWith(marker));
      if (found) return found.id;
    }
    return undefined;
  };
  return {
    comment: (number, marker, text) =>
      asked(async () => {
        const id = await find(number, marker);
        const body = `${marker}\n${text}`;
        const { data } =
          id === undefined
            ? await rest.issues.createComment({ ...at, issue_number: number, body })
            : await rest.issues.updateComment({ ...at, comment_id: id, body });
        return data.html_url;
      }),
    report: (sha, { verdict, summary, url: target }) =>
      asked(async () => {
        await rest.repos.createCommitStatus({
          ...at,
          sha,
          context: STATUS_CONTEXT,
          state: STATES[verdict],
          description: summary.slice(0, MAX_DESCRIPTION),
          ...(target === undefined ? {} : { target_url: target }),
        });
      }),
    open: ({ branch, into, title, text }) =>
      asked(
        async () => (await rest.pulls.create({ ...at, head: branch, base: into, title, body: text })).data.html_url,
      ),
  };
}
