//! Against a model, and what is said of slabs.

use super::slabs::SLAB_BYTES_MIN;
use super::*;
use crate::limits::BLOCK;
use crate::zxid::Epoch;

const BATCH_BYTES_MAX: usize = 256 << 10;

fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

fn none() -> Proposals {
    Proposals::new(Zxid::ZERO, BATCH_BYTES_MAX)
}

fn packet(zxid: Zxid, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    batch::write_packet(zxid, payload, &mut packet);
    packet
}

fn append(proposals: &mut Proposals, zxid: Zxid, payload: &[u8]) {
    proposals.append(zxid, &packet(zxid, payload));
}

/// Hands out all that gathers: the first and last zxid of each batch, and its slab.
fn hand_out(proposals: &mut Proposals) -> Vec<(Zxid, Zxid, Arc<Slab>)> {
    std::iter::from_fn(|| {
        let Batch { first, last, .. } = *proposals.front()?;
        Some((first, last, proposals.hand_out(|_| ()).0))
    })
    .collect()
}

/// A small generator, so that a failing seed repeats.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// The same thing, kept as simply as can be.
#[derive(Default)]
struct Model(Vec<(Zxid, Vec<u8>)>);

fn agree(proposals: &Proposals, model: &Model, draw: &mut Draw, shared: &mut Vec<(Vec<u8>, Part)>) {
    let base = proposals.base();
    assert_eq!(proposals.last(), model.0.last().map_or(base, |(zxid, _)| *zxid));
    let kept: Vec<_> = model.0.iter().filter(|(zxid, _)| *zxid > base).collect();
    for (zxid, payload) in &kept {
        assert_eq!(proposals.payload(*zxid), Some(&payload[..]), "P2");
    }
    let bytes: usize = kept.iter().map(|(zxid, payload)| packet(*zxid, payload).len()).sum();
    assert_eq!(proposals.bytes(), bytes);
    let Some((after, _)) = kept.get(draw.below(kept.len() as u64 + 1) as usize) else { return };
    let behind = kept.iter().filter(|(zxid, _)| zxid > after);
    let expected: Vec<u8> =
        behind.clone().flat_map(|(zxid, payload)| packet(*zxid, payload)).collect();
    assert_eq!(proposals.bytes_after(*after), expected.len());
    let (mut at, mut sent) = (*after, Vec::new());
    while let Some(run) = proposals.run(at, proposals.last(), 1 + draw.below(300_000) as usize) {
        sent.extend_from_slice(run.bytes);
        at = run.last;
        if let Some(part) = run.share() {
            assert_eq!((part.as_ptr(), part.len()), (run.bytes.as_ptr(), run.bytes.len()));
            shared.push((part.to_vec(), part));
        }
    }
    assert_eq!(sent, expected);
    assert!(proposals.zxids(*after, proposals.last()).eq(behind.map(|(zxid, _)| *zxid)));
}

/// How much was shared at most at a time.
fn random_life(seed: u64) -> usize {
    let mut draw = Draw(seed);
    let mut proposals = none();
    let mut model = Model::default();
    let (mut on_the_disk, mut shared): (Vec<_>, Vec<(Vec<u8>, Part)>) = Default::default();
    let mut most_shared = 0;
    for _ in 0..200 {
        match draw.below(20) {
            0 => {
                hand_out(&mut proposals);
                let kept = model.0.iter().map(|kept| kept.0);
                let kept: Vec<Zxid> = kept.filter(|zxid| *zxid >= proposals.base()).collect();
                if !kept.is_empty() {
                    let to = kept[draw.below(kept.len() as u64) as usize];
                    proposals.truncate(to);
                    model.0.retain(|(zxid, _)| *zxid <= to);
                }
            }
            1 => {
                let kept = draw.below(400_000) as usize;
                proposals.trim(proposals.last(), kept);
                let room: usize = proposals.batches.iter().map(|b| b.slab.capacity()).sum();
                assert_eq!(room, proposals.slabs.used_bytes());
            }
            2 => proposals.trim(Zxid::ZERO, 0),
            3 | 4 => {
                let slabs = hand_out(&mut proposals).into_iter().map(|(.., slab)| slab);
                on_the_disk.extend(slabs.map(|slab| (slab.to_vec(), slab)));
                assert_eq!((proposals.gathering(), proposals.gathered_bytes()), (0, 0));
            }
            5 => {
                for (as_it_was, slab) in on_the_disk.drain(..) {
                    assert!(slab[..] == as_it_was[..], "P3: it was on its way");
                }
                for (as_it_was, part) in shared.drain(..) {
                    assert!(part[..] == as_it_was[..], "P3: a learner had it");
                }
            }
            pick => {
                let last = proposals.last();
                let next = match pick {
                    6 => zxid(last.epoch().0 + 1 + draw.below(2) as i64, 1),
                    _ => last.next().unwrap(),
                };
                let most = if pick == 7 { 350_000 } else { 3_000 };
                let payload = vec![pick as u8; draw.below(most) as usize];
                append(&mut proposals, next, &payload);
                model.0.push((next, payload));
            }
        }
        agree(&proposals, &model, &mut draw, &mut shared);
        most_shared = most_shared.max(shared.len());
    }
    most_shared
}

