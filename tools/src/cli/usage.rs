//! The commands' names, options and usage lines.
//!
//! Not here: what they do (`command`).

/// One command as `help` shows it.
pub(super) struct Usage {
    pub(super) name: &'static str,
    /// What follows the name.
    pub(super) syntax: &'static str,
    /// Letters of its options, as `Options::parse` takes them.
    pub(super) options: &'static str,
    /// Operands it cannot do without.
    pub(super) operands: usize,
}

const fn usage(
    name: &'static str,
    syntax: &'static str,
    options: &'static str,
    operands: usize,
) -> Usage {
    Usage { name, syntax, options, operands }
}

/// In alphabetical order, which is the order of `help`.
pub(super) const COMMANDS: [Usage; 28] = [
    usage("addWatch", "[-m PERSISTENT|PERSISTENT_RECURSIVE] path", "m:", 1),
    usage("addauth", "scheme auth", "", 1),
    usage("close", "", "", 0),
    usage("config", "[-s]", "s", 0),
    usage("connect", "host:port", "", 0),
    usage("create", "[-s] [-e] [-c] [-t ttl] path [data] [acl]", "sect:", 1),
    usage("delete", "[-v version] path", "v:", 1),
    usage("deleteall", "path", "b:", 1),
    usage("exit", "", "", 0),
    usage("get", "[-s] [-w] [-b] [-x] path", "swbx", 1),
    usage("getAcl", "[-s] path", "s", 1),
    usage("getAllChildrenNumber", "path", "", 1),
    usage("getEphemerals", "[path]", "", 0),
    usage("help", "", "", 0),
    usage("history", "", "", 0),
    usage("ls", "[-s] [-w] [-R] path", "swR", 1),
    usage("printwatches", "on|off", "", 0),
    usage("quit", "", "", 0),
    usage("redo", "cmdno", "", 1),
    usage("removewatches", "path [-c|-d|-p|-r|-a]", "cdpral", 1),
    usage("rmr", "path", "", 1),
    usage("set", "path data [-s] [-v version] [-b]", "sv:b", 2),
    usage("setAcl", "[-s] [-v version] [-R] path acl", "sv:R", 2),
    usage("stat", "[-w] path", "w", 1),
    usage("sync", "path", "", 1),
    usage("version", "", "", 0),
    usage("watch", "[-m PERSISTENT|PERSISTENT_RECURSIVE] path", "m:", 1),
    usage("whoami", "", "", 0),
];

pub(super) fn find(name: &str) -> Option<&'static Usage> {
    COMMANDS.iter().find(|usage| usage.name == name)
}

impl Usage {
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.name, self.syntax).trim_end().to_owned()
    }
}

/// All commands, one a line.
pub(super) fn all() -> String {
    let lines = COMMANDS.iter().map(|usage| format!("\t{}\n", usage.line()));
    format!("ZooKeeper -server host:port cmd args\n{}", lines.collect::<String>())
}
