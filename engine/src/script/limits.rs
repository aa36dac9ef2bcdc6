//! What a script may use up, each limit with its reason. Together they bound time and memory of a
//! run before the deadline, which is a second line only: it depends on how busy the machine is.

use std::time::Duration;

use rhai::Engine;

/// Longest script, in bytes. Parsing has no hook of its own, so that its input must be bounded.
pub(super) const SOURCE_BYTES: usize = 64 * 1024;
/// Most cases of all `switch` together; parsing them takes time by their square.
pub(super) const SWITCH_CASES: usize = 1_000;
/// Most operations of a run: some 10 to 20 ms of a thread, a hundred times what rules need.
pub(super) const OPERATIONS: u64 = 50_000;
/// Most operations of a test; what the rules under test take is not counted.
pub(super) const TEST_OPERATIONS: u64 = 500_000;
/// Rhai's own limits lie above ours by this factor. Its errors about them lose their place in the
/// script, so ours, which are looked at whenever a variable is used, come first where they can.
const HARD: usize = 2;
/// Deepest nesting of calls; a recursion must end before the thread's stack does.
pub(super) const CALL_DEPTH: usize = 24;
/// Deepest nesting of expressions at the top level and in functions, for the same reason.
const EXPRESSION_DEPTH: usize = 48;
/// Most functions of a script.
const FUNCTIONS: usize = 128;
/// Most variables alive in one function; memory is bounded by variables × size of a value.
pub(super) const VARIABLES: usize = 64;
/// How many more Rhai lets pass, for the reason of `HARD`.
const SPARE_VARIABLES: usize = 8;
/// Longest text, in bytes, and all texts within one value together: sixteen WhatsApp messages.
pub(super) const TEXT_BYTES: usize = 64 * 1024;
/// Most items of an array, those of the arrays within included.
pub(super) const ARRAY_ITEMS: usize = 2_000;
/// Most entries of a map, those of the maps within included.
pub(super) const MAP_ENTRIES: usize = 1_000;
/// Deepest nesting of a value: what walks a value recursively must fit the thread's stack.
pub(super) const VALUE_DEPTH: usize = 32;
/// Most that a rule keeps per chat, in bytes of JSON.
pub(super) const STATE_BYTES: usize = 64 * 1024;
/// Most that travels with a timer, in bytes of JSON.
pub(super) const ARGS_BYTES: usize = 8 * 1024;
/// Most that a request sends, in bytes of JSON: as much as a rule may keep.
pub(super) const REQUEST_BYTES: usize = 64 * 1024;
/// Most requests of a run: each costs a connection, and a rule that wants more is a loop gone wrong.
pub(super) const REQUESTS: usize = 5;
/// Most rounds through the chats that a run begins; each may visit every chat of the location.
pub(super) const FANOUTS: usize = 5;
/// Most tags that a filter of chats names; it travels with every visit.
pub(super) const FILTER_TAGS: usize = 20;
/// Longest name of a person who takes over, in characters.
pub(super) const ASSIGNEE_CHARS: usize = 200;
/// Most effects of a run; a rule that wants more is a loop gone wrong.
pub(super) const EFFECTS: usize = 100;
/// Most lines of a trace; further lines are dropped, the last one says so.
pub(super) const TRACE_LINES: usize = 100;
/// Longest line of a trace, in characters.
pub(super) const TRACE_LINE_CHARS: usize = 1_000;
/// Most lines that `chat.history` gives.
pub(super) const HISTORY_LINES: usize = 50;
/// Longest regular expression, in bytes.
pub(super) const REGEX_BYTES: usize = 1_000;
/// Most memory of a compiled regular expression, in bytes; `\w{1000}` would want megabytes.
pub(super) const REGEX_SIZE: usize = 1024 * 1024;
/// Most compiled regular expressions kept at hand for all scripts together.
pub(super) const REGEX_CACHE: usize = 256;
/// Longest format of a time, in bytes.
pub(super) const TIME_FORMAT_BYTES: usize = 200;
/// When a run is given up; far above what `OPERATIONS` take on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// How many operations pass between two looks at the clock.
pub(super) const DEADLINE_EVERY: u64 = 256;

/// Sets every limit of the language, for a script that may take so many operations. Rhai's defaults differ between debug and release builds.
pub(super) fn apply(engine: &mut Engine, operations: u64) {
    engine
        .set_max_operations(operations + operations / 10)
        .set_max_call_levels(CALL_DEPTH + 1)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .set_max_functions(FUNCTIONS)
        .set_max_variables(VARIABLES + SPARE_VARIABLES)
        .set_max_modules(0)
        .set_max_string_size(HARD * TEXT_BYTES)
        .set_max_array_size(HARD * ARRAY_ITEMS)
        .set_max_map_size(HARD * MAP_ENTRIES);
}
