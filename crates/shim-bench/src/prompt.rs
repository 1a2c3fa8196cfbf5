//! Prompts: fixed text of three sizes, as JSON with the escapes real prompts have.
//!
//! The upstream compares the `messages` array it receives with the one built here, so a gateway that changes,
//! reprints or cuts a prompt is found out. Everything before the array may be spliced.

use std::sync::LazyLock;

/// How large the `messages` array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Prompt {
    /// 1 KiB: a question.
    #[value(name = "1k")]
    Small,
    /// 64 KiB: a long document.
    #[value(name = "64k")]
    Middle,
    /// 400 KiB: about 100,000 tokens.
    #[value(name = "400k")]
    Large,
}

/// What stands before the array in every request; the upstream looks for it.
pub const MESSAGES_MEMBER: &str = r#""messages":"#;

/// What the operator says, in every size; there is nothing in it to escape.
pub const SYSTEM: &str = "You are a careful assistant. Answer in one paragraph.";

const OPENING: &str = r#"[{"role":"system","content":"You are a careful assistant. Answer in one paragraph."},{"role":"user","content":""#;
const CLOSING: &str = r#""}]"#;

/// Escaped already: newlines, quotes, a tab, a backslash, an escaped control character, two to four byte letters.
const PIECES: [&str; 8] = [
    r"The minutes of the meeting follow; please find what was decided and by whom.\n\n",
    r#"She said \"we ship on Friday\", and nobody objected until the naïve question about the café's invoice. "#,
    r#"fn main() {\n\tlet path = \"C:\\\\data\\\\in.csv\";\n\tprintln!(\"{}\", path);\n}\n"#,
    r"Messwerte: 12,5 °C bei 1013 hPa; größte Abweichung ±0,3. ",
    r"会議は午後三時に始まり、四時半に終わりました。 ",
    r"| id | name | total |\n|----|------|-------|\n| 17 | Zoë | 1 204,50 € |\n",
    r"It works 🙂 although the log shows \u001b[31mred\u001b[0m where plain text was expected. ",
    r"See <https://example.com/a?b=c&d=%20e#f> for the details, section 4.2, third paragraph. ",
];

impl Prompt {
    /// Every size, smallest first.
    pub const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// As it is written on the command line and in the request.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "1k",
            Self::Middle => "64k",
            Self::Large => "400k",
        }
    }

    /// Bytes of the `messages` array.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::Small => 1 << 10,
            Self::Middle => 64 << 10,
            Self::Large => 400 << 10,
        }
    }

    /// The `messages` array, exactly [`Self::bytes`] long.
    #[must_use]
    pub fn messages(self) -> &'static str {
        static SMALL: LazyLock<String> = LazyLock::new(|| build(Prompt::Small.bytes()));
        static MIDDLE: LazyLock<String> = LazyLock::new(|| build(Prompt::Middle.bytes()));
        static LARGE: LazyLock<String> = LazyLock::new(|| build(Prompt::Large.bytes()));
        match self {
            Self::Small => &SMALL,
            Self::Middle => &MIDDLE,
            Self::Large => &LARGE,
        }
    }

    /// What the user says in [`Self::messages`], escaped as in JSON.
    #[must_use]
    pub fn said(self) -> &'static str {
        let messages = self.messages();
        messages.get(OPENING.len()..messages.len() - CLOSING.len()).unwrap_or_default()
    }
}

fn build(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    text.push_str(OPENING);
    for piece in PIECES.iter().cycle() {
        if text.len() + piece.len() + CLOSING.len() > bytes {
            break;
        }
        text.push_str(piece);
    }
    while text.len() + CLOSING.len() < bytes {
        text.push('.');
    }
    text.push_str(CLOSING);
    text
}

#[cfg(test)]
mod tests {
    use super::{Prompt, SYSTEM};

    #[test]
    fn prompts_are_json_of_the_size_they_say() {
        for prompt in Prompt::ALL {
            assert_eq!(prompt.messages().len(), prompt.bytes());
            let value: serde_json::Value = serde_json::from_str(prompt.messages()).unwrap();
            assert_eq!(value.as_array().unwrap().len(), 2, "{}", prompt.name());
            assert_eq!(value[0]["content"], SYSTEM);
            let said: String = serde_json::from_str(&format!("\"{}\"", prompt.said())).unwrap();
            assert_eq!(value[1]["content"], said);
        }
    }
}
