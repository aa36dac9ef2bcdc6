//! A disk that keeps what was synced, and of the rest what chance leaves: each sector of 512 bytes is as it
//! was at any moment since. The names of files are taken to be kept. Knows no database.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::shim::{Line, Part};
use crate::chance::Chance;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// The files of a database as a power cut would find them.
#[derive(Default)]
pub(super) struct Disk {
    files: BTreeMap<Part, File>,
    /// For each sync under way how many changes of its file came before it.
    syncs: HashMap<u64, usize>,
}

#[derive(Default)]
struct File {
    synced: Vec<u8>,
    /// Since then, and how many came before them.
    changes: Vec<Change>,
    done: usize,
}

enum Change {
    Write { at: usize, data: Vec<u8> },
    Truncate { to: usize },
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { at, data } => {
                let end = at + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(data);
            }
            Self::Truncate { to } => bytes.resize(*to, 0),
        }
    }
}

impl Disk {
    /// As the files are now, everything synced.
    pub(super) fn of(database: &Path) -> Self {
        let mut disk = Self::default();
        for part in Part::ALL {
            if let Ok(synced) = std::fs::read(part.of(database)) {
                disk.file(part).synced = synced;
            }
        }
        disk
    }

    fn file(&mut self, part: Part) -> &mut File {
        self.files.entry(part).or_default()
    }

    /// What the program did since.
    pub(super) fn replay(&mut self, lines: Vec<Line>) {
        for line in lines {
            match line {
                Line::Written { part, at, data } => {
                    self.file(part).changes.push(Change::Write { at, data });
                }
                Line::Truncated { part, to } => {
                    self.file(part).changes.push(Change::Truncate { to });
                }
                Line::SyncBegan { part, nth } => {
                    let file = self.file(part);
                    let before = file.done + file.changes.len();
                    self.syncs.insert(nth, before);
                }
                Line::SyncEnded { part, nth } => {
                    let before = self.syncs.remove(&nth).expect("it began");
                    self.file(part).sync(before);
                }
                Line::Received { .. } | Line::Sent { .. } => {}
            }
        }
    }

    /// How many changes were not synced.
    pub(super) fn unsynced(&self) -> usize {
        self.files.values().map(|file| file.changes.len()).sum()
    }

    /// Leaves of the files what a cut at this moment would. The index of the log is not a file that is kept.
    pub(super) fn cut(&self, database: &Path, chance: &mut Chance) {
        for (part, file) in &self.files {
            let left = file.cut(chance);
            std::fs::write(part.of(database), left).expect("the folder is ours");
        }
        let mut index = database.as_os_str().to_owned();
        index.push("-shm");
        // It is there only if the program came that far.
        let _ = std::fs::remove_file(index);
    }
}

impl File {
    /// The first `before` changes of all are on disk.
    fn sync(&mut self, before: usize) {
        let many = before.saturating_sub(self.done);
        for change in self.changes.drain(..many) {
            change.apply(&mut self.synced);
        }
        self.done += many;
    }

    fn cut(&self, chance: &mut Chance) -> Vec<u8> {
        // How much of what was not synced comes through: now and then nothing or everything, in order.
        let percent = *chance.pick(&[0, 10, 50, 90, 100]);
        let mut now = self.synced.clone();
        let mut lengths = vec![now.len()];
        let mut versions: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for change in &self.changes {
            change.apply(&mut now);
            lengths.push(now.len());
            if let Change::Write { at, data } = change {
                for sector in at / SECTOR..(at + data.len()).div_ceil(SECTOR) {
                    let end = now.len().min((sector + 1) * SECTOR);
                    let version = now[sector * SECTOR..end].to_vec();
                    versions.entry(sector).or_default().push(version);
                }
            }
        }
        let length = match percent {
            0 => lengths[0],
            100 => now.len(),
            _ => *chance.pick(&lengths),
        };
        let mut left = self.synced.clone();
        left.resize(length.max(left.len()).max(now.len()), 0);
        for (sector, versions) in versions {
            let version = match percent {
                100 => versions.last(),
                _ if chance.between(0, 99) < percent => Some(chance.pick(&versions)),
                _ => None,
            };
            if let Some(version) = version {
                let at = sector * SECTOR;
                left[at..at + version.len()].copy_from_slice(version);
            }
        }
        left.truncate(length);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(at: usize, byte: u8, length: usize) -> Line {
        Line::Written {
            part: Part::Wal,
            at,
            data: vec![byte; length],
        }
    }

    fn sync(nth: u64) -> [Line; 2] {
        let part = Part::Wal;
        [Line::SyncBegan { part, nth }, Line::SyncEnded { part, nth }]
    }

    #[test]
    fn what_was_synced_stays_and_the_rest_is_left_to_chance() {
        let mut disk = Disk::default();
        let [began, ended] = sync(1);
        disk.replay(vec![
            written(0, 1, 1024),
            began,
            // While the disk syncs: not part of it.
            written(512, 2, 1024),
            ended,
        ]);
        let file = &disk.files[&Part::Wal];
        let (mut whole, mut lost, mut torn) = (0, 0, 0);
        for seed in 0..1_000 {
            let left = file.cut(&mut Chance::from_seed(seed));
            assert_eq!(left[..512], [1; 512], "it was synced");
            assert!(left.len() == 1024 || left.len() == 1536, "{}", left.len());
            match (left[512], left.get(1024)) {
                (2, Some(2)) => whole += 1,
                (1, None) => lost += 1,
                _ => torn += 1,
            }
        }
        assert!(
            whole > 50 && lost > 50 && torn > 50,
            "{whole} {lost} {torn}"
        );
    }
}
