// The words of the window. They live in the program's one catalogue; the page asks for them once and
// shows nothing where a word is missing.

import { call } from './bridge.js';

let labels = {};
let rules = new Intl.PluralRules('en');

/** Fetches the catalogue, and tells the language that it is written in. */
export async function loadWords() {
  labels = await call('labels').catch(() => ({}));
  const language = locale();
  document.documentElement.lang = labels.language ?? 'en';
  rules = new Intl.PluralRules(language);
}

/** The language of the words, with the person's own region where that is of the same language. */
export function locale() {
  const language = labels.language ?? 'en';
  return navigator.languages.find((own) => own.split('-')[0] === language) ?? language;
}

/** Whether the catalogue has `key`. */
export function has(key) {
  return Object.hasOwn(labels, key);
}

/** The words of `key`, with `{name}` filled in. */
export function t(key, values) {
  return pieces(key, values).join('');
}

/** The same for a number of things: `key.one`, `key.other`, as the language has it. */
export function plural(key, n, values) {
  const exact = `${key}.${rules.select(n)}`;
  return t(has(exact) ? exact : `${key}.other`, { n, ...values });
}

/** The words of `key` as children of an element, so that what is filled in may be an element. */
export function pieces(key, values) {
  const text = has(key) ? labels[key] : '';
  return text
    .split(/(\{\w+\})/)
    .filter(Boolean)
    .map((piece) => {
      const filled = /^\{(\w+)\}$/.exec(piece);
      return filled ? (values?.[filled[1]] ?? '') : piece;
    });
}
