// Adding a service, as one way of four steps: the address, what was found, signing in, the first call.
// What is known shows as soon as it is, each step says itself what failed there, and every one can be
// left.

import { addressStep, typedService } from './add-address.js';
import { foundStep } from './add-found.js';
import { signInStep } from './add-sign-in.js';
import { makeKey, worksStep } from './add-works.js';
import { call } from './bridge.js';
import { h, name } from './dom.js';
import { glyph } from './glyphs.js';
import { asUrl } from './names.js';
import { button } from './parts.js';
import { go } from './route.js';
import { sheet } from './sheet.js';
import { changed, focusSoon, say, state } from './store.js';
import { pieces, t } from './words.js';

/** The place of everything that fails in here. */
export const PLACE = 'add';
const MORE = 'add-more';
const STEPS = ['address', 'found', 'sign_in', 'works'];
// What is missing after these is asked for under "more".
const ASK_MORE = ['no_metadata', 'bad_resource_metadata', 'issuer_needed', 'name_taken', 'already_added', 'unknown_preset'];

// A server that offers to register programs, and then does not.
const BY_HAND = { registration: 'needs-client-id', redirect: 'http://127.0.0.1/callback' };

/** Draws it. */
export function addSheet(view) {
  const adding = (state.adding ??= begin());
  const busy = state.busy.has(PLACE);
  const body = {
    address: () => addressStep(view, adding),
    found: () => adding.found && foundStep(adding, look),
    sign_in: () => adding.added && signInStep(view, adding, signIn),
    works: () => adding.added && worksStep(view, adding, firstCall),
  };
  return sheet(
    'sheet-add',
    t('add.title'),
    '#sessions',
    h(
      'form',
      { class: 'form', novalidate: true, mount: start, on: { submit } },
      h(
        'div',
        { class: 'form-fields' },
        h(
          'ol',
          { class: 'steps', 'aria-label': t('steps') },
          STEPS.map((which, i) => step(which, i, adding, busy, body[which])),
        ),
      ),
      h('div', { class: 'actions' }, actions(view, adding, busy)),
    ),
  );
}

function begin() {
  return { at: 'address', url: state.draft, picked: '', found: null, added: null, call: null, cancelled: false };
}

// What the sheet begins with: the list to pick from, and the address that was pasted elsewhere.
function start(form) {
  load('choices');
  load('presets');
  if (state.draft && asUrl(state.draft)) form.requestSubmit();
  state.draft = '';
}

// Not worth a failure: the address can be pasted without them.
async function load(what) {
  if (state[what]) return;
  state[what] = await call(what).catch(() => null);
  changed();
}

// A step that was passed keeps its fields in the document, out of sight: they count when it is sent again.
function step(which, i, adding, busy, body) {
  const here = STEPS.indexOf(adding.at);
  const open = i === here;
  const failed = open && (state.failures.has(PLACE) || adding.call?.outcome === 'refused');
  const done = i < here || (which === 'works' && adding.call?.outcome === 'works');
  const shows = open || which === 'address';
  const how = failed ? 'failed' : done ? 'done' : open ? 'open' : 'next';
  return h(
    'li',
    { class: `step is-${how}`, key: which, 'aria-current': open ? 'step' : null },
    h(
      'span',
      { class: 'step-mark', 'aria-hidden': 'true' },
      failed ? glyph('failing') : done ? glyph('done') : open && busy ? glyph('waiting') : String(i + 1),
    ),
    h(
      'div',
      { class: 'step-in' },
      h(
        'div',
        { class: 'step-head' },
        h(
          'h3',
          { class: 'step-title', id: `step-${which}`, tabindex: open ? '-1' : null },
          t(`steps.${which}`),
          (done || failed) && h('span', { class: 'unseen' }, ` ${t(failed ? 'steps.failed' : 'steps.done')}`),
        ),
        !open && done && h('p', { class: 'step-brief' }, brief(which, adding)),
        !open &&
          which === 'address' &&
          adding.at === 'found' &&
          !busy &&
          button(t('add.change'), { look: 'plain small', id: 'add-change', on: back }),
      ),
      shows && h('div', { class: 'step-body', hidden: !open }, body()),
    ),
  );
}

function brief(which, { found, url, signedIn }) {
  if (which === 'address') return h('span', { dir: 'ltr' }, found?.url ?? url);
  if (which === 'found' && found) return pieces('found.brief', { server: name(found.server), name: name(found.account) });
  if (which === 'sign_in') return signedIn?.identity ? name(signedIn.identity) : null;
  return null;
}

function actions(view, adding, busy) {
  const device = view.accounts.find((one) => one.account === adding.added?.account)?.device;
  const plain = (id, words, on) => button(words, { look: 'plain', id, key: id, on });
  const cancel = h('a', { class: 'button plain', href: '#sessions', key: 'cancel', id: 'add-cancel' }, t('cancel'));
  const stop = plain('add-stop', t('cancel'), adding.at === 'sign_in' ? cancelSignIn : drop);
  const send = (words) =>
    button(words, { look: 'filled', type: 'submit', id: 'add-submit', key: 'send', place: PLACE });
  switch (adding.at) {
    case 'address':
      return [button(t('add.look'), { look: 'filled', type: 'submit', id: 'add-look', key: 'look', place: PLACE }), busy ? stop : cancel];
    case 'found':
      return [send(busy ? t('add.busy') : t('add.submit')), busy ? stop : cancel];
    case 'sign_in':
      return busy
        ? [!device && button(t('signin.again'), { id: 'add-again', key: 'again', icon: 'browser', on: openAgain }),
            !device && adding.found.device && plain('add-device', t('signin.device'), () => signIn(true)), stop]
        : [send(t('account.sign_in')), plain('add-undo', t('add.change'), undo), done()];
    default:
      return [
        adding.call && adding.call.outcome !== 'works' && button(t('works.again'), { id: 'add-ask', key: 'ask', place: PLACE, on: firstCall }),
        !adding.call && busy && stop,
        done(adding.call?.outcome === 'works' ? 'filled' : ''),
      ];
  }
}

