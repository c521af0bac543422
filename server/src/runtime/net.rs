//! A net thread: the sockets of some of the clients, and nothing else of them.
//!
//! It turns a reactor of its own. What comes on its sockets goes to the core as bytes, in one batch
//! a turn; the core's answers come back in one batch a turn of the core. So the kernel's work for
//! clients leaves the core's thread, and what the bytes mean stays there. A connection belongs to
//! one thread from its first byte to its end.
//!
//! Invariants:
//! - NT1. The core hears of the end of a client's socket once, after all that came on it, unless it
//!   asked for that end, and then not at all.
//! - NT2. The core never waits for a net thread; a net thread waits for the core where it has told
//!   more than the core has taken. So neither waits for the other for ever.
//!
//! Not here: which thread a client goes to (`clients`), what its bytes mean (`member`).

use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use hashbrown::HashMap;
use ringkeeper_engine::io::{
    self, Backend, Completion, Handler, Io, Reactor, ReactorError, ReactorOptions, Socket, Waker,
};
use tracing::debug;

use super::client_socket::{Given, give};
use super::mailbox::{Batch, Gone, Incoming, Outgoing, mailbox};
use crate::watch::ConnId;

/// Turns in which the last answers leave, once the core has nothing more to say.
const LAST_TURNS: u32 = 2;

/// Memory for received bytes that an emptied batch keeps: about what a busy turn brings, which would
/// else be allocated anew each time.
const HEARD_BYTES_KEPT: usize = 4 << 20;

/// What happened on a client's socket.
pub(super) enum Heard {
    /// So many of the batch's bytes, after those of the receptions before.
    Received { client: ConnId, count: usize },
    /// It has ended, and the client with it.
    Ended { client: ConnId },
}

/// What a net thread tells the core.
#[derive(Default)]
pub(super) struct HeardBatch {
    pub(super) bytes: Vec<u8>,
    pub(super) heard: Vec<Heard>,
}

impl Batch for HeardBatch {
    fn is_empty(&self) -> bool {
        self.heard.is_empty()
    }

    fn clear(&mut self) {
        self.heard.clear();
        self.bytes.clear();
        self.bytes.shrink_to(HEARD_BYTES_KEPT);
    }
}

/// What the core asks for.
pub(super) enum Order {
    Adopt { client: ConnId, socket: Socket },
    Send { client: ConnId, bytes: Vec<u8> },
    Close { client: ConnId },
    Abort { client: ConnId },
    Pause { client: ConnId },
    Resume { client: ConnId },
}

/// What the core tells a net thread; and, on the way back, the buffers that it may use again.
///
/// It may wait for the thread to end a turn, with what the core answers meanwhile: no more requests
/// come from a thread that does not turn, and a client that does not read is dropped by one that does.
#[derive(Default)]
pub(super) struct OrderBatch {
    pub(super) orders: Vec<Order>,
    pub(super) spent: Vec<Vec<u8>>,
}

impl Batch for OrderBatch {
    fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Keeps the spent buffers: they are the core's.
    fn clear(&mut self) {
        self.orders.clear();
    }
}

/// The core's end of a net thread.
pub(super) struct Net {
    orders: Option<Outgoing<OrderBatch>>,
    heard: Option<Incoming<HeardBatch>>,
    waker: Waker,
    thread: Option<JoinHandle<Result<(), ReactorError>>>,
}

impl Net {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread, or no reactor on it.
    pub(super) fn start(number: usize, backend: Backend, core: Waker) -> Result<Self, NetError> {
        let (to_core, heard) = mailbox(core.clone());
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let thread = Builder::new().name(format!("net-{number}")).spawn(move || {
            let mut reactor = io::start(backend, &ReactorOptions::default(), None)?;
            let (orders, from_core) = mailbox(reactor.waker());
            if ready.send((orders, reactor.waker())).is_err() {
                return Ok(());
            }
            let serving =
                Serving { sockets: HashMap::default(), heard: to_core, from_core, is_over: false };
            let ended = serving.run(&mut *reactor);
            // The mailbox is gone by now: the core looks, and hears so.
            core.wake();
            ended
        });
        let thread = thread.map_err(NetError::Thread)?;
        match is_ready.recv() {
            Ok((orders, waker)) => {
                Ok(Self { orders: Some(orders), heard: Some(heard), waker, thread: Some(thread) })
            }
            Err(_) => match thread.join().expect("a panic ends the process") {
                Err(error) => Err(NetError::Reactor(error)),
                Ok(()) => unreachable!("it says that it is ready, or why it is not"),
            },
        }
    }

    /// The batch of orders that goes next.
    pub(super) fn orders(&mut self) -> &mut OrderBatch {
        self.orders.as_mut().expect("only `drop` takes it").open()
    }

    /// Hands the orders over, as far as there is room for them.
    pub(super) fn hand_over(&mut self) -> Result<(), ReactorError> {
        let handed = self.orders.as_mut().expect("only `drop` takes it").hand_over();
        handed.map_err(|gone| self.why(gone))
    }

