// What a service's row opens into: where it leads, whose tokens it gets, what happens when one is
// refused or the person is needed, who may use it. What is changed here is in force at once.

import { call } from './bridge.js';
import { h, name } from './dom.js';
import { button, careful, fact, failure } from './parts.js';
import { showSession } from './goto.js';
import { tokensGo } from './services.js';
import { act, state } from './store.js';
import { span } from './time.js';
import { judgement } from './service-test.js';
import { pieces, t } from './words.js';

const HOLDS = [0, 30, 60, 120, 300, 600]; // seconds
const ANSWERS = ['automatic', '401', '503'];

/** Draws it. */
export function serviceInside(service, account, view) {
  const id = service.service;
  // What lives in memory only has no settings to change.
  const fixed = account?.ephemeral ?? false;
  loadPresets();
  return h(
    'div',
    { class: 'inside', id: `inside-service-${id}`, key: 'inside', role: 'region', 'aria-labelledby': `service-${id}` },
    h(
      'dl',
      { class: 'facts' },
      fact(t('service.leads'), h('span', { dir: 'ltr' }, service.url)),
      fact(t('service.account'), account ? accountLink(account) : name(service.account)),
      fact(t('service.token'), h('p', null, tokensGo(service))),
      fact(t('service.preset'), fixed ? name(service.preset_title ?? t('add.preset.none')) : preset(service)),
      fact(t('service.hold'), fixed ? holdWords(service) : hold(service)),
      fact(t('service.replay'), fixed ? t(service.replay_unsafe ? 'service.replay.all' : 'service.replay.safe') : replay(service)),
      fact(t('service.expired'), fixed ? t(`tool.expired.${service.expired}`) : expired(service)),
      fact(t('service.tools'), tools(service, view)),
      fact(t('service.test'), judgement(service)),
    ),
    !fixed &&
      h(
        'div',
        { class: 'actions ends' },
        careful(`remove-${id}`, t('service.remove'), {
          look: 'plain soft-grave',
          question: pieces('service.remove.question', { name: name(id) }),
          yes: t('remove'),
          work: () => call('service_remove', { service: id }),
        }),
      ),
    failure(`remove-${id}`),
  );
}

// Not worth a failure: the preset that it has is named either way.
function loadPresets() {
  if (state.presets || state.busy.has('presets')) return;
  act('presets', async () => {
    state.presets = await call('presets').catch(() => []);
  });
}

function accountLink(account) {
  return h(
    'a',
    { class: 'link', href: '#sessions', id: `to-${account.account}`, on: { click: () => showSession(account.account) } },
    name(account.title),
  );
}

function preset(service) {
  const id = service.service;
  const known = state.presets?.length ? state.presets : [];
  const now = service.preset ?? '';
  const options = known.some((one) => one.preset === now) || !now ? known : [{ preset: now, title: service.preset_title ?? now }, ...known];
  return [
    choice(`preset-${id}`, t('service.preset'), now, [
      ['', t('add.preset.none')],
      ...options.map((one) => [one.preset, one.title]),
    ], (picked) => call('service_set', { service: id, preset: picked })),
    failure(`preset-${id}`),
  ];
}

function holdWords({ hold_seconds, hold_seconds_json_rpc }) {
  const words = (seconds) => (seconds === 0 ? t('service.hold.none') : span(seconds));
  return hold_seconds === hold_seconds_json_rpc
    ? words(hold_seconds)
    : t('service.hold.two', { time: words(hold_seconds), rpc: words(hold_seconds_json_rpc) });
}

function hold(service) {
  const id = service.service;
  const place = `hold-${id}`;
  const own = service.own_hold ? String(service.hold_seconds) : '';
  const times = HOLDS.includes(service.hold_seconds) || !service.own_hold ? HOLDS : [...HOLDS, service.hold_seconds].sort((a, b) => a - b);
  return [
    choice(place, t('service.hold'), own, [
      ['', service.own_hold ? t('service.hold.usual') : t('service.hold.usual_is', { time: holdWords(service) })],
      ...times.map((seconds) => [String(seconds), seconds === 0 ? t('service.hold.none') : span(seconds)]),
    ], (picked) =>
      picked === ''
        ? call('service_usual_hold', { service: id })
        : call('service_set', { service: id, holdSeconds: Number(picked) })),
    h('p', { class: 'hint', id: `${place}-hint` }, t('service.hold.hint')),
    failure(place),
  ];
}

function replay(service) {
  const id = service.service;
  const place = `replay-${id}`;
  return [
    choice(place, t('service.replay'), String(service.replay_unsafe), [
      ['true', t('service.replay.all')],
      ['false', t('service.replay.safe')],
    ], (picked) => call('service_set', { service: id, replayUnsafe: picked === 'true' })),
    h('p', { class: 'hint', id: `${place}-hint` }, t('service.replay.hint')),
    failure(place),
  ];
}

function expired(service) {
  const id = service.service;
  const place = `expired-${id}`;
  return [
    choice(place, t('service.expired'), service.expired,
      ANSWERS.map((answer) => [answer, t(`tool.expired.${answer}`)]),
      (picked) => call('service_set', { service: id, expired: picked })),
    h('p', { class: 'hint', id: `${place}-hint` }, t('service.expired.hint')),
    failure(place),
  ];
}

// What is shown is what is in force: a choice that is refused goes back.
function choice(place, label, value, options, choose) {
  const hinted = !place.startsWith('preset-');
  return h(
    'select',
    {
      id: place,
      class: 'choice',
      'aria-label': label,
      'aria-describedby': hinted ? `${place}-hint` : null,
      'aria-busy': state.busy.has(place) || null,
      value,
      on: {
        change: (event) => {
          const picked = event.target.value;
          if (picked === value) return;
          if (state.busy.has(place)) {
            event.target.value = value;
            return;
          }
          act(place, () => choose(picked)).then(() => {
            if (state.failures.has(place)) event.target.value = value;
          });
        },
      },
    },
    options.map(([of, words]) => h('option', { value: of, key: of, selected: of === value }, words)),
  );
}

function tools(service, view) {
  if (view.tools.length === 0) return h('p', { class: 'aside' }, t('service.no_tools'));
  return h(
    'ul',
    { class: 'switches', 'aria-label': t('service.tools') },
    view.tools.map((tool) => {
      const place = `allow-${service.service}-${tool.tool}`;
      const allowed = tool.services.includes(service.service);
      return h(
        'li',
        { key: tool.tool },
        h(
          'label',
          { class: 'switch-line' },
          h('input', {
            type: 'checkbox',
            role: 'switch',
            class: 'switch',
            id: place,
            checked: allowed,
            on: {
              change: (event) => {
                event.target.checked = allowed;
                act(place, () =>
                  allowed
                    ? call('tool_narrow', { tool: tool.tool, service: service.service })
                    : call('tool_add', { tool: { tool: tool.tool, services: [service.service], expired: tool.expired, key_in_path: tool.key_in_path } }));
              },
            },
          }),
          name(tool.tool),
        ),
        failure(place),
      );
    }),
  );
}
