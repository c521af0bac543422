//! Threads, loops, boot, shutdown, fatal: where a member meets the machine.
//!
//! Two threads. The *core* turns the reactor and runs the member: every client, every peer, the
//! log and the tree. The *background* does what may take long and nobody waits for: new segments,
//! snapshot files, old files. Where an operator asks for them, *net* threads have the clients'
//! sockets, and the core what their bytes mean. They pass messages over channels and wake each
//! other; nothing is shared.
//!
//! Not here: any decision about data (`member`, `engine`).

mod background;
mod boot;
mod client_socket;
mod clients;
mod core;
mod fatal;
mod import;
mod links;
mod mailbox;
mod names;
mod net;
mod passage;
mod quickstart;
mod screen;
mod signals;
mod stock;
mod trace;

pub use boot::serve;
pub use import::{
    Beside, DataFolders, FolderArchive, ImportRefusal, Imported, beside, check_version2,
    import_version2,
};
pub use quickstart::{QuickstartOptions, quickstart};
pub use screen::complain;
pub use trace::start_tracing;
