//! Batches from one thread to another: one producer, one consumer, in order, bounded.
//!
//! What the producer has to say in a turn gathers in one batch, and goes over in one piece: one
//! exchange and at most one wake-up a turn, however much was said. Emptied batches come back with
//! their memory, so that in the steady state nothing is allocated.
//!
//! Not here: what is said (`net`).

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use ringkeeper_engine::io::Waker;

/// Batches on their way, of one direction: what came of a turn or two while the consumer was in one.
const BATCHES_UNDER_WAY: usize = 4;

/// What can be used again.
pub(super) trait Batch: Default + Send {
    fn is_empty(&self) -> bool;
    /// Forgets what it holds; keeps its memory, within reason.
    fn clear(&mut self);
}

/// The other thread is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// The producer's end.
pub(super) struct Outgoing<B> {
    open: B,
    filled: SyncSender<B>,
    emptied: Receiver<B>,
    consumer: Waker,
}

/// The consumer's end.
pub(super) struct Incoming<B> {
    filled: Receiver<B>,
    emptied: SyncSender<B>,
}

/// Both ends; `consumer` is woken when there is something to take.
pub(super) fn mailbox<B: Batch>(consumer: Waker) -> (Outgoing<B>, Incoming<B>) {
    let (filled, incoming) = sync_channel(BATCHES_UNDER_WAY);
    // One more may be in each one's hands.
    let (emptied, outgoing) = sync_channel(BATCHES_UNDER_WAY + 2);
    let outgoing = Outgoing { open: B::default(), filled, emptied: outgoing, consumer };
    (outgoing, Incoming { filled: incoming, emptied })
}

impl<B: Batch> Outgoing<B> {
    /// The batch that goes next: to add to.
    pub(super) fn open(&mut self) -> &mut B {
        &mut self.open
    }

    /// Sends what has gathered, where there is room for it; the rest goes with what comes.
    pub(super) fn hand_over(&mut self) -> Result<(), Gone> {
        if self.open.is_empty() {
            return Ok(());
        }
        match self.filled.try_send(std::mem::take(&mut self.open)) {
            Ok(()) => {
                self.open = self.emptied.try_recv().unwrap_or_default();
                self.consumer.wake();
                Ok(())
            }
            Err(TrySendError::Full(kept)) => {
                self.open = kept;
                Ok(())
            }
            Err(TrySendError::Disconnected(_)) => Err(Gone),
        }
    }

    /// The same, and waits for room: for a producer that the consumer never waits for.
    pub(super) fn hand_over_all(&mut self) -> Result<(), Gone> {
        self.hand_over()?;
        if self.open.is_empty() {
            return Ok(());
        }
        let kept = std::mem::take(&mut self.open);
        self.filled.send(kept).map_err(|_| Gone)?;
        self.consumer.wake();
        Ok(())
    }

    /// Whether something waits for room.
    pub(super) fn has_kept(&self) -> bool {
        !self.open.is_empty()
    }
}

impl<B: Batch> Incoming<B> {
    /// The next batch; `None`: there is none now.
    pub(super) fn take(&mut self) -> Result<Option<B>, Gone> {
        match self.filled.try_recv() {
            Ok(batch) => Ok(Some(batch)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Gone),
        }
    }

    /// Gives a batch back that has been read.
    pub(super) fn give_back(&mut self, mut batch: B) {
        batch.clear();
        // Full or gone: then its memory goes.
        let _ = self.emptied.try_send(batch);
    }
}

#[cfg(test)]
mod tests {
    use ringkeeper_engine::io::{self, Backend, Reactor, ReactorOptions};

    use super::*;

    impl Batch for Vec<u32> {
        fn is_empty(&self) -> bool {
            self.is_empty()
        }

        fn clear(&mut self) {
            self.clear();
        }
    }

    fn reactor() -> Box<dyn Reactor> {
        io::start(Backend::Poll, &ReactorOptions::default(), None).expect("epoll is there")
    }

    #[test]
    fn batches_come_in_order_and_bounded_and_what_waits_is_not_lost() {
        let reactor = reactor();
        let (mut out, mut inn) = mailbox::<Vec<u32>>(reactor.waker());
        assert_eq!(out.hand_over(), Ok(()), "nothing to say is not said");
        assert_eq!(inn.take(), Ok(None));
        for said in 0..10 {
            out.open().push(said);
            out.hand_over().unwrap();
        }
        assert!(out.has_kept());
        let mut heard = Vec::new();
        while let Some(batch) = inn.take().unwrap() {
            heard.extend_from_slice(&batch);
            inn.give_back(batch);
            out.hand_over().unwrap();
        }
        assert_eq!(heard, (0..10).collect::<Vec<_>>());
        assert!(!out.has_kept());
    }

    #[test]
    fn the_memory_of_a_batch_comes_back() {
        let reactor = reactor();
        let (mut out, mut inn) = mailbox::<Vec<u32>>(reactor.waker());
        for _ in 0..BATCHES_UNDER_WAY + 3 {
            out.open().extend(0..1000);
            out.hand_over().unwrap();
            let batch = inn.take().unwrap().unwrap();
            inn.give_back(batch);
        }
        assert!(out.open().is_empty());
        assert!(out.open().capacity() >= 1000);
    }

    #[test]
    fn each_end_hears_that_the_other_is_gone_after_what_was_said() {
        let reactor = reactor();
        let (mut out, inn) = mailbox::<Vec<u32>>(reactor.waker());
        out.open().push(1);
        drop(inn);
        assert_eq!(out.hand_over_all(), Err(Gone));
        let (mut out, mut inn) = mailbox::<Vec<u32>>(reactor.waker());
        out.open().push(1);
        out.hand_over_all().unwrap();
        drop(out);
        assert_eq!(inn.take(), Ok(Some(vec![1])));
        assert_eq!(inn.take(), Err(Gone));
    }
}
