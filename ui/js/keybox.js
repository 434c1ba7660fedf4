// A tool's new key. The program keeps a hash of it, so this is the one time that it can be read.

import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { button, copyable } from './parts.js';
import { changed, state } from './store.js';
import { pieces, t } from './words.js';

/** Draws the box; `away` also offers to put it away. */
export function keyBox({ tool, key, urls, key_in_path: inPath }, away) {
  const addresses = Object.entries(urls);
  return h(
    'section',
    {
      class: 'keybox',
      key: `keybox-${tool}`,
      id: `keybox-${tool}`,
      tabindex: '-1',
      'aria-label': t('key.of', { tool }),
    },
    h('h3', { class: 'keybox-title' }, glyph('fine', 'good'), h('span', null, pieces('key.of', { tool: name(tool) }))),
    h('p', { class: 'hint' }, inPath ? t('key.once.path') : t('key.once')),
    key && !inPath && copyable(`key-${tool}`, key, t('key.of', { tool })),
    inPath &&
      addresses.map(([service, url]) => copyable(`key-${tool}-${service}`, url, t('address_of', { name: service }))),
    addresses.length > 0 &&
      key && [
        h('p', { class: 'label' }, t('key.try')),
        copyable(`curl-${tool}`, curl(addresses[0][1], inPath ? null : key), t('key.try')),
      ],
    away &&
      h(
        'div',
        { class: 'actions' },
        button(t('key.away'), {
          id: `away-${tool}`,
          on: () => {
            state.keys.delete(tool);
            changed();
          },
        }),
      ),
  );
}

// The key and the address hold no character that a shell reads: base64url, and a URL without a query.
function curl(url, key) {
  return key ? `curl ${url} -H 'Authorization: Bearer ${key}'` : `curl ${url}`;
}
