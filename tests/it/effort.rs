//! How much of a heavy test is done, and what is told of it.

/// Tells whoever looks at a test that passes, or repeats one that does not.
#[expect(clippy::print_stdout, reason = "seeds and figures are for people")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// How often something is done: as whoever runs the tests says, or as usual.
pub(crate) fn often(setting: &str, usual: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "the test's own setting")]
    let said = std::env::var(setting);
    said.map_or(usual, |text| {
        let many = text.parse();
        many.unwrap_or_else(|_| panic!("{setting} is a number"))
    })
}
