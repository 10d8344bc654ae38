/** Where the trees of a workspace lie, and which is the newest: a link that is moved at once, so that readers see one tree or the other. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readJson, writeAtomically } from '../state.ts';
import type { ChangeList, Manifest, Tree, WorkspaceSpec } from './spec.ts';

/** Of so many syncs it is known what they changed. */
const MAX_CHANGES = 20;

interface Stored {
  readonly formatVersion: 1;
  readonly tree: Tree;
  readonly syncedAt: string;
}

/** A tree that somebody reads. */
export interface Lease extends Disposable {
  readonly path: string;
  readonly tree: Tree;
}

export class Shelf {
  readonly root: string;
  /** Always leads to the newest tree. */
  readonly path: string;
  tree: Tree | undefined;
  syncedAt: string | undefined;
  /** The one before: whoever went through the link a moment ago still reads it. */
  #previous: string | undefined;
  readonly #leases = new Map<string, number>();

  constructor(dir: string, { name, from }: WorkspaceSpec) {
    this.root = join(dir, name);
    this.path = join(this.root, 'current');
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    const stored = readJson(join(this.root, 'state.json')) as Stored | undefined;
    const isSame = stored?.formatVersion === 1 && (from.type === 'path') === stored.tree.path.startsWith('/');
    if (!isSame || !existsSync(this.path)) return;
    this.tree = stored.tree;
    this.syncedAt = stored.syncedAt;
  }

  /** Takes away what is of no workspace any more. @param names of those that there are */
  static sweep(dir: string, names: ReadonlySet<string>): void {
    if (!existsSync(dir)) return;
    for (const name of readdirSync(dir))
      if (!names.has(name)) rmSync(join(dir, name), { recursive: true, force: true });
  }

  /** Makes a tree the newest. @param found without a manifest, it is the one there is @returns whether it is another */
  async put({ tree, manifest }: { readonly tree: Tree; readonly manifest?: Manifest }): Promise<boolean> {
    const before = this.tree;
    const isNew = manifest !== undefined && before?.id !== tree.id;
    const at = new Date().toISOString();
    if (isNew) {
      this.#noteChanges(manifest, { at, ...(before ? { from: before.id } : {}), to: tree.id });
      this.#moveLink(tree.path);
      if (before && before.path !== tree.path) this.#previous = before.path;
    }
    const stored: Stored = { formatVersion: 1, tree, syncedAt: at };
    writeAtomically(join(this.root, 'state.json'), JSON.stringify(stored));
    this.tree = tree;
    this.syncedAt = at;
    if (isNew) await this.#tidy();
    return isNew;
  }

  /** The newest tree, which stays until the lease is disposed of. */
  lease(): Lease | undefined {
    const { tree } = this;
    if (!tree) return undefined;
    const count = (by: number): void => void this.#leases.set(tree.path, (this.#leases.get(tree.path) ?? 0) + by);
    count(1);
    const path = tree.path.startsWith('/') ? tree.path : join(this.root, tree.path);
    return { path, tree, [Symbol.dispose]: () => count(-1) };
  }

  /** What the last syncs changed, oldest first: for an index of the files. */
  changes(): readonly ChangeList[] {
    return (readJson(join(this.root, 'changes.json')) as ChangeList[] | undefined) ?? [];
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #moveLink(target: string): void {
    const temporary = `${this.path}.tmp`;
    rmSync(temporary, { force: true });
    symlinkSync(target, temporary);
    renameSync(temporary, this.path);
  }

  #noteChanges(manifest: Manifest, about: Pick<ChangeList, 'at' | 'from' | 'to'>): void {
    const file = join(this.root, 'files.json');
    const before = this.tree ? ((readJson(file) as Manifest | undefined) ?? {}) : {};
    const old = new Map(Object.entries(before));
    const now = new Map(Object.entries(manifest));
    const change: ChangeList = {
      ...about,
      added: [...now.keys()].filter((path) => !old.has(path)),
      changed: [...now].flatMap(([path, id]) => (old.has(path) && old.get(path) !== id ? [path] : [])),
      removed: [...old.keys()].filter((path) => !now.has(path)),
    };
    writeAtomically(join(this.root, 'changes.json'), JSON.stringify([...this.changes(), change].slice(-MAX_CHANGES)));
    writeAtomically(file, JSON.stringify(manifest));
  }

  /** Trees that nobody can need any more: neither the newest nor the one before, nor read by anybody. */
  async #tidy(): Promise<void> {
    const kept = new Set([this.tree?.path, this.#previous]);
    for (const [path, count] of this.#leases) if (count > 0) kept.add(path);
    const trees = readdirSync(this.root).filter((name) => /^[0-9a-f]{40,64}-[0-9a-f]{8}(\.tmp)?$/.test(name));
    await Promise.all(
      trees
        .filter((name) => !kept.has(name))
        .map((name) => rm(join(this.root, name), { recursive: true, force: true })),
    );
  }
}
