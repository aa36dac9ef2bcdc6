// The window of a sign-up: does what the test said that it comes to.
(() => {
  "use strict";
  const plan = JSON.parse(document.body.dataset.plan);
  const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  async function play() {
    for (const { to, data } of plan.messages) {
      window.opener?.postMessage(data, to);
      await rest(50);
    }
    if (plan.next) location.replace(plan.next);
    else if (plan.closes) window.close();
  }

  if (plan.waits) document.querySelector("button").addEventListener("click", play);
  else play();
})();
