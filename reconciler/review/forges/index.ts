/** THE list of forges. A new one is a file beside this one, a line here, and its name in `schemas/kinds/fields/review.ts`. */
import type { ForgeName } from '../../../schemas/kinds/fields/review.ts';
import type { Forge } from './forge.ts';
import { generic } from './generic.ts';
import { gitea } from './gitea.ts';
import { github } from './github.ts';
import { gitlab } from './gitlab.ts';

/** Whether that is the name of one. */
export const isForge = (name: string): name is ForgeName => Object.hasOwn(FORGES, name);

export const FORGES: Readonly<Record<ForgeName, Forge>> = { github, gitlab, gitea, generic };
