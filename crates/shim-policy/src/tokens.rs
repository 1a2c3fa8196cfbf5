//! How many tokens a request has, where nobody counts them: an estimate, and its correction by what was counted.

mod correction;
mod scan;

use shim_ir::{
    Media, MediaKind, OutputFormat, Part, Request, Source, TokenEstimate, Tool, ToolCall, ToolKind,
};

pub use self::correction::Correction;
use self::scan::{JSON, MILLI, PROSE, milli};

/// What a request comes to, before any correction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Its text, and what holds it together.
    text: TokenEstimate,
    /// Images, files, sound.
    media: TokenEstimate,
    /// Whether it offers tools: most templates have something to say to them.
    tools: bool,
    /// Whether there is more to it than stands in it: what the provider keeps, finds or runs itself.
    open: bool,
}

/// What the template of a conversation costs, in thousandths of a token: of a request, of a turn in it, of a tool, of
/// a call or a result. Measured like the weights of [`scan`].
const REQUEST: u64 = 2_700;
const TURN: u64 = 4_000;
const TOOL: u64 = 1_000;
const CALL: u64 = 9_000;

impl Estimate {
    /// Estimates a request, in one pass over its text.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        let mut tally = Tally { milli: REQUEST, ..Tally::default() };
        tally.parts(&request.system);
        for turn in &request.turns {
            tally.add(TURN);
            tally.prose(turn.name.as_deref().unwrap_or_default());
            tally.parts(&turn.parts);
        }
        request.tools.iter().for_each(|tool| tally.tool(tool));
        if let Some(OutputFormat::Schema(schema)) = &request.output {
            tally.prose(schema.description.as_deref().unwrap_or_default());
            tally.json(schema.schema.as_ref().map_or("", |schema| schema.get()));
        }
        Self {
            text: TokenEstimate(tally.milli.div_ceil(MILLI)),
            media: TokenEstimate(tally.media),
            tools: !request.tools.is_empty(),
            open: tally.open || request.state.previous.is_some() || request.state.conversation.is_some(),
        }
    }

    /// The number of tokens as the model of `correction` would count them; at least one.
    #[must_use]
    pub fn corrected(&self, correction: &Correction) -> TokenEstimate {
        let text = correction.apply(self.text, self.tools);
        TokenEstimate(text.0.saturating_add(self.media.0).max(1))
    }

    /// More tokens than any model can count of the request whose body has `body_bytes`; `None` where there is more to the
    /// request than stands in it, and so no bound.
    ///
    /// A token of text is at least one byte, and what templates add to a turn or a tool is less than the JSON around it,
    /// but for a preamble. So the body's length is a bound that holds for every tokenizer, which a margin over an
    /// estimate is not: what clients send decides how far an estimate is out. It is about four times what is used, for as
    /// long as the exchange is under way. Media are not text: they are taken at [`MEDIA_MARGIN`] times their estimate.
    #[must_use]
    pub fn bound(&self, body_bytes: usize) -> Option<u64> {
        let media = self.media.0.saturating_mul(MEDIA_MARGIN);
        let text = (body_bytes as u64).saturating_add(PREAMBLE_MAX);
        (!self.open).then(|| text.saturating_add(media))
    }

    /// Whether what is counted of the same request says how far the estimate is out: where it has nothing but text.
    #[must_use]
    pub fn teaches(&self) -> bool {
        self.media == TokenEstimate(0) && !self.open
    }
}

/// The most that templates put before a conversation: Anthropic's text for tools is up to 530 tokens
/// (<https://platform.claude.com/docs/en/docs/tool-use-pricing-and-tokens>, read 2026-11-26), Harmony's 62. Twice that.
const PREAMBLE_MAX: u64 = 1_024;

/// How far an estimate of media may be out: [`IMAGE`] stands for an image of a megapixel, and models take larger ones.
const MEDIA_MARGIN: u64 = 4;

/// What a request has that costs tokens.
#[derive(Default)]
struct Tally {
    /// Text and template, in thousandths of a token.
    milli: u64,
    /// In tokens.
    media: u64,
    open: bool,
}

impl Tally {
    fn add(&mut self, milli: u64) {
        self.milli = self.milli.saturating_add(milli);
    }

