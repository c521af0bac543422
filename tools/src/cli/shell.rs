//! The interactive loop: a prompt, a history, completion of commands and paths.
//!
//! Not here: the commands that need no more than a session (`command`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, ExternalPrinter, Helper};

use super::arguments::CliArguments;
use super::command::{self, CliError};
use super::{Print, connect, line, report, say, show, usage};
use crate::client::{Client, State};

/// The lines `history` looks back on.
const HISTORY_SHOWN: usize = 10;

type LineEditor = Editor<Completion, DefaultHistory>;

struct Shell {
    arguments: CliArguments,
    prints_watches: Arc<AtomicBool>,
    client: Option<Arc<Client>>,
    lines: Vec<String>,
    exit_code: u8,
}

/// What the loop does after a line.
#[derive(PartialEq, Eq)]
enum Next {
    Line,
    Quit,
}

pub(super) fn run(arguments: &CliArguments, prints_watches: Arc<AtomicBool>) -> u8 {
    say(format_args!("Welcome to ZooKeeper!"));
    let mut shell = Shell {
        arguments: arguments.clone(),
        prints_watches,
        client: None,
        lines: Vec::new(),
        exit_code: 0,
    };
    let mut editor: LineEditor = match Editor::new() {
        Ok(editor) => editor,
        Err(error) => return report(&CliError::Malformed(error.to_string()), false),
    };
    shell.connect(&mut editor);
    loop {
        match editor.readline(&shell.prompt()) {
            Ok(text) if text.trim().is_empty() => {}
            Ok(text) => {
                // A line that cannot be kept in the history is run all the same.
                let _ = editor.add_history_entry(&text);
                shell.lines.push(text.clone());
                if shell.execute(&text, &mut editor) == Next::Quit {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(_) => break,
        }
    }
    shell.disconnect(&mut editor);
    shell.exit_code
}

impl Shell {
    fn prompt(&self) -> String {
        let state = self.client.as_ref().map_or(State::Closed, |client| client.state());
        format!("[zk: {}({}) {}] ", self.arguments.server, state.name(), self.lines.len())
    }

    fn connect(&mut self, editor: &mut LineEditor) {
        self.disconnect(editor);
        let print: Print = match editor.create_external_printer() {
            Ok(mut printer) => Box::new(move |text| {
                // A terminal that has gone away shows nothing more.
                let _ = printer.print(format!("{text}\n"));
            }),
            Err(_) => Box::new(|text| say(format_args!("{text}"))),
        };
        match connect(&self.arguments, Arc::clone(&self.prints_watches), print) {
            Ok(client) => {
                let client = Arc::new(client);
                editor.set_helper(Some(Completion(Arc::clone(&client))));
                self.client = Some(client);
            }
            Err(error) => self.exit_code = report(&error, self.arguments.json),
        }
    }

    fn disconnect(&mut self, editor: &mut LineEditor) {
        editor.set_helper(None);
        if let Some(client) = self.client.take().and_then(Arc::into_inner) {
            client.close();
        }
    }

    fn execute(&mut self, text: &str, editor: &mut LineEditor) -> Next {
        let words = line::words(text);
        let own = words.first().map_or("", String::as_str);
        let operand = words.get(1).map(String::as_str);
        // Compat: leaving keeps the exit code of the command before (`ZooKeeperMain`, 3.9.5).
        if matches!(own, "quit" | "exit") {
            return Next::Quit;
        }
        self.exit_code = 0;
        match own {
            "close" => self.disconnect(editor),
            "connect" => match operand.map_or(Ok(self.arguments.server.clone()), str::parse) {
                Ok(server) => {
                    self.arguments.server = server;
                    self.connect(editor);
                }
                Err(error) => self.fail(&error.to_string()),
            },
            "history" => {
                let first = self.lines.len().saturating_sub(HISTORY_SHOWN + 1);
                let numbered = self.lines.iter().enumerate().skip(first);
                numbered.for_each(|(number, line)| say(format_args!("{number} - {line}")));
            }
            "printwatches" => match operand {
                None => {
                    let on = self.prints_watches.load(Ordering::Relaxed);
                    say(format_args!("printwatches is {}", if on { "on" } else { "off" }));
                }
                Some(word) => self.prints_watches.store(word == "on", Ordering::Relaxed),
            },
            "redo" => return self.redo(operand, editor),
            _ => self.ask(&words),
        }
        Next::Line
    }

    fn ask(&mut self, words: &[String]) {
        let Some(client) = &self.client else {
            say(format_args!("Not connected"));
            return;
        };
        match command::run(client, words) {
            Ok(answer) => show(&answer, self.arguments.json),
            Err(error) => self.exit_code = report(&error, self.arguments.json),
        }
    }

    /// Runs a line of the history again.
    fn redo(&mut self, number: Option<&str>, editor: &mut LineEditor) -> Next {
        // The line itself is the last one, and may not be redone.
        let earlier = self.lines.len() - 1;
        let index = number.and_then(|text| text.parse::<usize>().ok());
        let Some(index) = index.filter(|&index| index < earlier) else {
            self.fail("Command index out of range");
            return Next::Line;
        };
        let text = self.lines[index].clone();
        if text.trim_start().starts_with("redo") {
            self.fail("No redoing redos");
            return Next::Line;
        }
        self.lines[earlier].clone_from(&text);
        self.execute(&text, editor)
    }

    fn fail(&mut self, text: &str) {
        self.exit_code = report(&CliError::Malformed(text.to_owned()), self.arguments.json);
    }
}

/// Completes commands at a line's head, and paths behind it.
struct Completion(Arc<Client>);

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let line = &line[..position];
        let start = line.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let word = &line[start..];
        if line[..start].trim().is_empty() {
            let names = usage::COMMANDS.iter().map(|usage| usage.name);
            return Ok((start, names.filter(|n| n.starts_with(word)).map(str::to_owned).collect()));
        }
        let Some(slash) = word.rfind('/').filter(|_| word.starts_with('/')) else {
            return Ok((start, Vec::new()));
        };
        let parent = if slash == 0 { "/" } else { &word[..slash] };
        // A parent that is not there has nothing to offer, and no message to disturb the line.
        let (mut names, _) = self.0.children(parent, false).unwrap_or_default();
        names.retain(|name| name.starts_with(&word[slash + 1..]));
        names.sort_unstable();
        Ok((start + slash + 1, names))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}
