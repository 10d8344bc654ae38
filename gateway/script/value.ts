/** What a script gets of a tool's result: data, where there is any. */

export interface ToolResult {
  readonly content?: unknown;
  readonly structuredContent?: unknown;
  readonly isError?: unknown;
}

interface Block {
  readonly type?: unknown;
  readonly text?: unknown;
}

/** A failure of the tool, in its own words. */
export class ToolFailed extends Error {}

/**
 * `structuredContent`; else what stands in the result's text, read as JSON where it is some; what is no text as it is (an image,
 * say). Several blocks are a list.
 * @throws ToolFailed for a result that says so
 */
export function valueOf({ content, structuredContent, isError }: ToolResult): unknown {
  const blocks = Array.isArray(content) ? (content as Block[]) : [];
  if (isError === true) {
    const texts = blocks.flatMap(({ type, text }) => (type === 'text' ? [String(text)] : []));
    throw new ToolFailed(texts.join('\n') || 'The tool failed, and does not say why.');
  }
  if (structuredContent !== undefined) return structuredContent;
  if (blocks.length === 0) return null;
  const values = blocks.map((block) => (block.type === 'text' ? parsed(String(block.text)) : block));
  return values.length === 1 ? values[0] : values;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
