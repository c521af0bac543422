//! What is wrong with a configuration, and where.
//!
//! Not here: who finds it (`resolve` and its parts), who prints it (`main`).

use std::fmt;

/// Where a setting stands, in words an operator can go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file as it was named, or `-D`.
    pub file: String,
    /// Counts from 1. `None` for what is missing, and for flags.
    pub line: Option<usize>,
}

impl Place {
    pub fn line(file: &str, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }

    pub fn whole(file: &str) -> Self {
        Self { file: file.to_owned(), line: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// One reason not to start. All of them are reported at once, and the process exits with 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub place: Place,
    /// The key concerned, as the file spells it; empty where the file as a whole is.
    pub key: String,
    /// What is wrong, in ZooKeeper's words where it has some.
    pub fault: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_remark(f, &self.place, &self.key, &self.fault)?;
        match &self.hint {
            Some(hint) => write!(f, "\n    {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Something an operator should know that does not stop the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub place: Place,
    pub key: String,
    pub remark: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_remark(f, &self.place, &self.key, &self.remark)
    }
}

fn write_remark(f: &mut fmt::Formatter<'_>, place: &Place, key: &str, text: &str) -> fmt::Result {
    if key.is_empty() { write!(f, "{place}: {text}") } else { write!(f, "{place}: {key}: {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_file_line_key_and_remedy() {
        let error = ConfigError {
            place: Place::line("conf/zoo.cfg", 7),
            key: "tickTime".into(),
            fault: "tickTime is not set".into(),
            hint: Some("a tick of 2000 is usual".into()),
        };
        let text = "conf/zoo.cfg:7: tickTime: tickTime is not set\n    a tick of 2000 is usual";
        assert_eq!(error.to_string(), text);
    }
}
