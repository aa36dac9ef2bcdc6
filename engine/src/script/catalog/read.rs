//! An entry as it is written: a signature, and a documentation that ends with an example. Refuses what
//! it cannot read, and knows nothing of what the entry is for.

use super::{Entry, Kind, Parameter, Type};

impl Entry {
    /// Reads a signature such as `chat.reply(content: content, otherwise?: template) -> text`, and a
    /// documentation that ends with an example between "```rhai" and "```".
    ///
    /// # Panics
    /// If there is a mistake in either; both are written in our own source and read by every test.
    pub(in crate::script) fn read(signature: &'static str, documentation: &str) -> Self {
        let (head, returns) = match signature.split_once(" -> ") {
            Some((head, returns)) => (head, Some(Type(returns))),
            None => (signature, None),
        };
        let (path, parameters, returns) = match head.split_once('(') {
            Some((path, rest)) => (path, parameters(rest, signature), returns),
            None => match head.split_once(": ") {
                Some((path, of)) => (path, Vec::new(), Some(Type(of))),
                None => panic!("{signature}: a property is written noun.name: type"),
            },
        };
        let (receiver, name) = match path.split_once('.') {
            Some((receiver, name)) => (Some(receiver), name),
            None => (None, path),
        };
        let is_content = |of: Type| matches!(of.as_str(), "content" | "template");
        let kind = match receiver {
            Some(_) if head.contains('(') => Kind::Method,
            Some(_) => Kind::Property,
            None if returns.is_some_and(is_content) => Kind::Constructor,
            None => Kind::Function,
        };
        let (doc, example) = documented(documentation);
        assert!(!doc.is_empty(), "{signature}: the documentation is missing");
        assert!(!example.is_empty(), "{signature}: the example is missing");
        Self {
            kind,
            receiver,
            name,
            parameters,
            returns,
            signature,
            doc,
            example,
            chapter: "",
            of_rhai: false,
        }
    }

    /// The calls in its example, from the beginning of their chain to their closing bracket.
    pub(super) fn usages(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for (at, _) in self.example.match_indices(self.name) {
            let end = at + self.name.len();
            let own = !self.example[..at].ends_with(is_part_of_name);
            if !own || !self.example[end..].starts_with('(') {
                continue;
            }
            let call = &self.example
                [start_of_chain(&self.example, at)..end_of_brackets(&self.example, end)];
            if !found.contains(&call) {
                found.push(call);
            }
        }
        found
    }
}

fn parameters(rest: &'static str, signature: &str) -> Vec<Parameter> {
    let Some(list) = rest.strip_suffix(')') else {
        panic!("{signature}: the closing bracket is missing");
    };
    let parameters = list.split(", ").filter(|text| !text.is_empty());
    parameters
        .map(|text| match text.split_once(": ") {
            Some((name, of)) => Parameter {
                name: name.trim_end_matches('?'),
                of: Type(of),
                optional: name.ends_with('?'),
            },
            None => panic!("{signature}: a parameter is written name: type"),
        })
        .collect()
}

/// A documentation as its prose and its example.
fn documented(text: &str) -> (String, String) {
    let (mut doc, mut example) = (String::new(), String::new());
    let mut into_example = false;
    for line in text.lines() {
        let line = line.strip_prefix(' ').unwrap_or(line);
        match line {
            "```rhai" => into_example = true,
            "```" => into_example = false,
            _ => {
                let into = if into_example { &mut example } else { &mut doc };
                into.push_str(line);
                into.push('\n');
            }
        }
    }
    (doc.trim().to_owned(), example.trim().to_owned())
}

fn is_part_of_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Where `a.b(c).` begins, of which the next name stands at `at`.
fn start_of_chain(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let mut start = at;
    for (index, letter) in text[..at].char_indices().rev() {
        match letter {
            ')' | ']' => depth += 1,
            '(' | '[' if depth > 0 => depth -= 1,
            '.' => {}
            _ if depth > 0 || is_part_of_name(letter) => {}
            _ => break,
        }
        start = index;
    }
    start
}

/// Where the bracket that opens at `open` has been closed.
fn end_of_brackets(text: &str, open: usize) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (index, letter) in text[open..].char_indices() {
        match (quote, letter) {
            (None, '"' | '`') => quote = Some(letter),
            (Some(mark), _) if mark == letter => quote = None,
            (Some(_), _) => {}
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return open + index + 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{Entry, Kind};

    #[test]
    fn a_signature_tells_names_and_types_and_an_example_tells_the_call() {
        let entry = Entry::read(
            "chat.reply(content: content|text, otherwise?: template) -> any",
            " Answers.\n\n Later.\n\n ```rhai\n let a = (b + 1).reply(\"a)\", f(2)); chat.reply(`x`);\n ```\n",
        );
        assert_eq!(
            (entry.kind, entry.receiver, entry.name),
            (Kind::Method, Some("chat"), "reply")
        );
        assert_eq!(entry.arities(), 1..=2);
        assert_eq!(
            entry.types().collect::<Vec<_>>(),
            ["content", "text", "template", "any"]
        );
        assert_eq!(entry.summary(), "Answers.");
        assert_eq!(
            entry.usages(),
            ["(b + 1).reply(\"a)\", f(2))", "chat.reply(`x`)"]
        );
    }
}
