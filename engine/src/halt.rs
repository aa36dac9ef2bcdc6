//! The word by which everything that works is asked to stop, and the count of what is still on its way.
//! Knows nothing of the work.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

/// How far the engine has come with stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Everything works.
    Open,
    /// Nothing new is taken on; what is in hand is finished.
    Asked,
    /// The time for that is over: nobody repeats anything any more.
    Over,
}

#[derive(Debug)]
pub(crate) struct Halt {
    stage: watch::Sender<Stage>,
    flying: AtomicUsize,
    landed: Notify,
}

impl Default for Halt {
    fn default() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Open),
            flying: AtomicUsize::new(0),
            landed: Notify::new(),
        }
    }
}

impl Halt {
    /// Asks everyone to take on nothing new.
    pub(crate) fn ask(&self) {
        self.stage.send_replace(Stage::Asked);
    }

    /// Ends the time for finishing what is in hand.
    pub(crate) fn end(&self) {
        self.stage.send_replace(Stage::Over);
    }

    /// Lets everyone work again.
    pub(crate) fn lift(&self) {
        self.stage.send_replace(Stage::Open);
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.stage.borrow() >= Stage::Asked
    }

    pub(crate) fn is_over(&self) -> bool {
        *self.stage.borrow() >= Stage::Over
    }

    /// Resolves when everyone is asked to stop.
    pub(crate) async fn asked(&self) {
        // The sender is our own, and is there as long as we are.
        let _ = self
            .stage
            .subscribe()
            .wait_for(|stage| *stage >= Stage::Asked)
            .await;
    }

    /// Counts a message that is on its way.
    pub(crate) fn take_off(&self) {
        self.flying.fetch_add(1, Ordering::SeqCst);
    }

    /// It is settled.
    pub(crate) fn land(&self) {
        if self.flying.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.landed.notify_waiters();
        }
    }

    /// Resolves when no message is on its way.
    pub(crate) async fn all_landed(&self) {
        loop {
            let landed = self.landed.notified();
            if self.flying.load(Ordering::SeqCst) == 0 {
                return;
            }
            landed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stop_waits_for_what_is_on_its_way() {
        let halt = Halt::default();
        halt.all_landed().await;
        halt.take_off();
        halt.ask();
        halt.asked().await;
        let landed = halt.all_landed();
        tokio::pin!(landed);
        assert!(landed.as_mut().now_or_never().is_none());
        halt.land();
        landed.await;
        assert!(halt.is_asked() && !halt.is_over());
    }
}
