//! The commands: words in, an answer or a refusal out.
//!
//! Not here: the shell's own (`history`, `redo`, `connect` ...), which need its state.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ringkeeper::admin::VERSION;
use ringkeeper::wire::ErrorCode;
use serde_json::{Value, json};

use super::acl;
use super::answer::{Answer, DataForm};
use super::options::Options;
use super::usage::{self, Usage};
use crate::client::{Client, ClientError, CreateMode, WatchKind, WatchMode};

/// Why a command did nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CliError {
    /// No such command: the usage of all, and exit code 127.
    NotFound(String),
    /// The words do not make sense.
    Malformed(String),
    Client(ClientError),
}

impl CliError {
    pub(super) fn exit_code(&self) -> u8 {
        if matches!(self, Self::NotFound(_)) { 127 } else { 1 }
    }

    pub(super) fn json(&self) -> Value {
        let (code, message) = match self {
            Self::Client(error) => (error.code().map(ErrorCode::code), self.to_string()),
            Self::NotFound(name) => (None, format!("Command not found: {name}")),
            Self::Malformed(text) => (None, text.clone()),
        };
        json!({ "error": message, "code": code })
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(name) => {
                write!(f, "{}Command not found: Command not found {name}", usage::all())
            }
            Self::Malformed(text) => f.write_str(text),
            Self::Client(ClientError::Refused { code, path: Some(path) }) => match refusal(*code) {
                Some(text) => write!(f, "{text}{path}"),
                None => {
                    write!(f, "{}", ClientError::Refused { code: *code, path: Some(path.clone()) })
                }
            },
            Self::Client(error) => write!(f, "{error}"),
        }
    }
}

/// What zkCli says of a code, before the path (`CliWrapperException`, 3.9.5).
fn refusal(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::NO_NODE => "Node does not exist: ",
        ErrorCode::NO_CHILDREN_FOR_EPHEMERALS => "Ephemerals cannot have children: ",
        ErrorCode::NODE_EXISTS => "Node already exists: ",
        ErrorCode::NOT_EMPTY => "Node not empty: ",
        ErrorCode::NOT_READ_ONLY => "Not a read-only call: ",
        ErrorCode::INVALID_ACL => "Acl is not valid : ",
        ErrorCode::NO_AUTH => "Insufficient permission : ",
        ErrorCode::BAD_ARGUMENTS => "Arguments are not valid : ",
        ErrorCode::BAD_VERSION => "version No is not valid : ",
        ErrorCode::QUOTA_EXCEEDED => "Quota has exceeded : ",
        _ => return None,
    })
}

/// Whether the words begin with a command.
pub(super) fn check_name(words: &[String]) -> Result<&'static Usage, CliError> {
    let name = words.first().map_or("", String::as_str);
    usage::find(name).ok_or_else(|| CliError::NotFound(name.to_owned()))
}

/// Runs a command that needs a session and nothing else.
pub(super) fn run(client: &Client, words: &[String]) -> Result<Answer, CliError> {
    let usage = check_name(words)?;
    let options = Options::parse(&words[1..], usage.options).map_err(CliError::Malformed)?;
    if options.operands.len() < usage.operands {
        return Err(CliError::Malformed(usage.line()));
    }
    let path = options.operands.first().map_or("/", String::as_str);
    match usage.name {
        "addWatch" | "watch" => add_watch(client, path, &options),
        "addauth" => {
            let auth = options.operands.get(1).map_or("", String::as_str);
            done(client.add_auth(path, auth.as_bytes()))
        }
        "config" => config(client, &options),
        "create" => create(client, path, &options),
        "delete" => done(client.delete(path, number(&options, 'v')?)),
        "deleteall" | "rmr" => delete_all(client, path),
        "get" => get(client, path, &options),
        "getAcl" => {
            let (acl, stat) = client.acl(path)?;
            Ok(Answer::Acl { acl, stat: options.has('s').then_some(stat) })
        }
        "getAllChildrenNumber" => Ok(Answer::Number(client.descendants(path)?)),
        "getEphemerals" => Ok(Answer::List(client.ephemerals(path)?)),
        "help" => Ok(Answer::Text(usage::all().trim_end().to_owned())),
        "ls" => list(client, path, &options),
        "removewatches" => remove_watches(client, path, &options),
        "set" => set(client, path, &options),
        "setAcl" => set_acl(client, path, &options),
        "stat" => stat(client, path, &options),
        "sync" => {
            client.sync(path)?;
            Ok(Answer::Text("Sync is OK".to_owned()))
        }
        "version" => Ok(Answer::Text(format!("ZooKeeper CLI version: {VERSION}"))),
        "whoami" => Ok(Answer::Identities(client.who_am_i()?)),
        // The shell's own: alone on a command line they have nothing to do.
        _ => Ok(Answer::Nothing),
    }
}

