'use strict';
// The CRM over HTTP: one request, one answer, and what failures mean. The adapter
// tries once; whether to try again is the host's to decide.

const http = require('node:http');
const https = require('node:https');
const { CallError } = require('./serve');

const MAX_BODY = 32 * 1024 * 1024;
const TIMEOUT_MS = 110_000;
const BUCKET = 'daily';

// What the CRM's own codes mean; then what a status means in general.
const CODES = {
  DAILY_LIMIT: ['quota', 'later'], NO_SUCH_FIELD: ['schema', 'never'], NO_SUCH_OBJECT: ['schema', 'never'],
  MERGED: ['remapped', 'never'], EXISTS: ['duplicate', 'never'], TAKEN: ['duplicate', 'never'],
};
const STATUSES = {
  400: ['validation', 'never'], 401: ['auth', 'later'], 403: ['permission', 'never'], 404: ['not_found', 'never'], 409: ['conflict', 'later'],
  410: ['not_found', 'never'], 412: ['conflict', 'later'], 413: ['batch_refused', 'later'], 422: ['validation', 'never'],
  423: ['lock', 'later'], 429: ['throttled', 'later'], 503: ['transient', 'later'],
};

/** meaning is the contract's error for a status and the CRM's words. */
function meaning(status, problem, writes) {
  let [cls, retry] = CODES[problem.code] || STATUSES[status] || (status >= 500 ? ['unknown_outcome', 'read_back'] : ['unknown', 'never']);
  if (cls === 'unknown_outcome' && !writes) [cls, retry] = ['transient', 'later'];
  return {
    class: cls, retry, status, code: problem.code || '', field: problem.field || '',
    message: (problem.message || `HTTP status ${status}`).slice(0, 600), after_millis: cls === 'throttled' ? 10_000 : 0,
  };
}

/** Session is one call of the adapter: an account, and what the call has cost. */
class Session {
  constructor(connection, signal) {
    let settings;
    try {
      settings = JSON.parse(connection.settings.toString() || '{}');
      if (settings === null || Array.isArray(settings) || typeof settings !== 'object') throw new Error('want a JSON object');
      this.base = new URL(settings.base_url || 'https://api.example.com');
      const local = ['127.0.0.1', 'localhost', '[::1]'].includes(this.base.hostname);
      if (this.base.protocol !== 'https:' && !(this.base.protocol === 'http:' && local)) throw new Error('base_url must use https');
    } catch (err) {
      throw new CallError({ class: 'validation', field: 'settings', message: `settings: ${err.message}` });
    }
    this.token = connection.token ? connection.token.access_token : '';
    if (!this.token) throw new CallError({ class: 'auth', message: 'the connection has no access token' });
    this.signal = signal;
    this.calls = 0;
    this.quota = null;
  }

  usage() {
    return { calls: this.calls ? [{ bucket: BUCKET, n: this.calls }] : [], quotas: this.quota ? [this.quota] : [] };
  }

  fail(fields) {
    const message = String(fields.message || '').split(this.token).join('[token]');
    return new CallError({ ...fields, message, usage: this.usage() });
  }

  broken(writes, sent, why) {
    return this.fail(writes && sent
      ? { class: 'unknown_outcome', retry: 'read_back', message: why }
      : { class: 'transient', retry: 'later', message: why });
  }

  /** json sends one request and answers the decoded body of a 2xx answer. */
  async json(method, where, body, writes = false) {
    let sent = false;
    let answer;
    try {
      answer = await this.exchange(method, where, body, () => { sent = true; });
    } catch (err) {
      if (sent) this.calls++;
      throw this.broken(writes, sent, `no answer from the CRM: ${err.code || err.name}`);
    }
    this.calls++;
    this.noteQuota(answer.headers);
    if (answer.status < 200 || answer.status > 299) {
      let problem = {};
      try { problem = JSON.parse(answer.text) || {}; } catch { /* a proxy's page has no words */ }
      const fields = meaning(answer.status, problem, writes);
      const after = Number(answer.headers['retry-after']);
      if (after > 0) fields.after_millis = Math.round(after * 1000);
      fields.request_id = answer.headers['x-request-id'] || '';
      throw this.fail(fields);
    }
    try {
      return JSON.parse(answer.text);
    } catch {
      throw this.broken(writes, true, 'the answer is not the JSON expected');
    }
  }

  exchange(method, where, body, onSent) {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = { Authorization: `Bearer ${this.token}`, 'User-Agent': 'clientele-adapter' };
      if (text !== undefined) Object.assign(headers, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
      const url = new URL(this.base.pathname.replace(/\/$/, '') + where, this.base);
      const request = (url.protocol === 'https:' ? https : http).request(url, { method, headers, signal: this.signal, timeout: TIMEOUT_MS });
      request.on('socket', (socket) => (socket.connecting ? socket.once('connect', onSent) : onSent()));
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', reject);
      request.on('response', (response) => {
        const parts = [];
        let size = 0;
        response.on('data', (part) => {
          size += part.length;
          if (size > MAX_BODY) request.destroy(new Error('the answer is too long'));
          parts.push(part);
        });
        response.on('aborted', () => reject(new Error('the answer was cut off')));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() }));
      });
      request.end(text);
    });
  }

  noteQuota(headers) {
    const limit = Number(headers['x-daily-limit'] ?? -1);
    const remaining = Number(headers['x-daily-remaining'] ?? -1);
    if (limit >= 0 || remaining >= 0) this.quota = { bucket: BUCKET, limit, remaining, reset_seconds: -1 };
  }
}

module.exports = { Session, meaning, BUCKET };
