// The last view: how Signbell itself behaves.

import { h } from './dom.js';
import { t } from './words.js';

/** Draws it. */
export function settings() {
  return [h('h1', { key: 'title' }, t('nav.settings'))];
}
