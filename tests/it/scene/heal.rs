//! How a scene is put in order: statuses come again, a person ends doubts, and what is left is done.

use std::time::{Duration, Instant};

use rejoinder_engine::domain::delivery::DeliveryState;
use rejoinder_engine::domain::ids::DeliveryId;
use rejoinder_engine::store::{DeliveryFilter, Store};
use tokio::task::JoinHandle;

use super::{PATIENCE, Scene};
use crate::checker::open_work;

/// How often doubts are ended while the program still dies: Meta's are held for two minutes.
const CARE: Duration = Duration::from_secs(30);
/// More deliveries than are ever in doubt at once.
const MANY: u64 = 100_000;

impl Scene {
    /// Statuses that met a dead program come again, as Meta sends them for days.
    pub(crate) async fn tell_again(&self) {
        for message in self.simulator.received() {
            // The program may have ended again meanwhile: then they come once more.
            let _ = self.number.status(&message, "sent").await;
        }
    }

    /// Statuses come again of what is in doubt; gives what the provider never took.
    pub(crate) async fn tell_of_doubts(&self, store: &Store) -> Vec<DeliveryId> {
        let filter = DeliveryFilter {
            conversation_id: None,
            state: Some(DeliveryState::InDoubt.name().to_owned()),
        };
        let in_doubt = store.of(self.location_id).deliveries(&filter, MANY).await;
        let received = self.simulator.received();
        let mut untold = Vec::new();
        for row in in_doubt.expect("deliveries") {
            let id = row.delivery.id;
            match received.iter().find(|it| it.delivery_id == Some(id)) {
                // The program may have ended again meanwhile: then it comes once more.
                Some(message) => drop(self.number.status(message, "sent").await),
                None => untold.push(id),
            }
        }
        untold
    }

    /// Statuses come again of what is in doubt, and a person decides about what the provider never took:
    /// it is sent once more.
    async fn end_doubts(&self, store: &Store) {
        for id in self.tell_of_doubts(store).await {
            let location_id = self.location_id;
            let url = self.url(&format!(
                "/api/v1/locations/{location_id}/deliveries/{id}/again"
            ));
            let request = self.client.post(url).bearer_auth(self.token.expose());
            let judged = request.send().await.expect("the program answers");
            assert!(judged.status().is_success(), "{}", judged.status());
        }
    }

    /// What must be done now and then where the program dies for minutes on end: doubts are ended, because
    /// later answers rightly pass by what its provider leaves in doubt for too long.
    pub(crate) async fn care(&self) {
        let last = *self.cared_at.lock().expect("no one panics");
        if last.elapsed() < CARE {
            return;
        }
        let store = Store::open(&self.database.url).await.expect("it opens");
        self.end_doubts(&store).await;
        store.close().await;
        *self.cared_at.lock().expect("no one panics") = Instant::now();
    }

    /// Waits until nothing is left to be done.
    async fn settle(&self, store: &Store) {
        let began_at = Instant::now();
        while open_work(store).await > 0 {
            assert!(
                began_at.elapsed() < PATIENCE,
                "work is left after {PATIENCE:?}"
            );
            self.end_doubts(store).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Nobody writes any more, the program is whole, and what is left is done.
    pub(crate) async fn heal(&self, crowd: Vec<JoinHandle<()>>) {
        self.hush(crowd).await;
        let store = Store::open(&self.database.url).await.expect("it opens");
        self.settle(&store).await;
        self.tell_again().await;
        self.settle(&store).await;
        store.close().await;
    }
}
