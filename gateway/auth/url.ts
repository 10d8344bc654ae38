/** One spelling of a URL, without a slash at its end. @throws TypeError for what is none */
export const canonicalUrl = (text: string): string => new URL(text).href.replace(/\/$/, '');
