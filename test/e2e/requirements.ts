/**
 * What has to come through the gateway, as data: behaviour × era of the client × era and transport of the server. A cell is
 * proved by `matrix.test.ts`, or it cannot exist and says why. What is neither is named by the coverage test.
 */

export type Era = 'legacy' | 'modern';

/** A server of the matrix, by its name in the config. */
export interface Upstream {
  readonly name: string;
  readonly era: Era;
  readonly transport: 'stdio' | 'http' | 'sse';
}

export const CLIENT_ERAS: readonly Era[] = ['legacy', 'modern'];

export const UPSTREAMS: readonly Upstream[] = [
  { name: 'old-stdio', era: 'legacy', transport: 'stdio' },
  { name: 'old-http', era: 'legacy', transport: 'http' },
  { name: 'old-sse', era: 'legacy', transport: 'sse' },
  { name: 'new-stdio', era: 'modern', transport: 'stdio' },
  { name: 'new-http', era: 'modern', transport: 'http' },
];

export interface Behaviour {
  readonly id: string;
  readonly what: string;
  /** Why it cannot exist for a client of that era. */
  readonly impossible?: Partial<Record<Era, string>>;
}

export const BEHAVIOURS: readonly Behaviour[] = [
  { id: 'hello', what: 'capabilities and instructions of the server reach the client' },
  { id: 'ping', what: 'a ping is answered', impossible: { modern: '2026-07-28 has no ping' } },
  { id: 'tools-list', what: 'tools keep annotations, icons and output schemas' },
  { id: 'content', what: 'text, image, audio, resource and resource link come through as they are' },
  { id: 'structured', what: 'structured content comes through, and fits its schema' },
  { id: 'meta', what: '_meta of the request reaches the server, _meta of the result the client' },
  { id: 'errors', what: 'a tool that fails and a tool that is not there are told apart' },
  { id: 'progress', what: 'progress comes in order, and never after the result' },
  { id: 'logging', what: 'log messages come at the level the client chose, and not below' },
  { id: 'cancel', what: 'a cancelled call is cancelled in the server' },
  { id: 'elicitation', what: 'a question to the user is asked and answered' },
  { id: 'sampling', what: 'a question to the model is asked and answered' },
  { id: 'roots', what: 'the client’s roots reach the server' },
  { id: 'undeclared', what: 'a client that cannot be asked is not asked' },
  { id: 'prompts-list', what: 'all pages of the prompts come' },
  { id: 'prompts-get', what: 'a prompt takes arguments, and one that is not there is refused' },
  { id: 'prompts-ask', what: 'a prompt can ask the user first' },
  { id: 'resources', what: 'resources and templates are listed and read, as text and as bytes' },
  { id: 'not-found', what: 'a resource that is not there is refused in the words of the client’s era' },
  { id: 'complete', what: 'arguments are completed' },
  { id: 'updates', what: 'a client that subscribed hears that a resource changed' },
  { id: 'tools-changed', what: 'a client hears that the tools changed, and sees the new ones' },
  { id: 'prompts-changed', what: 'a client hears that the prompts changed, and sees the new ones' },
  { id: 'aggregated', what: 'beside another server, tools and prompts go by the server’s name in front' },
];

export interface Cell {
  readonly behaviour: Behaviour;
  readonly client: Era;
  readonly upstream: Upstream;
}

/** Every cell that can exist. */
export function cells(): Cell[] {
  return BEHAVIOURS.flatMap((behaviour) =>
    CLIENT_ERAS.filter((client) => behaviour.impossible?.[client] === undefined).flatMap((client) =>
      UPSTREAMS.map((upstream) => ({ behaviour, client, upstream })),
    ),
  );
}

export const nameOf = ({ behaviour, client, upstream }: Cell): string =>
  `${behaviour.id}: ${client} client, ${upstream.era} server over ${upstream.transport}`;
