//! The program as a process of its own, and what whoever runs the tests asks for. Knows no scene.

use std::process::{Child, Command, ExitStatus};

/// The program; it does not outlive the test.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(command.spawn().expect("it runs"))
    }

    /// The process, as other programs name it.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it holds in memory, in megabytes.
    pub(crate) fn memory_mb(&self) -> u64 {
        let path = format!("/proc/{}/status", self.0.id());
        let text = std::fs::read_to_string(path).expect("the system tells");
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        let kilobytes: u64 = kilobytes.and_then(|kb| kb.parse().ok()).expect("a number");
        kilobytes / 1024
    }

    /// Ends it as a power switch would end its process.
    pub(crate) fn kill(mut self) {
        self.0.kill().expect("it can be ended");
        self.0.wait().expect("it ends");
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is ours")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
