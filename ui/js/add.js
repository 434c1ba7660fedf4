// Adding a service: one address, and under "more" what could not be found out from it.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { keyBox } from './keybox.js';
import { asName, asUrl, asWords } from './names.js';
import { button, copyable, failure, field, fold } from './parts.js';
import { go } from './route.js';
import { sheet } from './sheet.js';
import { act, changed, focusSoon, state } from './store.js';
import { pieces, t } from './words.js';

const PLACE = 'add';
const MORE = 'add-more';
const NONE = 'none'; // no preset, whatever the address

/** Draws it. */
export function addSheet(view) {
  if (state.added) return sheet('sheet-added', t('added.title'), '#sessions', result(view, state.added));
  return sheet(
    'sheet-add',
    t('add.title'),
    '#sessions',
    h(
      'form',
      { class: 'form', mount: loadPresets, on: { submit } },
      h(
        'div',
        { class: 'form-fields' },
        field('add-url', t('add.url'), {
          hint: t('add.url.hint'),
          inputmode: 'url',
          required: true,
          autofocus: true,
          dir: 'ltr',
          placeholder: t('add.url.example'),
          value: state.draft,
        }),
        fold(
          MORE,
          t('add.more'),
          field('add-issuer', t('add.issuer'), { hint: t('add.issuer.hint'), inputmode: 'url', dir: 'ltr' }),
          h(
            'div',
            { class: 'pair' },
            field('add-client-id', t('add.client_id'), { dir: 'ltr' }),
            field('add-client-secret', t('add.client_secret'), {
              type: 'password',
              autocomplete: 'new-password',
              dir: 'ltr',
            }),
          ),
          h(
            'div',
            { class: 'pair' },
            field('add-scopes', t('add.scopes'), { hint: t('add.scopes.hint'), dir: 'ltr' }),
            field('add-preset', t('add.preset'), {
              hint: t('add.preset.hint'),
              placeholder: t('add.preset.example'),
              list: 'add-presets',
              dir: 'ltr',
            }),
          ),
          h(
            'div',
            { class: 'pair' },
            field('add-account', t('add.account'), { hint: t('add.account.hint'), list: 'add-accounts' }),
            field('add-tool', t('add.tool'), { hint: t('add.tool.hint'), list: 'add-tools' }),
          ),
          choices(
            'add-accounts',
            view.accounts.map((account) => account.account),
          ),
          choices(
            'add-tools',
            view.tools.map((tool) => tool.tool),
          ),
          choices(
            'add-presets',
            [...(state.presets ?? []).map(({ preset }) => preset), NONE],
            [...(state.presets ?? []).map(({ title, hosts }) => [title, ...hosts].join(' · ')), t('add.preset.none')],
          ),
        ),
      ),
      h(
        'div',
        { class: 'actions' },
        failure(PLACE),
        button(state.busy.has(PLACE) ? t('add.busy') : t('add.submit'), {
          look: 'filled',
          type: 'submit',
          place: PLACE,
          id: 'add-submit',
        }),
        h('a', { class: 'button plain', href: '#sessions' }, t('cancel')),
      ),
    ),
  );
}

// Not worth a failure: the field takes a name without them.
async function loadPresets() {
  if (state.presets) return;
  state.presets = await call('presets').catch(() => null);
  changed();
}

function choices(id, values, words = []) {
  return h(
    'datalist',
    { id },
    values.map((value, i) => h('option', { value, key: value, label: words[i] })),
  );
}

function submit(event) {
  event.preventDefault();
  const typed = Object.fromEntries(new FormData(event.target));
  const given = (field) => typed[field].trim() || null;
  act(PLACE, async () => {
    const url = asUrl(typed['add-url']);
    const issuer = asUrl(typed['add-issuer']);
    if (!url || (typed['add-issuer'].trim() && !issuer))
      throw { kind: 'usage', code: 'bad_address', message: t(url ? 'add.bad_issuer' : 'add.bad_url') };
    const service = {
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
    const added = await call('add', { service }).catch((failed) => {
      state.shown.add(MORE); // what is missing is asked for there
      throw failed;
    });
    state.added = added;
    state.draft = '';
    if (added.key)
      state.keys.set(added.tool, { tool: added.tool, key: added.key, urls: { [added.service]: added.url } });
    focusSoon('added-done');
    if (added.state !== 'active') signIn(added.account);
  });
}

// By its name, or by the title that the list shows beside it.
function asPreset(typed) {
  const text = typed.trim().toLowerCase();
  return (state.presets ?? []).find(({ title }) => title.toLowerCase() === text)?.preset ?? (text || null);
}

// Not waited for: the sheet shows the address while the browser is open.
function signIn(account) {
  act(`add-sign-in`, () => call('sign_in', { account }));
}

function titleOf(preset) {
  return state.presets?.find((known) => known.preset === preset)?.title ?? preset;
}

function result(view, added) {
  const account = view.accounts.find((one) => one.account === added.account);
  const signedIn = account?.state === 'active' || account?.state === 'refreshing';
  const waiting = account?.signing_in || (!signedIn && state.busy.has('add-sign-in'));
  const key = added.tool && state.keys.get(added.tool);
  return h(
    'div',
    { class: 'form', key: 'result' },
    h(
      'div',
      { class: 'form-fields' },
      h(
        'p',
        { class: 'result-state', key: 'state' },
        glyph(signedIn ? 'fine' : waiting ? 'browser' : 'ringing', signedIn ? 'good' : waiting ? 'quiet' : 'warn'),
        h(
          'span',
          null,
          signedIn
            ? pieces('added.signed_in', { name: name(account.title) })
            : waiting
              ? t('account.browser')
              : pieces('added.unsigned', { name: name(account?.short_title ?? added.account) }),
        ),
      ),
      failure('add-sign-in'),
      added.preset &&
        h(
          'p',
          { class: 'result-state result-preset', key: 'preset' },
          glyph('hint', 'quiet'),
          h('span', null, pieces('added.preset', { name: name(titleOf(added.preset)) })),
        ),
      h(
        'div',
        { class: 'field' },
        h('p', { class: 'label' }, pieces('added.address', { name: name(added.service) })),
        copyable('added-address', added.url, t('address_of', { name: added.service })),
        h('p', { class: 'hint' }, t('added.address.hint')),
      ),
      key && keyBox(key),
    ),
    h(
      'div',
      { class: 'actions' },
      !signedIn &&
        !waiting &&
        button(t('account.sign_in'), {
          look: 'filled',
          place: 'add-sign-in',
          key: 'sign-in',
          on: () => signIn(added.account),
        }),
      button(t('done'), { id: 'added-done', key: 'done', on: close }),
    ),
  );
}

function close() {
  if (state.added?.tool) state.keys.delete(state.added.tool);
  go('#sessions');
}
