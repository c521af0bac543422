//! Memory that the kernel and we copy through all day, in pages as large as there are.
//!
//! Perf: what every byte passes, receive buffers and the log's slabs, is looked up in pages of 4 KiB
//! and pinned by them for each write; huge pages make sets of 1 KiB 1.10 times as many
//! (`perf/notebook.md`). Only what is bounded and used again is taken from here: to clear a huge page
//! takes so long that somebody would notice if it happened again and again.
//!
//! Not here: who uses it (`ring::buffers`, `log::slab`).

#![expect(unsafe_code, reason = "AI-5: memory straight from the kernel")]

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use rustix::param::page_size;

/// The next size of page on x86-64 and arm64.
const HUGE: usize = 2 << 20;

/// A range of whole pages, zero until written to, ours alone. Huge pages where it has so many bytes
/// and the kernel has some; that is a wish.
pub(super) struct Pages {
    start: NonNull<u8>,
    bytes: usize,
    is_leaked: bool,
}

impl Pages {
    /// At least so many bytes, none of them touched yet.
    pub(super) fn new(bytes: usize) -> Self {
        let unit = if bytes >= HUGE { HUGE } else { page_size() };
        let bytes = bytes.max(1).next_multiple_of(unit);
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // Safety: a new mapping, wherever the kernel finds room: nobody else's memory changes.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, flags) };
        let Some(start) = start.ok().and_then(|start| NonNull::new(start.cast::<u8>())) else {
            let layout = Layout::from_size_align(bytes, page_size());
            handle_alloc_error(layout.expect("a slab or a ring's buffers fit the address space"))
        };
        if unit == HUGE {
            // Safety: the mapping just made; the advice changes no byte of it. A kernel without huge
            // pages refuses it, and ours are small then.
            let _ = unsafe { madvise(start.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
        }
        Self { start, bytes, is_leaked: false }
    }

    pub(super) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// From here on it is never given back.
    pub(super) fn leak(&mut self) {
        self.is_leaked = true;
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if self.is_leaked {
            return;
        }
        // Safety: mapped by `new` with this length, and borrowed by nobody who outlives this.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// For the log of a process, which has one and as long as it runs ([`crate::log::Log::lend`]).
pub fn for_slabs(bytes: usize) -> &'static mut [u8] {
    let mut pages = Pages::new(bytes);
    pages.leak();
    // Safety: so many bytes, zeroed by the kernel, ours alone, and unmapped by nobody any more.
    unsafe { std::slice::from_raw_parts_mut(pages.start.as_ptr(), pages.bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_pages_zeroed_and_ours() {
        for bytes in [1, page_size() + 1, HUGE, HUGE + 1] {
            let memory = for_slabs(bytes);
            assert!(memory.len() >= bytes && memory.len().is_multiple_of(page_size()));
            assert_eq!(memory.as_ptr() as usize % page_size(), 0);
            assert!(memory.iter().all(|&byte| byte == 0));
            memory.fill(7);
        }
        drop(Pages::new(HUGE));
    }
}
