// The bar above every view: where one is, and how tools reach Signbell.

import { needsPerson } from './ask.js';
import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { button, copyButton, failure } from './parts.js';
import { act, state } from './store.js';
import { plural, t } from './words.js';

/** Draws it. */
export function header() {
  const { view, route } = state;
  const needing = view ? view.accounts.filter(needsPerson).length : 0;
  return [
    h(
      'header',
      { class: 'bar', key: 'bar' },
      h(
        'div',
        { class: 'bar-in' },
        h('p', { class: 'brand' }, glyph(needing ? 'ringing' : 'bell', needing ? 'warn' : ''), t('app.name')),
        h(
          'nav',
          { class: 'tabs', 'aria-label': t('nav') },
          tab(
            'sessions',
            route.tab,
            needing
              ? h(
                  'span',
                  { class: 'count' },
                  h('span', { 'aria-hidden': 'true' }, needing),
                  ' ',
                  h('span', { class: 'unseen' }, plural('nav.needing', needing)),
                )
              : null,
          ),
          tab('tools', route.tab),
          tab('activity', route.tab),
          tab('settings', route.tab),
        ),
        view && proxy(view.proxy),
      ),
    ),
    failure('proxy'),
  ];
}

function tab(which, current, more) {
  return h(
    'a',
    { class: 'tab', href: `#${which}`, 'aria-current': which === current ? 'page' : null },
    t(`nav.${which}`),
    more,
  );
}

function proxy({ address, running, paused }) {
  const [icon, look, words] = !running
    ? ['stopped', 'bad', t('proxy.stopped')]
    : paused
      ? ['pause', 'warn', t('proxy.paused')]
      : ['running', 'good', t('proxy.running')];
  return h(
    'div',
    { class: 'proxy', role: 'group', 'aria-label': t('proxy') },
    h(
      'span',
      { class: 'proxy-state', title: words },
      glyph(icon, look),
      h('span', { class: running && !paused ? 'unseen' : 'proxy-words' }, words),
    ),
    h('span', { class: 'proxy-address', dir: 'ltr' }, address.replace(/^https?:\/\//, '')),
    copyButton('proxy', address, t('proxy.address'), true),
    running &&
      button(paused ? t('proxy.resume') : t('proxy.pause'), {
        look: 'small pause',
        icon: paused ? 'resume' : 'pause',
        place: 'proxy',
        id: 'pause',
        title: paused ? t('proxy.resume') : t('proxy.pause'),
        on: () => act('proxy', () => call('pause', { paused: !paused })),
      }),
  );
}
