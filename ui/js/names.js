// What a person types becomes what the program takes.

/** An address with its scheme, or nothing if it is none. On this machine that is `http`, elsewhere `https`. */
export function asUrl(typed) {
  const text = typed.trim();
  if (!text || /\s/.test(text)) return null;
  const scheme = /^(localhost|127\.|\[::1\])/.test(text) ? 'http' : 'https';
  const full = text.includes('://') ? text : `${scheme}://${text}`;
  try {
    new URL(full);
    return full; // as typed: an issuer is compared letter by letter
  } catch {
    return null;
  }
}

/** `Claude Code` is `claude-code`: names are a-z, 0-9 and '-'. */
export function asName(typed) {
  const text = typed
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return text || null;
}

/** Words set apart by spaces or commas. */
export function asWords(typed) {
  return typed.split(/[\s,]+/).filter(Boolean);
}
