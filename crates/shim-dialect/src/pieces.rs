//! Arguments that come in pieces.

/// Tells when a JSON value that comes in pieces is complete.
#[derive(Debug, Default)]
pub(crate) struct Json {
    depth: u32,
    begun: bool,
    quoted: bool,
    escaped: bool,
}

impl Json {
    /// Takes the next piece.
    pub(crate) fn take(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.quoted => self.escaped = true,
                b'"' => self.quoted = !self.quoted,
                _ if self.quoted => {}
                b'{' | b'[' => {
                    self.depth += 1;
                    self.begun = true;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether an object or a list is complete.
    pub(crate) fn is_whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.quoted
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn a_value_is_complete_at_its_last_bracket() {
        let whole = |pieces: &[&str]| {
            let mut json = Json::default();
            pieces.iter().for_each(|piece| json.take(piece));
            json.is_whole()
        };
        for pieces in [&["{}"][..], &["{\"a", "\":", "[1,{}]}"], &["{\"a\":\"}\\", "\"{\"}", " "]] {
            assert!(whole(pieces), "{pieces:?}");
        }
        for pieces in [&[""][..], &[" "], &["{"], &["{\"a\":\"}"], &["{\"a\":[1}"]] {
            assert!(!whole(pieces), "{pieces:?}");
        }
    }
}
