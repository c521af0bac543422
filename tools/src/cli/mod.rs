//! `ringkeeper-tools cli`: what zkCli.sh does, word for word where a script could tell.
//!
//! With a command it runs that and ends with its exit code: 0 done, 1 refused, 127 no such
//! command. Without one it reads lines, with history and completion of paths.
//!
//! - `arguments`: `-server h:p -timeout ms …`, in zkCli's own form.
//! - `line`: a line taken apart into words.
//! - `options`: the options of one command.
//! - `command`: the commands.
//! - `answer`: what they print, as text or as JSON.
//! - `shell`: the interactive loop.
//!
//! Not here: the protocol (`crate::client`).

mod acl;
mod answer;
mod arguments;
mod command;
mod hexdump;
mod line;
mod options;
mod shell;
mod usage;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::client::{Client, ClientOptions, Event};

use answer::Answer;
pub use arguments::CliArguments;
use command::CliError;

/// Prints one event; the shell's goes around the line being edited.
type Print = Box<dyn FnMut(String) + Send>;

/// Runs one command, or a shell. The exit code is zkCli's.
pub fn run(arguments: &CliArguments) -> u8 {
    let prints_watches = Arc::new(AtomicBool::new(!arguments.json));
    if !arguments.json {
        say(format_args!("Connecting to {}", arguments.server));
    }
    match &arguments.command {
        Some(words) => run_one(arguments, words, prints_watches),
        None => shell::run(arguments, prints_watches),
    }
}

fn run_one(arguments: &CliArguments, words: &[String], prints_watches: Arc<AtomicBool>) -> u8 {
    // A name that is no command needs no server.
    if let Err(error) = command::check_name(words) {
        return report(&error, arguments.json);
    }
    let print: Print = Box::new(|text| say(format_args!("{text}")));
    let client = match connect(arguments, prints_watches, print) {
        Ok(client) => client,
        Err(error) => return report(&error, arguments.json),
    };
    let outcome = command::run(&client, words);
    let code = match outcome {
        Ok(answer) => {
            show(&answer, arguments.json);
            0
        }
        Err(error) => report(&error, arguments.json),
    };
    client.close();
    code
}

/// Waits for the session, so that what its opening prints comes before the answer.
fn connect(
    arguments: &CliArguments,
    prints_watches: Arc<AtomicBool>,
    mut print: Print,
) -> Result<Client, CliError> {
    let options = ClientOptions {
        servers: arguments.server.clone(),
        session_timeout_ms: arguments.timeout_ms,
        read_only: arguments.read_only,
    };
    let print = std::sync::Mutex::new(move |event: Event| {
        print(format!("\nWATCHER::\n\n{event}"));
    });
    let on_event = move |event: Event| {
        if prints_watches.load(Ordering::Relaxed)
            && let Ok(mut print) = print.lock()
        {
            print(event);
        }
    };
    Client::connect(&options, on_event).map_err(CliError::from)
}

fn show(answer: &Answer, json: bool) {
    let text = if json { format!("{}\n", answer.json()) } else { answer.text() };
    write(&text);
    if !json && let Some(remark) = answer.remark() {
        eprintln!("{remark}");
    }
}

/// One line on standard output.
fn say(line: std::fmt::Arguments<'_>) {
    write(&format!("{line}\n"));
}

/// A reader that has gone away, as `head` does, is no failure of the command.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn report(error: &CliError, json: bool) -> u8 {
    if json {
        eprintln!("{}", error.json());
    } else {
        eprintln!("{error}");
    }
    error.exit_code()
}
