//! Rust sources as the checks read them: code apart from comments, what ships apart from tests, and the functions.
//!
//! It is a reader of tokens, not of the language, which is enough to blank strings and to count braces.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// One source file. The texts have the lines and columns of the file; what they leave out is blank.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// From the root of the repository, with slashes.
    pub(super) path: String,
    /// As it is.
    pub(super) text: String,
    /// Without comments and without what stands in quotes.
    pub(super) code: String,
    /// Only the comments.
    pub(super) comments: String,
    /// The code without tests; blank where the file is a test.
    pub(super) shipped: String,
}

/// A function with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    /// Of the word `fn`, from 1.
    pub(super) line: usize,
    /// From that line to the closing brace.
    pub(super) lines: usize,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let shipped = without_tests(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, comments, shipped }
    }

    /// The crate it belongs to.
    pub(super) fn krate(&self) -> &str {
        let path = self.path.strip_prefix("crates/").unwrap_or(&self.path);
        path.split('/').next().unwrap_or_default()
    }
}

/// Every Rust source of the repository's own, by path. What is a test by its place or by the module above it ships
/// nothing.
pub(super) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for folder in ["crates", "fuzz", "xtask"] {
        gather(&root.join(folder), folder, &mut sources)?;
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let folder = source.path.contains("/tests/") || source.path.contains("/benches/");
        if folder || tests.iter().any(|test| source.path.starts_with(test)) {
            source.shipped = String::new();
        }
    }
    Ok(sources)
}

fn gather(folder: &Path, path: &str, sources: &mut Vec<Source>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| path.to_owned())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{path}/{name}");
        if entry.file_type()?.is_dir() {
            if name != "target" {
                gather(&entry.path(), &path, sources)?;
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).with_context(|| path.clone())?;
            sources.push(Source::new(&path, &text));
        }
    }
    Ok(())
}

/// How the paths of a source's test modules start: `folder/name.` and `folder/name/`.
fn test_modules(source: &Source) -> Vec<String> {
    let (folder, file) = source.path.rsplit_once('/').unwrap_or_default();
    let stem = file.trim_end_matches(".rs");
    let folder = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ => format!("{folder}/{stem}"),
    };
    let items = source.code.split(TEST).skip(1);
    let names = items.filter_map(|item| item.trim_start().strip_prefix("mod ")?.split_once(';'));
    let names = names.map(|(name, _)| name.trim()).filter(|name| words(name).next() == Some(*name));
    names.flat_map(|name| [format!("{folder}/{name}."), format!("{folder}/{name}/")]).collect()
}

/// What stands before an item that is only for tests.
const TEST: &str = "#[cfg(test)]";

/// Blanks every item that is only for tests.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(TEST) {
        let (before, item) = rest.split_at(at);
        let (test, after) = item.split_at(item_len(item));
        out.push_str(before);
        out.extend(test.chars().map(blank));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Length of the item at the front of `code`: up to its semicolon or the end of its braces.
fn item_len(code: &str) -> usize {
    match body(code) {
        Some(open) => open + block_len(code.get(open..).unwrap_or_default()),
        None => code.find(';').map_or(code.len(), |at| at + 1),
    }
}

/// Where the braces of the item at the front of `code` open; `None` when a semicolon ends it before.
fn body(code: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

/// Length of the block that opens `code`, both braces included.
fn block_len(code: &str) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

/// The functions of `code` that have a body, inner ones too, in their order.
pub(super) fn functions(code: &str) -> impl Iterator<Item = Function<'_>> {
    let heads = code.match_indices("fn ").filter(|(at, _)| !code.get(..*at).is_some_and(ends_in_word));
    heads.filter_map(|(at, head)| {
        let rest = code.get(at + head.len()..)?;
        let name = words(rest).next().filter(|name| rest.starts_with(name))?;
        let open = body(rest)?;
        let whole = rest.get(..open + block_len(rest.get(open..)?))?;
        let line = code.get(..at)?.matches('\n').count() + 1;
        Some(Function { name, line, lines: whole.matches('\n').count() + 1 })
    })
}

fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// The words of a text: names, keywords and numbers.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn blank(c: char) -> char {
    if c == '\n' { c } else { ' ' }
}

/// The strings of a text: where each stands, in characters, and what is between its quotes, as it is written.
pub(super) fn strings(text: &str) -> Vec<(usize, &str)> {
    let (mut found, mut at, mut in_word, mut rest) = (Vec::new(), 0, false, text);
    while !rest.is_empty() {
        let (kind, len) = token(rest, in_word);
        let (token, after) = rest.split_at(len);
        let bare = token.trim_start_matches(['b', 'r', '#']).trim_end_matches('#');
        if let Some(inner) = bare.strip_prefix('"').filter(|_| kind == Kind::Quoted) {
            found.push((at, inner.strip_suffix('"').unwrap_or(inner)));
        }
        at += token.chars().count();
        in_word = kind == Kind::Code && ends_in_word(token);
        rest = after;
    }
    found
}

