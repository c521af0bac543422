//! The `ringkeeper-tools` program: its command line, and nothing else.
//!
//! Not here: what the commands do (the library).

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use ringkeeper::config::JvmFlag;
use ringkeeper_engine::zxid::Zxid;
use ringkeeper_tools::cli::{self, CliArguments};
use ringkeeper_tools::version2::{self, ExportOptions, ImportOptions, PlaceOptions};
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
  ringkeeper-tools snapshot dump -d SNAPSHOT              what a snapshot holds
  ringkeeper-tools import --check zoo.cfg                 could a version-2 be brought in
  ringkeeper-tools export --replace zoo.cfg               back to Apache ZooKeeper";

const IMPORT_HELP: &str = "\
Brings dataDir/version-2 in as dataDir/ringkeeper, as the first `ringkeeper serve` does, and leaves
it as it is. Everything is read and checked before anything is written. What is damaged is refused,
with file, offset, what is wrong and what can be done. No server may run in the directory.";

const EXPORT_HELP: &str = "\
Writes a version-2 from which Apache ZooKeeper starts: the newest verified snapshot, the txns after
it, and both epochs. Stop the server first; its lock is asked for.

A version-2 that this server was once imported from must not be started again. Its txns and its
promises are those of that day. A Java server started from it forgets which epochs this server has
promised since and what it has acknowledged: two such servers of three can elect each other and
begin a reign without txns that clients were told are safe. So an old version-2 is refused as a
target; --replace renames it to version-2.1 (2, 3, ...) and puts the new one in its place. Nothing
is deleted. After Apache ZooKeeper has run there, `ringkeeper serve` refuses dataDir/ringkeeper for
the same reason, until it is moved aside or `ringkeeper-tools import --replace` has done so.";

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
    /// Bring in the data of Apache ZooKeeper, while no server runs.
    #[command(after_help = IMPORT_HELP)]
    Import {
        #[command(flatten)]
        place: Place,
        /// Read and check everything, write nothing.
        #[arg(long)]
        check: bool,
        /// Rename a dataDir/ringkeeper that is there.
        #[arg(long)]
        replace: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Write the data for Apache ZooKeeper, while no server runs.
    #[command(after_help = EXPORT_HELP)]
    Export {
        #[command(flatten)]
        place: Place,
        /// Write TO/version-2 and TO/myid instead of the version-2 beside.
        #[arg(long)]
        to: Option<PathBuf>,
        /// Rename a version-2 that is there.
        #[arg(long)]
        replace: bool,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Place {
    /// A zoo.cfg, or the dataDir of one.
    #[arg(value_name = "ZOO.CFG|DATADIR")]
    place: PathBuf,
    /// With a DATADIR: the dataLogDir, if that is another.
    #[arg(long, value_name = "DIR")]
    data_log_dir: Option<PathBuf>,
    /// What would be a JVM flag -DKEY=VALUE: snapshot.trust.empty=true, digest.enabled=false.
    #[arg(short = 'D', value_name = "KEY=VALUE")]
    flags: Vec<JvmFlag>,
}

impl From<Place> for PlaceOptions {
    fn from(Place { place, data_log_dir, flags }: Place) -> Self {
        Self { place, data_log_dir, flags }
    }
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
        Command::Import { place, check, replace, json } => {
            let options = ImportOptions { place: place.into(), check, replace, json };
            let outcome = version2::import(&options, &mut io::stdout().lock());
            end(outcome.map_err(|error| error.to_string()).map(|()| true))
        }
        Command::Export { place, to, replace, json } => {
            let options = ExportOptions { place: place.into(), to, replace };
            let outcome = version2::export(&options).map_err(|error| error.to_string());
            let print = |exported: version2::Exported| {
                exported.print(json, &mut io::stdout().lock()).map_err(|error| error.to_string())
            };
            end(outcome.and_then(print).map(|()| true))
        }
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
