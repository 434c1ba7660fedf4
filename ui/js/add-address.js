// The first step of adding: an address that is pasted, or a provider that is picked.

import { h } from './dom.js';
import { failure, field, fold, mark } from './parts.js';
import { asName, asUrl, asWords } from './names.js';
import { changed, state } from './store.js';
import { t } from './words.js';

const NONE = 'none'; // no preset, whatever the address

/** Draws it. */
export function addressStep(view, adding) {
  const picked = state.choices?.find(({ name }) => name === adding.picked);
  const looking = state.busy.has('add');
  return [
    field('add-url', t('add.url'), {
      hint: looking
        ? t('add.looking', { host: hostOf(adding.url) })
        : picked && !picked.url
          ? t('add.url.pattern', { example: picked.example })
          : t('add.url.hint'),
      inputmode: 'url',
      required: true,
      autofocus: true,
      dir: 'ltr',
      placeholder: picked && !picked.url ? picked.example : t('add.url.example'),
      value: adding.url,
      on: {
        input: ({ target }) => {
          adding.url = target.value;
          adding.picked = ''; // what is typed counts again
          changed();
        },
      },
    }),
    adding.at === 'address' && failure('add', { host: hostOf(adding.url), service: hereAs(view, adding.url) }),
    picks(adding),
    h('div', { key: 'more' }, more(view)),
    h('p', { class: 'hint', key: 'import' }, h('a', { class: 'link', id: 'add-import', href: '#import' }, t('import.open'))),
  ];
}

// One stop of the Tab key, and the arrow keys inside: a group of radio buttons that looks like tiles.
function picks(adding) {
  const all = state.choices ?? [];
  if (all.length === 0) return null;
  const words = adding.picked || /[.:/]/.test(adding.url) ? '' : adding.url.trim().toLowerCase();
  const shown = all.filter(({ title, name }) => `${title} ${name}`.toLowerCase().includes(words));
  const pick = (choice) => {
    adding.picked = choice.name;
    adding.url = choice.url ?? '';
    changed();
    if (!choice.url) document.getElementById('add-url')?.focus();
  };
  return h(
    'fieldset',
    { class: 'field', key: 'picks' },
    h('legend', { class: 'label' }, t('add.pick')),
    shown.length === 0 && h('p', { class: 'hint', key: 'none' }, t('add.pick.none')),
    h(
      'div',
      { class: 'picks', key: 'list' },
      shown.map((choice) =>
        h(
          'label',
          { class: 'pick', key: choice.name },
          h('input', {
            type: 'radio',
            name: 'pick',
            value: choice.name,
            class: 'unseen',
            checked: adding.picked === choice.name,
            on: { change: () => pick(choice) },
          }),
          mark(choice.title),
          h('span', { class: 'pick-name', title: choice.title }, choice.title),
        ),
      ),
    ),
  );
}

function more(view) {
  const presets = state.presets ?? [];
  const pair = (...fields) => h('div', { class: 'pair' }, fields);
  return fold(
    'add-more',
    t('add.more'),
    field('add-issuer', t('add.issuer'), { hint: t('add.issuer.hint'), inputmode: 'url', dir: 'ltr' }),
    pair(
      field('add-client-id', t('add.client_id'), { dir: 'ltr' }),
      field('add-client-secret', t('add.client_secret'), {
        type: 'password',
        autocomplete: 'new-password',
        dir: 'ltr',
      }),
    ),
    pair(
      field('add-scopes', t('add.scopes'), { hint: t('add.scopes.hint'), dir: 'ltr' }),
      field('add-preset', t('add.preset'), {
        hint: t('add.preset.hint'),
        placeholder: t('add.preset.example'),
        list: 'add-presets',
        dir: 'ltr',
      }),
    ),
    pair(
      field('add-account', t('add.account'), { hint: t('add.account.hint'), list: 'add-accounts' }),
      field('add-tool', t('add.tool'), { hint: t('add.tool.hint'), list: 'add-tools' }),
    ),
    datalist(
      'add-accounts',
      view.accounts.map((account) => account.account),
    ),
    datalist(
      'add-tools',
      view.tools.map((tool) => tool.tool),
    ),
    datalist(
      'add-presets',
      [...presets.map(({ preset }) => preset), NONE],
      [...presets.map(({ title, hosts }) => [title, ...hosts].join(' · ')), t('add.preset.none')],
    ),
  );
}

function datalist(id, values, words = []) {
  return h(
    'datalist',
    { id },
    values.map((value, i) => h('option', { value, key: value, label: words[i] })),
  );
}

/** What the form says, as the program takes it. Throws where an address is none. */
export function typedService(form, adding) {
  const typed = Object.fromEntries(new FormData(form));
  const given = (field) => typed[field].trim() || null;
  const url = asUrl(adding.url);
  const issuer = asUrl(typed['add-issuer']);
  if (!url || (given('add-issuer') && !issuer))
    throw {
      kind: 'usage',
      code: 'bad_address',
      said: t(url ? 'add.bad_issuer' : 'add.bad_url'),
      step: 'address',
    };
  return {
    url,
    issuer,
    name: null,
    provider: null,
    resource: null,
    account: asName(typed['add-account']),
    client_id: given('add-client-id'),
    client_secret: given('add-client-secret'),
    scopes: asWords(typed['add-scopes']),
    preset: asPreset(typed['add-preset']),
    tool: asName(typed['add-tool']),
  };
}

// By its name, or by the title that the list shows beside it.
function asPreset(typed) {
  const text = typed.trim().toLowerCase();
  return (state.presets ?? []).find(({ title }) => title.toLowerCase() === text)?.preset ?? (text || null);
}

// The service that has this address, if one has.
function hereAs(view, typed) {
  const bare = (url) => (asUrl(url) ?? '').replace(/\/+$/, '');
  return view.services.find(({ url }) => bare(url) === bare(typed))?.service;
}

/** The host of what was typed, as far as it is an address. */
export function hostOf(typed) {
  const url = asUrl(typed);
  return url ? new URL(url).host : typed.trim();
}
