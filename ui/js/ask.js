// What a service wants of an account beyond what was granted: said once, calmly, and one click away.
// Scopes that no list names are the exception. The server alone chose those, so the person writes them
// out, and what is not written exactly so is not asked for.

import { call } from './bridge.js';
import { h } from './dom.js';
import { glyph } from './glyphs.js';
import { asWords } from './names.js';
import { button, failure } from './parts.js';
import { inWords } from './scopes.js';
import { act, changed, state } from './store.js';
import { plural, t } from './words.js';

/** Whether only the person can help: the session ended, or a service asks for more than it may do. */
export function needsPerson(account) {
  return account.state === 'needs_sign_in' || Boolean(account.ask);
}

/** Draws what is asked for, with its buttons. */
export function askPanel(account) {
  const { account: id, ask, signing_in, ring, waiting } = account;
  const place = `more-${id}`;
  const words = asWords(state.typed.get(id) ?? '');
  const typed = ask.typed.filter((scope) => words.includes(scope));
  const lives = account.state === 'active' || account.state === 'refreshing';
  const nothing = ask.scopes.length === 0 && typed.length === 0;
  const allow = (event) => {
    event.preventDefault();
    if (!nothing && !signing_in) act(place, () => call('sign_in', { account: id, scopes: typed }));
  };
  return h(
    'form',
    {
      class: 'ask',
      key: 'ask',
      id: place,
      novalidate: true,
      'aria-label': t('ask', { name: account.short_title }),
      on: { submit: allow },
    },
    h('p', { class: 'ask-words', dir: 'auto' }, ask.words),
    ask.scopes.length > 0 &&
      h(
        'ul',
        { class: 'ask-scopes', key: 'listed', 'aria-label': t('ask.more') },
        ask.scopes.map((scope) => chip(scope, inWords(scope), 'plus', t('ask.new'), true)),
      ),
    ask.typed.length > 0 &&
      h(
        'ul',
        { class: 'ask-scopes', key: 'typed', 'aria-label': t('ask.typed') },
        ask.typed.map((scope) => {
          const done = typed.includes(scope);
          // Nothing but its name: what it means is known to nobody here.
          return chip(scope, null, done ? 'done' : 'type', done ? t('ask.typed.done') : t('ask.typed'), done);
        }),
      ),
    ask.typed.length > 0 && !signing_in && typing(account, words),
    h(
      'div',
      { class: 'actions', key: 'actions' },
      signing_in
        ? lives && h('p', { class: 'row-browser', key: 'browser' }, glyph('browser'), t('account.browser'))
        : [
            button(t('ask.allow'), {
              look: lives ? 'filled' : '', // else there is another that comes first
              type: 'submit',
              id: `allow-${id}`,
              key: 'allow',
              place,
              'aria-disabled': nothing || state.busy.has(place) || null,
            }),
            // Where nothing rings and nobody waits there is nothing to put off.
            (ring || waiting > 0) &&
              lives &&
              button(t('account.later'), {
                look: 'plain',
                key: 'later',
                id: `later-${id}`,
                place: `later-${id}`,
                on: () => act(`later-${id}`, () => call('later', { account: id })),
              }),
            lives &&
              button(t('ask.decline'), {
                look: 'plain',
                key: 'decline',
                id: `decline-${id}`,
                place: `decline-${id}`,
                on: () => act(`decline-${id}`, () => call('decline', { account: id })),
              }),
          ],
    ),
    failure(place),
    failure(`later-${id}`),
    failure(`decline-${id}`),
  );
}

// What it means, if that is known, and its own name, with a mark that it is new.
function chip(scope, words, icon, mark, sure) {
  return h(
    'li',
    { class: `ask-scope${sure ? ' sure' : ''}`, key: scope },
    glyph(icon),
    words && h('span', { class: 'ask-meaning' }, words),
    h('code', { dir: 'auto' }, scope),
    h('span', { class: 'ask-mark' }, mark),
  );
}

// As it is written, every word begins right; what no name above begins with will not be one of them.
function typing({ account: id, ask }, words) {
  const field = `type-${id}`;
  const astray = words.filter((word) => !ask.typed.some((scope) => scope.startsWith(word)));
  const many = ask.typed.length;
  return h(
    'div',
    { class: 'field ask-type', key: 'type' },
    h('label', { for: field }, plural('ask.type', many)),
    h('input', {
      id: field,
      type: 'text',
      dir: 'ltr',
      autocomplete: 'off',
      autocapitalize: 'none',
      autocorrect: 'off',
      spellcheck: 'false',
      value: state.typed.get(id) ?? '',
      'aria-describedby': `${field}-hint`,
      'aria-invalid': astray.length > 0 || null,
      on: {
        input: (event) => {
          state.typed.set(id, event.target.value);
          changed();
        },
      },
    }),
    h(
      'p',
      { class: `hint${astray.length > 0 ? ' warn' : ''}`, id: `${field}-hint`, 'aria-live': 'polite' },
      astray.length > 0 ? t('ask.type.unknown', { what: astray.join(' ') }) : plural('ask.type.hint', many),
    ),
  );
}
