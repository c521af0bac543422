//! The log's operations on real files, on both backends.

use std::sync::Arc;

use super::{Bench, Folder, is_alone, on_both_backends};
use crate::io::files::{Directory, FileDisk};
use crate::io::{Backend, ReactorOptions, entropy};
use crate::limits::BLOCK;
use crate::log::{Disk, DiskDone, DiskOp, FileName, OpId, Slab};

on_both_backends! {
    a_prepared_segment_is_whole_and_zero
    a_recycled_segment_begins_with_zeros_under_its_new_name
    a_removed_segment_is_gone
    many_writes_in_flight_all_arrive_where_they_belong
    a_segment_made_anew_under_the_same_number_is_written_anew
    an_operation_on_a_missing_segment_fails
    a_chore_that_fails_says_why
    a_write_that_does_not_fit_is_an_error
    a_filesystem_that_refuses_o_direct_is_written_and_said
    slabs_under_way_survive_the_end_of_the_reactor
}

const SEGMENT: u64 = 4 << 20;

fn open(backend: Backend, folder: &Folder) -> (Bench, FileDisk) {
    let directory = Directory::open(folder.path(), folder.path()).unwrap();
    let disk = FileDisk::new(Arc::clone(&directory));
    (Bench::with(backend, &ReactorOptions::default(), Some(directory)), disk)
}

fn prepare(bench: &mut Bench, segment: u64, recycle: Option<u64>) -> Result<(), i32> {
    bench.io().disk(DiskOp::Prepare { segment, bytes: SEGMENT, recycle });
    match bench.disk_done() {
        DiskDone::Prepared { segment: done, result } => {
            assert_eq!(done, segment);
            result
        }
        other => panic!("{other:?}"),
    }
}

/// Blocks full of one byte each, from `first` on.
fn blocks(first: u8, count: usize) -> Slab {
    let mut slab = Slab::new(count * BLOCK);
    for (i, block) in slab.chunks_mut(BLOCK).enumerate() {
        block.fill(first.wrapping_add(i as u8));
    }
    slab
}

fn write(op: u64, segment: u64, offset: u64, slab: Slab, durable: bool) -> DiskOp {
    let len = slab.len();
    DiskOp::Write { op: OpId(op), segment, offset, slab: slab.into(), len, durable }
}

fn read(disk: &mut FileDisk, segment: u64, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    let count = disk.read(FileName::Segment(segment), offset, &mut bytes).unwrap();
    bytes.truncate(count);
    bytes
}

fn a_prepared_segment_is_whole_and_zero(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 7, None).unwrap();
    assert_eq!(disk.list().unwrap(), [(FileName::Segment(7), SEGMENT)]);
    assert!(read(&mut disk, 7, 0, SEGMENT as usize).iter().all(|&byte| byte == 0));
}

fn a_recycled_segment_begins_with_zeros_under_its_new_name(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    bench.io().disk(write(1, 1, 0, blocks(1, 4), true));
    bench.disk_done();
    prepare(&mut bench, 2, Some(1)).unwrap();
    assert_eq!(disk.list().unwrap(), [(FileName::Segment(2), SEGMENT)]);
    let bytes = read(&mut disk, 2, 0, 2 * BLOCK);
    assert_eq!((bytes[0], bytes[BLOCK - 1], bytes[BLOCK]), (0, 0, 2));
    // The old number means nothing now, though its file was open.
    bench.io().disk(write(2, 1, 0, blocks(9, 1), true));
    assert!(matches!(bench.disk_done(), DiskDone::Written { result: Err(libc::ENOENT), .. }));
}

fn a_removed_segment_is_gone(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    bench.io().disk(DiskOp::Remove { segment: 1 });
    let done = bench.disk_done();
    assert!(matches!(done, DiskDone::Removed { segment: 1, result: Ok(()) }), "{done:?}");
    assert_eq!(disk.list().unwrap(), []);
}

fn many_writes_in_flight_all_arrive_where_they_belong(backend: Backend) {
    const WRITES: u64 = 64;
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    prepare(&mut bench, 2, None).unwrap();
    let mut offset = 0;
    let mut places = Vec::new();
    for i in 0..WRITES {
        let (first, count) = (i as u8 * 3, 1 + (i as usize * 7) % 13);
        let segment = 1 + i % 2;
        bench.io().disk(write(i, segment, offset, blocks(first, count), i % 3 == 0));
        places.push((segment, offset, first, count));
        offset += (count * BLOCK) as u64;
    }
    let mut seen = vec![false; WRITES as usize];
    for _ in 0..WRITES {
        match bench.disk_done() {
            DiskDone::Written { op, slab, result: Ok(()) } => {
                let (_, _, first, count) = places[op.0 as usize];
                assert_eq!((slab[0], slab.len()), (first, count * BLOCK), "its own slab is back");
                assert!(!std::mem::replace(&mut seen[op.0 as usize], true));
            }
            other => panic!("{other:?}"),
        }
    }
    for segment in [1, 2] {
        bench.io().disk(DiskOp::Flush { op: OpId(WRITES), segment });
        let done = bench.disk_done();
        assert!(matches!(done, DiskDone::Flushed { op: OpId(WRITES), result: Ok(()) }), "{done:?}");
    }
    for (segment, offset, first, count) in places {
        assert!(read(&mut disk, segment, offset, count * BLOCK) == *blocks(first, count));
    }
}

