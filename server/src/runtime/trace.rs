//! Where diagnostics go: standard error, one line an event, level by `RUST_LOG` (default `info`).
//!
//! Not here: what is traced.

use tracing_subscriber::EnvFilter;

/// Starts tracing for this process. Calling it twice changes nothing. An event that standard error
/// does not take is lost, and nothing is said of it: there is no other place to say it.
pub fn start_tracing() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}