    /// Whether orders wait for room.
    pub(super) fn has_kept(&self) -> bool {
        self.orders.as_ref().is_some_and(Outgoing::has_kept)
    }

    /// What the thread has heard, a batch at a time.
    pub(super) fn take(&mut self) -> Result<Option<HeardBatch>, ReactorError> {
        let taken = self.heard.as_mut().expect("only `drop` takes it").take();
        taken.map_err(|gone| self.why(gone))
    }

    pub(super) fn give_back(&mut self, batch: HeardBatch) {
        self.heard.as_mut().expect("only `drop` takes it").give_back(batch);
    }

    /// Why the thread has ended before it was asked to.
    fn why(&mut self, _: Gone) -> ReactorError {
        let thread = self.thread.take().expect("the core goes on no further than this");
        let ended = thread.join().expect("a panic ends the process");
        ended.expect_err("a net thread ends by itself only when its reactor cannot go on")
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        // In this order: a thread that waits for the core to take something waits no more.
        self.heard = None;
        if let Some(orders) = &mut self.orders {
            let _ = orders.hand_over_all();
        }
        self.orders = None;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Why there is no net thread.
#[derive(Debug, thiserror::Error)]
pub(super) enum NetError {
    #[error("no net thread: {0}")]
    Thread(std::io::Error),
    #[error("no reactor for a net thread: {0}")]
    Reactor(ReactorError),
}

/// The thread's own state.
struct Serving {
    sockets: HashMap<ConnId, io::ConnId, foldhash::fast::FixedState>,
    heard: Outgoing<HeardBatch>,
    from_core: Incoming<OrderBatch>,
    is_over: bool,
}

impl Serving {
    fn run(mut self, reactor: &mut dyn Reactor) -> Result<(), ReactorError> {
        while !self.is_over {
            reactor.turn(None, &mut self)?;
            // Where nobody hears any more, the last orders are still to come.
            let _ = self.heard.hand_over_all();
        }
        for _ in 0..LAST_TURNS {
            reactor.turn(Some(Duration::ZERO), &mut self)?;
        }
        Ok(())
    }

    fn carry_out_all(&mut self, io: &mut dyn Io) {
        loop {
            match self.from_core.take() {
                Ok(Some(mut batch)) => {
                    let OrderBatch { orders, spent } = &mut batch;
                    for order in orders.drain(..) {
                        spent.extend(self.carry_out(order, io));
                    }
                    self.from_core.give_back(batch);
                }
                Ok(None) => return,
                Err(Gone) => {
                    self.is_over = true;
                    return;
                }
            }
        }
    }

    /// Carries an order out; returns a buffer to use again. A client whose end the core has not
    /// heard of yet is asked for nothing, harmlessly.
    fn carry_out(&mut self, order: Order, io: &mut dyn Io) -> Option<Vec<u8>> {
        match order {
            Order::Adopt { client, socket } => {
                let conn = io.adopt(socket, client.0);
                self.sockets.insert(client, conn);
            }
            Order::Send { client, bytes } => {
                let Some(conn) = self.sockets.get(&client) else { return Some(bytes) };
                let Given { spare, is_dropped } = give(io, *conn, bytes);
                if is_dropped {
                    self.ended(client);
                }
                return Some(spare);
            }
            Order::Close { client } => {
                if let Some(conn) = self.sockets.remove(&client) {
                    io.close(conn);
                }
            }
            Order::Abort { client } => {
                if let Some(conn) = self.sockets.remove(&client) {
                    io.abort(conn);
                }
            }
            Order::Pause { client } => {
                if let Some(conn) = self.sockets.get(&client) {
                    io.pause(*conn);
                }
            }
            Order::Resume { client } => {
                if let Some(conn) = self.sockets.get(&client) {
                    io.resume(*conn);
                }
            }
        }
        None
    }

    fn ended(&mut self, client: ConnId) {
        if self.sockets.remove(&client).is_some() {
            self.heard.open().heard.push(Heard::Ended { client });
        }
    }
}

impl Handler for Serving {
    fn on(&mut self, completion: Completion<'_>, io: &mut dyn Io) {
        match completion {
            Completion::Received { token, bytes, .. } => {
                let batch = self.heard.open();
                batch.bytes.extend_from_slice(bytes);
                batch.heard.push(Heard::Received { client: ConnId(token), count: bytes.len() });
            }
            Completion::Closed { token, why, .. } => {
                debug!(client = ?ConnId(token), %why, "client connection ended");
                self.ended(ConnId(token));
            }
            Completion::Room { conn, .. } => io.resume(conn),
            Completion::Woken => self.carry_out_all(io),
            Completion::Accepted { .. }
            | Completion::Handed { .. }
            | Completion::Connected { .. }
            | Completion::Disk(_) => {
                unreachable!("a net thread neither listens nor dials nor writes")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};

    use super::*;

    const BACKENDS: [Backend; 2] = [Backend::Uring, Backend::Poll];
    const CLIENT: ConnId = ConnId(7);

    /// A core that accepts, and does no more than a test tells it to.
    struct Core {
        reactor: Box<dyn Reactor>,
        net: Net,
        at: SocketAddr,
        handed: Vec<Socket>,
    }

    struct Accepting<'a>(&'a mut Vec<Socket>);

    impl Handler for Accepting<'_> {
        fn on(&mut self, completion: Completion<'_>, _: &mut dyn Io) {
            if let Completion::Handed { socket, .. } = completion {
                self.0.push(socket);
            }
        }
    }

    impl Core {
        fn new(backend: Backend) -> Self {
            let options = ReactorOptions::default();
            let mut reactor = io::start(backend, &options, None).expect("both backends work here");
            let at = SocketAddr::from(([127, 0, 0, 1], 0));
            let (listener, at) = reactor.io().listen(at, 8).expect("some port is free");
            reactor.io().accept_for_others(listener);
            let net = Net::start(0, backend, reactor.waker()).expect("a thread");
            Self { reactor, net, at, handed: Vec::new() }
        }

        fn turn(&mut self) {
            let patience = Some(Duration::from_millis(20));
            self.reactor.turn(patience, &mut Accepting(&mut self.handed)).expect("it turns");
        }

        fn connect(&mut self) -> TcpStream {
            let stream = TcpStream::connect(self.at).expect("the core listens");
            while self.handed.is_empty() {
                self.turn();
            }
            let socket = self.handed.remove(0);
            self.order(Order::Adopt { client: CLIENT, socket });
            stream
        }

        fn order(&mut self, order: Order) {
            self.net.orders().orders.push(order);
            self.net.hand_over().expect("the thread lives");
        }

        /// Takes until `is_enough` of what came: the bytes, and whether the client has ended.
        fn hear(&mut self, is_enough: impl Fn(&[u8], usize) -> bool) -> (Vec<u8>, usize) {
            let (mut bytes, mut ends) = (Vec::new(), 0);
            for _ in 0..1000 {
                while let Some(batch) = self.net.take().expect("the thread lives") {
                    let mut from = 0;
                    for heard in &batch.heard {
                        assert_eq!(ends, 0, "NT1: nothing comes after the end");
                        match heard {
                            Heard::Received { client, count } => {
                                assert_eq!(*client, CLIENT);
                                bytes.extend_from_slice(&batch.bytes[from..from + count]);
                                from += count;
                            }
                            Heard::Ended { client } => {
                                assert_eq!(*client, CLIENT);
                                ends += 1;
                            }
                        }
                    }
                    assert_eq!(from, batch.bytes.len());
                    self.net.give_back(batch);
                }
                if is_enough(&bytes, ends) {
                    break;
                }
                self.turn();
            }
            (bytes, ends)
        }
    }

    #[test]
    fn nt1_an_end_is_heard_once_after_all_that_came() {
        for backend in BACKENDS {
            let mut core = Core::new(backend);
            let mut client = core.connect();
            client.write_all(b"the last words").expect("it is read");
            drop(client);
            let heard = core.hear(|_, ends| ends > 0);
            assert_eq!(heard, (b"the last words".to_vec(), 1));
            core.order(Order::Send { client: CLIENT, bytes: b"too late".to_vec() });
            core.order(Order::Abort { client: CLIENT });
            assert_eq!(core.hear(|_, _| true), (Vec::new(), 0));
        }
    }

    #[test]
    fn nt1_an_end_that_the_core_asked_for_is_not_heard() {
        for backend in BACKENDS {
            let mut core = Core::new(backend);
            let mut client = core.connect();
            core.order(Order::Send { client: CLIENT, bytes: b"farewell".to_vec() });
            core.order(Order::Close { client: CLIENT });
            let mut said = Vec::new();
            client.read_to_end(&mut said).expect("all that was sent, and the end");
            assert_eq!(said, b"farewell");
            drop(client);
            for _ in 0..5 {
                core.turn();
            }
            assert_eq!(core.hear(|_, _| true), (Vec::new(), 0));
        }
    }

    #[test]
    fn nt2_a_core_that_takes_nothing_for_long_loses_nothing_and_never_waits() {
        const PIECES: usize = 40;
        for backend in BACKENDS {
            let mut core = Core::new(backend);
            let mut client = core.connect();
            let piece: Vec<u8> = (0..50_000_u32).map(|at| ((at * 31) >> 3) as u8).collect();
            // More turns of the thread than batches may be under way, and orders without an end.
            for _ in 0..PIECES {
                client.write_all(&piece).expect("the kernel takes it, or the thread does");
                std::thread::sleep(Duration::from_millis(2));
                for _ in 0..10 {
                    core.order(Order::Send { client: CLIENT, bytes: vec![b'a'] });
                }
            }
            let (bytes, ends) = core.hear(|bytes, _| bytes.len() == PIECES * piece.len());
            assert_eq!(ends, 0);
            assert!(bytes == piece.repeat(PIECES), "{} bytes came", bytes.len());
            // What is still kept goes with the end, and leaves before it.
            drop(core);
            let mut said = Vec::new();
            client.read_to_end(&mut said).expect("all that was sent, and the end");
            assert_eq!(said, [b'a'; 10 * PIECES]);
        }
    }
}
