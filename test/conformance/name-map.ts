/**
 * Lets the suite, which calls fixed names, talk to a route on which every name has its server's in front: puts the prefix
 * on what the suite sends, and takes it off what it hears. Everything else goes through as it is.
 */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

type Json = Record<string, unknown>;

/** @param prefix of the one server that the suite is to see */
export async function nameMap(target: URL, prefix: string): Promise<{ url: string } & AsyncDisposable> {
  const server: Server = createServer((incoming, outgoing) => {
    void (async () => {
      const body = await text(incoming);
      const headers: Record<string, string | string[] | undefined> = { ...incoming.headers };
      if (headers['host'] === here(server)) headers['host'] = target.host;
      delete headers['content-length'];
      if (typeof headers['mcp-name'] === 'string' && /^(tools|prompts)\//.test(String(headers['mcp-method'])))
        headers['mcp-name'] = prefix + headers['mcp-name'];
      const origin = headers['origin'] === `http://${here(server)}` ? { origin: target.origin } : {};
      const sent = httpRequest(target, { method: incoming.method ?? 'GET', headers: { ...headers, ...origin } });
      outgoing.once('close', () => sent.destroy());
      sent.once('error', () => outgoing.destroy());
      sent.once('response', (answer: IncomingMessage) => {
        const { 'content-length': _, ...rest } = answer.headers;
        outgoing.writeHead(answer.statusCode ?? 500, rest);
        outgoing.flushHeaders();
        let kept = '';
        const lines = !String(rest['content-type']).startsWith('application/json');
        answer.setEncoding('utf8').on('data', (part: string) => {
          kept += part;
          const end = lines ? kept.lastIndexOf('\n') + 1 : 0;
          if (end > 0)
            outgoing.write(
              kept.slice(0, end).replace(/^data: (.*)$/gm, (_line, data: string) => `data: ${off(data, prefix)}`),
            );
          kept = kept.slice(end);
        });
        answer.once('close', () => outgoing.end(lines ? kept : off(kept, prefix)));
      });
      sent.end(body === '' ? undefined : on(body, prefix));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://${here(server)}/mcp`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const here = (server: Server): string => `127.0.0.1:${(server.address() as AddressInfo).port}`;

function on(body: string, prefix: string): string {
  const message = parsed(body);
  if (!message) return body;
  const params = (message['params'] ?? {}) as Json;
  const ref = params['ref'] as Json | undefined;
  if (/^(tools|prompts)\//.test(String(message['method'])) && typeof params['name'] === 'string')
    params['name'] = prefix + params['name'];
  if (ref?.['type'] === 'ref/prompt') ref['name'] = prefix + String(ref['name']);
  return JSON.stringify(message);
}

function off(body: string, prefix: string): string {
  const message = parsed(body);
  const result = message?.['result'] as Json | undefined;
  if (!message || !result) return body;
  for (const list of ['tools', 'prompts'])
    if (Array.isArray(result[list]))
      result[list] = (result[list] as { name: string }[]).flatMap((item) =>
        item.name.startsWith(prefix) ? [{ ...item, name: item.name.slice(prefix.length) }] : [],
      );
  return JSON.stringify(message);
}

function parsed(body: string): Json | undefined {
  try {
    return JSON.parse(body) as Json;
  } catch {
    return undefined;
  }
}
