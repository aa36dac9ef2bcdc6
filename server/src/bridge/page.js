// The bridge page: draws how a sign-up goes, hands what Facebook gave to this server, and tells the page that
// opened it what came of it. That page, and anything written here, never holds a code or a token for long:
// they are posted and forgotten.
(() => {
  "use strict";

  // How long Facebook's script may take to come.
  const SDK_MS = 10_000;
  // How long the session's event may come after the login's answer. A code lives 30 seconds.
  const EVENT_MS = 1_500;
  // How long an answer may come after Facebook's window was closed.
  const CLOSED_MS = 3_000;
  // How often this server is asked how it goes on, and for how long.
  const POLL_MS = 600;
  const PATIENCE_MS = 240_000;
  // How long it can be seen that all is well.
  const CLOSE_MS = 2_000;
  // How long copying may take.
  const COPY_MS = 1_000;
  // How long this server may take to answer.
  const ANSWER_MS = 8_000;
  // How often a code is handed over that did not get through.
  const TRIES = 3;

  // What a business would call the steps. One that is not named here stands for itself.
  const PHASES = [
    ["Facebook’s permission", "Confirming with Facebook …", ["token", "permissions"]],
    ["Account and number", "Looking for the number …", ["account", "number", "channel"]],
    ["Messages arrive", "Subscribing to messages …", ["fields", "subscribe", "override"]],
    ["Number registered", "Registering the number …", ["register"]],
    ["Templates known", "Reading the templates …", ["templates"]],
    ["Chats of the phone app", "Asking the phone app …", ["contacts", "history"]],
  ];
  // It waits for a customer, and not for this page.
  const LATER = "message";

  const known = JSON.parse(document.getElementById("bridge").dataset.knowledge);
  const signup = known.signup;
  const part = (id) => document.getElementById(id);
  const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  // ---- Drawing

  function element(name, text, more) {
    const made = Object.assign(document.createElement(name), more);
    if (text) made.textContent = text;
    return made;
  }

  function button(label, act, kind) {
    const made = element("button", label, { type: "button", className: kind || "" });
    made.addEventListener("click", act);
    return made;
  }

  function link(label, address, kind) {
    return element("a", label, { href: address, className: kind || "" });
  }

  // Everything there is to see at one time.
  function show(state, { mark, title, says = [], details = [], steps = [], actions = [] }) {
    const card = part("card");
    const had_focus = card.contains(document.activeElement);
    document.body.dataset.state = state;
    card.dataset.mark = mark;
    if (part("title").textContent !== title) part("title").textContent = title;
    document.title = `${title} · Connect WhatsApp`;
    const lines = says.map((line) => (typeof line === "string" ? element("p", line) : line));
    part("says").replaceChildren(...lines);
    part("details").replaceChildren(
      ...details
        .filter(([, value]) => value)
        .flatMap(([name, value]) => [element("dt", name), element("dd", value)]),
    );
    part("details").hidden = part("details").childElementCount === 0;
    draw_steps(steps);
    part("actions").replaceChildren(...actions);
    // What had the focus may be gone: whoever cannot see the page goes on from its title.
    if (had_focus && !card.contains(document.activeElement)) part("title").focus();
  }

  function draw_steps(steps) {
    const rows = phases(steps).map(({ label, state }) => {
      const row = element("li", label);
      row.dataset.state = state;
      row.append(element("span", `: ${WORDS[state]}`, { className: "unseen" }));
      return row;
    });
    part("steps").replaceChildren(...rows);
    part("steps").hidden = rows.length === 0;
  }

  const WORDS = { open: "to do", working: "at work", done: "done", failed: "failed", asking: "needs an answer" };

  function phases(steps) {
    const shown = steps.filter((step) => step.name !== LATER);
    const groups = [];
    for (const step of shown) {
      const phase = PHASES.find(([, , names]) => names.includes(step.name));
      const label = phase ? phase[0] : step.title;
      const last = groups.at(-1);
      if (last && last.label === label) last.steps.push(step);
      else groups.push({ label, doing: phase ? phase[1] : `${step.title} …`, steps: [step] });
    }
    // Where one failed or asks, nobody is at those after it.
    let is_first_open = !shown.some((step) => step.state === "failed" || step.state === "asking");
    return groups
      .filter((group) => !group.steps.every((step) => step.state === "skipped"))
      .map((group) => {
        const has = (state) => group.steps.some((step) => step.state === state);
        let state = "done";
        if (has("failed")) state = "failed";
        else if (has("asking")) state = "asking";
        else if (has("open")) {
          state = is_first_open ? "working" : "open";
          is_first_open = false;
        }
        return { ...group, state };
      });
  }

  // ---- The page that opened this one

  // Only what came of it, and only to the website for which the ticket was made.
  function tell(ok, error, step) {
    if (!signup || !window.opener) return;
    window.opener.postMessage({ ticket: signup.ticket, ok, error, step }, signup.origin);
  }

  const host = () => (signup ? new URL(signup.origin).host : "the page you came from");
  const close = (label) => button(label || "Close", () => window.close(), "quiet");

  function again(label, kind) {
    if (known.place === "callback") {
      return link(label, `start?t=${encodeURIComponent(signup.ticket)}`, kind);
    }
    return button(label, login, kind);
  }

  // The same sign-up without Facebook's script: this window goes there and comes back.
  function full_page(label, kind) {
    const made = link(label, signup.dialog, kind);
    made.addEventListener("click", () => remember());
    return made;
  }

  const LEFT = () => `left:${signup.ticket}`;

  function remember() {
    try {
      sessionStorage.setItem(LEFT(), "yes");
    } catch {
      // Without a memory the callback asks once more.
    }
  }

  function remembers() {
    try {
      const left = sessionStorage.getItem(LEFT()) === "yes";
      sessionStorage.removeItem(LEFT());
      return left;
    } catch {
      return false;
    }
  }

  // ---- What can be seen before and after

  function expired() {
    tell(false, "ticket_expired", null);
    show("expired", {
      mark: "hint",
      title: "This link has expired",
      says: [`It works once, and for ten minutes. Close this window, and start again from ${host()}.`],
      actions: [close("Close this window")],
    });
  }

  function used() {
    tell(false, "ticket_used", null);
    show("used", {
      mark: "hint",
      title: "This link was used already",
      says: [
        `It works once. Close this window; ${host()} shows whether the number is connected, and lets you start again.`,
      ],
      actions: [close("Close this window")],
    });
  }

  function unset() {
    const list = element("ul");
    for (const name of known.missing) {
      const variable = `REJOINDER_${name.toUpperCase().replaceAll(".", "_")}`;
      const row = element("li");
      row.append(element("code", name), " (", element("code", variable), ")");
      list.append(row);
    }
    tell(false, "not_set_up", null);
    show("unset", {
      mark: "bad",
      title: "This server is not set up for signing up",
      says: ["Whoever operates it must set:", list, "Nothing is wrong on your side."],
      actions: [close("Close this window")],
    });
  }

  function wrong_address() {
    tell(false, "wrong_address", null);
    show("failed", {
      mark: "bad",
      title: "This page is at another address",
      says: [`Facebook knows it only as ${known.home}. Open it there; its operator's setting public_url names it.`],
      actions: [close("Close this window")],
    });
  }

  function ready() {
    show("ready", {
      mark: "person",
      title: "Sign in at Facebook",
      says: [
        "Facebook opens in a window of its own. Choose the business and the number there; this page goes on by itself.",
      ],
      actions: [
        button("Continue with Facebook", login, "main"),
        full_page("Continue in this window instead", "quiet"),
      ],
    });
  }

  function blocked_script() {
    show("script_blocked", {
      mark: "hint",
      title: "Facebook’s script was blocked",
      says: ["Something on this device keeps it away. It works without: Facebook opens in this window."],
      actions: [full_page("Continue with Facebook", "main"), button("Load it again", () => location.reload(), "quiet")],
    });
  }

  function blocked_popup() {
    show("popup_blocked", {
      mark: "hint",
      title: "Facebook’s window was blocked",
      says: ["Your browser did not let it open. Try again, or let Facebook open in this window."],
      actions: [button("Open Facebook", login, "main"), full_page("Continue in this window instead", "quiet")],
    });
  }

  function waiting() {
    show("waiting", {
      mark: "busy",
      title: "Waiting for Facebook …",
      says: ["Go on in Facebook’s window. It may be behind this one."],
      actions: [button("Begin again", login, "quiet")],
    });
  }

  function cancelled(step, reason) {
    tell(false, "cancelled", step);
    const says = [];
    if (reason.message) says.push(`Facebook says: ${reason.message}`);
    if (step) says.push(`It ended at the step “${step.toLowerCase().replaceAll("_", " ")}”.`);
    const is_unexplained = says.length === 0;
    if (is_unexplained) says.push("It was left before it came to its end.");
    says.push("Nothing was connected.");
    if (is_unexplained && known.place === "start") says.push(domains("Did Facebook show an error?"));
    show("cancelled", {
      mark: "hint",
      title: "The sign-up was cancelled",
      says,
      details: [
        ["Facebook’s error", reason.id],
        ["Session", reason.session],
      ],
      actions: [again("Try again", "main"), close()],
    });
  }

  function no_code() {
    tell(false, "no_code", null);
    show("no_code", {
      mark: "hint",
      title: "One more step at Facebook",
      says: [
        "The sign-up came to its end, but Facebook’s window did not hand over its permission. Let Facebook open in this window: mostly it only asks you to confirm.",
      ],
      actions: [full_page("Continue with Facebook", "main"), button("Try again", login, "quiet")],
    });
  }

  // What an operator adds in the app's dashboard, to copy.
  function domains(summary) {
    const made = element("details");
    const list = element("dl");
    for (const [name, value] of [
      ["Allowed Domains for the JavaScript SDK", `${known.home}/`],
      ["Valid OAuth Redirect URIs", signup.callback],
    ]) {
      const shown = element("dd");
      shown.append(element("code", value));
      list.append(element("dt", name), shown);
    }
    const says = "If it said that a domain isn’t included, whoever operates this server adds these in the app’s dashboard, under Facebook Login for Business, Settings:";
    made.append(element("summary", summary), element("p", says), list);
    return made;
  }

  function refused(params) {
    const code = params.get("error_code") || "";
    const reason = params.get("error_reason") || "";
    const message = params.get("error_message") || params.get("error_description") || "";
    if (reason === "user_denied" || params.get("error") === "access_denied") {
      return cancelled(null, {});
    }
    const is_domain = ["191", "1349048", "1349168"].includes(code) || /domain|redirect_uri/i.test(message);
    const error = is_domain ? "domain_not_included" : "refused";
    tell(false, error, null);
    const help = is_domain ? domains("What must be added") : null;
    if (help) help.open = true;
    show("failed", {
      mark: "bad",
      title: is_domain ? "Facebook does not know this address yet" : "Facebook refused the sign-up",
      says: [message ? `Facebook says: ${message}` : "Facebook gave no reason.", ...(help ? [help] : [])],
      details: [
        ["Error", [params.get("error"), reason].filter(Boolean).join(", ")],
        ["Code", code],
      ],
      actions: [again("Try again", "main"), close()],
    });
  }

  function failed({ title, says, details, steps, error, step }) {
    tell(false, error, step);
    const rows = details.filter(([, value]) => value);
    const text = [title, ...says, ...rows.map(([name, value]) => `${name}: ${value}`)].join("\n");
    const copy = button("Copy the details", async () => {
      // A browser may neither write nor refuse to.
      const late = rest(COPY_MS).then(() => Promise.reject(new Error("late")));
      try {
        await Promise.race([navigator.clipboard.writeText(text), late]);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(part("details"));
        copy.textContent = "Marked: copy them by hand";
      }
    });
    show("failed", {
      mark: "bad",
      title,
      says,
      details: rows,
      steps,
      actions: [copy, close()],
    });
  }

  function done(status) {
    tell(true, null, null);
    show("done", {
      mark: "good",
      title: "The number is connected",
      says: [`${host()} knows already. This window closes by itself.`],
      steps: status.steps,
      actions: [close("Close this window")],
    });
    setTimeout(() => {
      window.close();
      // A window that no page opened stays.
      part("says").replaceChildren(element("p", "You can close this window."));
    }, CLOSE_MS);
  }

  // ---- Facebook's script

  let login_ready = false;

  function load() {
    show("opening", {
      mark: "busy",
      title: "Opening Facebook’s sign-up …",
      actions: [full_page("Continue in this window instead", "quiet")],
    });
    const script = element("script", "", { src: signup.sdk_url, async: true });
    const late = setTimeout(blocked_script, SDK_MS);
    script.addEventListener("error", () => {
      clearTimeout(late);
      blocked_script();
    });
    script.addEventListener("load", () => {
      clearTimeout(late);
      if (!window.FB) return blocked_script();
      window.FB.init({ appId: signup.app_id, version: signup.version, status: false, cookie: false, xfbml: false });
      login_ready = true;
      ready();
    });
    document.head.append(script);
  }

  // The sign-up that is being waited for. What comes of an earlier one counts no more.
  let current = null;

  // Runs within a click, or the browser would let no window open.
  function login() {
    if (!login_ready) return;
    const attempt = { event: null, cancel: null, answer: null, is_over: false, popup: null, has_tried: false };
    current = attempt;
    waiting();
    // The script keeps its window to itself; whether one opened, and still is, must be known all the same.
    const open = window.open;
    window.open = (...given) => {
      attempt.has_tried = true;
      attempt.popup = open.apply(window, given);
      return attempt.popup;
    };
    try {
      window.FB.login((response) => answered(attempt, response), signup.login);
    } catch {
      attempt.is_over = true;
      return blocked_script();
    } finally {
      window.open = open;
    }
    if (attempt.has_tried && (!attempt.popup || attempt.popup.closed)) {
      attempt.is_over = true;
      return blocked_popup();
    }
    watch(attempt);
  }

  function answered(attempt, response) {
    if (attempt !== current || attempt.is_over) return;
    const auth = response && response.authResponse;
    if (auth && (auth.code || auth.accessToken)) {
      attempt.answer = auth.code ? { code: auth.code } : { access_token: auth.accessToken };
      if (attempt.event) return hand_over(attempt);
      setTimeout(() => hand_over(attempt), EVENT_MS);
    } else {
      setTimeout(() => gave_nothing(attempt), EVENT_MS);
    }
  }

  // Facebook's window is gone, or its script says that nothing came of it.
  function gave_nothing(attempt) {
    if (attempt !== current || attempt.is_over || attempt.answer || attempt.cancel) return;
    if (document.body.dataset.state !== "waiting") return;
    if (attempt.event) no_code();
    else cancelled(null, {});
  }

  function watch(attempt) {
    const timer = setInterval(() => {
      if (attempt !== current || attempt.is_over || !attempt.popup) return clearInterval(timer);
      if (!attempt.popup.closed) return;
      clearInterval(timer);
      setTimeout(() => gave_nothing(attempt), CLOSED_MS);
    }, 250);
  }

  // Whether an event comes from a window of Facebook's: by the host, not by how its name ends.
  function is_from_facebook(origin) {
    if (origin === signup.facebook) return true;
    if (!signup.is_facebook) return false;
    let url;
    try {
      url = new URL(origin);
    } catch {
      return false;
    }
    const labels = url.hostname.split(".");
    return url.protocol === "https:" && url.port === "" && labels.slice(-2).join(".") === "facebook.com";
  }

  function parsed(data) {
    if (typeof data !== "string") return data;
    try {
      return JSON.parse(data);
    } catch {
      return null;
    }
  }

  function heard(message) {
    const attempt = current;
    if (!attempt || attempt.is_over || !is_from_facebook(message.origin)) return;
    const told = parsed(message.data);
    if (!told || told.type !== "WA_EMBEDDED_SIGNUP") return;
    const name = String(told.event || "");
    const data = told.data || {};
    if (name.startsWith("FINISH")) {
      attempt.event = { name, data };
      if (attempt.answer) hand_over(attempt);
    } else if ((name === "CANCEL" || name === "ERROR") && !attempt.answer) {
      attempt.cancel = data;
      const text = (value) => (value === undefined || value === null ? "" : String(value).slice(0, 300));
      cancelled(text(data.current_step) || null, {
        message: text(data.error_message),
        id: text(data.error_id || data.error_code),
        session: text(data.session_id),
      });
    }
  }

  // ---- This server

  function hand_over(attempt) {
    if (attempt !== current || attempt.is_over) return;
    attempt.is_over = true;
    const given = { ...attempt.answer };
    attempt.answer = null;
    if (attempt.event) {
      given.event = attempt.event.name;
      for (const name of ["waba_id", "phone_number_id", "business_id"]) {
        const id = String(attempt.event.data[name] || "");
        if (/^\d+$/.test(id)) given[name] = id;
      }
    }
    exchange(given);
  }

  async function post(path, body) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      credentials: "omit",
      cache: "no-store",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const answer = await response.json();
    // What stands before this server has answers of its own.
    if (!response.ok && typeof answer?.error?.code !== "string") throw new Error("no answer of this server");
    return { is_ok: response.ok, answer };
  }

  async function exchange(given) {
    show("exchanging", {
      mark: "busy",
      title: PHASES[0][1],
      says: ["Leave this window open for a moment."],
    });
    for (let tried = 1; tried <= TRIES; tried += 1) {
      let got;
      try {
        got = await post("exchange", { ticket: signup.ticket, ...given });
      } catch {
        await rest(POLL_MS * tried);
        continue;
      }
      if (got.is_ok) return progress(got.answer) || follow();
      const { code, message } = got.answer.error;
      if (code === "unavailable") {
        await rest(POLL_MS * tried);
        continue;
      }
      // An earlier try may have got through without its answer.
      if (code === "ticket_used" && tried > 1) return follow();
      if (code === "ticket_used") return used();
      if (code === "ticket_expired") return expired();
      return failed({ title: "This server refused it", says: [message], details: [["Code", code]], steps: [], error: code, step: null });
    }
    failed({
      title: "The server did not answer",
      says: [`What Facebook gave is of no more use by now. Start again from ${host()}.`],
      details: [],
      steps: [],
      error: "no_answer",
      step: null,
    });
  }

  // Looks until there is an end, and says how it goes.
  async function follow() {
    const until = Date.now() + PATIENCE_MS;
    while (Date.now() < until) {
      let got = null;
      try {
        got = await post("status", { ticket: signup.ticket });
      } catch {
        // The next look may succeed.
      }
      if (got && got.is_ok && progress(got.answer)) return;
      if (got && !got.is_ok && got.answer.error.code.startsWith("ticket_")) return used();
      await rest(POLL_MS);
    }
    failed({
      title: "It takes longer than it should",
      says: [`You can close this window; ${host()} shows how it goes on.`],
      details: [],
      steps: [],
      error: "slow",
      step: null,
    });
  }

  let drawn = "";

  // Draws how it stands; true at the end.
  function progress(status) {
    const { state, steps, failure } = status;
    // What did not change is not drawn, nor read out, once more.
    const now = JSON.stringify(status);
    if (now === drawn) return false;
    drawn = now;
    if (state === "connected") {
      done(status);
      return true;
    }
    if (state === "working") {
      const doing = phases(steps).find((phase) => phase.state === "working");
      const is_first = !doing || doing.label === PHASES[0][0];
      show(is_first ? "exchanging" : "subscribing", {
        mark: "busy",
        title: doing ? doing.doing : PHASES[0][1],
        says: ["Leave this window open for a moment."],
        steps,
      });
      return false;
    }
    const title = steps.find((step) => step.name === failure.step)?.title || failure.step;
    if (state === "asking") {
      tell(false, "asking", failure.step);
      show("asking", {
        mark: "hint",
        title: "One thing is left to choose",
        says: [`Facebook gave its permission. Go on at ${host()}: ${failure.detail}.`],
        steps,
        actions: [close("Close this window")],
      });
      return true;
    }
    failed({
      title: "It did not work",
      says: [`It stopped at this step: ${title}.`],
      details: [
        ["What to do", `${failure.fix}.`],
        ["What happened", failure.detail],
        ["Code", failure.code],
        ["Facebook’s request", failure.request_id],
      ],
      steps,
      error: failure.code,
      step: failure.step,
    });
    return true;
  }

  // ---- Facebook's full page came back

  function come_back(params) {
    const code = params.get("code");
    if (!code) {
      if (params.has("error") || params.has("error_code") || params.has("error_message")) return refused(params);
      return location.replace(`start?t=${encodeURIComponent(signup.ticket)}`);
    }
    const go_on = () => exchange({ code, redirect_uri: signup.callback });
    if (remembers()) return go_on();
    // Somebody may have been led here from elsewhere: without a look at the names above nothing is connected.
    show("confirm", {
      mark: "person",
      title: "Connect your number?",
      says: [`Facebook gave its permission. Go on if you mean to connect your number on behalf of ${host()}.`],
      actions: [button("Connect", go_on, "main"), close("Cancel")],
    });
  }

  // ---- From here on

  function begin() {
    const params = new URLSearchParams(location.search);
    if (known.place === "callback") {
      // A code leaves the address at once, and with it the history, whatever comes of it.
      history.replaceState(null, "", `callback?state=${encodeURIComponent(params.get("state") || "")}`);
    }
    if (known.beginning === "expired") return expired();
    if (known.beginning === "unset") return unset();
    if (known.beginning === "used") return used_or_at_work();
    if (location.origin !== known.home) return wrong_address();
    window.addEventListener("message", heard);
    if (known.place === "callback") return come_back(params);
    return load();
  }

  // Loaded again while its steps are taken, the page goes on telling of them.
  async function used_or_at_work() {
    let got = null;
    try {
      got = await post("status", { ticket: signup.ticket });
    } catch {
      // It is told as what it is.
    }
    if (!got || !got.is_ok) return used();
    return progress(got.answer) || follow();
  }

  begin();
})();
