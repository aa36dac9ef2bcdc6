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
    }
}
