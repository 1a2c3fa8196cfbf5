//! An answer's body as it arrives, whose first piece can be looked at before it is taken.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

/// A body that is still to come. What was looked at of it comes again, first.
#[derive(Debug)]
pub struct Arriving {
    first: Option<Bytes>,
    rest: Incoming,
}

impl Arriving {
    pub(crate) fn new(rest: Incoming) -> Self {
        Self { first: None, rest }
    }

    /// Waits for the first piece that is not empty, and leaves it where it is; `None` where the body ends without one.
    ///
    /// # Errors
    /// When the connection breaks off before.
    pub async fn first(&mut self) -> Result<Option<&Bytes>, hyper::Error> {
        while self.first.is_none() {
            let Some(frame) = self.rest.frame().await else { return Ok(None) };
            self.first = frame?.into_data().ok().filter(|piece| !piece.is_empty());
        }
        Ok(self.first.as_ref())
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(Frame::data(first)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.rest.size_hint();
        let first = self.first.as_ref().map_or(0, |first| first.len() as u64);
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(first));
        }
        hint.set_lower(hint.lower().saturating_add(first));
        hint
    }
}
