/* app.js - the page: ask a task, answer what people must answer, see the record and the cost.
 *
 * Plain JavaScript, no framework, nothing loaded from elsewhere. It talks to the routes of
 * docs/api.md on its own origin. What comes from outside (questions, answers, labels, names)
 * enters the document through textContent only, so markup in it stays text.
 *
 * One view is shown at a time, named by the part after # in the address: #ask, #people,
 * #people/REFERENCE, #record, #record/REQUEST, #cost. Each view has show(rest) and tick(), which
 * runs every few seconds while the view is seen. */
'use strict';

const TICK_MS = 4000;      // how often the view that is seen is brought up to date
const WAIT_S = 25;         // how long one request waits for a person's answer
const CARDS_MAX = 20;      // answers kept on the Ask view
const QUEUE_MAX = 200;     // questions in the list of the People view
const PAGE = 50;           // rows of the record shown at once

const TIERS = { slm: 'Small model', llm: 'Large model', human: 'A person', cache: 'Cache', none: 'Nobody' };
const OUTCOMES = {
  answered: 'answered', passed_on: 'passed it on', skipped: 'was not asked', failed: 'failed',
  queued: 'has it in the queue',
};

const state = { tasks: [], task: null, view: null, me: null };

/* ---- the document ---------------------------------------------------------------------------- */

const $ = (id) => document.getElementById(id);

/* el('p.hint', {title: 'x', onclick: f}, 'text', node, ...): null and false children are left out. */
function el(what, props, ...children) {
  const [tag, ...classes] = what.split('.');
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(' ');
  for (const [key, value] of Object.entries(props || {})) {
    if (value == null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== 'list' && key !== 'role') node[key] = value;
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((c) => c != null && c !== false));
  return node;
}

function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((c) => c != null && c !== false));
}

let toastTimer = 0;
function toast(text) {
  $('toast').textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $('toast').textContent = ''; }, 7000);
}

/* ---- words and figures ----------------------------------------------------------------------- */

const words = (name) => (name || '').replace(/[_-]+/g, ' ');

function percent(v) {
  if (v == null) return '–';
  if (v > 0 && v < 0.001) return '<\u00a00.1\u00a0%';
  if (v < 1 && v >= 0.9995) return '>\u00a099.9\u00a0%';
  return `${(100 * v).toFixed((v > 0.99 && v < 1) || (v > 0 && v < 0.01) ? 1 : 0)}\u00a0%`;
}

function dollars(v) {
  if (v == null || !Number.isFinite(v)) return '–';
  if (v === 0) return '$0';
  return new Intl.NumberFormat('en-US', Math.abs(v) >= 1
    ? { style: 'currency', currency: 'USD' }
    : { style: 'currency', currency: 'USD', maximumSignificantDigits: 3 }).format(v);
}

function took(us) {
  if (us == null) return '–';
  if (us < 1000) return `${us} µs`;
  return us < 1e6 ? `${(us / 1000).toFixed(us < 1e4 ? 1 : 0)} ms` : `${(us / 1e6).toFixed(1)} s`;
}

function span(ms) {
  const minutes = Math.max(0, Math.round(ms / 60000));
  if (minutes < 1) return 'less than a minute';
  if (minutes < 90) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}

function clock(ms) {
  const at = new Date(ms), today = new Date();
  const time = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (at.toDateString() === today.toDateString()) return time;
  return `${at.toLocaleDateString([], { day: 'numeric', month: 'short' })}, ${time}`;
}

/* Texts in a task file are wrapped at the file's width; on a screen the screen decides. A line that
 * was short on purpose, a list and an empty line stay. */
function flow(text) {
  const lines = (text || '').split('\n');
  return lines.slice(1).reduce((all, line, i) => {
    const before = lines[i];
    const wrapped = before && line && !/^(\s|[-*•]|\d+[.)]\s)/.test(line)
      && (before.length >= 60 || /^\p{Ll}/u.test(line));
    return all + (wrapped ? ' ' : '\n') + line;
  }, lines[0]);
}

function expected(ms) {
  if (!ms) return 'as soon as somebody is there';
  const left = ms - Date.now();
  return left > 0 ? `by ${clock(ms)}, in about ${span(left)}` : `it was expected by ${clock(ms)}`;
}

/* ---- the server ------------------------------------------------------------------------------ */

class ServerError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

let keyAsked = null;
function askKey() {
  keyAsked ||= new Promise((done) => {
    $('key-form').addEventListener('submit', (event) => {
      event.preventDefault();
      sessionStorage.setItem('key', $('key').value);
      keyAsked = null;
      $('key-dialog').close();
      done();
    }, { once: true });
    $('key-dialog').showModal();
  });
  return keyAsked;
}

/* Who is logged in, and the token that goes with each change: {auth, login, kind, name, role, csrf}. */
async function loadMe() {
  const reply = await fetch('/v1/me', { cache: 'no-store', headers: headersOf(undefined) }).catch(() => null);
  state.me = reply?.ok ? await reply.json().catch(() => null) : null;
  drawMe();
}

function drawMe() {
  const me = state.me?.kind === 'user' ? state.me : null;
  $('me').hidden = !me;
  $('me-name').textContent = me ? `${me.name}, ${me.role}` : '';
  $('who').disabled = Boolean(me);
  $('who').value = me ? me.name : localStorage.getItem('who') || '';
}

async function sendLogin() {
  const body = JSON.stringify({ name: $('login-name').value, password: $('login-password').value });
  $('login-button').disabled = true;
  const reply = await fetch('/v1/login', {
    method: 'POST', body, cache: 'no-store', headers: { 'Content-Type': 'application/json' },
  }).catch(() => null);
  const json = await reply?.json().catch(() => null);
  $('login-button').disabled = false;
  if (reply?.ok) return true;
  $('login-error').textContent = json?.error?.message || 'The server does not answer. Is it still running?';
  $('login-password').select();
  return false;
}

