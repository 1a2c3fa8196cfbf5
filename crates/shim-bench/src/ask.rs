//! A request, and what it asks of the upstream.
//!
//! The wish travels in the member `user`, which belongs to the client and which a gateway has no reason to touch.
//! Headers would not do: gateways rightly keep an allow-list of them, and the model name is what an alias replaces.

use crate::prompt::{MESSAGES_MEMBER, Prompt, SYSTEM};

/// How the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Dialect {
    /// Chat Completions, as the upstream does.
    Chat,
    /// Anthropic's Messages.
    Messages,
}

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

/// Everything up to the `messages` array lies within this many bytes, with room for a gateway's splices, and so does
/// everything behind it.
pub const MARGIN_BYTES_MAX: usize = 2048;

const USER_MEMBER: &[u8] = br#""user":"bench "#;

impl Ask {
    /// The body of the request in `dialect`, for the model `model`.
    #[must_use]
    pub fn body(&self, dialect: Dialect, model: &str) -> String {
        match dialect {
            Dialect::Chat => self.chat(model),
            Dialect::Messages => self.messages(model),
        }
    }

    fn chat(&self, model: &str) -> String {
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

    /// Here `metadata.user_id` is what `user` is to the upstream.
    fn messages(&self, model: &str) -> String {
        let stream = if self.stream.is_some() { r#""stream":true,"# } else { "" };
        let (wish, said) = (self.wish(), self.prompt.said());
        format!(
            r#"{{"model":"{model}","max_tokens":1024,{stream}"metadata":{{"user_id":"bench {wish}"}},"temperature":0.7,"system":"{SYSTEM}",{MESSAGES_MEMBER}[{{"role":"user","content":"{said}"}}]}}"#
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
        let rest = wish_in(preamble(body)).or_else(|| wish_in(postscript(body)))?;
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
    ///
    /// A prompt that was translated is compared as strictly: its text is escaped in the shortest way, as gateways that
    /// print JSON do, and two messages with a text each can be written in one way only.
    #[must_use]
    pub fn is_intact(&self, body: &[u8]) -> bool {
        let Some(at) = memchr::memmem::find(preamble(body), MESSAGES_MEMBER.as_bytes()) else { return false };
        let start = at + MESSAGES_MEMBER.len();
        let (before, rest) = body.split_at(start);
        let Some(after) = rest.strip_prefix(self.prompt.messages().as_bytes()) else { return false };
        let streams = |part| memchr::memmem::find(part, br#""stream":true"#).is_some();
        (streams(before) || streams(after)) == self.stream.is_some()
    }
}

fn preamble(body: &[u8]) -> &[u8] {
    body.get(..MARGIN_BYTES_MAX).unwrap_or(body)
}

/// The end of a body; a gateway that writes one of its own may put other members behind the messages.
fn postscript(body: &[u8]) -> &[u8] {
    body.get(body.len().saturating_sub(MARGIN_BYTES_MAX)..).unwrap_or_default()
}

/// What follows the beginning of a wish.
fn wish_in(part: &[u8]) -> Option<&[u8]> {
    part.get(memchr::memmem::find(part, USER_MEMBER)? + USER_MEMBER.len()..)
}

fn field<'a>(wish: &'a str, name: &str) -> Option<&'a str> {
    wish.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::{Ask, Dialect, Stream};
    use crate::prompt::Prompt;

    fn asks() -> Vec<Ask> {
        let stream = Stream { chunks: 20, gap_us: 3000, lockstep: None };
        let streams = [None, Some(stream), Some(Stream { lockstep: Some(7), ..stream })];
        Prompt::ALL.into_iter().flat_map(|prompt| streams.map(|stream| Ask { prompt, stream })).collect()
    }

    #[test]
    fn an_ask_survives_the_wire() {
        for ask in asks() {
            let body = ask.body(Dialect::Chat, "chat");
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
            assert_eq!(Ask::parse(body.as_bytes()), Some(ask));
            assert!(ask.is_intact(body.as_bytes()));
        }
    }

    #[test]
    fn a_splice_is_allowed_and_a_changed_prompt_is_not() {
        for ask in asks() {
            assert!(ask.is_intact(ask.body(Dialect::Chat, "a-much-longer-model-name").as_bytes()));
            let mut body = ask.body(Dialect::Chat, "chat").into_bytes();
            let last = body.len() - 5;
            body[last] ^= 1;
            assert!(!ask.is_intact(&body));
            assert!(!ask.is_intact(&body[..last]));
        }
    }

    /// The body a gateway makes of a request in the Messages dialect.
    fn translated(ask: Ask) -> String {
        let value: serde_json::Value = serde_json::from_str(&ask.body(Dialect::Messages, "chat")).unwrap();
        let said = serde_json::json!([
            { "role": "system", "content": value["system"] }, value["messages"][0],
        ]);
        let stream = if value["stream"] == true { r#""stream":true,"# } else { "" };
        let user = &value["metadata"]["user_id"];
        format!(r#"{{"model":"m","messages":{said},"max_tokens":1024,{stream}"user":{user}}}"#)
    }

    #[test]
    fn an_ask_survives_translation() {
        for ask in asks() {
            let body = translated(ask);
            assert_eq!(Ask::parse(body.as_bytes()), Some(ask), "{}", ask.wish());
            assert!(ask.is_intact(body.as_bytes()), "{}", ask.wish());
            assert!(!ask.is_intact(body.replace("careful", "carefree").as_bytes()));
            assert!(!ask.is_intact(body.replacen("who", "how", 1).as_bytes()));
            let switched = if ask.stream.is_some() { "\"stream\":false" } else { "\"stream\":true,\"user\"" };
            let from = if ask.stream.is_some() { "\"stream\":true" } else { "\"user\"" };
            let tail = body.len() - 200;
            let (head, tail) = body.split_at((0..=tail).rev().find(|at| body.is_char_boundary(*at)).unwrap());
            assert!(!ask.is_intact((head.to_owned() + &tail.replacen(from, switched, 1)).as_bytes()));
        }
    }
}
