//! The demo: a server with a simulated provider and customers.

/// Runs the demo until it is stopped.
///
/// # Errors
/// It could not be set up.
pub async fn run() -> anyhow::Result<()> {
    anyhow::bail!("the demo is not part of this version; `rejoinder serve` starts a server")
}
