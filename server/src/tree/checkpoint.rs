//! Writing down the tree of one moment while it goes on changing.
//!
//! Beginning is instant. From then on every znode is written exactly once, as it was at the moment
//! of the beginning: by a walk over the arena, in slices whose size the caller sets, or, if a change
//! would come first, just before that change. A znode carries the number of the last checkpoint that
//! has it behind it; one made later carries the number from birth. So memory grows with what changed,
//! not with the tree, and the pause is that of one slice.
//!
//! Invariants:
//! - C1. A znode is written after its parent: readers refuse orphans.
//! - C2. A znode is written at most once a checkpoint, and exactly once if it lived at the beginning.
//! - C3. What is written of a znode is what it was at the beginning.
//!
//! Not here: what stands around the znodes in a file (`snapshot`).

use std::collections::VecDeque;

use ringkeeper_engine::jute::Writer;

use super::Tree;
use super::znode::ZnodeId;

/// How far a checkpoint has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckpointStep {
    More,
    /// Every znode has been handed out; the checkpoint is over.
    Done,
}

/// Pre-images are gathered in pieces, so that handing out what a long wait left is no long copy.
const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Checkpoint {
    /// Next slot of the walk, and the first that was not there at the beginning.
    at: u32,
    end: u32,
    /// Written just before a change, not handed out yet: whole pieces, and the one that fills.
    full: VecDeque<Vec<u8>>,
    pre_images: Vec<u8>,
    /// Ancestors on the way to a znode, kept for its capacity.
    chain: Vec<ZnodeId>,
}

impl Tree {
    /// Fixes the moment. One checkpoint at a time.
    pub fn begin_checkpoint(&mut self) {
        assert!(self.checkpoint.is_none(), "one checkpoint at a time");
        self.checkpoints = self.checkpoints.wrapping_add(1);
        self.checkpoint = Some(Checkpoint {
            at: 0,
            end: self.arena.slots(),
            full: VecDeque::new(),
            pre_images: Vec::new(),
            chain: Vec::new(),
        });
    }

