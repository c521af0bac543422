//! SIGTERM and SIGINT: the server stops taking work, ends what is under way, and exits 0.
//!
//! Not here: the stopping itself (`core`).

use std::thread::Builder;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::background::{Answer, Done};

/// Tells the core about each signal. A second signal while it drains ends the process at once.
pub(super) fn watch(core: Answer) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    Builder::new().name("signals".into()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                tracing::warn!(signal, "second signal: stopping at once");
                std::process::exit(1);
            }
            core.say(Done::Stop);
        }
    })?;
    Ok(())
}