#[test]
fn only_what_gathers_no_more_is_shared_and_only_much_of_it() {
    let mut proposals = none();
    let much = vec![1; SHARED_BYTES_MIN];
    append(&mut proposals, zxid(1, 1), &much);
    let run = |proposals: &Proposals, after| {
        proposals.run(after, proposals.last(), BATCH_BYTES_MAX).unwrap().share()
    };
    assert!(run(&proposals, Zxid::ZERO).is_none(), "P3: it gathers");
    hand_out(&mut proposals);
    let part = run(&proposals, Zxid::ZERO).expect("it is on its way to the disk");
    assert_eq!(part[..], packet(zxid(1, 1), &much));
    append(&mut proposals, zxid(1, 2), b"little");
    hand_out(&mut proposals);
    assert!(run(&proposals, zxid(1, 1)).is_none());
}

#[test]
fn what_is_forgotten_and_still_shared_is_not_written_over() {
    let mut proposals = none();
    let next = |proposals: &mut Proposals, counter| {
        append(proposals, zxid(1, counter), &[counter as u8; SHARED_BYTES_MIN]);
        hand_out(proposals);
        let part = proposals.run(zxid(1, counter - 1), zxid(1, counter), BATCH_BYTES_MAX);
        let part = part.unwrap().share().unwrap();
        proposals.trim(zxid(1, counter), 0);
        part
    };
    // The first are smaller than what gathers of late asks for.
    drop((next(&mut proposals, 1), next(&mut proposals, 2)));
    let held = next(&mut proposals, 3);
    let (address, as_it_was) = (held.as_ptr(), held.to_vec());
    assert_eq!(held.holders(), 2, "it is kept for later");
    let later = [4, 5].map(|counter| next(&mut proposals, counter));
    assert!(later.iter().all(|part| part.as_ptr() != address) && held[..] == as_it_was);
    drop(held);
    assert_eq!(next(&mut proposals, 6).as_ptr(), address, "P4");
}

#[test]
fn any_history_reads_back_as_it_was_written() {
    for seed in 0..12 {
        println!("seed {seed}");
        assert!(random_life(seed) > 0, "something was shared");
    }
}

#[test]
fn packets_share_a_batch_until_its_slab_is_full_or_the_epoch_ends() {
    let mut proposals = Proposals::new(Zxid::ZERO, 4096);
    for (epoch, counter) in [(1, 1), (1, 2), (1, 3), (2, 1)] {
        append(&mut proposals, zxid(epoch, counter), &[7; 1980]);
    }
    let batches = hand_out(&mut proposals);
    let spans: Vec<_> = batches.iter().map(|(first, last, _)| (*first, *last)).collect();
    let at = zxid;
    assert_eq!(spans, [(at(1, 1), at(1, 2)), (at(1, 3), at(1, 3)), (at(2, 1), at(2, 1))]);
    assert_eq!(batches[0].2[BATCH_HEADER_BYTES + 2000 + 16], 7);
}

#[test]
fn nothing_joins_what_was_handed_out() {
    let mut proposals = none();
    append(&mut proposals, zxid(1, 1), b"x");
    let first = hand_out(&mut proposals).remove(0).2;
    append(&mut proposals, zxid(1, 2), b"y");
    let second = hand_out(&mut proposals).remove(0).2;
    assert!(!Arc::ptr_eq(&first, &second));
    assert_eq!(proposals.room(), 2 * SLAB_BYTES_MIN);
}

