/** The rows of {@link ERRORS} for what goes wrong on the way through the gateway. */
import { row, type ErrorRow } from './row.ts';

export const GATEWAY_ERRORS = {
  unauthorized: row(
    'No valid token was given.',
    'Send Authorization: Bearer <token>; for the CLI, --token, $SLIPWAY_TOKEN or `slipway login` has it.',
    { http: 401 },
  ),
  forbidden: row(
    'The caller may not do this.',
    'Ask whoever keeps the config for a Role or RoleBinding; `slipway auth can-i --list` shows what you have.',
    { http: 403 },
  ),
  'insufficient-scope': row(
    'The access token lacks an OAuth scope.',
    'Log in again and consent to the scopes that the WWW-Authenticate header names.',
    { http: 403 },
  ),
  'provider-unreachable': row(
    'The keys of the identity provider cannot be had.',
    'Check Gateway spec.auth.jwt and the network between it and Slipway; Tokens go on working.',
    { http: 503, next: 'retry' },
  ),
  'scope-denied': row('A scope is needed that the caller does not have.', 'Ask for a Token or Role with this scope.', {
    http: 403,
  }),
  'host-not-allowed': row(
    'The Host header is not allowed (DNS rebinding guard).',
    'Add the name to Gateway spec.allowedHosts.',
    { http: 403 },
  ),
  loop: row(
    'The request came from this gateway itself.',
    'Remove the Server whose url is the address of this gateway.',
    { http: 508 },
  ),
  'origin-not-allowed': row(
    'The Origin header is not allowed (DNS rebinding guard).',
    'Add the origin to Gateway spec.allowedOrigins.',
    { http: 403 },
  ),
  'body-too-large': row('The request body is over the limit.', 'Send less, or raise Gateway spec.maxBodySize.', {
    http: 413,
  }),
  'rate-limited': row('Too many requests in too short a time.', 'Wait as long as Retry-After says, then try again.', {
    http: 429,
    next: 'retry',
  }),
  'concurrency-limited': row(
    'Too many requests are being worked on at once.',
    'Wait for one of them to end, then try again.',
    { http: 429, next: 'retry' },
  ),
  'request-timeout': row(
    'The request took longer than its limits allow.',
    'Ask for less, or raise the limits.timeout of the level that is named.',
    { http: 504, next: 'retry' },
  ),
  'result-too-large': row(
    'The result is over the limit.',
    'Ask for less, or raise the limits.resultSize of the level that is named.',
    { http: 502 },
  ),
  'budget-exhausted': row(
    'A budget is used up.',
    'Wait until it begins anew, or raise it: see `slipway describe budget <name>`.',
    { http: 429, next: 'retry' },
  ),
  'bad-request': row(
    'The request is malformed.',
    'Correct what it names. MCP takes one JSON-RPC message as application/json.',
    { http: 400 },
  ),
  'not-found': row(
    'There is nothing at this address.',
    'See `slipway get projects` and `slipway get servers` for the routes.',
    { http: 404 },
  ),
  'method-not-allowed': row('The HTTP method is not allowed here.', 'Use the methods of the Allow header.', {
    http: 405,
  }),
  'not-acceptable': row(
    'The client accepts none of the content types on offer.',
    'Accept application/json and text/event-stream.',
    { http: 406 },
  ),
  'session-not-found': row('The session has ended or belongs to somebody else.', 'Initialize again.', { http: 404 }),
  'answer-lost': row(
    'The answer was lost with its stream: the gateway was restarted, or the client was away for too long.',
    'Whether the call was made is not known. Look before you make it again.',
    { http: 410 },
  ),
  'unsupported-version': row('The protocol version is not supported.', 'Use one of the versions listed.', {
    http: 400,
  }),
  'upstream-unavailable': row(
    'The server behind this tool cannot be reached.',
    'See `slipway describe server <name>`.',
    { http: 502, next: 'retry' },
  ),
  'upstream-timeout': row('The server did not answer in time.', 'Try again, or raise Server spec.timeout.', {
    http: 504,
    next: 'retry',
  }),
  'audit-unavailable': row(
    'The audit log cannot be written, and Gateway spec.audit.onFailure says stop.',
    'See `slipway status`; usually the disk is full.',
    { http: 503, next: 'retry' },
  ),
  'needs-authorization': row(
    'Somebody must let Slipway use this server first.',
    'Open the address that a call of one of its tools answers with, then call again.',
    { http: 401 },
  ),
  'authorization-failed': row(
    'The way to the consent of a person could not be found, or did not lead back.',
    'Check the auth of the Server, and its authorization server.',
    { http: 502 },
  ),
  'upstream-unauthorized': row(
    'The server behind this tool refuses the credentials that it is given.',
    'Check the auth of the Server, and the Secrets that it names.',
    { http: 502 },
  ),
  'shutting-down': row('Slipway is shutting down.', 'Try again in a moment.', { http: 503, next: 'retry' }),
} as const satisfies Record<string, ErrorRow>;
