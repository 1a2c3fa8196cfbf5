//! Configuration: any text is read or refused, every problem with its place.

/// Ids a configuration may name.
const KNOWN: [&str; 3] = ["anthropic", "google", "openai"];

/// What is refused says why, and where in the text.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let parsed = shim_config::parse(text, "shim.toml", &KNOWN);
    assert_eq!(parsed, shim_config::parse(text, "shim.toml", &KNOWN));
    let Err(problems) = parsed else { return };
    assert!(!problems.list.is_empty());
    let lines: Vec<_> = text.split('\n').collect();
    for problem in &problems.list {
        let (line, column) = problem.place;
        assert!(!problem.message.is_empty(), "{problem:?}");
        let length = lines.get(line.wrapping_sub(1)).map(|line| line.chars().count());
        assert!(length.is_some_and(|length| (1..=length + 1).contains(&column)), "{problem:?}");
    }
    assert!(problems.to_string().lines().count() >= problems.list.len());
}
