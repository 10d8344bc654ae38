/** Answers carry the id under which they are in the audit log. */
import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http';
import type { HttpResponse } from '../http/message.ts';
import { ServerResponse } from '../../schemas/node-http.ts';

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[];

export class NamedResponse<R extends IncomingMessage = IncomingMessage>
  extends ServerResponse<R>
  implements HttpResponse
{
  requestId: string | undefined;

  /** Here rather than by `setHeader`, which would send every answer the slow way through node:http. */
  override writeHead(status: number, first?: string | Headers, second?: Headers): this {
    const headers = typeof first === 'object' ? first : (second ?? {});
    if (this.requestId !== undefined && !Array.isArray(headers)) headers['X-Request-Id'] = this.requestId;
    return typeof first === 'string' ? super.writeHead(status, first, headers) : super.writeHead(status, headers);
  }
}
