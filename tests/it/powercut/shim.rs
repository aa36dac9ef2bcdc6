//! The shim that is loaded into the program (`tests/powercut/powercut.c`), and the log that it writes.
//! Knows nothing of what the lines mean for a disk.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of a line before its data.
const HEAD: usize = 24;
/// How long a sync takes at least, as on a disk that turns: a cut mostly comes while one is under way.
const SYNC_US: u32 = 5_000;

/// A file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Database,
    Wal,
    Journal,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Database, Self::Wal, Self::Journal];

    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Database => "",
            Self::Wal => "-wal",
            Self::Journal => "-journal",
        }
    }

    /// Where it is, for a database at `path`.
    pub(super) fn of(self, path: &Path) -> PathBuf {
        let mut path = path.as_os_str().to_owned();
        path.push(self.suffix());
        path.into()
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Written {
        part: Part,
        at: usize,
        data: Vec<u8>,
    },
    Truncated {
        part: Part,
        to: usize,
    },
    SyncBegan {
        part: Part,
        nth: u64,
    },
    SyncEnded {
        part: Part,
        nth: u64,
    },
    Received {
        socket: u32,
        data: Vec<u8>,
    },
    Sent {
        socket: u32,
        data: Vec<u8>,
    },
}

/// Whether the shim heeds sockets as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heeds {
    Files,
    FilesAndSockets,
}

/// The shim, compiled, and where it logs.
pub(super) struct Shim {
    library: PathBuf,
    log: PathBuf,
}

impl Shim {
    /// Compiles it into a folder.
    pub(super) fn in_folder(folder: &Path) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("powercut/powercut.c");
        let library = folder.join("powercut.so");
        let output = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o",
            ])
            .arg(&library)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("cc is there, as for SQLite itself");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        Self {
            library,
            log: folder.join("powercut.log"),
        }
    }

    /// Lets it follow the files of a database in a program to come, on a new log.
    pub(super) fn follow(&self, command: &mut Command, database: &Path, heeds: Heeds) {
        let _ = std::fs::remove_file(&self.log);
        command
            .env("LD_PRELOAD", &self.library)
            .env("POWERCUT_FILE", database)
            .env("POWERCUT_LOG", &self.log)
            .env("POWERCUT_SYNC_US", SYNC_US.to_string());
        if heeds == Heeds::FilesAndSockets {
            command.env("POWERCUT_SOCKETS", "yes");
        }
    }

    /// What it wrote. The last line may have been cut off with the program.
    pub(super) fn lines(&self) -> Vec<Line> {
        let log = std::fs::read(&self.log).expect("the shim was loaded");
        let mut rest = &log[..];
        let mut lines = Vec::new();
        while let Some((line, after)) = read(rest) {
            lines.push(line);
            rest = after;
        }
        lines
    }
}

fn read(bytes: &[u8]) -> Option<(Line, &[u8])> {
    let head = bytes.get(..HEAD)?;
    let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let long = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().expect("eight bytes"));
    let (kind, file, at) = (word(0), word(4), long(8));
    let length = usize::try_from(long(16)).expect("it fits into memory");
    let data = bytes.get(HEAD..HEAD + length)?;
    let part = || Part::ALL[file as usize];
    let place = usize::try_from(at).expect("it fits into memory");
    let line = match kind {
        1 => Line::Written {
            part: part(),
            at: place,
            data: data.to_vec(),
        },
        2 => Line::Truncated {
            part: part(),
            to: place,
        },
        3 => Line::SyncBegan {
            part: part(),
            nth: at,
        },
        4 => Line::SyncEnded {
            part: part(),
            nth: at,
        },
        5 => Line::Received {
            socket: file,
            data: data.to_vec(),
        },
        6 => Line::Sent {
            socket: file,
            data: data.to_vec(),
        },
        _ => panic!("the shim wrote a line of kind {kind}"),
    };
    Some((line, &bytes[HEAD + length..]))
}
