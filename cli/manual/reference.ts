/** The reference of commands as Markdown: what `--help` says of each. */
import { pages, type Page } from './pages.ts';

const WIDTH = 110;

export async function commandReference(): Promise<string> {
  // With a flag for every field, these would be most of the page; what fields mean stands elsewhere.
  const shown = (await pages()).filter(({ name }) => !name.startsWith('slipway create '));
  const sections = shown.map((page) => `## ${page.name}\n\n\`\`\`text\n${helpOf(page)}\n\`\`\`\n`);
  return `# Commands

Made by \`npm run docs\` from the definitions that the program itself has; a test keeps it fresh. The same is told by \`slipway <command> --help\` and
\`man slipway-<command>\`. \`slipway create <kind> --help\` has a flag for every field of a kind; what fields mean is in the
[reference of kinds](../../schemas/json/README.md).

${sections.join('\n')}`;
}

/** What \`--help\` prints, on a terminal of this width. */
function helpOf({ commander }: Page): string {
  let text = '';
  commander.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => WIDTH });
  commander.outputHelp();
  return text.trim();
}
