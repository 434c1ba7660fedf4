// The second step of adding: what was found, before anything is done with it.

import { hostOf } from './add-address.js';
import { h, name } from './dom.js';
import { copyable, failure, field } from './parts.js';
import { state } from './store.js';
import { t } from './words.js';

/** Draws it. `look` asks again, for another account. */
export function foundStep(adding, look) {
  const { found } = adding;
  const byHand = found.registration === 'needs-client-id';
  return [
    failure('add', { host: hostOf(adding.url) }),
    h(
      'dl',
      { class: 'found', key: 'found' },
      row(
        'found.server',
        h('p', null, name(found.server, { class: 'found-name' }), ' ', h('span', { class: 'aside', dir: 'ltr' }, plainUrl(found.issuer))),
        h('p', { class: 'hint', dir: 'auto' }, found.by_words),
      ),
      row('found.scopes', found.scopes.length > 0 ? scopes(found.scopes) : h('p', null, t('found.no_scopes'))),
      row('found.registration', h('p', { dir: 'auto' }, found.registration_words), byHand && entry(found)),
      found.preset_title && row('found.preset', h('p', null, name(found.preset_title))),
      row('found.account', account(found, look)),
    ),
  ];
}

function row(words, ...value) {
  return h('div', { class: 'found-row', key: words }, h('dt', null, t(words)), h('dd', null, value));
}

// A slash at the end says nothing to a person.
function plainUrl(url) {
  return url.replace(/^https:\/\//, '').replace(/\/$/, '');
}

function scopes(all) {
  return h(
    'ul',
    { class: 'found-scopes' },
    all.map(({ scope, words }) =>
      h(
        'li',
        { key: scope },
        words && h('span', null, words),
        h('code', { class: words ? 'scope-name' : 'scope-name alone', dir: 'auto' }, scope),
      ),
    ),
  );
}

// What the person needs for the provider's console, and brings back from it.
function entry(found) {
  return h(
    'div',
    { class: 'found-entry', key: 'entry' },
    found.redirect && [
      h('p', { class: 'label', key: 'label' }, t('found.redirect')),
      copyable('found-redirect', found.redirect, t('found.redirect')),
    ],
    h(
      'div',
      { class: 'pair' },
      field('found-client-id', t('add.client_id'), { dir: 'ltr', required: true }),
      field('found-client-secret', t('add.client_secret'), {
        hint: t('add.client_secret.hint'),
        type: 'password',
        autocomplete: 'new-password',
        dir: 'ltr',
      }),
    ),
  );
}

function account(found, look) {
  const others = found.accounts.filter((one) => one.account !== found.account || found.joins);
  if (others.length === 0) return h('p', { dir: 'auto' }, found.account_words);
  const again = ({ target }) => look(target.form, target.value);
  return h(
    'select',
    {
      id: 'found-account',
      key: `account-${found.account}`,
      'aria-label': t('found.account'),
      disabled: state.busy.has('add'),
      on: { change: again },
    },
    h('option', { value: '', selected: !found.joins }, found.joins ? t('found.account.another') : t('found.account.new', { name: found.account })),
    others.map((one) =>
      h(
        'option',
        { value: one.account, key: one.account, selected: found.joins && one.account === found.account },
        one.title,
      ),
    ),
  );
}
