/** What servers list. One row says all that is different between tools, prompts, resources and templates. */

export interface ListRow {
  readonly method: string;
  /** Where the items stand in the result. */
  readonly field: string;
  /** What tells one item from another. */
  readonly key: string;
  /** A server that does not say it has this has none. */
  readonly capability: string;
  /** What a server says when the list became another one. */
  readonly changed: string;
  /** What MCP allows for the key's length, where it limits it. */
  readonly maxKey: number;
  /** Whether the server's name goes before the key where a route has many servers; a URI stays what it is. */
  readonly prefixed: boolean;
}

export const LISTS = {
  tools: {
    method: 'tools/list',
    field: 'tools',
    key: 'name',
    capability: 'tools',
    changed: 'notifications/tools/list_changed',
    maxKey: 128,
    prefixed: true,
  },
  prompts: {
    method: 'prompts/list',
    field: 'prompts',
    key: 'name',
    capability: 'prompts',
    changed: 'notifications/prompts/list_changed',
    maxKey: Infinity,
    prefixed: true,
  },
  resources: {
    method: 'resources/list',
    field: 'resources',
    key: 'uri',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
    maxKey: Infinity,
    prefixed: false,
  },
  templates: {
    method: 'resources/templates/list',
    field: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
    changed: 'notifications/resources/list_changed',
    maxKey: Infinity,
    prefixed: false,
  },
} as const satisfies Record<string, ListRow>;

export type ListName = keyof typeof LISTS;

export const LIST_NAMES = Object.keys(LISTS) as ListName[];
