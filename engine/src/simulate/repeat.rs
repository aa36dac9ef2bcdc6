//! A thread on which everything repeats: ids are counted, and with them what rules leave to chance.
//! Knows nothing of what lives there.

use crate::domain::ids::CountedIds;

/// Stack of a thread with a world: the language of tests, the engine and the language of rules lie on it.
pub(super) const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Lets `live` do its work on a thread of its own, where it comes out the same each time, and waits for it.
///
/// # Errors
/// There was no thread to be had, or the work broke off.
pub fn on_own_thread<T, L>(live: L) -> Result<T, String>
where
    T: Send + 'static,
    L: AsyncFnOnce() -> T + Send + 'static,
{
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| format!("a thread for the simulated world is missing: {error}"))?;
        let _ids = CountedIds::begin();
        Ok(runtime.block_on(live()))
    };
    let thread = std::thread::Builder::new()
        .name("simulation".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(work)
        .map_err(|error| format!("a thread for the simulated world is missing: {error}"))?;
    let broken = |_| Err("the simulation broke off; please report it".to_owned());
    thread.join().unwrap_or_else(broken)
}
