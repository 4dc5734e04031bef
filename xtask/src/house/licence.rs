//! Licence expressions: whether one can be met with the licences that we accept.

/// What may be linked into a wheel that is MIT or Apache-2.0 itself.
const ACCEPTED: [&str; 12] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "Unlicense",
];

/// Whether an SPDX expression of OR, AND and parentheses can be met; `/` is the old word for OR.
pub(crate) fn is_accepted(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = Words { words: spaced.split_whitespace().collect(), next: 0, broken: false };
    let met = words.either();
    met && !words.broken && words.peek().is_none()
}

/// A cursor over the words of an expression.
struct Words<'a> {
    words: Vec<&'a str>,
    next: usize,
    broken: bool,
}

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.next += usize::from(found);
        found
    }

    fn either(&mut self) -> bool {
        let mut met = self.both();
        while self.take("OR") {
            // Both sides are read, whatever the first one said.
            met |= self.both();
        }
        met
    }

    fn both(&mut self) -> bool {
        let mut met = self.one();
        while self.take("AND") {
            met &= self.one();
        }
        met
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let met = self.either();
            return self.take(")") && met;
        }
        let Some(name) = self.peek() else {
            self.broken = true;
            return false;
        };
        self.next += 1;
        if !self.take("WITH") {
            return ACCEPTED.contains(&name);
        }
        let exception = self.peek().unwrap_or_default();
        self.next += 1;
        ACCEPTED.contains(&format!("{name} WITH {exception}").as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_that_can_be_met_are_accepted() {
        for expression in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "0BSD OR MIT OR Apache-2.0",
        ] {
            assert!(is_accepted(expression), "{expression}");
        }
    }

    #[test]
    fn expressions_that_cannot_be_met_are_refused() {
        for expression in [
            "",
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "(MIT OR Apache-2.0) AND MPL-2.0",
            "Apache-2.0 WITH Some-exception",
            "MIT OR",
            "(MIT",
            "MIT)",
        ] {
            assert!(!is_accepted(expression), "{expression}");
        }
    }
}
