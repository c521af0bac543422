//! Making a ring: with every flag that helps and that this kernel knows.
//!
//! Flags, and what each is for:
//! - SINGLE_ISSUER, DEFER_TASKRUN: completions are made on our thread, when we enter and ask for
//!   them, not by interrupting it. Hence every enter asks (GETEVENTS).
//! - SUBMIT_ALL: one bad operation does not hold back those behind it.
//! - CQSIZE, CLAMP: completions that a multishot makes need more room than operations do.
//! - NO_SQARRAY: one indirection less for each operation.
//!
//! What cannot be done without: waiting with a timeout in the enter itself (5.11), completions that
//! are never dropped (5.5), buffer rings (5.19), multishot receive (6.0, told by SEND_ZC, which
//! came with it).

#![expect(unsafe_code, reason = "AI-5: registers memory with the kernel")]

use io_uring::{Builder, IoUring, Probe, opcode};

use super::buffers::BufferRing;
use crate::io::{Errno, ReactorError, ReactorOptions};

/// The group that all receptions take their buffers from.
pub(super) const BUFFER_GROUP: u16 = 0;

/// A name for the log line, and what it asks for.
pub(in crate::io) type Flavour = (&'static str, fn(&mut Builder));

/// From the best set of flags to the one any kernel with multishot receive knows.
pub(in crate::io) const FLAVOURS: [Flavour; 4] = [
    ("single_issuer defer_taskrun no_sqarray", |builder| {
        builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray();
    }),
    ("single_issuer defer_taskrun", |builder| {
        builder.setup_single_issuer().setup_defer_taskrun();
    }),
    ("coop_taskrun", |builder| {
        builder.setup_coop_taskrun();
    }),
    ("plain", |_| {}),
];

pub(super) struct Made {
    pub(super) ring: IoUring,
    pub(super) buffers: BufferRing,
    pub(super) flavour: &'static str,
}

pub(super) fn make(options: &ReactorOptions, flavours: &[Flavour]) -> Result<Made, ReactorError> {
    let (ring, flavour) = make_ring(options, flavours)?;
    let lacks = |what| ReactorError { verb: what, errno: Errno(libc::ENOSYS) };
    if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
        return Err(lacks("io_uring of this kernel cannot wait with a timeout"));
    }
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| failed("cannot ask io_uring what it can do", &error))?;
    if !probe.is_supported(opcode::SendZc::CODE) {
        return Err(lacks("io_uring of this kernel has no multishot receive"));
    }
    let buffers = BufferRing::new(options.receive_buffers, options.receive_buffer_bytes);
    // Safety: the entries are page-aligned, `count` of them, and live until `Ring::shut` has
    // unregistered them, or for good.
    unsafe {
        ring.submitter().register_buf_ring_with_flags(
            buffers.address(),
            buffers.count(),
            BUFFER_GROUP,
            0,
        )
    }
    .map_err(|error| failed("cannot register receive buffers", &error))?;
    Ok(Made { ring, buffers, flavour })
}

fn make_ring(
    options: &ReactorOptions,
    flavours: &[Flavour],
) -> Result<(IoUring, &'static str), ReactorError> {
    let mut refused = Errno(libc::EINVAL);
    for (flavour, choose) in flavours {
        let mut builder = IoUring::builder();
        builder.dontfork().setup_cqsize(options.completions).setup_clamp().setup_submit_all();
        choose(&mut builder);
        match builder.build(options.submissions) {
            Ok(ring) => return Ok((ring, flavour)),
            Err(error) => refused = errno_of(&error),
        }
        // Only a flag it does not know is a reason to ask for less.
        if refused.0 != libc::EINVAL {
            break;
        }
    }
    Err(ReactorError { verb: "cannot make an io_uring", errno: refused })
}

pub(super) fn failed(verb: &'static str, error: &std::io::Error) -> ReactorError {
    ReactorError { verb, errno: errno_of(error) }
}

/// The crate's errors are the kernel's numbers, but for arguments it refuses itself.
pub(super) fn errno_of(error: &std::io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EINVAL))
}