fn done(outcome: Result<(), ClientError>) -> Result<Answer, CliError> {
    outcome?;
    Ok(Answer::Nothing)
}

fn number(options: &Options, letter: char) -> Result<i32, CliError> {
    options.number(letter, -1).map_err(CliError::Malformed)
}

fn add_watch(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let mode = match options.text('m').map(str::to_uppercase).as_deref() {
        None | Some("PERSISTENT_RECURSIVE") => WatchMode::PersistentRecursive,
        Some("PERSISTENT") => WatchMode::Persistent,
        Some(other) => {
            let text = format!("-m: {other} is neither PERSISTENT nor PERSISTENT_RECURSIVE");
            return Err(CliError::Malformed(text));
        }
    };
    done(client.add_watch(path, mode))
}

fn config(client: &Client, options: &Options) -> Result<Answer, CliError> {
    let (data, stat) = client.get("/zookeeper/config", false)?;
    let stat = options.has('s').then_some(stat);
    Ok(Answer::Data { data, form: DataForm::Plain, stat })
}

fn create(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let malformed = |text: &str| Err(CliError::Malformed(text.to_owned()));
    let (ephemeral, sequential) = (options.has('e'), options.has('s'));
    let ttl = options.has('t');
    let ms: i64 = options
        .number('t', 0)
        .map_err(|_| CliError::Malformed("-t argument must be a long value".to_owned()))?;
    let mode = match (options.has('c'), ephemeral, sequential) {
        (true, true, _) | (true, _, true) => {
            return malformed(
                "-c cannot be combined with -s or -e. \
                 Containers cannot be ephemeral or sequential.",
            );
        }
        (true, ..) if ttl => return malformed("TTLs cannot be used with Container znodes"),
        (_, true, _) if ttl => return malformed("TTLs cannot be used with Ephemeral znodes"),
        (true, ..) => CreateMode::Container,
        (_, true, true) => CreateMode::EphemeralSequential,
        (_, true, false) => CreateMode::Ephemeral,
        (_, _, true) if ttl => CreateMode::TtlSequential { ms },
        (_, _, true) => CreateMode::PersistentSequential,
        _ if ttl => CreateMode::Ttl { ms },
        _ => CreateMode::Persistent,
    };
    let data = options.operands.get(1).map(String::as_bytes);
    let acl = match options.operands.get(2) {
        Some(text) => acl::parse(text).map_err(CliError::Malformed)?,
        None => acl::open(),
    };
    Ok(Answer::Created(client.create(path, data, &acl, mode)?))
}

/// From the leaves up, so that nothing is deleted from under what still stands.
fn delete_all(client: &Client, path: &str) -> Result<Answer, CliError> {
    for path in subtree(client, path, false)?.iter().rev() {
        match client.delete(path, -1) {
            // Somebody else was faster.
            Err(error) if error.code() == Some(ErrorCode::NO_NODE) => {}
            outcome => outcome?,
        }
    }
    Ok(Answer::Nothing)
}

