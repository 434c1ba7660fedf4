// Finding an account, a service, a tool or a view by a few letters of it. Ctrl-K (or Cmd-K) or `/` opens
// the field; the arrow keys choose while the focus stays in it (the ARIA pattern "combobox with listbox").

import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { showService, showSession, showTool, showView } from './goto.js';
import { TABS } from './route.js';
import { changed, focusSoon, state } from './store.js';
import { plural, t } from './words.js';

const MOST = 12; // results that are shown

/** Opens the field; what had the focus gets it back. */
export function openSearch() {
  if (state.search || document.querySelector('dialog[open]') || !state.view) return;
  state.search = { text: '', at: 0, opener: document.activeElement?.id ?? '' };
  changed();
}

/** Opens it for the keys that people try. */
export function searchKeys(event) {
  const typing = event.target.closest?.('input, textarea, select, [contenteditable]');
  const command = (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k';
  const slash = event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!command && !slash) return;
  event.preventDefault();
  openSearch();
}

/** Draws it. */
export function searchSheet(view) {
  const { text } = state.search;
  const found = results(view, text);
  const at = Math.min(state.search.at, Math.max(0, found.length - 1));
  const choose = (one) => {
    close('');
    one.show();
  };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing) return;
    if (step && found.length > 0) {
      event.preventDefault();
      state.search.at = (at + step + found.length) % found.length;
      changed();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (found[at]) choose(found[at]);
    }
  };
  return h(
    'dialog',
    {
      class: 'search',
      key: 'search',
      id: 'search',
      'aria-label': t('search'),
      mount: (dialog) => dialog.showModal(),
      on: {
        cancel: (event) => {
          event.preventDefault();
          close();
        },
        // A click beside it.
        click: (event) => event.target === event.currentTarget && close(),
      },
    },
    h(
      'div',
      { class: 'search-in' },
      h(
        'div',
        { class: 'search-field' },
        glyph('search'),
        h('input', {
          id: 'search-text',
          type: 'text',
          role: 'combobox',
          autofocus: true,
          autocomplete: 'off',
          autocapitalize: 'none',
          spellcheck: 'false',
          dir: 'auto',
          'aria-label': t('search'),
          'aria-autocomplete': 'list',
          'aria-expanded': found.length > 0,
          'aria-controls': 'search-found',
          'aria-activedescendant': found.length > 0 ? `found-${at}` : null,
          placeholder: t('search.placeholder'),
          value: text,
          on: {
            input: (event) => {
              Object.assign(state.search, { text: event.target.value, at: 0 });
              changed();
            },
            keydown: keys,
          },
        }),
        h(
          'button',
          { type: 'button', class: 'button plain bare', 'aria-label': t('close'), on: { click: () => close() } },
          glyph('close'),
        ),
      ),
      found.length > 0 &&
        h(
          'ul',
          { class: 'search-found', id: 'search-found', role: 'listbox', key: 'found', 'aria-label': t('search.found') },
          found.map((one, i) =>
            h(
              'li',
              {
                class: 'found-one',
                role: 'option',
                id: `found-${i}`,
                key: i,
                'aria-selected': i === at,
                on: { click: () => choose(one), mousemove: () => point(i) },
              },
              glyph(one.icon),
              h('span', { class: 'found-text' }, name(one.title, { class: 'found-title' }), one.more && [' ', name(one.more, { class: 'aside' })]),
              h('span', { class: 'found-kind' }, one.kind),
            ),
          ),
        ),
      found.length === 0 && h('p', { class: 'search-none', key: 'none' }, t('search.none')),
      h('p', { class: 'unseen', role: 'status', key: 'count' }, text ? plural('search.count', found.length) : ''),
    ),
  );
}

function point(i) {
  if (!state.search || state.search.at === i) return;
  state.search.at = i;
  changed();
}

function close(back = state.search?.opener) {
  state.search = null;
  changed();
  if (back) focusSoon(back);
}

// Every word that was typed has to be in there; what begins with the first comes first.
function results(view, text) {
  const words = fold(text).split(/\s+/).filter(Boolean);
  const all = [
    ...view.accounts.map((account) => ({
      icon: 'bell',
      kind: t('search.session'),
      title: account.title,
      more: account.state_words,
      words: [account.title, account.account, account.label, account.provider, account.state_words],
      show: () => showSession(account.account),
    })),
    ...view.services.map((service) => ({
      icon: 'service',
      kind: t('search.service'),
      title: service.service,
      more: service.url,
      words: [service.service, service.url, service.address, service.preset_title],
      show: () => showService(service.service),
    })),
    ...view.tools.map((tool) => ({
      icon: 'tool',
      kind: t('search.tool'),
      title: tool.tool,
      more: tool.services.join(', '),
      words: [tool.tool],
      show: () => showTool(tool.tool),
    })),
    ...TABS.map((tab) => ({
      icon: 'open-right',
      kind: t('search.view'),
      title: t(`nav.${tab}`),
      words: [t(`nav.${tab}`)],
      show: () => showView(tab),
    })),
  ];
  const fits = all.filter((one) => {
    const hay = fold(one.words.filter(Boolean).join(' '));
    return words.every((word) => hay.includes(word));
  });
  const first = words[0];
  const rank = (one) => (first && one.words.some((word) => word && fold(word).startsWith(first)) ? 0 : 1);
  return (first ? [...fits].sort((a, b) => rank(a) - rank(b)) : fits).slice(0, MOST);
}

// `Élodie` is found by `elodie`.
function fold(text) {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLocaleLowerCase();
}
