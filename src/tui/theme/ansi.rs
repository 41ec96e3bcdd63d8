//! Colours that a log asked for, as far as the terminal has them. The only colours on screen that are not a role.

use ratatui::style::{Color, Modifier, Style};

use super::{Depth, Theme};
use crate::ci::log::{AnsiColor, AnsiStyle};

impl Theme {
    /// The style of a stretch of log text, to be laid over the text's own role. Text on a background of its own colour keeps neither: a log
    /// cannot hide its words.
    pub fn log_style(&self, asked: AnsiStyle) -> Style {
        let mut style = Style::new();
        for (is_on, modifier) in [
            (asked.bold, Modifier::BOLD),
            (asked.dim, Modifier::DIM),
            (asked.underline, Modifier::UNDERLINED),
            (asked.reverse, Modifier::REVERSED),
        ] {
            if is_on {
                style = style.add_modifier(modifier);
            }
        }
        if self.depth == Depth::Mono || asked.fg.is_some() && asked.fg == asked.bg {
            return style;
        }
        let color = |color| {
            self.depth.nearest(match color {
                AnsiColor::Indexed(index) => Color::Indexed(index),
                AnsiColor::Rgb(r, g, b) => Color::Rgb(r, g, b),
            })
        };
        style.fg = asked.fg.map(color);
        style.bg = asked.bg.map(color);
        style
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_get_the_colours_that_there_are_and_cannot_hide() {
        let red = Some(AnsiColor::Indexed(1));
        let asked = AnsiStyle { fg: red, bold: true, ..AnsiStyle::default() };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        assert_eq!(Theme::distinct(Depth::Mono).log_style(asked), bold);
        assert_eq!(Theme::distinct(Depth::Sixteen).log_style(asked), bold.fg(Color::Red));
        assert_eq!(Theme::distinct(Depth::True).log_style(asked), bold.fg(Color::Indexed(1)));
        assert_eq!(Theme::distinct(Depth::True).log_style(AnsiStyle { bg: red, ..asked }), bold);
    }
}
