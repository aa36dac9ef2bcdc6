//! The program `rejoinder`. Knows nothing: the command line lives in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    rejoinder_server::cli::main().await
}