#[test]
fn slabs_grow_with_what_gathers_and_are_used_again() {
    let mut proposals = none();
    let mut counter = 0;
    let mut turn = |proposals: &mut Proposals, packets: u32| {
        for _ in 0..packets {
            counter += 1;
            append(proposals, zxid(1, counter), &[7; 1000]);
        }
        let slabs = hand_out(proposals);
        proposals.trim(zxid(1, counter), 64 << 10);
        slabs.iter().map(|(.., slab)| (slab.as_ptr(), slab.capacity())).collect::<Vec<_>>()
    };
    assert_eq!(turn(&mut proposals, 1)[0].1, SLAB_BYTES_MIN, "small batches take little");
    assert!(turn(&mut proposals, 150).len() < 5);
    let [(_, bytes)] = turn(&mut proposals, 100)[..] else { panic!("one slab has room for it") };
    assert!(bytes >= 100 << 10);
    (0..8).for_each(|_| drop(turn(&mut proposals, 100)));
    let addresses: std::collections::BTreeSet<_> =
        (0..50).flat_map(|_| turn(&mut proposals, 100)).collect();
    assert!(addresses.len() < 8, "P4: {addresses:?}");
}

#[test]
fn lent_memory_is_taken_first_and_kept() {
    let mut proposals = none();
    let lent = vec![0; 2 * BATCH_BYTES_MAX + BLOCK].leak();
    let start = lent.as_ptr().align_offset(BLOCK);
    let lent = &mut lent[start..start + 2 * BATCH_BYTES_MAX];
    let place = lent.as_ptr_range();
    proposals.lend(lent);
    append(&mut proposals, zxid(1, 1), b"little");
    assert!(!place.contains(&hand_out(&mut proposals)[0].2.as_ptr()), "of little none is lent");
    let many = |proposals: &mut Proposals, packets: u32| {
        let first = proposals.last().counter() + 1;
        (first..first + packets).for_each(|n| append(proposals, zxid(1, n), &[7; 1000]));
        hand_out(proposals).iter().filter(|(.., slab)| place.contains(&slab.as_ptr())).count()
    };
    for _ in 0..10 {
        assert_eq!(many(&mut proposals, 200), 1);
        proposals.trim(proposals.last(), 0);
    }
    // More than is kept of others: what is lent stays.
    assert_eq!(many(&mut proposals, 12_000), 2, "all there is");
    proposals.trim(proposals.last(), 0);
    assert!((7 << 20..=8 << 20).contains(&proposals.slabs.free_bytes()));
    assert_eq!(many(&mut proposals, 12_000), 2);
}

#[test]
fn a_giants_slab_is_not_kept() {
    let mut proposals = none();
    append(&mut proposals, zxid(1, 1), &[1; BATCH_BYTES_MAX]);
    assert!(hand_out(&mut proposals)[0].2.capacity() > BATCH_BYTES_MAX);
    proposals.trim(zxid(1, 1), 0);
    assert_eq!((proposals.first(), proposals.slabs.used_bytes()), (None, 0));
    assert_eq!(proposals.slabs.free_bytes(), 0);
}

#[test]
fn what_is_not_applied_or_still_gathers_is_never_trimmed() {
    let mut proposals = none();
    for counter in 1..=10 {
        append(&mut proposals, zxid(1, counter), &[0; 1000]);
        if counter < 9 {
            hand_out(&mut proposals);
        }
    }
    proposals.trim(zxid(1, 4), 0);
    assert_eq!(proposals.first(), Some(zxid(1, 5)));
    assert!(!proposals.covers(zxid(1, 3)) && proposals.covers(zxid(1, 4)));
    assert!(proposals.run(zxid(1, 3), zxid(1, 10), 1).is_none(), "P2");
    proposals.trim(zxid(1, 10), 0);
    assert_eq!(proposals.first(), Some(zxid(1, 9)));
}

#[test]
fn a_truncation_below_memory_leaves_nothing_above_it() {
    let mut proposals = none();
    for counter in 1..=4 {
        append(&mut proposals, zxid(1, counter), b"x");
        hand_out(&mut proposals);
    }
    proposals.trim(zxid(1, 2), 0);
    proposals.truncate(zxid(1, 1));
    assert_eq!((proposals.base(), proposals.last()), (zxid(1, 1), zxid(1, 1)));
    append(&mut proposals, zxid(2, 1), b"y");
    assert_eq!(proposals.payload(zxid(2, 1)), Some(&b"y"[..]));
}

#[test]
#[should_panic(expected = "P1")]
fn what_does_not_ascend_is_refused() {
    let mut proposals = none();
    append(&mut proposals, zxid(1, 3), b"x");
    append(&mut proposals, zxid(1, 3), b"x");
}
