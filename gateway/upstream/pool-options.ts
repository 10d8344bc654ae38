/** What connections are opened with, and who hears what comes over them. */
import type { RpcNotification } from '../../schemas/jsonrpc.ts';
import type { Client } from '../../schemas/peer.ts';
import type { TaskRef } from '../sessions/tasks.ts';
import type { Authorization } from './auth/authorization.ts';
import type { Door } from './auth/authorizer.ts';
import type { WishesOf } from './known.ts';
import type { Audience, Open } from './link.ts';

export interface Hearers {
  /** Who has an instance for itself, as it can be asked between its calls. @param client the name of its session */
  listener(at: Omit<TaskRef, 'id'>, client: string): Client | undefined;
  /** A server's list became another one. @param method what MCP's notice of it is called @param principal whose list it is, where everybody has their own */
  changed(server: string, method: string, principal: string | undefined): void;
  /** A server said something else. */
  said(server: string, notification: RpcNotification, audience: Audience): void;
}

export interface PoolOptions {
  readonly open: Open;
  readonly version: string;
  /** How to get into a server that wants to know who comes. */
  authorize(door: Door): Authorization;
  /** What clients want of a server that came before this connection, or this gateway. */
  wishesOf(server: string): WishesOf;
  /** Which client began a task. */
  taskOwner(task: TaskRef): string | undefined;
  /** A server's tools are others than before, or known for the first time. */
  onListed(): void;
  /** Who hears what servers say and ask unasked. */
  hearers(): Hearers;
}
