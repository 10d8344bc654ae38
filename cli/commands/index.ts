/** The list of commands. A new one is a file beside this one and a line here; only the one that is called is loaded. */
import type { Command } from '../command.ts';

export interface Listed {
  readonly summary: string;
  readonly load: () => Promise<{ command: Command }>;
}

export const COMMANDS: Readonly<Record<string, Listed>> = {
  init: { summary: 'make a config repo that works at once', load: () => import('./init.ts') },
  up: { summary: 'reconcile a config repo and serve its MCP routes', load: () => import('./up.ts') },
  validate: { summary: 'check YAML and report every issue', load: () => import('./validate.ts') },
  plan: { summary: 'show what would change', load: () => import('./plan.ts') },
  hook: {
    summary: 'judge pushes to a bare repository before they are kept',
    load: () => import('./hook.ts'),
  },
  diff: { summary: 'show what changes between two commits', load: () => import('./diff.ts') },
  get: { summary: 'list resources and how they do', load: () => import('./get.ts') },
  create: { summary: 'add a resource to the config repo', load: () => import('./create.ts') },
  apply: { summary: 'make the config repo say what files say', load: () => import('./apply.ts') },
  edit: { summary: 'open a resource in $EDITOR', load: () => import('./edit.ts') },
  patch: { summary: 'change single fields of a resource', load: () => import('./patch.ts') },
  delete: { summary: 'take resources out of the config repo', load: () => import('./delete.ts') },
  rollback: { summary: 'undo what a commit did to the config', load: () => import('./rollback.ts') },
  lock: { summary: 'accept the tools that servers list now', load: () => import('./lock.ts') },
  workspace: { summary: 'look at workspaces now', load: () => import('./workspace.ts') },
  suspend: { summary: 'have what runs left alone', load: () => import('./suspend.ts') },
  resume: { summary: 'have what was suspended follow the config again', load: () => import('./resume.ts') },
  attach: { summary: 'put a server into a project', load: () => import('./attach.ts') },
  detach: { summary: 'take a server out of a project', load: () => import('./detach.ts') },
  propose: { summary: 'ask for a change of the config', load: () => import('./propose.ts') },
  approve: { summary: 'say yes to a proposal', load: () => import('./approve.ts') },
  reject: { summary: 'say no to a proposal', load: () => import('./reject.ts') },
  describe: { summary: 'tell all about one resource', load: () => import('./describe.ts') },
  events: { summary: 'tell what happened', load: () => import('./events.ts') },
  status: { summary: 'tell how a running Slipway does', load: () => import('./status.ts') },
  console: { summary: 'watch a running Slipway', load: () => import('./console.ts') },
  sync: { summary: 'look at the config repo now', load: () => import('./sync.ts') },
  logs: { summary: 'show what a server writes to stderr', load: () => import('./logs.ts') },
  top: { summary: 'show what instances use', load: () => import('./top.ts') },
  prune: { summary: 'remove what dead Slipways left', load: () => import('./prune.ts') },
  audit: { summary: 'ask who did what: query, sessions, tail, verify', load: () => import('./audit.ts') },
  call: { summary: 'call a tool through the gateway', load: () => import('./call.ts') },
  import: { summary: 'turn what other programs keep about MCP servers into YAML', load: () => import('./import.ts') },
  connect: { summary: 'be an MCP server on stdio that is a route of a gateway', load: () => import('./connect.ts') },
  'client-config': {
    summary: 'print or write what an MCP client needs to use the gateway',
    load: () => import('./client-config.ts'),
  },
  login: { summary: 'keep a token for a gateway', load: () => import('./login.ts') },
  logout: { summary: 'forget the token for a gateway', load: () => import('./logout.ts') },
  auth: { summary: 'what somebody may do, and what they consented to', load: () => import('./auth.ts') },
  explain: { summary: 'tell what a field means, or why something is as it is', load: () => import('./explain.ts') },
  llm: { summary: 'ask language models for a word', load: () => import('./llm.ts') },
  prompt: { summary: 'have a model say what a Prompt is about', load: () => import('./prompt.ts') },
  cache: {
    summary: 'tell what is kept so that it need not be made again, and forget it',
    load: () => import('./cache.ts'),
  },
  backup: { summary: 'back up the config, look at backups', load: () => import('./backup.ts') },
  restore: { summary: 'bring back what a backup holds', load: () => import('./restore.ts') },
  secret: { summary: 'keep values in the config repo, encrypted', load: () => import('./secret.ts') },
  token: { summary: 'make, list, revoke and rotate access tokens', load: () => import('./token.ts') },
  template: {
    summary: 'make Servers of templates, and bring what templates have by now into them',
    load: () => import('./template.ts'),
  },
  completion: { summary: 'print the completion script of a shell', load: () => import('./completion.ts') },
  schema: { summary: 'print JSON Schemas for editors', load: () => import('./schema.ts') },
  version: { summary: 'print versions', load: () => import('./version.ts') },
};
