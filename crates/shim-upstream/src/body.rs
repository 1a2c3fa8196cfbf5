//! A request body of a few pieces.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use shim_wire::Pieces;

/// A body made of pieces that share memory with what arrived; its length is known.
#[derive(Clone, Debug, Default)]
pub struct PiecesBody {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl PiecesBody {
    /// A body of `pieces`, one after the other.
    #[must_use]
    pub fn new(pieces: Pieces) -> Self {
        let left = pieces.iter().map(|p| p.len() as u64).sum();
        Self { pieces: pieces.into_iter().collect(), left }
    }
}

impl Body for PiecesBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        if let Some(piece) = &piece {
            self.left = self.left.saturating_sub(piece.len() as u64);
        }
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
