// Facebook's JavaScript SDK as far as a sign-up needs it: a window of this simulator's own opens, and what it
// comes to is answered.
(() => {
  "use strict";
  const base = new URL(document.currentScript.src).origin;
  let app = null;

  function must(is_so, what) {
    if (!is_so) throw new Error(`FB.login: ${what}`);
  }

  window.FB = {
    init(options) {
      app = options;
    },
    login(callback, options) {
      must(app && app.appId && app.version, "FB.init was not called with an appId and a version");
      must(options.config_id, "config_id is missing");
      must(options.response_type === "code" && options.override_default_response_type === true, "no code is asked for");
      must(options.extras.sessionInfoVersion === "3", "sessionInfoVersion is not \"3\"");
      const query = new URLSearchParams({
        client_id: app.appId,
        config_id: options.config_id,
        response_type: options.response_type,
        override_default_response_type: "true",
        extras: JSON.stringify(options.extras),
        display: "popup",
        origin: location.origin,
      });
      const popup = window.open(`${base}/${app.version}/dialog/oauth?${query}`, "_blank", "width=500,height=600");
      let is_answered = false;
      const answer = (response) => {
        if (is_answered) return;
        is_answered = true;
        removeEventListener("message", hear);
        callback(response);
      };
      function hear(event) {
        if (event.origin === base && event.data && event.data.login) answer(event.data.login);
      }
      addEventListener("message", hear);
      const watch = setInterval(() => {
        if (is_answered) return clearInterval(watch);
        if (!popup || popup.closed) {
          clearInterval(watch);
          answer({ authResponse: null, status: "unknown" });
        }
      }, 100);
    },
  };
})();