function done(look = '') {
  return button(t('done'), { look, id: 'added-done', key: 'done', on: () => go('#sessions') });
}

function submit(event) {
  event.preventDefault();
  if (state.busy.has(PLACE)) return;
  const { at } = state.adding;
  if (at === 'address') look(event.target);
  else if (at === 'found') add(event.target);
  else if (at === 'sign_in') signIn();
  else if (!state.adding.added.tool) makeKey(state.adding);
}

/** Runs one step. A person who cancels it is not told any more what it came to. */
async function attempt(work) {
  const adding = state.adding;
  const run = {};
  const mine = () => state.adding === adding && adding.run === run;
  adding.run = run;
  state.busy.add(PLACE);
  state.failures.delete(PLACE);
  changed();
  try {
    await work(mine);
  } catch (failed) {
    if (!mine()) return;
    state.failures.set(PLACE, failed.code === undefined ? { kind: 'failed', code: String(failed), message: '' } : failed);
    if (ASK_MORE.includes(failed.code)) state.shown.add(MORE);
    if (failed.code === 'registration_refused') adding.found = { ...adding.found, ...BY_HAND };
  } finally {
    if (mine()) {
      adding.run = null;
      state.busy.delete(PLACE);
      changed();
    }
  }
}

// What was asked for goes on, or not; nobody waits for it here.
function drop() {
  state.adding.run = null;
  state.busy.delete(PLACE);
  changed();
}

function to(at) {
  state.adding.at = at;
  say(t(`steps.${at}`));
  changed();
}

/** Asks what there is. `account` is one that the service is to join; '' for a new one. */
export function look(form, account) {
  const adding = state.adding;
  return attempt(async (mine) => {
    const service = typedService(form, adding);
    if (account !== undefined) service.account = account || null;
    const found = await call('look', { service });
    if (!mine()) return;
    adding.service = service;
    adding.found = found;
    to('found');
    focusSoon(found.registration === 'needs-client-id' ? 'found-client-id' : 'add-submit');
  });
}

function back() {
  state.failures.delete(PLACE);
  state.adding.found = null;
  to('address');
  focusSoon('add-url');
}

function add(form) {
  const adding = state.adding;
  return attempt(async (mine) => {
    const typed = new FormData(form);
    const id = typed.get('found-client-id')?.trim();
    if (adding.found.registration === 'needs-client-id' && !id)
      throw { kind: 'usage', code: 'no_client_id', said: t('add.no_client_id'), step: 'registration' };
    const secret = typed.get('found-client-secret')?.trim();
    const service = { ...adding.service };
    if (id) Object.assign(service, { client_id: id, client_secret: secret || null });
    const added = await call('add', { service });
    // Cancelled while it was on its way.
    if (!mine()) return takeBack(adding, added).catch(() => {});
    adding.added = added;
    if (added.key)
      state.keys.set(added.tool, { tool: added.tool, key: added.key, urls: { [added.service]: added.url } });
    afterAdding(added);
  });
}

function takeBack({ found }, { service, account }) {
  return found.joins ? call('service_remove', { service }) : call('sign_out', { account, forget: true });
}

// Not waited for: this step is done, and the next has its own end.
function afterAdding(added) {
  queueMicrotask(() => (added.state === 'active' ? firstCall() : signIn()));
}

function signIn(device = false) {
  const adding = state.adding;
  adding.cancelled = false;
  to('sign_in');
  focusSoon('step-sign_in');
  return attempt(async (mine) => {
    const signedIn = await call('sign_in', { account: adding.added.account, device });
    if (!mine()) return;
    adding.signedIn = signedIn;
    queueMicrotask(firstCall);
  });
}

// The sign-in under way is joined, which shows its page once more.
function openAgain() {
  call('sign_in', { account: state.adding.added.account }).catch(() => {});
}

function cancelSignIn() {
  const adding = state.adding;
  drop();
  adding.cancelled = true;
  changed();
  focusSoon('add-submit');
  call('cancel_sign_in', { account: adding.added.account }).catch(() => {});
}

/** Asks the service once. */
export function firstCall() {
  const adding = state.adding;
  adding.call = null;
  to('works');
  return attempt(async (mine) => {
    const answer = await call('first_call', { service: adding.added.service });
    if (!mine()) return;
    adding.call = answer;
    say(answer.words);
    focusSoon('added-done');
  });
}

// Takes back what was added, and keeps what was typed.
function undo() {
  const adding = state.adding;
  return attempt(async (mine) => {
    await takeBack(adding, adding.added);
    state.keys.delete(adding.added.tool);
    adding.added = null;
    adding.cancelled = false;
    if (!mine()) return;
    state.shown.add(MORE);
    back();
  });
}