    pub fn is_checkpointing(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Bytes of znodes that changed and wait for the next slice.
    pub fn checkpoint_backlog(&self) -> usize {
        self.checkpoint.as_ref().map_or(0, |checkpoint| {
            let full: usize = checkpoint.full.iter().map(Vec::len).sum();
            full + checkpoint.pre_images.len()
        })
    }

    /// Appends to `out` what changes forced to be written, piece by piece, and when that is out the
    /// next `steps` of the walk, a znode or a stretch without any each; fewer if `out` grows beyond
    /// `bytes`. What the walk writes may stand below what a change wrote, never the other way round,
    /// so the walk comes last (C1).
    ///
    /// Each record is `path, data, acl id, stat` as in ZooKeeper's snapshots, parents first.
    pub fn checkpoint_slice(
        &mut self,
        steps: u32,
        bytes: usize,
        out: &mut Vec<u8>,
    ) -> CheckpointStep {
        let mut checkpoint = self.checkpoint.take().expect("begun, and not done");
        if let Some(piece) = checkpoint.full.pop_front() {
            append(out, piece);
            self.checkpoint = Some(checkpoint);
            return CheckpointStep::More;
        }
        append(out, std::mem::take(&mut checkpoint.pre_images));
        for _ in 0..steps {
            if checkpoint.at == checkpoint.end || out.len() >= bytes {
                break;
            }
            match self.arena.next_live(checkpoint.at) {
                Ok(id) if id.0 < checkpoint.end => {
                    checkpoint.at = id.0 + 1;
                    self.write_with_ancestors(id, &mut checkpoint.chain, out);
                }
                Ok(_) => checkpoint.at = checkpoint.end,
                Err(next) => checkpoint.at = next.min(checkpoint.end),
            }
        }
        if checkpoint.at == checkpoint.end {
            return CheckpointStep::Done;
        }
        self.checkpoint = Some(checkpoint);
        CheckpointStep::More
    }

    /// Forgets a running checkpoint, if there is one.
    pub fn abandon_checkpoint(&mut self) {
        self.checkpoint = None;
    }

    /// To be called before every change of a znode (T3).
    #[inline]
    pub(super) fn before_change(&mut self, id: ZnodeId) {
        if self.checkpoint.is_some() && self.arena[id].mark != self.checkpoints {
            self.write_before_change(id);
        }
    }

    #[cold]
    fn write_before_change(&mut self, id: ZnodeId) {
        let mut checkpoint = self.checkpoint.take().expect("the caller has looked");
        self.write_with_ancestors(id, &mut checkpoint.chain, &mut checkpoint.pre_images);
        if checkpoint.pre_images.len() >= PIECE_BYTES {
            checkpoint.full.push_back(std::mem::take(&mut checkpoint.pre_images));
        }
        self.checkpoint = Some(checkpoint);
    }

    /// Writes a znode and, before it, those above it that are not written (C1, C2).
    fn write_with_ancestors(&mut self, id: ZnodeId, chain: &mut Vec<ZnodeId>, out: &mut Vec<u8>) {
        let mut next = Some(id);
        while let Some(id) = next.filter(|id| self.arena[*id].mark != self.checkpoints) {
            chain.push(id);
            next = self.parent(id);
        }
        while let Some(id) = chain.pop() {
            self.write_record(id, out);
            self.arena[id].mark = self.checkpoints;
        }
    }

    fn write_record(&self, id: ZnodeId, out: &mut Vec<u8>) {
        let length = self.path_length(id);
        let written = i32::try_from(length).expect("paths are shorter than the frame they came in");
        Writer(out).int(written);
        self.path_bytes_into(id, length, out);
        let znode = &self.arena[id];
        let mut writer = Writer(out);
        writer.buffer(self.arena.data(id));
        writer.long(znode.acl.persisted());
        znode.persisted().encode(&mut writer);
    }
}

fn append(out: &mut Vec<u8>, mut piece: Vec<u8>) {
    if out.is_empty() && piece.len() > out.capacity() {
        *out = piece;
    } else {
        out.append(&mut piece);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringkeeper_engine::jute::Reader;
    use ringkeeper_engine::zxid::Zxid;

    use super::super::tests::workload::{Kept, RULES, Random, apply, dump, op};
    use super::super::{AclId, StatPersisted};
    use super::*;

    /// Reads a checkpoint back; fails on an orphan (C1) or a znode written twice (C2).
    fn read(bytes: &[u8]) -> BTreeMap<String, Kept> {
        let mut znodes: BTreeMap<String, Kept> = BTreeMap::new();
        let mut reader = Reader::new(bytes);
        while reader.remaining() > 0 {
            let path = reader.ustring("path").unwrap().unwrap().into_owned();
            let data = reader.buffer("data").unwrap().map(<[u8]>::to_vec);
            let acl = reader.long("acl").unwrap();
            let stat = StatPersisted::decode(&mut reader).unwrap();
            if let Some((above, _)) = path.rsplit_once('/') {
                assert!(znodes.contains_key(above), "C1: {path} came before its parent");
            }
            let twice = znodes.insert(path.clone(), (data, acl, stat));
            assert!(twice.is_none(), "C2: {path} was written twice");
        }
        znodes
    }

    /// C3 and T3: whatever is changed while it runs, a checkpoint is of its moment.
    #[test]
    fn a_checkpoint_holds_the_tree_of_its_beginning_while_writes_go_on() {
        for seed in 1..=20 {
            println!("seed {seed}");
            let mut random = Random(seed);
            let mut tree = Tree::new(RULES);
            let mut zxid = 0;
            let mut change = |tree: &mut Tree, random: &mut Random, times: usize| {
                for _ in 0..times {
                    zxid += 1;
                    apply(tree, &op(random), zxid);
                }
            };
            for _ in 0..6 {
                change(&mut tree, &mut random, 300);
                let expected = dump(&tree);
                tree.begin_checkpoint();
                let mut out = Vec::new();
                loop {
                    let writes = random.below(12);
                    change(&mut tree, &mut random, writes);
                    let steps = 1 + random.below(9) as u32;
                    let mut slice = Vec::new();
                    let step = tree.checkpoint_slice(steps, 1 + random.below(4000), &mut slice);
                    out.extend_from_slice(&slice);
                    if step == CheckpointStep::Done {
                        break;
                    }
                }
                assert_eq!(read(&out), expected, "C3");
                assert!(!tree.is_checkpointing());
            }
        }
    }

    #[test]
    fn what_a_tree_once_was_is_not_walked_through() {
        let mut tree = Tree::new(RULES);
        let name = |number: u32| format!("/{number}");
        for number in 0..40_000 {
            let stat = StatPersisted::default();
            tree.restore(&name(number), None, AclId::OPEN, &stat).unwrap();
        }
        for number in (0..40_000).filter(|number| number % 10_000 != 0) {
            tree.delete(&name(number), Zxid(1)).unwrap();
        }
        let expected = dump(&tree);
        tree.begin_checkpoint();
        let mut out = Vec::new();
        assert_eq!(tree.checkpoint_slice(40, usize::MAX, &mut out), CheckpointStep::Done);
        assert_eq!(read(&out), expected);
    }

    #[test]
    fn an_abandoned_checkpoint_leaves_the_next_one_whole() {
        let mut random = Random(7);
        let mut tree = Tree::new(RULES);
        for zxid in 1..200 {
            apply(&mut tree, &op(&mut random), zxid);
        }
        tree.begin_checkpoint();
        tree.checkpoint_slice(5, usize::MAX, &mut Vec::new());
        apply(&mut tree, &op(&mut random), 200);
        tree.abandon_checkpoint();
        assert_eq!(tree.checkpoint_backlog(), 0);
        let expected = dump(&tree);
        tree.begin_checkpoint();
        let mut out = Vec::new();
        assert_eq!(tree.checkpoint_slice(u32::MAX, usize::MAX, &mut out), CheckpointStep::Done);
        assert_eq!(read(&out), expected);
    }
}
