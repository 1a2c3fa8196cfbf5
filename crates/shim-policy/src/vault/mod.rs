//! The vault: what only its origin can read of an answer is kept, and given back when the conversation goes on.
//!
//! Models that reason hand out state with their answers: signatures, encrypted reasoning, reasoning that must come back
//! word for word. It is readable for one origin only (a provider, an account, a family of models), and many clients drop
//! what their SDK does not know. So of every answer that has such state a [`Kept`] is remembered under [`Name`]s that the
//! next request leads back to, and [`give`] puts it where it belongs: byte for byte for its origin; for another one what
//! can be read of it, where that is taken, and a loss where it is not.
//!
//! All of it is pure. Where the records lie is the store's matter, and when they are looked up the gateway's.

mod gather;
mod give;
mod kept;
mod names;
mod origin;
mod record;
mod rules;
mod spans;

pub use gather::{Gather, KEEP_BYTES_MAX, size as part_size};
pub use give::{Given, UNTOLD, give};
pub use kept::{Kept, Piece};
pub use names::{Name, Names, Partition, PlaceName, conversation, named, trace};
pub use origin::{Origin, family};
pub use record::{RecordError, read, write};
pub use rules::Rules;
pub use spans::{Span, spans};
