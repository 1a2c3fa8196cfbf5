//! A request, and what it asks of the upstream.
//!
//! The wish travels in the member `user`, which belongs to the client and which a gateway has no reason to touch.
//! Headers would not do: gateways rightly keep an allow-list of them, and the model name is what an alias replaces.

use crate::prompt::{MESSAGES_MEMBER, Prompt};

/// What the upstream shall send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The prompt sent, so that the upstream knows what to compare with.
    pub prompt: Prompt,
    /// `None` for a whole answer.
    pub stream: Option<Stream>,
}

/// How a streamed answer is paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Chunks of content; the finish, usage and `[DONE]` come on top.
    pub chunks: u32,
    /// Pause after each chunk. 0: as fast as possible, still one write for each.
    pub gap_us: u64,
    /// When set, chunk n + 1 is sent only after the client said, past the subject, that it has chunk n.
    pub lockstep: Option<u32>,
}

/// Most chunks one stream may ask for.
pub const CHUNKS_MAX: u32 = 999_999;

/// Everything up to the `messages` array lies within this many bytes, with room for a gateway's splices.
pub const PREAMBLE_BYTES_MAX: usize = 2048;

const USER_MEMBER: &[u8] = br#""user":"bench "#;

impl Ask {
    /// The body of the request, for the model `model`.
    #[must_use]
    pub fn body(&self, model: &str) -> String {
        let stream = match self.stream {
            Some(_) => r#""stream":true,"stream_options":{"include_usage":true},"#,
            None => "",
        };
        let wish = self.wish();
        let messages = self.prompt.messages();
        format!(
            r#"{{"model":"{model}",{stream}"user":"bench {wish}","temperature":0.7,{MESSAGES_MEMBER}{messages}}}"#
        )
    }

    fn wish(&self) -> String {
        let prompt = self.prompt.name();
        match self.stream {
            None => format!("prompt={prompt}"),
            Some(Stream { chunks, gap_us, lockstep: None }) => {
                format!("prompt={prompt} chunks={chunks} gap_us={gap_us}")
            }
            Some(Stream { chunks, gap_us, lockstep: Some(id) }) => {
                format!("prompt={prompt} chunks={chunks} gap_us={gap_us} lockstep={id}")
            }
        }
    }

    /// Reads the wish back. `None` for a request that is not the bench's own; it gets a whole answer, unchecked.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let preamble = body.get(..PREAMBLE_BYTES_MAX.min(body.len()))?;
        let start = memchr::memmem::find(preamble, USER_MEMBER)? + USER_MEMBER.len();
        let rest = preamble.get(start..)?;
        let wish = std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()?;
        let prompt = Prompt::ALL.into_iter().find(|prompt| Some(prompt.name()) == field(wish, "prompt"))?;
        let stream = match field(wish, "chunks") {
            None => None,
            Some(chunks) => Some(Stream {
                chunks: chunks.parse().ok().filter(|chunks| *chunks <= CHUNKS_MAX)?,
                gap_us: field(wish, "gap_us")?.parse().ok()?,
                lockstep: field(wish, "lockstep").map(str::parse).transpose().ok()?,
            }),
        };
        Some(Self { prompt, stream })
    }

    /// Whether `body` holds the prompt it says it does, byte for byte, and asks for a stream when it should.
    #[must_use]
    pub fn is_intact(&self, body: &[u8]) -> bool {
        let preamble = body.get(..PREAMBLE_BYTES_MAX.min(body.len())).unwrap_or_default();
        let Some(at) = memchr::memmem::find(preamble, MESSAGES_MEMBER.as_bytes()) else { return false };
        let streamed = memchr::memmem::find(preamble, br#""stream":true"#).is_some();
        let messages = self.prompt.messages().as_bytes();
        let start = at + MESSAGES_MEMBER.len();
        streamed == self.stream.is_some() && body.get(start..start + messages.len()) == Some(messages)
    }
}

fn field<'a>(wish: &'a str, name: &str) -> Option<&'a str> {
    wish.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::{Ask, Stream};
    use crate::prompt::Prompt;

    fn asks() -> Vec<Ask> {
        let stream = Stream { chunks: 20, gap_us: 3000, lockstep: None };
        let streams = [None, Some(stream), Some(Stream { lockstep: Some(7), ..stream })];
        Prompt::ALL.into_iter().flat_map(|prompt| streams.map(|stream| Ask { prompt, stream })).collect()
    }

    #[test]
    fn an_ask_survives_the_wire() {
        for ask in asks() {
            let body = ask.body("chat");
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
            assert_eq!(Ask::parse(body.as_bytes()), Some(ask));
            assert!(ask.is_intact(body.as_bytes()));
        }
    }

    #[test]
    fn a_splice_is_allowed_and_a_changed_prompt_is_not() {
        for ask in asks() {
            assert!(ask.is_intact(ask.body("a-much-longer-model-name").as_bytes()));
            let mut body = ask.body("chat").into_bytes();
            let last = body.len() - 5;
            body[last] ^= 1;
            assert!(!ask.is_intact(&body));
            assert!(!ask.is_intact(&body[..last]));
        }
    }
}
