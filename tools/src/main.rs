//! The `ringkeeper-tools` program: its command line, and nothing else.
//!
//! Not here: what the commands do (the library).

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper_tools::cli::{self, CliArguments};

/// ZooKeeper's bad invocation.
const BAD_INVOCATION: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  ringkeeper-tools cli -server 127.0.0.1:2181             a shell, as zkCli.sh
  ringkeeper-tools cli -server 127.0.0.1:2181 ls -R /     one command
  ringkeeper-tools cli --json -server zk1,zk2 get -s /a   for a script";

/// Looks at servers, logs and snapshots from outside.
#[derive(Parser)]
#[command(name = "ringkeeper-tools", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Talk to a server as a client: [-server H:P[,H:P][/chroot]] [-timeout MS] [-r] [--json] [COMMAND].
    #[command(disable_help_flag = true)]
    Cli {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Cli { arguments } => match CliArguments::parse(&arguments) {
            Ok(arguments) => ExitCode::from(cli::run(&arguments)),
            Err(trouble) => {
                eprintln!("{trouble}");
                ExitCode::from(BAD_INVOCATION)
            }
        },
    }
}
