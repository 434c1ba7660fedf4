// The window: it draws the program's newest snapshot each time that one comes, and once a second while
// somebody may be looking, since what is left of a session shrinks.

import { activity } from './activity.js';
import { addSheet } from './add.js';
import { toolSheet } from './add-tool.js';
import { call, listen } from './bridge.js';
import { confirms } from './confirm.js';
import { connectSheet } from './connect.js';
import { draw, h } from './dom.js';
import { header } from './header.js';
import { importSheet } from './import.js';
import { keepInSight, keepZoom, rowKeys, zoomKeys } from './keys.js';
import { button, failure } from './parts.js';
import { readRoute } from './route.js';
import { searchKeys, searchSheet } from './search.js';
import { services } from './services.js';
import { sessions } from './sessions.js';
import { settings } from './settings.js';
import { act, changed, notify, onChange, say, state } from './store.js';
import { wear } from './theme.js';
import { nowSeconds } from './time.js';
import { tools } from './tools.js';
import { loadWords, t } from './words.js';

const VIEWS = { sessions, services, tools, activity, settings };
const RECORDS = 500; // as many as anyone scrolls through
const root = document.getElementById('app');

function page() {
  const { view, route } = state;
  const now = nowSeconds();
  draw(
    root,
    header(),
    h(
      'main',
      { class: 'main', key: `main-${route.tab}`, id: 'main', on: { keydown: rowKeys } },
      view && confirms(view),
      view
        ? VIEWS[route.tab](view, now)
        : state.failures.has('start') &&
            h('div', { class: 'nothing' }, failure('start'), button(t('again'), { on: start, place: 'start' })),
    ),
    view && route.sheet === 'add' && addSheet(view),
    view && route.sheet === 'add-tool' && toolSheet(view, null),
    view && route.sheet === 'connect' && connectSheet(view),
    view && route.sheet === 'import' && importSheet(),
    view &&
      route.sheet === 'tool' &&
      view.tools.some((tool) => tool.tool === route.of) &&
      toolSheet(
        view,
        view.tools.find((tool) => tool.tool === route.of),
      ),
    view && state.search && searchSheet(view),
    state.notice && h('div', { class: 'notice', key: 'notice' }, h('p', { dir: 'auto' }, state.notice)),
  );
}

async function show(view) {
  const before = state.view;
  state.view = view;
  // The person chose another language.
  if (before && before.language !== view.language) await loadWords();
  wear(view.desktop?.theme);
  if (before) tellChanges(before, view);
  for (const id of state.typed.keys())
    if (!view.accounts.some((account) => account.account === id && account.ask)) state.typed.delete(id);
  changed();
  loadActivitySoon();
}

// A renewal is no news; what asks for the person, or no longer does, is.
function tellChanges(before, view) {
  const quiet = (account) =>
    account.signing_in ? 'browser' : account.state === 'refreshing' ? 'active' : account.state;
  const asked = (account) => account.ask?.words ?? '';
  for (const account of view.accounts) {
    const was = before.accounts.find((one) => one.account === account.account);
    if (was && (quiet(was) !== quiet(account) || (asked(account) && asked(was) !== asked(account)))) {
      say(
        t('told.state', {
          name: account.short_title,
          state: account.signing_in
            ? t('account.browser')
            : [account.state_words, account.state === 'needs_sign_in' && account.reason_words, asked(account)]
                .filter(Boolean)
                .join('. '),
        }),
      );
    }
  }
  if (before.proxy.paused !== view.proxy.paused) say(view.proxy.paused ? t('proxy.paused') : t('proxy.running'));
}

let activityTimer = null;
function loadActivitySoon() {
  activityTimer ??= setTimeout(
    async () => {
      activityTimer = null;
      await act('activity', async () => {
        const records = await call('activity', { limit: RECORDS });
        state.activity = numbered(records).reverse();
      });
    },
    state.activity ? 400 : 0,
  );
}

// Counted from the oldest, so that a record keeps its name when newer ones come.
function numbered(records) {
  const seen = new Map();
  return records.map((record) => {
    const second = `${record.at}-${record.kind}`;
    const n = (seen.get(second) ?? 0) + 1;
    seen.set(second, n);
    return { ...record, id: `${second}-${n}` };
  });
}

function start() {
  return act('start', async () => {
    const view = await call('snapshot');
    if (view.language !== t('language')) await loadWords();
    await show(view);
  });
}

function hearNotice(notice) {
  if (notice.notice === 'say') notify(notice.text);
}

// The once-a-second redraw, only while the page can be seen.
function tick() {
  if (document.visibilityState === 'visible') changed();
}

onChange(page);
readRoute();
window.addEventListener('hashchange', readRoute);
document.addEventListener('keydown', searchKeys);
document.addEventListener('keydown', zoomKeys);
document.addEventListener('focusin', keepInSight);
document.addEventListener('visibilitychange', tick);
keepZoom();
await loadWords();
await Promise.all([listen('view', show), listen('notice', hearNotice)]);
await start();
setInterval(tick, 1000);