fn a_segment_made_anew_under_the_same_number_is_written_anew(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    bench.io().disk(write(1, 1, 0, blocks(1, 1), false));
    bench.disk_done();
    disk.remove(FileName::Segment(1)).unwrap();
    prepare(&mut bench, 1, None).unwrap();
    bench.io().disk(write(2, 1, 0, blocks(2, 1), false));
    bench.disk_done();
    assert_eq!(read(&mut disk, 1, 0, 1), [2]);
}

fn an_operation_on_a_missing_segment_fails(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, _) = open(backend, &folder);
    bench.io().disk(write(1, 5, 0, blocks(1, 1), true));
    let done = bench.disk_done();
    assert!(matches!(done, DiskDone::Written { op: OpId(1), result: Err(libc::ENOENT), .. }));
    bench.io().disk(DiskOp::Flush { op: OpId(2), segment: 5 });
    let done = bench.disk_done();
    assert!(matches!(done, DiskDone::Flushed { op: OpId(2), result: Err(libc::ENOENT) }));
}

fn a_chore_that_fails_says_why(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, _) = open(backend, &folder);
    assert_eq!(prepare(&mut bench, 2, Some(1)), Err(libc::ENOENT));
    bench.io().disk(DiskOp::Remove { segment: 1 });
    let done = bench.disk_done();
    assert!(
        matches!(done, DiskDone::Removed { segment: 1, result: Err(libc::ENOENT) }),
        "{done:?}"
    );
}

/// A limit on the size of files stands for a full disk.
fn a_write_that_does_not_fit_is_an_error(backend: Backend) {
    if !is_alone(backend, "io::tests::disk::{}::a_write_that_does_not_fit_is_an_error") {
        return;
    }
    let folder = Folder::new();
    let (mut bench, _) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    let size = rustix::process::Resource::Fsize;
    let maximum = rustix::process::getrlimit(size).maximum;
    let limit = rustix::process::Rlimit { current: Some(3 * BLOCK as u64), maximum };
    rustix::process::setrlimit(size, limit).unwrap();
    // The third block fits, the fourth does not: a short write is no write.
    bench.io().disk(write(1, 1, 2 * BLOCK as u64, blocks(1, 2), true));
    let done = bench.disk_done();
    assert!(matches!(done, DiskDone::Written { result: Err(libc::EIO), .. }), "{done:?}");
    bench.io().disk(write(2, 1, 3 * BLOCK as u64, blocks(1, 1), true));
    let done = bench.disk_done();
    assert!(matches!(done, DiskDone::Written { result: Err(libc::EFBIG), .. }), "{done:?}");
    assert_eq!(prepare(&mut bench, 2, None), Err(libc::EFBIG));
}

fn a_filesystem_that_refuses_o_direct_is_written_and_said(backend: Backend) {
    let folder = Folder::new();
    let directory = Directory::open_buffered(folder.path());
    let mut disk = FileDisk::new(Arc::clone(&directory));
    let mut bench = Bench::with(backend, &ReactorOptions::default(), Some(directory));
    let line = bench.reactor.describe();
    assert!(line.ends_with("fdatasync, for this filesystem refuses O_DIRECT"), "{line}");
    prepare(&mut bench, 1, None).unwrap();
    bench.io().disk(write(1, 1, 0, blocks(7, 3), true));
    assert!(matches!(bench.disk_done(), DiskDone::Written { result: Ok(()), .. }));
    bench.io().disk(DiskOp::Flush { op: OpId(2), segment: 1 });
    assert!(matches!(bench.disk_done(), DiskDone::Flushed { result: Ok(()), .. }));
    assert!(read(&mut disk, 1, 0, 3 * BLOCK) == *blocks(7, 3));
}

fn slabs_under_way_survive_the_end_of_the_reactor(backend: Backend) {
    let folder = Folder::new();
    let (mut bench, mut disk) = open(backend, &folder);
    prepare(&mut bench, 1, None).unwrap();
    for i in 0..16 {
        bench.io().disk(write(i, 1, i * 64 * BLOCK as u64, blocks(200, 64), true));
    }
    bench.after(1);
    drop(bench);
    // IO3, R1: whatever reached the disk is what was given, not what the memory was used for afterwards.
    let _noise: Vec<_> = (0..16).map(|_| vec![entropy::random_u64() as u8; 65 * BLOCK]).collect();
    let good = blocks(200, 64);
    for i in 0..16 {
        let bytes = read(&mut disk, 1, i * 64 * BLOCK as u64, 64 * BLOCK);
        for (block, expected) in bytes.chunks(BLOCK).zip(good.chunks(BLOCK)) {
            assert!(block == expected || block.iter().all(|&byte| byte == 0), "write {i}");
        }
    }
}
