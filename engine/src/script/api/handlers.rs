//! The functions that events call: a rule defines the ones that it needs. Calls nothing itself.

use super::{Api, api};

pub(super) fn register(api: &mut Api<'_>) {
    api.chapter(
        "Functions that events call",
        "A rule defines the ones that it needs. \
         Functions of any other name, `f(chat)` or `f(chat, args)`, are called by follow-ups that name them, and `f(location)` by schedules; other names that begin with `on_` are refused, so that a typing mistake is noticed. \
         All enabled rules of a location run in their order; `stop()` ends that.",
    );
    api! { api;
        /// The customer wrote, tapped a button, picked from a list, sent a file, a place, business cards,
        /// an order or a form.
        ///
        /// It is not called while a person holds the chat, unless the rule says `even_when_held();`.
        ///
        /// ```rhai
        /// fn on_message(chat, message) {
        ///     if message.mentions("price") { chat.reply("Prices start at €120,000."); }
        /// }
        /// ```
        on "on_message(chat: chat, message: message)";

        /// The customer's first message ever, or the first after a long time.
        ///
        /// How long that is the location's admin sets as `vars.idle`; 30 days unless set. Imported history
        /// counts. It is called just before `on_message` of the same rule, in the same run: they share
        /// `chat.state`, and if one of them fails, neither has any effect. `stop()` skips `on_message` too.
        ///
        /// ```rhai
        /// fn on_start(chat, message) { chat.reply("Welcome!"); }
        /// ```
        on "on_start(chat: chat, message: message)";

        /// A person of the business wrote, from the phone app or through the API.
        ///
        /// That person holds the chat from then on, so what this function sends is dropped unless it
        /// releases the chat first, or the rule says `even_when_held();`.
        ///
        /// ```rhai
        /// fn on_echo(chat, message) {
        ///     if message.text == "/bot" { chat.release(); }
        /// }
        /// ```
        on "on_echo(chat: chat, message: message)";

        /// The customer reacted to a message with an emoji, or took the reaction back.
        ///
        /// A reaction does not open the service window.
        ///
        /// ```rhai
        /// fn on_reaction(chat, reaction) {
        ///     if reaction.emoji == "👍" { chat.contact.tag("likes us"); }
        /// }
        /// ```
        on "on_reaction(chat: chat, reaction: reaction)";

        /// The customer changed an earlier message: `message.id` is its id, the rest is as it says now.
        ///
        /// It does not open the service window.
        ///
        /// ```rhai
        /// fn on_edit(chat, message) {
        ///     if chat.state.order_in == message.id { chat.state.order = message.text; }
        /// }
        /// ```
        on "on_edit(chat: chat, message: message)";

        /// The customer deleted an earlier message for everyone; nothing of it is left but its id.
        ///
        /// It does not open the service window.
        ///
        /// ```rhai
        /// fn on_revoke(chat, message) {
        ///     if chat.state.order_in == message.id { chat.state.remove("order"); }
        /// }
        /// ```
        on "on_revoke(chat: chat, message: withdrawn)";

        /// The service window is about to close, and nobody has answered the customer's last message.
        ///
        /// How long before the end the location's admin sets as `vars.window_warning`; one hour unless set.
        /// Any message that was sent since, by a rule or a person, is an answer. In quiet hours it comes
        /// before they begin.
        ///
        /// ```rhai
        /// fn on_window_closing(chat) {
        ///     chat.reply("We have not forgotten you: an answer comes tomorrow.");
        /// }
        /// ```
        on "on_window_closing(chat: chat)";

        /// A message that this rule sent got further, or failed.
        ///
        /// It is called while a person holds the chat too; what it sends then is dropped, unless the
        /// rule says `even_when_held();`.
        ///
        /// ```rhai
        /// fn on_status(chat, status) {
        ///     if status.failure?.kind == "unreachable" { chat.contact.tag("wrong number"); }
        /// }
        /// ```
        on "on_status(chat: chat, status: status)";

        /// A program that the rule has called by `chat.request`, naming no function, answered or did not.
        ///
        /// While somebody else holds the chat it waits for the release, unless the rule says
        /// `even_when_held();`.
        ///
        /// ```rhai
        /// fn on_message(chat, message) {
        ///     chat.request("crm", #{ phone: chat.contact.phone });
        /// }
        ///
        /// fn on_response(chat, response) {
        ///     if response.ok { chat.reply(`Welcome back, ${response.body.name}!`); }
        /// }
        /// ```
        on "on_response(chat: chat, response: response)";
    }
}
