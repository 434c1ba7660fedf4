// The first view: is everything signed in, what needs me, what used it last.

import { accountRow } from './account.js';
import { recoveries } from './activity.js';
import { needsPerson } from './ask.js';
import { call } from './bridge.js';
import { h, name } from './dom.js';
import { empty } from './empty.js';
import { glyph } from './glyphs.js';
import { button, failure } from './parts.js';
import { act, state } from './store.js';
import { ago } from './time.js';
import { pieces, plural, t } from './words.js';

/** Draws it. */
export function sessions(view, now) {
  if (view.accounts.length === 0) return [banners(view), empty(view)];
  const needing = view.accounts.filter(needsPerson);
  const others = view.accounts.filter((account) => !needsPerson(account));
  return [
    banners(view),
    h(
      'div',
      { class: 'title', key: 'title' },
      h(
        'div',
        { class: 'title-text' },
        h('h1', null, headline(view.accounts, needing)),
        h('p', { class: 'aside' }, lastUse(view.accounts, now)),
      ),
      h('a', { class: 'button', id: 'open-add', href: '#add' }, glyph('plus'), t('add.open')),
    ),
    needing.length > 0 &&
      h(
        'ul',
        { class: 'rows needing', key: 'needing', 'aria-label': t('sessions.needing') },
        needing.map((account) => accountRow(account, view, now)),
      ),
    others.length > 0 &&
      h(
        'ul',
        { class: 'rows', key: 'others', 'aria-label': t('sessions.others') },
        others.map((account) => accountRow(account, view, now)),
      ),
    h(
      'footer',
      { class: 'foot', key: 'foot' },
      demoStrip(view),
      recoveries(view) && h('p', { class: 'aside', key: 'recoveries' }, recoveries(view)),
      view.proxy.vault && h('p', { class: 'aside' }, pieces('sessions.vault', { vault: name(view.proxy.vault) })),
    ),
  ];
}

/** What is not as it should be with the program itself. */
export function banners(view) {
  return (
    view.banners.length > 0 &&
    h(
      'ul',
      { class: 'banners', key: 'banners' },
      view.banners.map((text) =>
        h('li', { class: 'banner', key: text }, glyph('failing', 'warn'), h('p', { dir: 'auto' }, text)),
      ),
    )
  );
}

// Never better than it is: "everything" only if each one is signed in and nothing is wrong with it.
function headline(accounts, needing) {
  if (needing.length === 1) return pieces('headline.needs.one', { name: name(needing[0].short_title) });
  if (needing.length > 1) return plural('headline.needs', needing.length);
  const well = accounts.filter((account) => account.state === 'active' || account.state === 'refreshing');
  if (well.length < accounts.length) return t('headline.some', { n: well.length, all: accounts.length });
  return well.some((account) => account.reason) ? t('headline.nothing') : t('headline.fine');
}

function lastUse(accounts, now) {
  const used = accounts.filter((account) => account.last_used && account.last_used_by);
  if (used.length === 0) return t('sessions.unused');
  const last = used.reduce((a, b) => (b.last_used > a.last_used ? b : a));
  return pieces('sessions.last', {
    tool: name(last.last_used_by),
    name: name(last.short_title),
    when: ago(last.last_used, now),
  });
}

function demoStrip(view) {
  if (!view.accounts.some((account) => account.ephemeral)) return null;
  return h(
    'div',
    { class: 'demo', key: 'demo' },
    h('p', null, h('strong', null, t('demo.name')), ' ', t('demo.about')),
    button(t('demo.end'), {
      look: 'plain small',
      place: 'demo',
      id: 'demo-end',
      on: () => act('demo', () => call('demo', { start: false })),
    }),
    failure('demo'),
  );
}