/// Code and comments of a text, each blank where the other is. Strings and characters are blank in both.
fn split(text: &str) -> (String, String) {
    let (mut code, mut comments) = (String::with_capacity(text.len()), String::new());
    let mut rest = text;
    while !rest.is_empty() {
        let (kind, len) = token(rest, ends_in_word(&code));
        let (token, after) = rest.split_at(len);
        let blanks = || token.chars().map(blank);
        match kind {
            Kind::Code => code.push_str(token),
            Kind::Quoted | Kind::Comment => code.extend(blanks()),
        }
        match kind {
            Kind::Comment => comments.push_str(token),
            Kind::Code | Kind::Quoted => comments.extend(blanks()),
        }
        rest = after;
    }
    (code, comments)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Code,
    Quoted,
    Comment,
}

/// Kind and length of the token at the front of `text`; `in_word` says that a word ends there.
fn token(text: &str, in_word: bool) -> (Kind, usize) {
    let len = |found: Option<usize>| found.unwrap_or(text.len());
    if text.starts_with("//") {
        return (Kind::Comment, len(text.find('\n')));
    }
    if text.starts_with("/*") {
        return (Kind::Comment, len(text.find("*/").map(|at| at + 2)));
    }
    if let Some(raw) = raw_len(text).filter(|_| !in_word) {
        return (Kind::Quoted, raw);
    }
    if text.starts_with('"') {
        return (Kind::Quoted, len(closed(text, '"')));
    }
    match character(text) {
        Some(character) => (Kind::Quoted, character),
        None => (Kind::Code, text.chars().next().map_or(0, char::len_utf8)),
    }
}

/// Length of a raw string.
fn raw_len(text: &str) -> Option<usize> {
    let start = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let inner = start.get(hashes..)?.strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - inner.len() + inner.find(&close)? + close.len())
}

/// Where what `text` opens with `quote` is closed, past escapes; the length with both quotes.
fn closed(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    let mut inner = text.char_indices().skip(1);
    let close = inner.find(|(_, c)| {
        let here = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        here
    });
    Some(close?.0 + quote.len_utf8())
}

/// Length of a character in quotes; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    if inner.starts_with('\\') {
        return closed(text, '\'');
    }
    let end = 1 + inner.chars().next()?.len_utf8();
    text.get(end..)?.starts_with('\'').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::{Source, functions, split, strings, test_modules};

    #[track_caller]
    fn code(text: &str, wanted: &str) {
        let (code, comments) = split(text);
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), wanted);
        let lines = |text: &str| text.matches('\n').count();
        assert_eq!((lines(&code), lines(&comments)), (lines(text), lines(text)));
    }

    #[test]
    fn strings_and_comments_are_blank() {
        code("a // b \"c\nd /* e\nf */ g", "a d g");
        code(r#"a "b // \" c" d '"' e '\'' f"#, "a d e f");
        code("a r#\"b \" \n c\"# d br\"\\\" e", "a d e");
        code("fn a<'x>(b: &'x str) { var\"c\" }", "fn a<'x>(b: &'x str) { var }");
        code("'é' x 'ab", "x 'ab");
        let (_, comments) = split("a // \"b\"\nc /* d\ne */ \"// f\"");
        assert_eq!(comments.split_whitespace().collect::<Vec<_>>(), ["//", "\"b\"", "/*", "d", "e", "*/"]);
    }

    #[test]
    fn strings_are_found_where_they_stand() {
        let text = "é(\"a b\", '\"', r#\"c\"d\"#) // \"e\"\n\"f \\\" g\"";
        let wanted = [(2, "a b"), (14, "c\"d"), (31, "f \\\" g")];
        assert_eq!(strings(text), wanted);
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn one() { 1 }\n\nimpl A {\n    pub fn two(\n        a: [u8; 2],\n    ) -> u8 {\n        \
                    fn three() {}\n        3\n    }\n    fn none();\n}\ntype F = fn (u8) -> u8;\n";
        let found: Vec<_> = functions(text).map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(found, [("one", 1, 1), ("two", 4, 6), ("three", 7, 1)]);
    }

    #[test]
    fn tests_do_not_ship() {
        let source = Source::new(
            "crates/a/src/mod.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse x::{y};\n#[cfg(test)]\nmod more {\n fn b() {} \
             }\nfn c() {}",
        );
        let shipped: Vec<_> = functions(&source.shipped).map(|f| f.name).collect();
        assert_eq!((shipped, source.krate()), (vec!["a", "c"], "a"));
        assert_eq!(test_modules(&source), ["crates/a/src/tests.", "crates/a/src/tests/"]);
    }
}
