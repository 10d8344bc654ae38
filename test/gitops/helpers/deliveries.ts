/** What forges deliver: headers and payloads as their public docs describe them, cut down to what somebody reads. */
import { createHmac, randomUUID } from 'node:crypto';

export const SECRET = 'hook-secret-1f9a';

export interface Delivery {
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface Push {
  readonly ref?: string;
  readonly repository?: string;
}

export interface Request {
  readonly number?: number;
  /** opened, synchronize, closed … in GitHub's words. */
  readonly action?: string;
  readonly into?: string;
}

const hex = (body: string, secret: string): string => createHmac('sha256', secret).update(body).digest('hex');

/** Standard Webhooks. @param at unix seconds */
export function standard(body: string, secret = SECRET, at = Math.floor(Date.now() / 1000)): Record<string, string> {
  const id = `msg_${randomUUID()}`;
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret;
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(at), 'webhook-signature': `v1,${signature}` };
}

/** https://docs.github.com/webhooks/webhook-events-and-payloads */
const githubLike = (
  sign: (body: string) => Record<string, string>,
  eventHeader: string,
  actions: Record<string, string>,
) => ({
  push: ({ ref = 'refs/heads/main', repository = 'acme/mcp' }: Push = {}): Delivery => {
    const body = JSON.stringify({
      ref,
      before: '0'.repeat(40),
      after: '1'.repeat(40),
      repository: { full_name: repository, default_branch: 'main', pushed_at: randomUUID() },
      sender: { login: 'ada' },
    });
    return { body, headers: { [eventHeader]: 'push', ...sign(body) } };
  },
  request: ({ number = 7, action = 'opened', into = 'main' }: Request = {}): Delivery => {
    const body = JSON.stringify({
      action: actions[action] ?? action,
      number,
      pull_request: {
        number,
        state: action === 'closed' ? 'closed' : 'open',
        head: { ref: 'feature', sha: '2'.repeat(40), repo: { full_name: 'somebody/fork' } },
        base: { ref: into },
        updated_at: randomUUID(),
      },
      repository: { full_name: 'acme/mcp', default_branch: 'main' },
    });
    return { body, headers: { [eventHeader]: 'pull_request', ...sign(body) } };
  },
});

/** https://docs.gitlab.com/user/project/integrations/webhook_events */
const gitlabLike = (sign: (body: string) => Record<string, string>) => ({
  push: ({ ref = 'refs/heads/main', repository = 'acme/mcp' }: Push = {}): Delivery => {
    const body = JSON.stringify({
      object_kind: 'push',
      event_name: 'push',
      ref,
      checkout_sha: randomUUID(),
      project: { path_with_namespace: repository, default_branch: 'main' },
    });
    return { body, headers: { 'x-gitlab-event': 'Push Hook', ...sign(body) } };
  },
  request: ({ number = 7, action = 'opened', into = 'main' }: Request = {}): Delivery => {
    const words: Record<string, string> = {
      opened: 'open',
      synchronize: 'update',
      closed: 'close',
      reopened: 'reopen',
    };
    const body = JSON.stringify({
      object_kind: 'merge_request',
      project: { path_with_namespace: 'acme/mcp', default_branch: 'main' },
      object_attributes: {
        iid: number,
        state: action === 'closed' ? 'closed' : 'opened',
        action: words[action] ?? action,
        source_branch: 'feature',
        target_branch: into,
        updated_at: randomUUID(),
        ...(action === 'synchronize' ? { oldrev: '2'.repeat(40) } : {}),
      },
    });
    return { body, headers: { 'x-gitlab-event': 'Merge Request Hook', ...sign(body) } };
  },
});

export const DELIVERIES = {
  github: githubLike(
    (body) => ({ 'x-hub-signature-256': `sha256=${hex(body, SECRET)}`, 'x-github-delivery': randomUUID() }),
    'x-github-event',
    {},
  ),
  gitlab: gitlabLike(() => ({ 'x-gitlab-token': SECRET, 'idempotency-key': randomUUID() })),
  'gitlab, signed': gitlabLike((body) => standard(body)),
  gitea: githubLike(
    (body) => ({ 'x-gitea-signature': hex(body, SECRET), 'x-gitea-delivery': randomUUID() }),
    'x-gitea-event',
    { synchronize: 'synchronized' },
  ),
  forgejo: githubLike(
    (body) => ({ 'x-forgejo-signature': hex(body, SECRET), 'x-gitea-delivery': randomUUID() }),
    'x-forgejo-event',
    { synchronize: 'synchronized' },
  ),
} as const;

/** Standard Webhooks, and nothing of any forge. */
export const genericPush = (ref = 'refs/heads/main', at?: number): Delivery => {
  const body = JSON.stringify({ ref, nonce: randomUUID() });
  return { body, headers: standard(body, SECRET, at) };
};
