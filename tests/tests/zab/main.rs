//! Replicas among themselves: whole ensembles of `engine::replica` in one thread, over disks in
//! memory and a network that is a queue.
//!
//! - `world`: the ensemble, its network, and what must hold after every step.
//! - `chaos`: random cuts, crashes and partitions.
//! - `golden`: transcripts of what one leader or learner says to scripted peers.
//! - `hostile`: peers that say anything.
//!
//! Not here: sessions, trees, clients (the simulator proper).

mod chaos;
mod golden;
mod hostile;
mod model;
mod world;
