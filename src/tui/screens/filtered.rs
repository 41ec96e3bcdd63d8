//! What narrows and orders a list: the filter as typed, the column, the direction; and when any of it changed.

use crate::console::filter::{Filter, Typing};
use crate::console::registry::ActionId;
use crate::tui::screen::{Ask, Reaction};

/// Something that rows can be ordered by.
pub trait Order: Copy + PartialEq + 'static {
    const ALL: &'static [Self];

    fn word(self) -> &'static str;
}

/// What narrows and orders one list.
#[derive(Debug, Default)]
pub struct Filtered<Sort> {
    typing: Typing,
    pub sort: Sort,
    pub is_reversed: bool,
    changes: u64,
}

impl<Sort: Order> Filtered<Sort> {
    /// The filter that is on.
    pub fn filter(&self) -> &Filter {
        self.typing.filter()
    }

    /// The filter as typed.
    pub fn text(&self) -> &str {
        self.typing.text()
    }

    /// Moves whenever rows have to be chosen or ordered anew.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// What the title says about it.
    pub fn narrowed(&self) -> String {
        let reversed = if self.is_reversed { " reversed" } else { "" };
        let sort = format!("sort:{}{reversed}", self.sort.word());
        if self.text().is_empty() { sort } else { format!("{sort}  /{}", self.text()) }
    }

    /// Asks for the filter.
    pub fn ask(&self) -> Reaction {
        Reaction::Ask { what: Ask::Filter, text: self.text().to_owned() }
    }

    /// Takes the filter as it is being typed.
    pub fn typed(&mut self, text: &str) -> Result<(), String> {
        self.typing.update(text, &|_| None);
        self.changes += 1;
        self.typing.error().map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// Does what changes the order or takes the filter away; false when the action is neither.
    pub fn act(&mut self, action: ActionId) -> bool {
        match action {
            ActionId::ListSort => {
                let next = Sort::ALL.iter().position(|sort| *sort == self.sort).map_or(0, |at| at + 1);
                if let Some(sort) = Sort::ALL.get(next % Sort::ALL.len().max(1)) {
                    self.sort = *sort;
                }
            }
            ActionId::ListReverse => self.is_reversed = !self.is_reversed,
            ActionId::ListFilterClear => self.typing.update("", &|_| None),
            ActionId::ViewBack if !self.text().is_empty() => self.typing.update("", &|_| None),
            _ => return false,
        }
        self.changes += 1;
        true
    }
}
