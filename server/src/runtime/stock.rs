//! A thread that touches memory for the tree of a start, a little ahead of it.
//!
//! Which sizes a tree's contents want is not known before it wants them: a size that was asked for
//! gets some more made ready, and more each time it is asked for again. The thread ends with its
//! stock; what nobody took goes back then.
//!
//! Not here: why it pays (`tree::stock`).

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::tree::{Chunk, Stock};

/// Chunks made ready ahead, half a megabyte each.
const CHUNKS_AHEAD: usize = 4;

/// Bytes of runs of one size made ready ahead.
const RUN_BYTES_AHEAD: usize = 2 << 20;

/// The same of all sizes: contents may have them all, and what is ready is memory that the start
/// takes on top of the tree.
const ALL_RUN_BYTES_AHEAD: usize = 16 << 20;

enum Wish {
    Chunk,
    Run(usize),
}

enum Made {
    Chunk(Chunk),
    Run(Vec<u8>),
}

/// The tree's end.
pub(super) struct TouchedMemory {
    /// Gone when it is dropped, so that the thread ends.
    wishes: Option<Sender<Wish>>,
    made: Receiver<Made>,
    chunks: Vec<Chunk>,
    /// By the size of a run; as many as contents have sizes of slots.
    runs: Vec<Runs>,
    /// Of runs that are ready or on their way.
    run_bytes_ahead: usize,
    thread: Option<JoinHandle<()>>,
}

/// Runs of one size.
struct Runs {
    bytes: usize,
    ready: Vec<Vec<u8>>,
    on_their_way: usize,
}

impl TouchedMemory {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is none; the tree does as well without.
    pub(super) fn start() -> std::io::Result<Self> {
        let (wishes, inbox) = channel();
        let (outbox, made) = channel();
        let thread = Builder::new().name("memory".into()).spawn(move || {
            for wish in inbox {
                let made = match wish {
                    Wish::Chunk => Made::Chunk(Chunk::touched()),
                    Wish::Run(bytes) => Made::Run(touched(bytes)),
                };
                if outbox.send(made).is_err() {
                    break;
                }
            }
        })?;
        let stock = Self {
            wishes: Some(wishes),
            made,
            chunks: Vec::new(),
            runs: Vec::new(),
            run_bytes_ahead: 0,
            thread: Some(thread),
        };
        (0..CHUNKS_AHEAD).for_each(|_| stock.wish(Wish::Chunk));
        Ok(stock)
    }

    fn wish(&self, wish: Wish) {
        if let Some(wishes) = &self.wishes {
            // The thread lives as long as this sender.
            let _ = wishes.send(wish);
        }
    }

    fn collect(&mut self) {
        for made in self.made.try_iter() {
            match made {
                Made::Chunk(chunk) => self.chunks.push(chunk),
                Made::Run(run) => {
                    let of_size = self.runs.iter_mut().find(|runs| runs.bytes == run.capacity());
                    if let Some(runs) = of_size {
                        runs.on_their_way -= 1;
                        runs.ready.push(run);
                    }
                }
            }
        }
    }
}

/// Empty, of that capacity; every page of it has been written to.
fn touched(bytes: usize) -> Vec<u8> {
    let mut memory = vec![1; bytes];
    memory.clear();
    memory
}

impl Stock for TouchedMemory {
    fn chunk(&mut self) -> Option<Chunk> {
        self.collect();
        let chunk = self.chunks.pop()?;
        self.wish(Wish::Chunk);
        Some(chunk)
    }

    fn run(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.collect();
        let at = self.runs.iter().position(|runs| runs.bytes == bytes).unwrap_or_else(|| {
            self.runs.push(Runs { bytes, ready: Vec::new(), on_their_way: 0 });
            self.runs.len() - 1
        });
        let runs = &mut self.runs[at];
        let run = runs.ready.pop();
        if run.is_some() {
            self.run_bytes_ahead -= bytes;
        }
        let ahead = runs.ready.len() + runs.on_their_way;
        let of_size = (RUN_BYTES_AHEAD / bytes).saturating_sub(ahead);
        let of_all = ALL_RUN_BYTES_AHEAD.saturating_sub(self.run_bytes_ahead) / bytes;
        let wanted = 2.min(of_size).min(of_all);
        runs.on_their_way += wanted;
        self.run_bytes_ahead += wanted * bytes;
        (0..wanted).for_each(|_| self.wish(Wish::Run(bytes)));
        run
    }
}

impl Drop for TouchedMemory {
    fn drop(&mut self) {
        self.wishes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks until something is ready.
    fn patiently<T>(mut ask: impl FnMut() -> Option<T>) -> T {
        for _ in 0..10_000 {
            if let Some(got) = ask() {
                return got;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("nothing is made ready");
    }

    #[test]
    fn what_is_asked_for_again_is_ready_and_of_the_size_asked_for() {
        let mut stock = TouchedMemory::start().expect("a thread");
        for bytes in [16 << 10, 112 << 10, 1 << 20] {
            assert!(stock.run(bytes).is_none(), "nobody knew that this size would be asked for");
        }
        for bytes in [112 << 10, 1 << 20, 16 << 10, 112 << 10] {
            let run = patiently(|| stock.run(bytes));
            assert_eq!((run.len(), run.capacity()), (0, bytes));
        }
    }

    #[test]
    fn no_more_is_made_ready_than_the_share_of_a_size_and_of_all() {
        let mut stock = TouchedMemory::start().expect("a thread");
        let bytes = 1 << 20;
        for _ in 0..100 {
            drop(stock.run(bytes));
        }
        let runs = &stock.runs[0];
        assert!((runs.ready.len() + runs.on_their_way) * bytes <= RUN_BYTES_AHEAD);
        for bytes in (1..100).map(|size| size * 10_000).cycle().take(2_000) {
            drop(stock.run(bytes));
        }
        let runs = stock.runs.iter();
        let ahead = runs.map(|runs| (runs.ready.len() + runs.on_their_way) * runs.bytes);
        assert_eq!(ahead.sum::<usize>(), stock.run_bytes_ahead);
        assert!(stock.run_bytes_ahead <= ALL_RUN_BYTES_AHEAD);
        for _ in 0..3 * CHUNKS_AHEAD {
            drop(patiently(|| stock.chunk()));
        }
    }
}
