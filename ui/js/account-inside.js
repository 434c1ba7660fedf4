// What a row opens into: what happened to the session, what it may do, what it is for, and its end.

import { call } from './bridge.js';
import { line } from './activity.js';
import { h, name } from './dom.js';
import { button, careful, chip, copyButton, fact, failure } from './parts.js';
import { scopeList } from './scopes.js';
import { act, state } from './store.js';
import { timeline } from './timeline.js';
import { clock, moment } from './time.js';
import { pieces, t } from './words.js';

const STEPS = 5; // of the timeline; the rest is in Activity

/** Draws it. */
export function accountInside(account, view, now) {
  const id = account.account;
  const services = view.services.filter((service) => service.account === id);
  const tools = view.tools.filter((tool) => tool.services.some((used) => account.services.includes(used)));
  return h(
    'div',
    { class: 'inside', id: `inside-${id}`, key: 'inside', role: 'region', 'aria-labelledby': `row-${id}` },
    h(
      'dl',
      { class: 'facts' },
      account.reason &&
        fact(
          t('inside.reason'),
          h(
            'div',
            { class: 'reason' },
            h('code', null, account.reason),
            copyButton(
              `reason-${id}`,
              [account.reason, account.reason_words].filter(Boolean).join(': '),
              t('inside.reason'),
              true,
            ),
          ),
        ),
      fact(
        t('inside.services'),
        services.length > 0 ? services.map(serviceLine) : h('p', { class: 'aside' }, t('inside.no_services')),
      ),
      tools.length > 0 &&
        fact(
          t('inside.tools'),
          h(
            'div',
            { class: 'chips' },
            tools.map((tool) => chip(tool.tool, 'tool')),
          ),
        ),
      account.grants.length > 1
        ? fact(
            t('inside.may'),
            account.grants.map((grant) => grantBlock(grant, account)),
          )
        : fact(
            t('inside.may'),
            account.scopes.length > 0 ? scopeList(account.scopes) : h('p', { class: 'aside' }, t('inside.no_scopes')),
          ),
      fact(t('inside.times'), times(account)),
      fact(t('inside.history'), history(account, now)),
      fact(t('inside.name'), labelForm(account)),
      fact(t('inside.token'), tokenSwitch(account)),
    ),
    inlineFailures(id),
    endActions(account),
  );
}

function serviceLine({ service, url, address }) {
  const place = `remove-${service}`;
  return h(
    'div',
    { class: 'service', key: service },
    h(
      'div',
      { class: 'service-head' },
      h('strong', null, name(service)),
      h('span', { class: 'aside', dir: 'ltr' }, url),
    ),
    h(
      'div',
      { class: 'service-address' },
      h('code', { dir: 'ltr' }, address),
      copyButton(`address-${service}`, address, t('address_of', { name: service })),
      careful(place, t('remove'), {
        look: 'plain small',
        question: pieces('service.remove.question', { name: name(service) }),
        yes: t('remove'),
        work: () => call('service_remove', { service }),
      }),
    ),
    failure(place),
    failure(`address-${service}`),
  );
}

function grantBlock(grant, account) {
  return h(
    'div',
    { class: 'grant', key: grant.resource ?? '' },
    h(
      'p',
      { class: 'grant-head' },
      h('span', { dir: 'ltr' }, grant.resource ?? t('inside.no_resource')),
      h(
        'span',
        { class: 'aside' },
        ' · ',
        t(`state.${grant.state}`),
        grant.expires_at && account.state !== 'signed_out'
          ? ` · ${t('inside.until', { time: clock(grant.expires_at) })}`
          : '',
      ),
    ),
    grant.scopes.length > 0 && scopeList(grant.scopes),
  );
}

function times({ state: how, issued_at, expires_at, refreshable }) {
  const lives = how === 'active' || how === 'refreshing';
  const issued = issued_at && h('p', null, t('inside.issued', { time: moment(issued_at) }));
  if (!lives) return issued || h('p', { class: 'aside' }, t('inside.no_token'));
  return [
    issued,
    expires_at ? h('p', null, t('inside.ends', { time: moment(expires_at) })) : h('p', null, t('inside.endless')),
    h('p', { class: 'aside' }, refreshable ? t('inside.renews') : t('inside.renews_not')),
  ];
}

function history(account, now) {
  const id = account.account;
  const records = (state.activity ?? []).filter((record) => record.account === id);
  if (records.length === 0) return h('p', { class: 'aside' }, t('inside.no_history'));
  return [
    timeline(account, records, now),
    h(
      'ul',
      { class: 'lines' },
      records.slice(0, STEPS).map((record) => line(record, now, true)),
    ),
    h(
      'a',
      {
        class: 'link',
        href: '#activity',
        on: {
          click: () => {
            state.filter = { account: id, tool: '', kind: '' };
            state.sought = '';
          },
        },
      },
      t('inside.all_history'),
    ),
  ];
}

function labelForm({ account: id, label }) {
  const place = `label-${id}`;
  const save = (event) => {
    event.preventDefault();
    const typed = new FormData(event.target).get(place).trim();
    act(place, () => call('account_set', { account: id, label: typed }));
  };
  return h(
    'form',
    { class: 'inline-form', on: { submit: save } },
    h('input', {
      type: 'text',
      id: place,
      name: place,
      'aria-label': t('inside.name'),
      placeholder: t('inside.name_example'),
      value: label ?? '',
      required: label === undefined,
      autocomplete: 'off',
      maxlength: '40',
      dir: 'auto',
    }),
    button(t('save'), { place, type: 'submit' }),
  );
}

function tokenSwitch({ account: id, allow_token }) {
  const place = `token-${id}`;
  return h(
    'label',
    { class: 'switch-line' },
    h('input', {
      type: 'checkbox',
      role: 'switch',
      class: 'switch',
      checked: allow_token,
      on: {
        change: (event) => {
          const want = event.target.checked;
          event.target.checked = allow_token;
          act(place, () => call('account_set', { account: id, allowToken: want }));
        },
      },
    }),
    h('span', null, t('inside.token_about')),
  );
}

function inlineFailures(id) {
  return ['label', 'token', 'renew', 'out', 'forget'].map((what) => failure(`${what}-${id}`));
}

function endActions(account) {
  const id = account.account;
  const out = account.state === 'signed_out';
  const who = name(account.short_title);
  const asking = state.asking === `out-${id}` || state.asking === `forget-${id}`;
  return h(
    'div',
    { class: 'actions ends' },
    !asking &&
      account.refreshable &&
      account.state !== 'needs_sign_in' &&
      !out &&
      button(t('inside.renew'), {
        icon: 'renew',
        place: `renew-${id}`,
        key: 'renew',
        id: `renew-${id}`,
        on: () => act(`renew-${id}`, () => call('refresh', { account: id })),
      }),
    !out &&
      state.asking !== `forget-${id}` &&
      careful(`out-${id}`, t('inside.sign_out'), {
        icon: 'leave',
        question: pieces('inside.sign_out.question', { name: who }),
        yes: t('inside.sign_out'),
        work: () => call('sign_out', { account: id, forget: false }),
      }),
    state.asking !== `out-${id}` &&
      careful(`forget-${id}`, out ? t('inside.forget_only') : t('inside.forget'), {
        look: 'plain soft-grave',
        question: pieces('inside.forget.question', { name: who }),
        yes: out ? t('inside.forget_only') : t('inside.forget'),
        work: () => call('sign_out', { account: id, forget: true }),
      }),
  );
}
