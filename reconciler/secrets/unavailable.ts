/** Why a value cannot be had, in words that give nothing of it away. Which one it is, whoever asked for it adds. */
export class Unavailable extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
