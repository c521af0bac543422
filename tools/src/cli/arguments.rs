//! zkCli's command line: options with one dash, then perhaps a command.
//!
//! Not here: the options of the commands themselves (`options`).

use crate::client::ConnectString;

/// What was asked for. Made by [`CliArguments::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliArguments {
    pub server: ConnectString,
    pub timeout_ms: i32,
    pub read_only: bool,
    pub json: bool,
    /// `None` is a shell.
    pub command: Option<Vec<String>>,
}

impl CliArguments {
    /// Reads options up to the first word that is none; from there on it is the command.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let server = "localhost:2181".parse().expect("a host and a port");
        let mut arguments =
            Self { server, timeout_ms: 30_000, read_only: false, json: false, command: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words.next().ok_or_else(|| format!("Error: no argument found for option {word}"))
            };
            match word.as_str() {
                "-server" | "--server" => {
                    arguments.server = value()?.parse().map_err(|e| format!("-server: {e}"))?;
                }
                "-timeout" | "--timeout" => {
                    let text = value()?;
                    let ms = text.parse().ok().filter(|&ms: &i32| ms > 0);
                    arguments.timeout_ms =
                        ms.ok_or_else(|| format!("-timeout: \"{text}\" is no time in ms"))?;
                }
                "-r" => arguments.read_only = true,
                // The session is always waited for.
                "-waitforconnection" => {}
                "--json" | "-json" => arguments.json = true,
                option if option.starts_with('-') => {
                    return Err(format!("{option} is no option of cli; -server host:port is"));
                }
                command => {
                    let rest = words.by_ref().cloned();
                    arguments.command =
                        Some([command.to_owned()].into_iter().chain(rest).collect());
                }
            }
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CliArguments, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        CliArguments::parse(&words)
    }

    #[test]
    fn options_end_where_the_command_begins() {
        let arguments = parse("-server h:1/app -timeout 5000 --json ls -R /").expect("good");
        assert_eq!(arguments.server.to_string(), "h:1/app");
        assert_eq!(arguments.timeout_ms, 5000);
        assert!(arguments.json);
        assert_eq!(arguments.command.expect("a command"), ["ls", "-R", "/"]);
        let shell = parse("").expect("good");
        assert_eq!((shell.server.to_string().as_str(), shell.command), ("localhost:2181", None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |line: &str, part: &str| {
            let error = parse(line).expect_err(line);
            assert!(error.contains(part), "{error}");
        };
        wrong("-server", "no argument found for option -server");
        wrong("-timeout soon", "\"soon\"");
        wrong("-timeout -1", "\"-1\"");
        wrong("-secure", "-secure is no option");
        wrong("-server a:b ls", "a:b");
    }
}
