// Everything oidc-provider stores (sessions, grants, codes, tokens) in one Map per model.
// Its built-in memory adapter cannot be enumerated; the test control needs "all tokens of ada".

export class Store {
  models = new Map(); // model name -> Map(id -> { payload, until })

  /** For so many seconds a refresh token that was used once is as good as new. */
  constructor(grace) { this.grace = grace; }

  of(model) {
    if (!this.models.has(model)) this.models.set(model, new Map());
    return this.models.get(model);
  }

  /** The ids of a model's entries that belong to the login: of opaque tokens, their values. */
  idsFor(login, model) {
    return [...this.of(model)].filter(([, { payload }]) => payload.accountId === login).map(([id]) => id);
  }

  /**
   * Destroys every entry of these models that belongs to the login, and to the resource if one is
   * named; returns how many of each.
   */
  destroyFor(login, models, resource) {
    const destroyed = {};
    for (const model of models) {
      destroyed[model] = 0;
      for (const [id, { payload }] of this.of(model)) {
        if (payload.accountId !== login) continue;
        if (resource && ![payload.aud, payload.resource].flat().includes(resource)) continue;
        this.of(model).delete(id);
        destroyed[model] += 1;
      }
    }
    return destroyed;
  }

  /** Forgets every client that registered by itself; returns how many. */
  destroyClients() {
    return this.clear('Client');
  }

  /** Forgets everything of this model; returns how much. */
  clear(model) {
    const { size } = this.of(model);
    this.of(model).clear();
    return size;
  }

  /** The adapter class for this store, as oidc-provider wants it: one instance per model name. */
  get Adapter() {
    const store = this;
    return class Adapter {
      constructor(model) {
        this.model = model;
        this.entries = store.of(model);
      }

      async find(id) {
        const entry = this.entries.get(id);
        if (!entry) return undefined;
        if (entry.until > Date.now()) return this.model === 'RefreshToken' ? forgiven(entry.payload, store.grace) : entry.payload;
        this.entries.delete(id);
        return undefined;
      }

      async upsert(id, payload, expiresIn) {
        this.entries.set(id, { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
      }

      // A consumed entry stays: seeing it a second time is how code and refresh token reuse is noticed.
      async consume(id) {
        const entry = this.entries.get(id);
        if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
      }

      async destroy(id) { this.entries.delete(id); }

      async revokeByGrantId(grantId) {
        for (const [id, { payload }] of this.entries) {
          if (payload.grantId === grantId) this.entries.delete(id);
        }
      }

      async findBy(field, value) {
        for (const [id, { payload }] of this.entries) {
          if (payload[field] === value) return this.find(id);
        }
        return undefined;
      }

      findByUid(uid) { return this.findBy('uid', uid); }

      findByUserCode(code) { return this.findBy('userCode', code); }
    };
  }
}

/** The payload without its mark of use, inside the grace that some providers give a rotation whose answer was lost. */
function forgiven(payload, grace) {
  if (!grace || !payload.consumed || Date.now() / 1000 - payload.consumed > grace) return payload;
  const { consumed, ...rest } = payload;
  return rest;
}