    fn prose(&mut self, text: &str) {
        self.add(milli([text], &PROSE));
    }

    fn json(&mut self, text: &str) {
        self.add(milli([text], &JSON));
    }

    fn parts(&mut self, parts: &[Part]) {
        parts.iter().for_each(|part| self.part(part));
    }

    fn part(&mut self, part: &Part) {
        match part {
            Part::Text(text) | Part::Refusal(text) => self.add(milli(text.text.pieces(), &PROSE)),
            Part::Media(media) => self.media(media),
            // Most templates leave out what was thought before.
            Part::Reasoning(_) => {}
            Part::ToolCall(call) => self.call(call),
            Part::ToolResult(result) => {
                self.add(CALL);
                self.prose(result.name.as_deref().unwrap_or_default());
                self.parts(&result.content);
            }
            Part::ServerResult(result) => self.foreign(result.raw.get()),
            Part::Foreign(foreign) => self.foreign(foreign.raw.get()),
        }
    }

    fn call(&mut self, call: &ToolCall) {
        self.add(CALL);
        self.prose(&call.name);
        self.json(&call.arguments);
    }

    /// What a provider makes of its own words is not known.
    fn foreign(&mut self, raw: &str) {
        self.open = true;
        self.json(raw);
    }

    fn tool(&mut self, tool: &Tool) {
        self.add(TOOL);
        self.prose(&tool.name);
        self.prose(tool.description.as_deref().unwrap_or_default());
        match &tool.kind {
            ToolKind::Function { parameters, .. } => {
                self.json(parameters.as_ref().map_or("", |schema| schema.get()));
            }
            ToolKind::Custom { format } => self.json(format.as_ref().map_or("", |form| form.get())),
            ToolKind::Group(tools) => tools.iter().for_each(|tool| self.tool(tool)),
            ToolKind::Native(_) => self.open = true,
        }
    }

    fn media(&mut self, media: &Media) {
        match &media.source {
            Source::Plain(text) => self.prose(text),
            Source::Parts(parts) => self.parts(parts),
            Source::Inline(base64) => self.medium(cost(media, Some(base64.len() as u64 / 4 * 3))),
            Source::Url(_) | Source::Handle(_) => self.medium(cost(media, None)),
        }
    }

    fn medium(&mut self, tokens: u64) {
        self.media = self.media.saturating_add(tokens);
    }
}

/// What an image costs: one of 1024 × 1024 is 1090 tokens to Gemini, 1229 to GPT, 1434 to Claude.
/// Source: <https://huggingface.co/datasets/JOHNISKING/image-token-cost>, read 2026-11-25.
const IMAGE: u64 = 1_200;
/// The same where it is looked at from afar (`detail: low`), to GPT-4o.
/// Source: <https://github.com/openai/openai-python/issues/2851>, read 2026-11-25.
const IMAGE_LOW: u64 = 85;
/// What a file of unknown size costs: two pages of a PDF.
const FILE: u64 = 4_000;

