//! Every bound of the engine, with the relations between them asserted at compile time (AI-6).
//!
//! A bound that can be configured has its default here and its ceiling; nothing grows without one.

/// A client frame, and so a request: ZooKeeper's `jute.maxbuffer` default.
pub const FRAME_BYTES_DEFAULT: usize = 0xf_ffff;

/// A txn may be larger than the request it came from (a multi's sub-txns, a closeSession's paths),
/// never larger than this. Recovery and peers accept what admission accepted.
pub const TXN_BYTES_MAX: usize = 4 << 20;

/// What a peer may send as one packet's data: a txn and its frame, with room for a config text.
pub const PACKET_BYTES_MAX: usize = TXN_BYTES_MAX + (64 << 10);

/// An election message, ZooKeeper's `QuorumCnxManager.PACKETMAXSIZE`.
pub const ELECTION_MESSAGE_BYTES_MAX: usize = 1 << 19;

/// The address part of an election connection's first message (`InitialMessage`).
pub const ELECTION_ADDRESS_BYTES_MAX: usize = 2048;

/// Servers that one ensemble's text may name, observers included.
pub const ENSEMBLE_SERVERS_MAX: usize = 1024;

/// A host name or address in an ensemble's text, in bytes (DNS allows 253).
pub const HOST_BYTES_MAX: usize = 255;

/// The weight of one server in a hierarchical quorum; the sum over an ensemble stays far from
/// overflow.
pub const WEIGHT_MAX: i64 = 1 << 32;

/// Accepted election connections whose first message has not arrived.
pub const ELECTION_GREETINGS_MAX: usize = 256;

/// Servers in no configuration of ours that may hold an election connection.
pub const ELECTION_STRANGERS_MAX: usize = 64;

/// How far a vote's round may lie ahead of ours. Rounds are counted from a process's start and grow
/// with elections; without this bound one message could push the clock to its end.
pub const ELECTION_ROUND_JUMP_MAX: i64 = 1 << 32;

/// The unit of O_DIRECT and of the log's batches.
pub const BLOCK: usize = 4096;

/// One file of the log.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Purged segments kept to be used again: what a log of large txns grows by between snapshots.
pub const SEGMENTS_RECYCLED: usize = 16;

/// What one group commit writes at most.
pub const BATCH_BYTES_MAX: usize = 1 << 20;

/// Memory in huge pages for the log's large batches: about as many as are on their way to the disk and
/// to learners at once, of `BATCH_BYTES_MAX` each. None of it is taken before there are such batches.
pub const LENT_SLAB_BYTES: usize = 6 << 20;

/// A batch of the log below this waits for the write that is on its way.
pub const SMALL_BATCH_BYTES: usize = 128 << 10;

/// Data writes of the log on their way at once.
pub const WRITES_IN_FLIGHT: usize = 4;

/// Proposals kept in memory, beyond those that are needed anyway, in bytes; a learner that comes
/// back for older ones gets them from the log. Slabs that they do not fill may take 16 times as
/// much: room for a thousand txns that came one by one.
///
/// Perf: the less of it, the sooner a slab is used again, while it is in a cache.
pub const PROPOSALS_BYTES_KEPT: usize = 256 << 10;

/// Undecided proposals a leader lets gather before it stops taking requests, in bytes.
pub const IN_FLIGHT_BYTES_MAX: usize = 64 << 20;

/// What waits to be sent to one peer before that peer is dropped to resync, in bytes.
pub const PEER_QUEUE_BYTES_MAX: usize = 64 << 20;

/// What is handed out for one learner and has not left: no more is read for it until it has.
pub const FEED_BYTES: usize = 4 << 20;

/// One piece of history for a learner.
pub const FEED_CHUNK_BYTES: usize = 256 << 10;

/// Emptied send buffers kept for reuse, and what room all of them may have.
pub const SEND_BUFFERS_KEPT: usize = 32;
pub const SEND_BUFFERS_BYTES_KEPT: usize = 4 << 20;

/// Links that a leader keeps on its quorum port, introduced or not.
pub const LEARNERS_MAX: usize = 256;

/// Links of peers that wait for us to be elected, and what each may have sent by then.
pub const LOBBY_LINKS_MAX: usize = 64;
pub const LOBBY_BYTES_MAX: usize = 4096;

/// Auth ids one REQUEST may carry.
pub const AUTH_IDS_MAX: usize = 64;

/// How far an epoch may jump ahead of ours in one election; more is an attack or a broken disk.
pub const EPOCH_JUMP_MAX: i64 = 1 << 20;

/// How long a connection that is being closed may take to take its last bytes.
pub const CLOSE_LINGER_MS: u64 = 5_000;

/// After how long a listener that found no descriptor or memory left tries again.
pub const ACCEPT_RETRY_MS: u64 = 100;

const _: () = assert!(FRAME_BYTES_DEFAULT < TXN_BYTES_MAX);
const _: () = assert!(PACKET_BYTES_MAX + 2 * BLOCK < SEGMENT_BYTES as usize);
const _: () = assert!(BATCH_BYTES_MAX.is_multiple_of(BLOCK));
const _: () = assert!(PROPOSALS_BYTES_KEPT < IN_FLIGHT_BYTES_MAX);