let loginAsked = null;
function askLogin() {
  loginAsked ||= new Promise((done) => {
    const send = async (event) => {
      event.preventDefault();
      if (!await sendLogin()) return;
      $('login-form').removeEventListener('submit', send);
      $('login-form').reset();
      $('login-error').textContent = '';
      loginAsked = null;
      $('login-dialog').close();
      await loadMe();
      done();
    };
    $('login-form').addEventListener('submit', send);
    $('login-dialog').showModal();
  });
  return loginAsked;
}

/* The server says who it wants: a person, where there are users, or a key. */
async function askWho() {
  sessionStorage.removeItem('key'); // it was not taken, and would go before a login
  await loadMe();
  return state.me?.login ? askLogin() : askKey();
}

async function logOut() {
  await post('/v1/logout', {}).catch(() => null);
  sessionStorage.clear();
  location.reload();
}

function headersOf(body) {
  const headers = {};
  if (body !== undefined && state.me?.csrf) headers['X-CSRF-Token'] = state.me.csrf;
  const key = sessionStorage.getItem('key');
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  return headers;
}

async function call(method, path, body, signal, again) {
  let reply;
  try {
    reply = await fetch(path, {
      method, signal, headers: headersOf(body), cache: 'no-store',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (cause.name === 'AbortError') throw cause;
    throw new ServerError(0, 'The server does not answer. Is it still running?');
  }
  if (reply.status === 401) {
    await askWho();
    return call(method, path, body, signal);
  }
  const json = await reply.json().catch(() => null);
  if (json?.error?.code === 'csrf' && !again) { // somebody logged in in another tab
    await loadMe();
    return call(method, path, body, signal, true);
  }
  if (!reply.ok) {
    throw new ServerError(reply.status, json?.error?.message || `The server said ${reply.status}.`);
  }
  return json;
}

const get = (path, signal) => call('GET', path, undefined, signal);
const post = (path, body) => call('POST', path, body);

function query(fields) {
  const q = new URLSearchParams();
  for (const [key, value] of Object.entries(fields)) if (value) q.set(key, value);
  return q.toString() ? `?${q}` : '';
}

const taskName = () => (state.task ? state.task.name : '');
const taskPath = (rest) => `/v1/tasks/${encodeURIComponent(taskName())}${rest}`;
const reviewPath = (ref, rest) => `/v1/reviews/${encodeURIComponent(ref)}${rest || ''}`;

/* ---- parts that several views show ----------------------------------------------------------- */

function badge(tier) {
  return el(`span.badge.${TIERS[tier] ? tier : 'none'}`, null, TIERS[tier] || tier || TIERS.none);
}

/* How sure, as words and as a bar; the mark on the bar is the threshold. */
function confidence(value, threshold) {
  if (value == null) return [el('span', null, 'no figure')];
  const bar = el('div.bar', { 'aria-hidden': 'true' }, el('span.reached'));
  bar.style.setProperty('--v', Math.min(1, Math.max(0, value)));
  if (threshold != null) {
    bar.append(el('span.needed'));
    bar.style.setProperty('--t', Math.min(1, Math.max(0, threshold)));
  }
  const needs = threshold == null ? '' : `, ${percent(threshold)} needed`;
  return [el('span', null, percent(value)), el('span.hint', null, needs), bar];
}

function fact(name, ...value) {
  return el('div', null, el('dt', null, name), el('dd', null, ...value));
}

function wideFact(name, ...value) {
  return el('div.wide', null, el('dt', null, name), el('dd', null, ...value));
}

function passage(p) {
  return el('blockquote', null, el('cite', null, p.title || p.id), el('span.pre', null, flow(p.text)));
}

function thresholdOf(trace) {
  const step = (trace.steps || []).find((s) => s.tier === trace.tier && s.threshold != null)
    || (trace.steps || []).find((s) => s.threshold != null);
  return step ? step.threshold : null;
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.') : '';
}

/* Why the last tier before the one that decided did not answer: what the asker wants to know. */
function whyOf(trace) {
  const before = (trace.steps || []).filter((s) => s.tier !== 'human' && s.why);
  if (trace.tier === 'human' && trace.reason === 'queued' && before.length) {
    return before[before.length - 1].why;
  }
  return trace.why || (before.length ? before[before.length - 1].why : '');
}

/* ---- Ask ------------------------------------------------------------------------------------- */

/* A card: {key, question, trace, reply, failed, objected}; reply is what /v1/answers said last. */
const ask = { cards: [], nodes: new Map(), waiting: null };

function saveCards() {
  const kept = ask.cards.filter((c) => c.trace || c.reply).slice(0, CARDS_MAX);
  try {
    sessionStorage.setItem('cards', JSON.stringify(kept));
  } catch { /* a full or forbidden store: the page works, a reload forgets */ }
}

function loadCards() {
  try {
    ask.cards = JSON.parse(sessionStorage.getItem('cards')) || [];
  } catch {
    ask.cards = [];
  }
  for (const card of [...ask.cards].reverse()) drawCard(card);
  wakeWaiting();
}

const referenceOf = (card) => card.objected?.review || card.trace?.review || card.reply?.reference;
const isAnswered = (card) => card.reply?.status === 'answered';
function isWaiting(card) {
  return Boolean(referenceOf(card)) && !isAnswered(card) && !card.gone
    && (!card.trace || card.trace.answer == null || Boolean(card.objected?.review));
}

function drawCard(card) {
  const fresh = el('article.panel.answer', { 'aria-label': 'Question and answer' });
  const old = ask.nodes.get(card.key);
  fill(fresh, el('p.asked', null, el('span.vh', null, 'You asked: '), card.question || ''), cardBody(card));
  ask.nodes.set(card.key, fresh);
  if (old) old.replaceWith(fresh);
  else $('answers').prepend(fresh);
  $('ask-empty').hidden = true;
}

function cardBody(card) {
  if (card.failed) return [el('p', null, el('span.badge.bad', null, 'Not sent'), ' ', card.failed)];
  if (!card.trace && !card.reply) return [el('p.hint.dots', null, 'Looking')];
  const body = [];
  if (card.trace && card.trace.answer != null) body.push(...automatic(card));
  if (isWaiting(card)) body.push(waitingNote(card));
  if (isAnswered(card)) body.push(...personal(card));
  if (card.gone) body.push(el('p', null, card.gone));
  if (card.trace) body.push(facts(card.trace), actions(card));
  return body;
}

function automatic(card) {
  const label = card.trace.kind === 'classify' ? words(card.trace.answer) : flow(card.trace.answer);
  return [el('p', null, badge(card.trace.tier)), el('p.said', null, label)];
}

function waitingNote(card) {
  const r = card.reply;
  const by = r?.expected_by_ms || card.objected?.expected_by_ms || card.trace?.expected_by_ms;
  const now = r?.claimed ? 'A person is reading it now.' : 'It is in the queue.';
  return el('div.wait', null,
    el('p', null, el('span.badge.human', null, 'A person will answer')),
    el('p', null, `Expected ${expected(by)}. ${r?.status === 'overdue' ? 'This takes longer than we said; we are sorry. ' : ''}${now}`),
    el('p', null, el('span.hint', null, 'Reference '), el('span.ref', null, referenceOf(card))),
    el('p.hint', null, 'The answer appears here as soon as it is given. With the reference you can also ask for it later.'));
}

function personal(card) {
  const who = card.reply.answered_by ? `${card.reply.answered_by} answered` : 'A person answered';
  return [
    el('p', null, el('span.badge.human', null, who), ' ',
      el('span.hint', null, card.reply.answered_ms ? clock(card.reply.answered_ms) : '')),
    el('p.said', null, flow(card.reply.answer)),
    el('p.hint', null, 'Reference ', el('code', null, referenceOf(card))),
  ];
}

function facts(trace) {
  const rows = [
    trace.label && fact(trace.tier === 'human' ? 'Best guess' : 'Subject', words(trace.label)),
    fact('Confidence', ...confidence(trace.confidence, thresholdOf(trace))),
    fact('Assumed cost', dollars(trace.cost_usd)),
    trace.tier !== 'human' && fact('Took', took(trace.latency_us)),
    wideFact('Why', sentence(whyOf(trace))),
  ];
  const cited = trace.answer != null ? trace.passages || [] : [];
  if (cited.length) rows.push(wideFact('It rests on', ...cited.map(passage)));
  return el('dl.facts', null, ...rows);
}

function actions(card) {
  const id = card.trace.id;
  const objection = (verdict, text) => el('button.quiet', {
    type: 'button', onclick: (event) => object(card, verdict, event.currentTarget),
  }, text);
  const answered = card.trace.answer != null && !card.objected;
  return el('div.actions', null,
    (answered || isAnswered(card)) && objection('wrong', 'This is wrong'),
    answered && objection('wants_person', 'I want a person'),
    el('a.hint', { href: `#record/${encodeURIComponent(id)}` }, 'How this came about'));
}

async function object(card, verdict, button) {
  button.disabled = true;
  try {
    card.objected = await post(`/v1/requests/${encodeURIComponent(card.trace.id)}/verdict`, { verdict });
    card.reply = null;
    drawCard(card);
    saveCards();
    wakeWaiting();
    toast('Thank you. A person will look at it.');
  } catch (failure) {
    button.disabled = false;
    toast(failure.message);
  }
}

function addCard(card) {
  card.key = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
  ask.cards.unshift(card);
  for (const old of ask.cards.splice(CARDS_MAX)) {
    ask.nodes.get(old.key)?.remove();
    ask.nodes.delete(old.key);
  }
  drawCard(card);
  return card;
}

async function sendQuestion() {
  const text = $('question').value.trim();
  if (!text || $('ask-button').disabled) return;
  if (!state.task) { toast('There is no task to ask.'); return; }
  $('ask-button').disabled = true;
  const card = addCard({ question: text });
  try {
    card.trace = await post(taskPath('/ask'), { text });
    card.trace.kind = state.task.kind;
    $('question').value = '';
  } catch (failure) {
    card.failed = failure.message;
  }
  $('ask-button').disabled = false;
  drawCard(card);
  saveCards();
  wakeWaiting();
}

async function lookUp(reference) {
  const known = ask.cards.find((c) => referenceOf(c) === reference);
  try {
    const reply = await get(`/v1/answers/${encodeURIComponent(reference)}`);
    const card = known || addCard({ question: `Reference ${reference}`, reply });
    card.reply = { ...reply, reference };
    drawCard(card);
    saveCards();
    wakeWaiting();
  } catch (failure) {
    toast(failure.message);
  }
}

/* All waiting is one loop with one request under way, however many questions are open: a browser
 * keeps six connections to a server, and the rest of the page needs some. */
function wakeWaiting() {
  if (ask.waiting) ask.waiting.abort();
  else waitLoop();
}

async function waitLoop() {
  for (;;) {
    const open = ask.cards.filter(isWaiting);
    if (!open.length) { ask.waiting = null; return; }
    ask.waiting = new AbortController();
    try {
      for (const card of open.slice(1)) await update(card, 0, ask.waiting.signal);
      await update(open[0], open.length > 1 ? 5 : WAIT_S, ask.waiting.signal);
    } catch (failure) {
      if (failure.name !== 'AbortError') await new Promise((done) => setTimeout(done, 3000));
    }
  }
}

async function update(card, seconds, signal) {
  const reference = referenceOf(card);
  const began = Date.now();
  let reply;
  try {
    reply = await get(`/v1/answers/${encodeURIComponent(reference)}${query({ wait: seconds })}`, signal);
  } catch (failure) {
    if (failure.status !== 404) throw failure;
    card.gone = 'This question is no longer kept.';
    drawCard(card);
    saveCards();
    return;
  }
  const changed = ['status', 'claimed', 'expected_by_ms'].some((k) => reply[k] !== card.reply?.[k]);
  card.reply = { ...reply, reference };
  if (changed) {
    drawCard(card);
    saveCards();
  } else if (seconds && Date.now() - began < 1000) {
    await new Promise((done) => setTimeout(done, 1000)); // a server that does not wait is not hurried
  }
}

function drawLabels() {
  const labels = state.task?.labels || [];
  $('labels-summary').textContent = `What this desk answers (${labels.length} subjects)`;
  fill($('labels-list'), ...labels.map((l) => el('li', null, el('strong', null, words(l.name)),
    l.about && el('span.meta', null, ` ${l.about}`),
    l.always_human && el('span.meta', null, ' Always a person.'),
    l.needs_record && el('span.meta', null, ' Needs your file: a person.'))));
}

const askView = {
  show() { drawLabels(); },
  tick() {},
};

/* ---- People ---------------------------------------------------------------------------------- */

/* rows: the list as shown; at: the chosen row; open: the review in the detail pane, with its task
 * and its form. */
const people = { rows: [], at: 0, open: null, task: null, form: null, asked: 0, drawn: '' };

const who = () => $('who').value.trim();

function needName() {
  if (who()) return true;
  toast('Your name first: who answered is recorded.');
  $('who').focus();
  return false;
}

async function loadQueue() {
  const asked = ++people.asked;
  const status = $('status').value;
  const list = await get(`/v1/reviews${query({
    status, task: taskName(), search: $('search').value.trim(), limit: QUEUE_MAX,
  })}`);
  if (asked !== people.asked) return;
  const chosen = people.rows[people.at]?.id;
  people.rows = list.reviews;
  const again = people.rows.findIndex((r) => r.id === chosen);
  people.at = again >= 0 ? again : Math.max(0, Math.min(people.at, people.rows.length - 1));
  if (status === 'open' && !$('search').value.trim()) showCount(list.total ?? list.reviews.length);
  drawQueue();
}

function showCount(n) {
  $('count').hidden = !n;
  $('count').textContent = n;
  $('count').setAttribute('aria-label', `${n} waiting`);
}

async function loadCount() {
  const list = await get(`/v1/reviews${query({ status: 'open', task: taskName(), limit: 1 })}`);
  showCount(list.total ?? list.reviews.length);
}

function rowNode(review, index) {
  const waited = span(Date.now() - review.created_ms);
  const status = review.status === 'answered' ? `answered${review.answered_by ? ` by ${review.answered_by}` : ''}`
    : review.status === 'claimed' ? `${review.claimed_by} has it` : `waiting ${waited}`;
  return el('li', null, el(`button${review.overdue ? '.late' : ''}`, {
    type: 'button', 'aria-current': review.id === people.open?.id ? 'true' : null,
    onclick: () => { people.at = index; location.hash = `#people/${encodeURIComponent(review.id)}`; },
  },
  el('span.text', null, review.text),
  el('span.meta', null,
    el('span', null, status), review.overdue && el('span', null, 'late'),
    review.guess && el('span', null, `${words(review.guess)}${review.confidence == null ? '' : ` ${percent(review.confidence)}`}`))));
}

function drawQueue() {
  const drawn = JSON.stringify([people.rows, people.open?.id, Math.floor(Date.now() / 60000)]);
  if (drawn === people.drawn) return;
  people.drawn = drawn;
  const hadFocus = $('queue').contains(document.activeElement);
  fill($('queue'), ...people.rows.map(rowNode));
  $('queue-empty').hidden = people.rows.length > 0;
  $('queue-empty').textContent = $('search').value.trim() ? 'Nothing was found.'
    : $('status').value === 'open' ? 'Nobody is waiting.' : 'There is nothing here yet.';
  if (hadFocus) focusRow();
}

function focusRow() {
  const button = $('queue').children[people.at]?.firstChild;
  if (button) button.focus();
  return Boolean(button);
}

function move(by) {
  if (!people.rows.length) return;
  const inList = $('queue').contains(document.activeElement);
  if (inList) people.at = Math.max(0, Math.min(people.rows.length - 1, people.at + by));
  focusRow();
}

async function openReview(ref, focus) {
  try {
    people.open = await fetchReview(ref);
  } catch (failure) {
    toast(failure.message);
    closeReview();
    return;
  }
  const index = people.rows.findIndex((r) => r.id === ref);
  if (index >= 0) people.at = index;
  $('detail').classList.add('open');
  drawDetail();
  drawQueue();
  if (focus) showDetail();
}

function showDetail() {
  $('detail').focus({ preventScroll: true });
  const top = $('detail').getBoundingClientRect().top;
  if (top < 0 || top > window.innerHeight / 2) $('detail').scrollIntoView();
}

function closeReview() {
  people.open = people.form = null;
  $('detail').classList.remove('open');
  fill($('detail'), el('p.empty', null, 'Choose a question from the list.'));
  drawQueue();
}

const labelOf = (name) => (people.task?.labels || []).find((l) => l.name === name);

/* What a label answers with: its approved text, or the label where that is the answer. */
const approvedText = (name) => labelOf(name)?.reply || (people.task?.kind === 'classify' && name) || '';

/* A review with its history; it may be of another task than the one that is shown. */
async function fetchReview(ref) {
  const { review, events } = await get(reviewPath(ref));
  if (people.task?.name !== review.task || state.task?.name === review.task) {
    people.task = state.task?.name === review.task ? state.task : await fetchTask(review.task);
  }
  return { ...review, events };
}

function statusText(r) {
  if (r.status === 'answered') {
    return `Answered${r.answered_by ? ` by ${r.answered_by}` : ''}${r.answered_ms ? `, ${clock(r.answered_ms)}` : ''}`;
  }
  const waited = `Asked ${clock(r.created_ms)}, expected by ${clock(r.expected_by_ms)}${r.overdue ? ', late' : ''}`;
  return r.status === 'claimed' ? `${waited}. ${r.claimed_by} has it until ${clock(r.claimed_until_ms)}` : waited;
}

function drawDetail() {
  const r = people.open;
  fill($('detail'),
    el('div.row', null,
      el('p.meta', null, el('span.vh', null, 'Reference '), el('code', null, r.id), ' ',
        el('span', { id: 'detail-status' }, statusText(r))),
      el('button.quiet.back', { type: 'button', onclick: backToList }, 'Back to the list')),
    el('p.big', null, r.text),
    r.history && el('details', null, el('summary', null, 'Said before'), el('p.pre', null, r.history)),
    complaint(r),
    whyHere(r),
    evidenceList(r),
    decideForm(r));
}

function complaint(r) {
  const events = (r.events || []).filter((e) => e.what === 'reopened');
  if (!r.reopened && !events.length) return null;
  const text = events.length ? events[events.length - 1].text : '';
  return el('div', null, el('h3', null, 'The customer said that this answer was wrong'),
    text && el('blockquote', null, text));
}

function whyHere(r) {
  return el('div', null, el('h3', null, 'Why a person'), el('p', null, sentence(r.why)),
    r.guess && el('p.hint', null, `Best guess: ${words(r.guess)}${r.confidence == null ? '' : `, ${percent(r.confidence)}`}`));
}

function evidenceList(r) {
  const steps = (r.evidence?.steps || []).filter((s) => s.tier !== 'human');
  const cited = r.evidence?.passages || [];
  if (!steps.length && !cited.length) return null;
  return el('details', { open: cited.length > 0 }, el('summary', null, 'Evidence'),
    ...cited.map(passage),
    el('ul.meta', null, ...steps.map((s) => el('li', null,
      `${TIERS[s.tier] || s.tier}: ${s.why || 'no reason given'}${s.label ? `; ${words(s.label)}` : ''}${s.confidence == null ? '' : `, ${percent(s.confidence)}`}`))));
}

/* The form's start: what would be sent if the person only agrees. */
function proposal(r) {
  if (r.status === 'answered') return { label: r.label || '', text: r.answer || '' };
  return { label: r.guess || '', text: flow(r.draft || approvedText(r.guess)) };
}

function decideForm(r) {
  const start = proposal(r);
  const answered = r.status === 'answered';
  const names = (people.task?.labels || []).map((l) => l.name);
  const label = el('input', {
    id: 'label', value: start.label, autocomplete: 'off', maxLength: 128,
    'aria-describedby': 'label-hint', oninput: relabelled,
  });
  label.setAttribute('list', 'label-names');
  const text = el('textarea', { id: 'answer', rows: 6, maxLength: 16000, value: start.text, oninput: touched });
  const form = el('form.decide', { onsubmit: (event) => { event.preventDefault(); sendDecision(false); } },
    el('div.field', null, el('label', { htmlFor: 'label' }, 'Label'), label,
      el('datalist', { id: 'label-names' }, ...names.map((n) => el('option', { value: n }))),
      el('p.hint', { id: 'label-hint' })),
    el('div.field', null, el('label', { htmlFor: 'answer' }, 'Answer to the customer'), text),
    el('label.check', { id: 'adopt-field', hidden: true }, el('input', { type: 'checkbox', id: 'adopt' }),
      'Send this text to every customer with this label from now on'),
    decideButtons(r, start, answered));
  people.form = { start, auto: start.text, label, text, node: form };
  queueMicrotask(touched);
  return form;
}

function decideButtons(r, start, answered) {
  const claimed = r.status === 'claimed' && r.claimed_by === who();
  return el('div.buttons', null,
    !answered && start.text && el('button.primary', { type: 'button', id: 'approve', onclick: () => sendDecision(true) },
      'Approve as it is', el('kbd', { 'aria-hidden': 'true' }, 'a')),
    el(`button${answered || !start.text ? '.primary' : ''}`, { id: 'send' }, answered ? 'Correct the answer' : 'Send'),
    !answered && el('button.quiet', { type: 'button', onclick: claimed ? release : claim }, claimed ? 'Release' : 'Claim'),
    answered && r.label_id > 0 && el('button.quiet', { type: 'button', onclick: unlearn }, 'Take back what was learned'));
}

/* Another label brings its approved text, unless the person has begun to write. */
function relabelled() {
  const form = people.form;
  const own = form.text.value !== form.auto;
  if (!own) {
    form.auto = form.label.value === form.start.label ? form.start.text
      : flow(approvedText(form.label.value.trim()));
    form.text.value = form.auto;
  }
  touched();
}

const isChanged = () => people.form
  && (people.form.text.value !== people.form.start.text || people.form.label.value !== people.form.start.label);

function touched() {
  if (!people.form) return;
  const name = people.form.label.value.trim();
  $('label-hint').textContent = !name ? 'No label: nothing is learned from this answer.'
    : labelOf(name) ? 'The next question like this one gets this label.'
      : 'A new label. It answers by itself only when somebody has written a text for it.';
  if ($('approve')) $('approve').disabled = isChanged();
  $('adopt-field').hidden = !mayAdopt(name);
}

/* A label without a text of its own, of a matter that a text may answer. */
function mayAdopt(name) {
  const known = labelOf(name);
  return Boolean(name) && people.task?.kind === 'answer' && !approvedText(name)
    && !known?.always_human && !known?.needs_record;
}

async function sendDecision(approve) {
  const r = people.open, form = people.form;
  if (!r || !form) return;
  if (approve && !$('approve')) { toast('There is no draft to approve: write the answer.'); form.text.focus(); return; }
  if (approve && isChanged()) { toast('You have changed it: Send sends your version.'); return; }
  if (!needName()) return;
  const label = form.label.value.trim(), text = form.text.value.trim();
  if (!label && !text) { toast('Write an answer or choose a label.'); form.text.focus(); return; }
  const asDrafted = approve && r.draft === text;
  await decide(r, asDrafted ? { approve: true, by: who() } : { label, text, by: who() });
}

async function decide(r, decision) {
  const correcting = r.status === 'answered';
  const adopt = Boolean(decision.text) && $('adopt').checked && mayAdopt(decision.label);
  for (const button of people.form.node.querySelectorAll('button')) button.disabled = true;
  try {
    await post(reviewPath(r.id, correcting ? '/correct' : '/answer'), decision);
    if (adopt) {
      await post(`/v1/tasks/${encodeURIComponent(r.task)}/reply`,
        { label: decision.label, text: decision.text, by: decision.by });
    }
  } catch (failure) {
    for (const button of people.form.node.querySelectorAll('button')) button.disabled = false;
    touched();
    toast(failure.message);
    return;
  }
  const label = decision.label || (decision.approve ? r.guess : '');
  toast(`${correcting ? 'Corrected.' : 'Sent.'}${label ? ` Learned: ${words(label)}.` : ''}`);
  loadTasks().catch(() => {});
  backToList();
  await loadQueue().catch((failure) => toast(failure.message));
  focusRow();
}

async function change(path, body, said) {
  if (!needName()) return;
  const ref = people.open.id;
  try {
    await post(reviewPath(ref, path), body);
    toast(said);
    await openReview(ref, true);
    await loadQueue();
  } catch (failure) {
    toast(failure.message);
  }
}

const claim = () => change('/claim', { by: who() }, 'It is yours for a while; others see that you have it.');
const release = () => change('/release', { by: who() }, 'Released.');
const unlearn = () => change('/unlearn', { by: who() }, 'What was learned from it is taken back; the answer stays.');

function backToList() {
  closeReview();
  if (location.hash.startsWith('#people/')) history.replaceState(null, '', '#people');
  focusRow();
}

/* Somebody else may claim or answer what is open here: the words being typed are never lost. */
async function refreshOpen() {
  const shown = people.open;
  if (!shown) return;
  const now = await fetchReview(shown.id);
  if (people.open !== shown) return;
  if (now.status === shown.status && now.claimed_by === shown.claimed_by && now.answer === shown.answer) return;
  const typing = isChanged() || $('detail').contains(document.activeElement);
  people.open = now;
  if (typing) $('detail-status').textContent = statusText(now);
  else drawDetail();
}

async function openChosen() {
  const row = people.rows[people.at];
  if (people.open || !row) return Boolean(people.open);
  history.replaceState(null, '', `#people/${encodeURIComponent(row.id)}`);
  await openReview(row.id, true);
  return Boolean(people.open);
}

const peopleKeys = {
  j: () => move(1),
  k: () => move(-1),
  a: async () => { if (await openChosen()) sendDecision(true); },
  e: async () => { if (await openChosen()) people.form.text.focus(); },
  l: async () => { if (await openChosen()) { people.form.label.focus(); people.form.label.select(); } },
  c: async () => { if (await openChosen()) claim(); },
  '/': () => $('search').focus(),
};

function onPeopleKey(event) {
  if (state.view !== 'people' || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === 'Escape') {
    if (typing && people.open && $('detail').contains(event.target)) $('detail').focus();
    else if (people.open && !isChanged()) backToList();
    else focusRow();
  } else if (event.key === 'Enter' && event.ctrlKey && people.open) {
    event.preventDefault();
    sendDecision(false);
  } else if (!typing && !event.ctrlKey && peopleKeys[event.key]) {
    event.preventDefault();
    peopleKeys[event.key]();
  }
}

const peopleView = {
  async show(rest) {
    await loadQueue();
    if (rest) await openReview(rest, true);
    else if (people.open) closeReview();
  },
  async tick() {
    await loadQueue();
    await refreshOpen();
  },
};

/* ---- Record ---------------------------------------------------------------------------------- */

const record = { rows: [], asked: 0, drawn: '' };

async function loadRecord(older) {
  const asked = ++record.asked;
  const list = await get(`/v1/requests${query({
    task: taskName(), tier: $('tier').value, limit: PAGE, offset: older ? record.rows.length : 0,
  })}`);
  if (asked !== record.asked) return;
  record.rows = older ? record.rows.concat(list.requests) : list.requests;
  $('record-more').hidden = list.requests.length < PAGE;
  drawRecord();
}

function recordRow(r) {
  return el('tr', null,
    el('td.meta.nowrap', null, clock(r.at_ms)),
    el('td.q', null, el('button.link', {
      type: 'button', onclick: () => { location.hash = `#record/${encodeURIComponent(r.id)}`; },
    }, r.question || '(erased)'),
    r.verdict && r.verdict !== 'right' && el('span.badge.bad', null,
      r.verdict === 'wrong' ? 'said to be wrong' : 'wanted a person')),
    el('td', null, badge(r.tier)),
    el('td.meta', null, words(r.label)),
    el('td.num', null, r.confidence == null ? '–' : percent(r.confidence)),
    el('td.num', null, dollars(r.cost_usd)));
}

function drawRecord() {
  const drawn = JSON.stringify(record.rows);
  if (drawn === record.drawn || $('requests').contains(document.activeElement)) return;
  record.drawn = drawn;
  fill($('requests').tBodies[0], ...record.rows.map(recordRow));
  $('requests').parentNode.hidden = !record.rows.length;
  $('record-empty').hidden = record.rows.length > 0;
}

async function openTrace(id) {
  $('record-list').hidden = true;
  $('trace').hidden = false;
  fill($('trace'), el('p.hint.dots', null, 'Looking'));
  const answer = await get(`/v1/requests/${encodeURIComponent(id)}`);
  drawTrace(answer.trace || answer);
}

function drawTrace(t) {
  const question = el('h1.pre', { tabIndex: -1 }, t.question || '(erased)');
  fill($('trace'),
    el('p', null, el('a', { href: '#record' }, 'Back to the record')),
    el('div', null, question, el('p.meta', null, `${clock(t.at_ms)}, `, el('code', null, t.id))),
    el('div.panel.answer', null,
      el('p', null, badge(t.tier), ' ', t.verdict && el('span.badge.bad', null, `customer: ${words(t.verdict)}`)),
      t.answer != null ? el('p.said', null, flow(t.answer))
        : el('p', null, 'A person answers. ', t.review && el('a', { href: `#people/${encodeURIComponent(t.review)}` }, `Review ${t.review}`)),
      facts({ ...t, passages: [] })),
    el('h2', null, 'What was tried, in order'),
    el('ol.steps', null, ...(t.steps || []).map(stepNode)),
    (t.passages || []).length > 0 && el('h2', null, 'Passages'),
    ...(t.passages || []).map(passage),
    el('details', null, el('summary', null, 'The record as it is kept (JSON)'),
      el('pre', { tabIndex: 0 }, JSON.stringify(t, null, 2))));
  question.focus();
}

function stepNode(s) {
  const signals = Object.entries(s.signals || {}).filter(([, v]) => v != null);
  return el('li', null,
    el('div.row', null, badge(s.tier), el('strong', null, OUTCOMES[s.outcome] || s.outcome),
      s.why && el('span.meta', null, s.why), s.model && el('code.meta', null, s.model)),
    el('dl.facts', null,
      s.label && fact('Subject', words(s.label)),
      s.confidence != null && fact('Confidence', ...confidence(s.confidence, s.threshold)),
      fact('Assumed cost', dollars(s.cost_usd)),
      fact('Took', took(s.latency_us)),
      (s.tokens_in > 0 || s.tokens_out > 0) && fact('Tokens in, out', `${s.tokens_in}, ${s.tokens_out}`),
      ...signals.map(([name, v]) => fact(words(name), String(Number(v.toPrecision(4)))))),
    s.draft && el('div', null, el('h3', null, 'Draft'), el('blockquote.pre', null, flow(s.draft))),
    s.note && el('p.hint', null, s.note));
}

const recordView = {
  async show(rest) {
    if (rest) {
      await openTrace(rest);
      return;
    }
    $('trace').hidden = true;
    $('record-list').hidden = false;
    await loadRecord(false);
  },
  async tick() {
    if (!$('record-list').hidden && record.rows.length <= PAGE) await loadRecord(false);
  },
};

/* ---- Cost ------------------------------------------------------------------------------------ */

const cost = { sums: null };

async function loadCost() {
  cost.sums = await get(`/v1/cost${query({ task: taskName(), days: $('days').value })}`);
  drawCost();
}

/* What the large model alone would have cost: the person's assumption, else what the record says. */
function largeOnly(sums) {
  const price = Number.parseFloat($('price').value.replace(',', '.'));
  if (Number.isFinite(price) && price >= 0) return price * sums.requests;
  return sums.large_only_usd ?? null;
}

function figure(name, value, note) {
  return el('div.panel.figure', null, el('p.meta', null, name), el('p.big', null, value), el('p.hint', null, note));
}

function costRow(name, row, total, each) {
  return el('tr', null, el('th', { scope: 'row' }, name),
    el('td.num', null, String(row.requests)),
    el('td.num.minor', null, row.asked == null ? '' : String(row.asked)),
    el('td.num', null, dollars(row.cost_usd)),
    el('td.num', null, total > 0 && row.cost_usd != null ? percent(row.cost_usd / total) : '–'),
    el('td.num.minor', null, dollars(each)));
}

function costTable(sums, large) {
  const head = ['', 'Decided', 'Asked', 'Assumed cost', 'Share', 'A question'];
  const total = sums.cost_usd;
  const rows = Object.entries(sums.by_tier || {}).filter(([tier]) => tier !== 'none')
    .map(([tier, row]) => costRow(TIERS[tier] || tier, row, total, row.asked ? row.cost_usd / row.asked : null));
  return el('table.costs', null,
    el('caption.vh', null, 'Assumed cost by tier, beside the large model only'),
    el('thead', null, el('tr', null, ...head.map((h, i) => el(`th${i ? '.num' : ''}${i === 2 || i === 5 ? '.minor' : ''}`, { scope: 'col' }, h)))),
    el('tbody', null, ...rows),
    el('tfoot', null,
      costRow('As it went', { requests: sums.requests, cost_usd: total }, total, total / sums.requests),
      costRow('Large model only', { requests: sums.requests, cost_usd: large }, 0,
        large == null ? null : large / sums.requests)));
}

function drawCost() {
  const sums = cost.sums;
  if (!sums || !sums.requests) {
    fill($('cost-figures'), el('p.empty', null, 'Nothing was asked in this period.'));
    return;
  }
  const large = largeOnly(sums);
  fill($('cost-figures'),
    el('div.figures', null,
      figure('As it went', dollars(sums.cost_usd), `${sums.requests} questions, ${dollars(sums.cost_usd / sums.requests)} each`),
      figure('Large model only', large == null ? 'unknown' : dollars(large),
        large == null ? 'Type what a question to it would cost, above.' : 'with nobody checking what it says'),
      figure('People’s share', percent(sums.people_share), `${dollars(sums.people_usd)} of the assumed cost`)),
    el('div.panel.flush', null, costTable(sums, large)),
    el('p.hint', null, 'All of these are the assumptions of the task files times what was counted, not invoices. '
      + 'An often-quoted mix, 87 % at $0.002, 11 % at $0.08 and 2 % at $6, is said to make $0.015 a question; it makes '
      + '$0.1305, and people are 92 % of it: what goes to people decides the bill.'));
}

const costView = { show: loadCost, tick: loadCost };

/* ---- the task and its switch ----------------------------------------------------------------- */

const fetchTask = (name) => get(`/v1/tasks/${encodeURIComponent(name)}`);

async function loadTasks() {
  const list = await get('/v1/tasks');
  state.tasks = list.tasks;
  const wanted = state.task?.name || localStorage.getItem('task');
  const chosen = state.tasks.find((t) => t.name === wanted) || state.tasks[0];
  state.task = chosen ? await fetchTask(chosen.name) : null;
  drawTask();
}

async function chooseTask(name) {
  localStorage.setItem('task', name);
  state.task = await fetchTask(name);
  drawTask();
  await route();
}

function drawTask() {
  const t = state.task;
  const names = state.tasks.map((x) => x.name).join('\n');
  if ($('task').dataset.names !== names) {
    $('task').dataset.names = names;
    fill($('task'), ...state.tasks.map((x) => el('option', { value: x.name }, x.title || x.name)));
  }
  if (t) $('task').value = t.name;
  $('task-field').hidden = state.tasks.length < 2;
  $('task-title').textContent = t ? t.title || t.name : 'no task';
  document.title = t ? `${t.title || t.name} · Bantam` : 'Bantam';
  $('all-to-people').disabled = !t;
  $('all-to-people').checked = t?.mode === 'all-to-people';
  if (t && t.mode !== 'all-to-people') localStorage.setItem(`mode ${t.id}`, t.mode);
  drawBanner();
}

function drawBanner() {
  const t = state.task;
  const text = !t ? 'This server has no task: start it with --task FILE.'
    : t.mode === 'all-to-people' ? 'All questions go to people at the moment.'
      : t.mode === 'suggest' ? 'Suggest mode: a person sends every answer.'
        : t.threshold === null ? 'Nothing is automatic yet: no threshold holds the error limit.' : '';
  $('banner').textContent = text;
  $('banner').hidden = !text;
  $('banner').className = 'banner';
}

async function switchMode() {
  const t = state.task;
  const back = t.file_mode || localStorage.getItem(`mode ${t.id}`) || 'auto';
  const mode = $('all-to-people').checked ? 'all-to-people' : back === 'all-to-people' ? 'auto' : back;
  $('all-to-people').disabled = true;
  try {
    await post(taskPath('/mode'), { mode, by: who() });
    await loadTasks();
    toast(mode === 'all-to-people' ? 'From now on a person answers every question.' : 'Tiers answer again as the task says.');
  } catch (failure) {
    $('all-to-people').checked = t.mode === 'all-to-people';
    toast(failure.message);
  }
  $('all-to-people').disabled = false;
}

/* ---- views and start ------------------------------------------------------------------------- */

const views = { ask: askView, people: peopleView, record: recordView, cost: costView };

function unreachable(failure) {
  if (failure.status !== 0) { toast(failure.message); return; }
  $('banner').textContent = failure.message;
  $('banner').className = 'banner bad';
  $('banner').hidden = false;
}

async function route() {
  const [name, ...rest] = location.hash.slice(1).split('/');
  const view = views[name] ? name : 'ask';
  const moved = state.view !== null && state.view !== view;
  state.view = view;
  for (const other of Object.keys(views)) $(`view-${other}`).hidden = other !== view;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (moved) window.scrollTo(0, 0);
  try {
    await views[view].show(decodeURIComponent(rest.join('/')));
  } catch (failure) {
    unreachable(failure);
  }
}

let ticks = 0;
async function tick() {
  if (!document.hidden) {
    try {
      await views[state.view].tick();
      if (state.view !== 'people') await loadCount();
      if (++ticks % 3 === 0 || !$('banner').hidden) await loadTasks();
    } catch (failure) {
      unreachable(failure);
    }
  }
  setTimeout(tick, TICK_MS);
}

function onSubmit(id, action) {
  $(id).addEventListener('submit', (event) => { event.preventDefault(); action(); });
}

function bind() {
  onSubmit('ask-form', sendQuestion);
  onSubmit('ref-form', () => lookUp($('ref').value.trim().toLowerCase()));
  onSubmit('people-tools', () => {});
  onSubmit('cost-tools', () => {});
  $('question').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    sendQuestion();
  });
  let searching = 0;
  $('search').addEventListener('input', () => {
    clearTimeout(searching);
    searching = setTimeout(() => loadQueue().catch(unreachable), 200);
  });
  $('status').addEventListener('change', () => loadQueue().catch(unreachable));
  $('who').value = localStorage.getItem('who') || '';
  $('who').addEventListener('change', () => localStorage.setItem('who', who()));
  $('tier').addEventListener('change', () => loadRecord(false).catch(unreachable));
  $('record-more').addEventListener('click', () => loadRecord(true).catch(unreachable));
  $('days').addEventListener('change', () => loadCost().catch(unreachable));
  $('price').addEventListener('input', drawCost);
  $('all-to-people').addEventListener('change', switchMode);
  $('task').addEventListener('change', () => chooseTask($('task').value).catch(unreachable));
  $('log-out').addEventListener('click', logOut);
  // there is nothing to see without: put away by Escape, it comes back
  $('key-dialog').addEventListener('close', () => { if (keyAsked) $('key-dialog').showModal(); });
  $('login-dialog').addEventListener('close', () => { if (loginAsked) $('login-dialog').showModal(); });
  document.addEventListener('keydown', onPeopleKey);
  window.addEventListener('hashchange', route);
}

async function start() {
  bind();
  loadCards();
  await loadMe();
  try {
    await loadTasks();
  } catch (failure) {
    unreachable(failure);
  }
  await route();
  if (state.view === 'ask') $('question').focus();
  if (state.view !== 'people') loadCount().catch(unreachable);
  setTimeout(tick, TICK_MS);
}

start();
