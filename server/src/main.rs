//! The `ringkeeper` program: its command line, and nothing else.
//!
//! Not here: what the commands do (`ringkeeper::runtime`).

#![deny(clippy::print_stdout, clippy::print_stderr)] // runtime/screen.rs

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper::config::{self, JvmFlag};
use ringkeeper::runtime::{self, QuickstartOptions};

const EXAMPLES: &str = "\
Examples:
  ringkeeper quickstart                        three servers on this machine, ready for clients
  ringkeeper quickstart --bench 10             how many writes a second this machine makes
  ringkeeper serve /etc/zookeeper/zoo.cfg      one server, as an existing zoo.cfg says
  ringkeeper serve --check zoo.cfg             what of it is refused, or not acted on
  ringkeeper serve -D jute.maxbuffer=4194304 -D zookeeper.snapCount=500000 zoo.cfg
  ringkeeper serve -D ringkeeper.proof=true zoo.cfg
                                               an observer that compares its tree with that of a
                                               ZooKeeper ensemble, txn by txn; ask it with `proof`

A zoo.cfg, myid, ports, clients and four-letter words of ZooKeeper work as they are. Data lies in
dataDir/ringkeeper. Where there is none, and ZooKeeper's in dataDir/version-2, the first start brings
that in and leaves it as it is; `ringkeeper-tools import` and `export` do so by hand.
Diagnostics go to standard error; RUST_LOG=debug says more, RUST_LOG=warn less.
Exit codes are ZooKeeper's: 0 stopped, 1 failed, 2 bad arguments or configuration, 3 data directory.";

/// ZooKeeper, server and ensemble, without the JVM.
#[derive(Parser)]
#[command(name = "ringkeeper", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one server in the foreground.
    Serve {
        /// Set what a JVM flag -DKEY=VALUE would; the file goes before it.
        #[arg(short = 'D', value_name = "KEY=VALUE")]
        flags: Vec<JvmFlag>,
        /// Say what of the configuration is refused or not acted on, and end without serving.
        #[arg(long)]
        check: bool,
        /// A ZooKeeper configuration file.
        #[arg(value_name = "ZOO.CFG")]
        config: PathBuf,
    },
    /// Run a whole ensemble on this machine until Ctrl-C.
    Quickstart {
        /// How many servers; one is standalone.
        #[arg(long, default_value_t = 3)]
        servers: u16,
        /// Client port of the first server; the next ones follow.
        #[arg(long, default_value_t = 2181)]
        port: u16,
        /// Where data and traces go, kept for the next time [default: in /var/tmp].
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Write for so many seconds, print writes/s and latencies, and end.
        #[arg(long, value_name = "SECONDS")]
        bench: Option<u64>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { flags, check, config } => {
            serve(&config.display().to_string(), &flags, check)
        }
        Command::Quickstart { servers, port, data, bench } => {
            let options = QuickstartOptions { servers, port, data, bench_seconds: bench };
            runtime::quickstart(&options)
        }
    }
}

fn serve(file: &str, flags: &[JvmFlag], only_check: bool) -> ExitCode {
    runtime::start_tracing();
    match config::load(file, flags, &mut read) {
        Ok(config) => {
            config.warnings.iter().for_each(runtime::complain);
            if only_check { ExitCode::SUCCESS } else { runtime::serve(config) }
        }
        Err(faults) => {
            faults.iter().for_each(runtime::complain);
            runtime::complain(config::LAST_WORDS);
            ExitCode::from(config::EXIT_CODE)
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the configuration is read before there is a runtime"
)]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}
