// The first thing that a new person sees: what Signbell does, and the one field to begin with.

import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { go } from './route.js';
import { act, state } from './store.js';
import { t } from './words.js';

/** Draws it. */
export function empty() {
  const begin = (event) => {
    event.preventDefault();
    state.draft = new FormData(event.target).get('begin').trim();
    go('#add');
  };
  return h(
    'section',
    { class: 'empty', key: 'empty' },
    h('div', { class: 'empty-bell' }, glyph('mark')),
    h('h1', null, t('empty.title')),
    h('p', { class: 'empty-about' }, t('empty.about')),
    h(
      'form',
      { class: 'empty-form', on: { submit: begin } },
      h('label', { for: 'begin', class: 'unseen' }, t('add.url')),
      h('input', {
        id: 'begin',
        name: 'begin',
        type: 'text',
        inputmode: 'url',
        required: true,
        autocomplete: 'off',
        autocapitalize: 'none',
        spellcheck: 'false',
        placeholder: t('add.url'),
        dir: 'ltr',
      }),
      button(t('empty.add'), { look: 'filled', type: 'submit', id: 'begin-add' }),
    ),
    h('p', { class: 'empty-or' }, h('span', null, t('or'))),
    h('a', { class: 'button plain link', id: 'open-import', href: '#import' }, t('import.open')),
    button(t('empty.demo'), {
      look: 'plain link',
      place: 'demo',
      id: 'demo-start',
      on: () => act('demo', () => call('demo', { start: true })),
    }),
    failure('demo'),
  );
}
