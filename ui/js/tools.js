// The second view: who may use what.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { keyBox } from './keybox.js';
import { button, careful, copyButton, failure } from './parts.js';
import { banners } from './sessions.js';
import { act, focusSoon, state } from './store.js';
import { ago, moment } from './time.js';
import { pieces, t } from './words.js';

/** Draws it. */
export function tools(view, now) {
  return [
    banners(view),
    h(
      'div',
      { class: 'title', key: 'title' },
      h('div', { class: 'title-text' }, h('h1', null, t('tools.title')), h('p', { class: 'aside' }, t('tools.about'))),
      h('a', { class: 'button', id: 'open-connect', href: '#connect' }, t('connect.open')),
      h('a', { class: 'button', id: 'open-add-tool', href: '#add-tool' }, glyph('plus'), t('tools.add')),
    ),
    view.tools.length === 0
      ? h('div', { class: 'nothing', key: 'nothing' }, glyph('tool'), h('p', null, t('tools.none')))
      : h(
          'ul',
          { class: 'rows', key: 'tools', 'aria-label': t('nav.tools') },
          view.tools.map((tool) => toolRow(tool, view, now)),
        ),
  ];
}

function toolRow(tool, view, now) {
  const id = tool.tool;
  const key = state.keys.get(id);
  const services = view.services.filter((service) => tool.services.includes(service.service));
  const more = view.services.length > services.length;
  const asking = [`rotate-${id}`, `untool-${id}`].find((place) => place === state.asking);
  return h(
    'li',
    { class: 'row tool', key: id, 'data-home': `tool-${id}` },
    h(
      'div',
      { class: 'tool-head' },
      h('span', { class: 'mark plain-mark', 'aria-hidden': 'true' }, glyph('tool')),
      h(
        'div',
        { class: 'row-text' },
        h('h2', { class: 'row-title', id: `tool-${id}`, tabindex: '-1' }, name(id, { class: 'row-name' })),
        h(
          'p',
          { class: 'row-state', title: tool.last_seen ? moment(tool.last_seen) : null },
          tool.last_seen ? t('tools.seen', { when: ago(tool.last_seen, now) }) : t('tools.unseen'),
        ),
      ),
      h(
        'div',
        { class: 'tool-actions' },
        !asking &&
          more &&
          h(
            'a',
            { class: 'button plain small', key: 'more', id: `widen-${id}`, href: `#tool/${id}` },
            glyph('plus'),
            h('span', null, t('tools.widen')),
          ),
        asking !== `untool-${id}` &&
          careful(`rotate-${id}`, t('tools.rotate'), {
            look: 'plain small',
            question: pieces('tools.rotate.question', { tool: name(id) }),
            yes: t('tools.rotate'),
            work: async () => showKey(await call('tool_rotate', { tool: id }), tool.key_in_path),
          }),
        asking !== `rotate-${id}` &&
          careful(`untool-${id}`, t('remove'), {
            look: 'plain small',
            question: pieces('tools.remove.question', { tool: name(id) }),
            yes: t('remove'),
            work: () => call('tool_remove', { tool: id }),
          }),
      ),
    ),
    failure(`rotate-${id}`),
    failure(`untool-${id}`),
    key && keyBox(key, true),
    tool.services.length === 0
      ? h('p', { class: 'tool-none aside', key: 'none' }, t('tools.no_services'))
      : h(
          'ul',
          { class: 'addresses', key: 'addresses', 'aria-label': t('tools.addresses', { tool: id }) },
          services.map((service) => address(tool, service)),
        ),
    tool.key_in_path && h('p', { class: 'tool-none aside', key: 'in-path' }, t('tools.in_path')),
    askOnce(tool),
  );
}

// Whether the person is asked once for each program that shows this tool's key.
function askOnce({ tool, confirm }) {
  const place = `once-${tool}`;
  return h(
    'div',
    { class: 'tool-once', key: 'once' },
    h(
      'label',
      { class: 'switch-line' },
      h('input', {
        type: 'checkbox',
        role: 'switch',
        class: 'switch',
        id: place,
        checked: Boolean(confirm),
        on: {
          change: (event) => {
            const want = event.target.checked;
            event.target.checked = Boolean(confirm);
            act(place, () => call('tool_set', { tool, confirm: want }));
          },
        },
      }),
      h('span', null, t('tools.once')),
    ),
    failure(place),
  );
}

function address(tool, { service, address: url }) {
  const place = `use-${tool.tool}-${service}`;
  return h(
    'li',
    { class: 'address', key: service },
    h('span', { class: 'chip' }, name(service)),
    // Where the key is part of the address, the bare one would not work.
    !tool.key_in_path && h('code', { dir: 'ltr' }, url),
    !tool.key_in_path && copyButton(place, url, t('address_of', { name: service })),
    failure(place),
  );
}

/** Keeps a new key on the page until the person has put it away. */
export function showKey(made, inPath) {
  if (!made.key) return;
  state.keys.set(made.tool, { ...made, key_in_path: inPath });
  focusSoon(`keybox-${made.tool}`);
}
