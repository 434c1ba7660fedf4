// What tools reach: each service with its address, whose tokens it gets, and what Signbell does for it.

import { serviceInside } from './service-inside.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { copyButton, failure } from './parts.js';
import { rowHead } from './row.js';
import { banners } from './sessions.js';
import { state } from './store.js';
import { pieces, plural, t } from './words.js';

/** Draws the view. */
export function services(view) {
  return [
    banners(view),
    h(
      'div',
      { class: 'title', key: 'title' },
      h(
        'div',
        { class: 'title-text' },
        h('h1', null, t('services.title')),
        h('p', { class: 'aside' }, t('services.about')),
      ),
      h('a', { class: 'button', id: 'open-add-service', href: '#add' }, glyph('plus'), t('add.open')),
    ),
    view.services.length === 0
      ? h('div', { class: 'nothing', key: 'nothing' }, glyph('service'), h('p', null, t('services.none')))
      : h(
          'ul',
          { class: 'rows', key: 'services', 'aria-label': t('nav.services') },
          view.services.map((service) => serviceRow(service, view)),
        ),
  ];
}

function serviceRow(service, view) {
  const id = service.service;
  const open = state.openServices.has(id);
  const account = view.accounts.find((one) => one.account === service.account);
  const users = view.tools.filter((tool) => tool.services.includes(id));
  const head = `service-${id}`;
  return h(
    'li',
    { class: `row${open ? ' is-open' : ''}`, key: id, 'data-home': head },
    rowHead({
      head,
      id,
      among: state.openServices,
      inside: `inside-${head}`,
      of: service.preset_title ?? account?.provider ?? id,
      title: [name(id, { class: 'row-name' }), account && [' ', h('span', { class: 'row-rest' }, name(account.short_title))]],
      lines: h(
        'p',
        { class: 'row-state' },
        h(
          'span',
          { class: 'row-state-text' },
          users.length === 0 ? t('services.unused') : plural('services.users', users.length),
          account && account.state !== 'active' && account.state !== 'refreshing'
            ? [h('span', { 'aria-hidden': 'true' }, ' · '), ' ', h('span', { class: 'row-words warn', dir: 'auto' }, account.state_words)]
            : null,
        ),
      ),
    }),
    h(
      'p',
      { class: 'service-at', key: 'at' },
      h('code', { dir: 'ltr' }, service.address),
      copyButton(`at-${id}`, service.address, t('address_of', { name: id })),
    ),
    failure(`at-${id}`),
    open && serviceInside(service, account, view),
  );
}

/** Where a service's tokens go, as a sentence. */
export function tokensGo({ header, origin }) {
  return pieces('service.tokens', { header: h('code', { dir: 'ltr' }, header), origin: h('code', { dir: 'ltr' }, origin) });
}
