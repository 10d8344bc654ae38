/** Amounts as people read them. */
const UNITS = ['', 'Ki', 'Mi', 'Gi', 'Ti'];

/** `512Mi`, `1.5Gi`: in powers of 1024, as sizes are written in the config. */
export function bytesText(bytes: number | undefined): string {
  if (bytes === undefined) return '-';
  const unit = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  return `${value < 10 && unit > 0 ? value.toFixed(1).replace(/\.0$/, '') : Math.round(value)}${UNITS[unit]}`;
}

/** `12s`, `3m20s`: time that a processor was busy. */
export function secondsText(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole}s` : `${Math.floor(whole / 60)}m${whole % 60}s`;
}
