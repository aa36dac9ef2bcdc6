//! Reading a request's body: never more than a limit, never longer than a deadline.
//! Knows nothing of what the body says.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, pin_mut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::http::HeaderMap;
use warp::http::header::CONTENT_LENGTH;

use crate::reply::Error;

/// Bytes of bodies held in memory at once, over all connections: a flood is told to come back
/// instead of taking the machine's memory. Thirty of the largest webhooks, or 100,000 usual ones.
const MAX_BYTES_IN_FLIGHT: usize = 128 * 1024 * 1024;

/// Reads bodies within limits. Cheap to clone; clones share the memory.
#[derive(Clone, Debug)]
pub struct Reader {
    memory: Arc<Semaphore>,
    deadline: Duration,
}

/// A body, and its share of the memory: it is given back when this is dropped.
#[derive(Debug)]
pub struct Body {
    /// The bytes as sent.
    pub bytes: Bytes,
    share: OwnedSemaphorePermit,
}

impl Body {
    /// The bytes, and the share of the memory to be held as long as they are in use.
    pub fn into_parts(self) -> (Bytes, OwnedSemaphorePermit) {
        (self.bytes, self.share)
    }
}

impl Reader {
    /// A reader that waits at most `deadline` for a body.
    pub fn new(deadline: Duration) -> Self {
        Self {
            memory: Arc::new(Semaphore::new(MAX_BYTES_IN_FLIGHT)),
            deadline,
        }
    }

    /// Reads a body of at most `limit` bytes, whether its length was declared or it comes in chunks.
    ///
    /// # Errors
    /// It is too large, too slow, cut short, or there is no memory for it now.
    pub async fn read(
        &self,
        headers: &HeaderMap,
        stream: impl Stream<Item = Result<impl Buf, warp::Error>>,
        limit: usize,
    ) -> Result<Body, Error> {
        if declared(headers).is_some_and(|length| length > limit) {
            return Err(Error::TooLarge { limit });
        }
        tokio::time::timeout(self.deadline, self.collect(stream, limit))
            .await
            .map_err(|_| Error::TooSlow)?
    }

    async fn collect(
        &self,
        stream: impl Stream<Item = Result<impl Buf, warp::Error>>,
        limit: usize,
    ) -> Result<Body, Error> {
        pin_mut!(stream);
        // Even an empty body holds a share: whoever waits for all of the memory waits for it, too.
        let mut share = self.share(1)?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.next().await {
            let mut chunk = chunk.map_err(|_| Error::invalid("the body was cut short"))?;
            let length = chunk.remaining();
            if bytes.len() + length > limit {
                return Err(Error::TooLarge { limit });
            }
            share.merge(self.share(length)?);
            bytes.extend_from_slice(&chunk.copy_to_bytes(length));
        }
        Ok(Body {
            bytes: bytes.freeze(),
            share,
        })
    }

    fn share(&self, length: usize) -> Result<OwnedSemaphorePermit, Error> {
        let length = u32::try_from(length).map_err(|_| Error::Overloaded)?;
        Arc::clone(&self.memory)
            .try_acquire_many_owned(length)
            .map_err(|_| Error::Overloaded)
    }

    /// Resolves once no body is in use any more.
    pub async fn idle(&self) {
        let all = u32::try_from(MAX_BYTES_IN_FLIGHT).expect("a number of 32 bits");
        // The semaphore is never closed, so there is no error to hear of.
        let _ = self.memory.acquire_many(all).await;
    }
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
