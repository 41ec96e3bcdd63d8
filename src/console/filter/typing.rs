//! A filter while it is being typed: half a term must not empty the list.

use super::{Filter, FilterError, Saved};

/// The text of a filter prompt and the last filter it made sense as.
#[derive(Debug, Clone, Default)]
pub struct Typing {
    text: String,
    filter: Filter,
    error: Option<FilterError>,
}

impl Typing {
    /// Takes the text as it now stands. While it is wrong, the last good filter stays on.
    pub fn update(&mut self, text: &str, saved: &Saved<'_>) {
        text.clone_into(&mut self.text);
        match Filter::parse_with(text, saved) {
            Ok(filter) => {
                self.filter = filter;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The text as typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The filter that is on.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What is wrong with the text: which bytes to underline, and why.
    pub fn error(&self) -> Option<&FilterError> {
        self.error.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_good_filter_stays_on_until_the_text_is_good_again() {
        let mut typing = Typing::default();
        let mut seen = Vec::new();
        for text in ["s", "stage", "stage:", "stage:b", "stage:b |", "stage:b | (pkg=", "stage:b | (pkg=z)", ""] {
            typing.update(text, &|_| None);
            assert_eq!(typing.text(), text);
            seen.push((typing.filter().to_string(), typing.error().map(|e| text[e.span.clone()].to_owned())));
        }
        let want = [
            ("s", None),
            ("stage", None),
            ("stage", Some("stage:")),
            ("stage:b", None),
            ("stage:b", Some("|")),
            ("stage:b", Some("pkg=")),
            ("stage:b | pkg=z", None),
            ("", None),
        ];
        assert_eq!(seen, want.map(|(filter, bad)| (filter.to_owned(), bad.map(str::to_owned))));
    }
}
