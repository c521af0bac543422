//! The `ringkeeper-tools` program: its command line, and nothing else.
//!
//! Not here: what the commands do (the library).

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper_engine::zxid::Zxid;
use ringkeeper_tools::cli::{self, CliArguments};
use ringkeeper_tools::{log, snapshot};

/// ZooKeeper's bad invocation.
const BAD_INVOCATION: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  ringkeeper-tools cli -server 127.0.0.1:2181             a shell, as zkCli.sh
  ringkeeper-tools cli -server 127.0.0.1:2181 ls -R /     one command
  ringkeeper-tools cli --json -server zk1,zk2 get -s /a   for a script
  ringkeeper-tools log dump --path /a DATADIR             who changed /a, and when
  ringkeeper-tools log verify DATADIR                     is the log whole
  ringkeeper-tools snapshot dump -d SNAPSHOT              what a snapshot holds";

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
    /// Read a server's log; the server may run, and nothing is changed.
    #[command(subcommand)]
    Log(LogCommand),
    /// Read a snapshot, of ZooKeeper's or of Ringkeeper's.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
}

#[derive(Subcommand)]
enum LogCommand {
    /// Print the txns in order, as zkTxnLogToolkit does.
    Dump {
        /// The dataDir of a zoo.cfg.
        data_dir: PathBuf,
        /// Only txns that touch this path or one below it.
        #[arg(long)]
        path: Option<String>,
        /// Only txns after this zxid, in hex as it is printed.
        #[arg(long, value_parser = zxid)]
        after: Option<Zxid>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Check every checksum and every record. Exit code 1 where something is damaged.
    Verify {
        /// The dataDir of a zoo.cfg.
        data_dir: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum SnapshotCommand {
    /// Check a snapshot and print what it holds, as zkSnapShotToolkit does.
    Dump {
        /// A file snapshot.ZXID, perhaps with .gz or .snappy.
        file: PathBuf,
        /// Each znode's data in base64, not only its length.
        #[arg(short = 'd')]
        data: bool,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

fn zxid(text: &str) -> Result<Zxid, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let zxid = i64::from_str_radix(digits, 16);
    zxid.map(Zxid).map_err(|_| "a zxid is written like 0x100000002".to_owned())
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
        Command::Log(command) => end(run_log(&command)),
        Command::Snapshot(SnapshotCommand::Dump { file, data, json }) => {
            let mut out = BufWriter::new(io::stdout().lock());
            let options = snapshot::DumpOptions { data, json };
            let outcome = snapshot::dump(&file, options, &mut out);
            end(outcome.map_err(|error| format!("{}: {error}", file.display())).map(|()| true))
        }
    }
}

/// Whether all is well with what was looked at.
fn run_log(command: &LogCommand) -> Result<bool, String> {
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome = match command {
        LogCommand::Dump { data_dir, path, after, json } => {
            let options = log::DumpOptions { json: *json, after: *after, path: path.clone() };
            log::dump(data_dir, &options, &mut out).map(|()| true)
        }
        LogCommand::Verify { data_dir, json } => log::verify(data_dir, *json, &mut out),
    };
    outcome.map_err(|error| error.to_string())
}

fn end(outcome: Result<bool, String>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}
