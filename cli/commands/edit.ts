import { SlipwayError } from '../../schemas/errors.ts';
import type { Kind } from '../../schemas/kinds/kind.ts';
import { MAX_FILE_BYTES } from '../../schemas/parse.ts';
import type { Issue } from '../../schemas/resource.ts';
import { WRITE_OPTIONS, type Command, type Invocation } from '../command.ts';
import { addressIn, documentsOf, textOf } from '../document/documents.ts';
import { oneNamedBy } from '../select.ts';
import { change, Invalid, look, made } from '../write/change.ts';
import type { Outcome } from '../write/changes.ts';
import type { Draft } from '../write/draft.ts';
import { EditedFile } from '../write/editor.ts';
import { found } from '../write/find.ts';

/** Lines that tell what is wrong; they are taken out again. */
const NOTE = '#! ';

export const command: Command = {
  summary: 'open a resource in $EDITOR, exactly as it is written, and save what comes back if it is valid',
  usage: '<kind> [name]',
  options: WRITE_OPTIONS,
  examples: ['slipway edit server github', 'slipway edit project/dev --branch more-servers -m "More servers"'],

  async run(invocation) {
    const { args, io } = invocation;
    const { kind, name } = oneNamedBy(args);
    const before = await look(invocation, async (draft) => {
      const { text, document } = await found(draft, kind, name);
      return textOf(text, document);
    });
    using file = new EditedFile(name);
    let text = before;
    for (let notes: readonly string[] = []; ;) {
      const shown = notes.map((note) => `${NOTE}${note}\n`).join('') + text;
      const saved = withoutNotes(await file.edit(shown, io), notes.length);
      if (saved === before || saved.trim() === '') return unchanged(io.err);
      // Whoever leaves what is wrong as it is has given up.
      if (notes.length > 0 && saved === text) return givenUp(file, notes, io.err);
      text = saved;
      try {
        return await save(invocation, { kind, name, before, text });
      } catch (error) {
        if (!(error instanceof Invalid)) {
          io.err(`your text is kept in ${file.keep()}`);
          throw error;
        }
        notes = notesOf(error.issues);
      }
    }
  },
};

interface Edited {
  readonly kind: Kind;
  readonly name: string;
  readonly before: string;
  readonly text: string;
}

/** Checked first without writing, so that what is wrong comes back to the editor rather than to the terminal. */
async function save(invocation: Invocation, edited: Edited): Promise<number> {
  const put = (draft: Draft): Promise<readonly Outcome[]> => putText(draft, edited);
  await made({ ...invocation, options: { ...invocation.options, dryRun: true } }, put);
  return change(invocation, put);
}

async function putText(draft: Draft, { kind, name, before, text }: Edited): Promise<readonly Outcome[]> {
  const { file, text: whole, document } = await found(draft, kind, name);
  const own = textOf(whole, document);
  if (own !== before)
    throw new SlipwayError('conflict', `${kind.kind}/${name} was changed by somebody else while you edited it.`, {
      hint: 'Edit it again; your text is kept.',
    });
  const start = document.end - own.length;
  const after = whole.slice(0, start) + withLineEnd(text, document.end < whole.length) + whole.slice(document.end);
  const size = Buffer.byteLength(after);
  const documents = documentsOf(after);
  const addresses = documents.map(({ value }) => addressIn(value));
  const isStill =
    documents.length === documentsOf(whole).length &&
    addresses[document.index]?.kind === kind.kind &&
    addresses[document.index]?.name === name;
  const isReadable = documents.every((one) => one.document.errors.length === 0);
  if (isReadable && size <= MAX_FILE_BYTES && !isStill) throw new Invalid([renamed(file, kind, name)]);
  await draft.write(file, after);
  return [{ kind: kind.kind, name, file, verb: 'edited' }];
}

const withLineEnd = (text: string, isFollowed: boolean): string =>
  isFollowed && !text.endsWith('\n') ? `${text}\n` : text;

function renamed(file: string, kind: Kind, name: string): Issue {
  const message = `It must stay one document, ${kind.kind} ${name}.`;
  return {
    file,
    line: 1,
    column: 1,
    path: '',
    code: 'invalid-value',
    message,
    hint: 'To rename it, create it anew and delete the old one.',
  };
}

function notesOf(issues: readonly Issue[]): string[] {
  return [
    'It is not valid yet. Mend it, or leave it as it is to give up.',
    ...issues.flatMap(({ file, line, column, code, message, hint }) => [
      `${file}:${line}:${column}: ${code}: ${message}`,
      `    ${hint}`,
    ]),
  ].map((note) => note.replaceAll(/\r?\n/g, ' '));
}

/** Only from the top, and no more than were put there: somebody's own comment may look the same. */
function withoutNotes(text: string, count: number): string {
  const lines = text.split(/(?<=\n)/);
  const own = lines.slice(0, count).findIndex((line) => !line.startsWith(NOTE));
  return lines.slice(own < 0 ? Math.min(count, lines.length) : own).join('');
}

function unchanged(err: (text: string) => void): number {
  err('nothing was changed');
  return 0;
}

function givenUp(file: EditedFile, notes: readonly string[], err: (text: string) => void): number {
  notes.slice(1).forEach(err);
  err(`nothing was changed; your text is kept in ${file.keep()}`);
  return 1;
}