/// What a part costs that is no text, by its size where that is known: a page of a PDF, taken as 50 KiB, is 2000 tokens
/// (to Claude; 560 to Gemini), a second of sound of 128 kbit/s 32, one of pictures of 1 Mbit/s 263 (to Gemini).
/// Sources, read 2026-11-25: <https://huggingface.co/datasets/JOHNISKING/pdf-token-cost>,
/// <https://geminibyexample.com/027-calculate-input-tokens/>.
fn cost(media: &Media, bytes: Option<u64>) -> u64 {
    match (media.kind, bytes) {
        (MediaKind::Image, _) if media.detail.as_deref() == Some("low") => IMAGE_LOW,
        (MediaKind::Image, _) => IMAGE,
        (MediaKind::File, Some(bytes)) => bytes / 25 + 1,
        (MediaKind::Audio, Some(bytes)) => bytes / 500 + 1,
        (MediaKind::Video, Some(bytes)) => bytes / 475 + 1,
        (MediaKind::File | MediaKind::Audio | MediaKind::Video, None) => FILE,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shim_ir::{
        Media, MediaKind, Part, Request, Rest, Role, Source, Text, TokenEstimate, Tokens, Tool, ToolKind,
        Turn,
    };

    use super::{Correction, Estimate, IMAGE, TURN};

    fn said(parts: Vec<Part>) -> Request {
        let turn = Turn { role: Role::User, id: None, name: None, parts, rest: Rest::default() };
        Request { turns: vec![turn], ..Request::default() }
    }

    fn tokens(text: &str) -> u64 {
        Estimate::of(&said(vec![Part::Text(Text::new(text))])).corrected(&Correction::default()).0
    }

    #[track_caller]
    fn check(text: &str, least: u64, most: u64) {
        let tokens = tokens(text) - tokens("");
        assert!((least..=most).contains(&tokens), "{tokens} tokens: {text}");
    }

    #[test]
    fn texts_of_every_kind_cost_about_what_tokenizers_say() {
        // The bounds are what o200k_base, cl100k_base and the tokenizers of Llama 3 and Qwen 3 span, and a fifth more.
        check("The quick brown fox jumps over the lazy dog.", 9, 13);
        check("2026-11-25T22:37:16Z", 8, 18);
        check("fn main() { println!(\"{}\", x + 1); }", 11, 20);
        check("\u{4eca}\u{65e5}\u{306f}\u{3044}\u{3044}\u{5929}\u{6c17}\u{3067}\u{3059}\u{306d}", 6, 12);
        check("\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}, \u{43c}\u{438}\u{440}!", 4, 8);
        check("", 0, 0);
    }

    #[test]
    fn media_have_a_price_and_teach_nothing() {
        let image = |source| {
            let (mime, name, detail, cache) = (None, None, None, None);
            let kind = MediaKind::Image;
            Part::Media(Media {
                kind,
                source,
                mime,
                name,
                detail,
                cache,
                opaque: vec![],
                rest: Rest::default(),
            })
        };
        let estimate = Estimate::of(&said(vec![image(Source::Url("https://a/b.png".to_owned()))]));
        assert!(!estimate.teaches());
        assert_eq!(estimate.media, TokenEstimate(IMAGE));
        let mut correction = Correction::default();
        (0..100).for_each(|_| correction.learn(&Estimate::of(&said(vec![])), Tokens(1_000)));
        let more = estimate.corrected(&correction).0 - estimate.corrected(&Correction::default()).0;
        assert!(more < IMAGE, "what is learned of texts does not multiply images: {more}");
    }

    #[test]
    fn tools_of_the_provider_teach_nothing() {
        let kind = ToolKind::Native("web_search".to_owned());
        let tool = Tool {
            name: "web_search".to_owned(),
            description: None,
            kind,
            cache: None,
            rest: Rest::default(),
        };
        let request = Request { tools: vec![tool], ..said(vec![]) };
        assert!(!Estimate::of(&request).teaches());
        assert!(Estimate::of(&said(vec![])).teaches());
        assert_eq!(Estimate::of(&request).bound(1_000), None, "nobody knows what a search finds");
    }

    proptest! {
        #[test]
        fn more_text_is_never_fewer_tokens(text in ".{0,200}", more in ".{0,200}") {
            let both = tokens(&format!("{text}{more}"));
            prop_assert!(both >= tokens(&text));
            prop_assert!(both <= tokens(&text) + tokens(&more));
        }

        #[test]
        fn tokens_grow_as_the_text_does(text in ".{1,100}", times in 2usize..50) {
            let once = tokens(&format!("{text}{text}")) - tokens(&text);
            let grown = tokens(&text.repeat(times + 1)) - tokens(&text);
            let times = times as u64;
            prop_assert!(grown <= (once + 1) * times && grown + times >= (once.max(1) - 1) * times);
        }

        /// The bound is above the estimate, which is near what models count.
        #[test]
        fn the_bound_is_above_the_estimate(text in any::<String>()) {
            let estimate = Estimate::of(&said(vec![Part::Text(Text::new(&text))]));
            prop_assert!(estimate.corrected(&Correction::default()).0 <= estimate.bound(text.len()).unwrap());
        }

        #[test]
        fn turns_are_counted(turns in 1usize..50) {
            let one = said(vec![]).turns.remove(0);
            let request = Request { turns: vec![one; turns], ..Request::default() };
            let tokens = Estimate::of(&request).corrected(&Correction::default()).0;
            prop_assert!(tokens >= turns as u64 * TURN / 1_000);
        }
    }
}