/// The paths at and below `root`, parents first, children in order.
fn subtree(client: &Client, root: &str, watch: bool) -> Result<Vec<String>, ClientError> {
    let mut found = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let children = match client.children(&path, watch) {
            Ok((children, _)) => children,
            // It went while we walked; a root that is not there is an error all the same.
            Err(error) if path != root && error.code() == Some(ErrorCode::NO_NODE) => continue,
            Err(error) => return Err(error),
        };
        let parent = if path == "/" { "" } else { &path };
        let mut below: Vec<String> =
            children.iter().map(|child| format!("{parent}/{child}")).collect();
        below.sort_unstable_by(|a, b| b.cmp(a));
        left.extend(below);
        found.push(path);
    }
    Ok(found)
}

fn get(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let (data, stat) = client.get(path, options.has('w'))?;
    let form = match (options.has('x'), options.has('b')) {
        (true, _) => DataForm::Hex,
        (false, true) => DataForm::Base64,
        (false, false) => DataForm::Plain,
    };
    Ok(Answer::Data { data, form, stat: options.has('s').then_some(stat) })
}

fn list(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    if options.has('R') {
        return Ok(Answer::Paths(subtree(client, path, options.has('w'))?));
    }
    let (mut names, stat) = client.children(path, options.has('w'))?;
    names.sort_unstable();
    Ok(Answer::Children { names, stat: options.has('s').then_some(stat) })
}

fn remove_watches(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let kinds = [
        ('c', WatchKind::Children),
        ('d', WatchKind::Data),
        ('p', WatchKind::Persistent),
        ('r', WatchKind::PersistentRecursive),
    ];
    let asked = kinds.into_iter().find(|(letter, _)| options.has(*letter));
    done(client.remove_watches(path, asked.map_or(WatchKind::Any, |(_, kind)| kind)))
}

fn set(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let text = &options.operands[1];
    let data = if options.has('b') {
        let decoded = BASE64.decode(text);
        decoded.map_err(|error| CliError::Malformed(format!("the data is no base64: {error}")))?
    } else {
        text.as_bytes().to_vec()
    };
    let stat = client.set(path, &data, number(options, 'v')?)?;
    Ok(Answer::Stat(options.has('s').then_some(stat)))
}

fn set_acl(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    let acl = acl::parse(&options.operands[1]).map_err(CliError::Malformed)?;
    let version = number(options, 'v')?;
    if options.has('R') {
        for path in subtree(client, path, false)? {
            client.set_acl(&path, &acl, version)?;
        }
        return Ok(Answer::Nothing);
    }
    let stat = client.set_acl(path, &acl, version)?;
    Ok(Answer::Stat(options.has('s').then_some(stat)))
}

fn stat(client: &Client, path: &str, options: &Options) -> Result<Answer, CliError> {
    match client.exists(path, options.has('w'))? {
        Some(stat) => Ok(Answer::Stat(Some(stat))),
        None => {
            let (code, path) = (ErrorCode::NO_NODE, Some(path.to_owned()));
            Err(ClientError::Refused { code, path }.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_said_in_zkclis_words() {
        let check = |code, expected: &str| {
            let error = CliError::Client(ClientError::Refused { code, path: Some("/a".into()) });
            assert_eq!(error.to_string(), expected);
            assert_eq!(error.exit_code(), 1);
        };
        check(ErrorCode::NO_NODE, "Node does not exist: /a");
        check(ErrorCode::NODE_EXISTS, "Node already exists: /a");
        check(ErrorCode::BAD_ARGUMENTS, "Arguments are not valid : /a");
        check(ErrorCode::NO_WATCHER, "KeeperErrorCode = NoWatcher for /a");
    }

    #[test]
    fn an_unknown_command_shows_the_usage_and_ends_with_127() {
        let error = check_name(&["lss".to_owned()]).map(|_| ()).expect_err("no such command");
        assert_eq!(error.exit_code(), 127);
        assert!(error.to_string().starts_with("ZooKeeper -server host:port cmd args\n\taddWatch"));
        assert_eq!(error.json()["error"], "Command not found: lss");
    }
}
