//! Cells as bytes, as few as will say it: only what differs from the cell before, and nothing about the colour of letters where a blank
//! shows none. The frame writer's pen; a stroke begins and ends on a terminal without colours and attributes.

use std::io::Write;

use ratatui::buffer::Cell;
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};

/// Attributes, what switches them on, and what off.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Attributes that show on a blank, or make its letter's colour show.
const ON_BLANKS: Modifier = Modifier::UNDERLINED.union(Modifier::REVERSED).union(Modifier::CROSSED_OUT);

/// What a cell looks like beside its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Look {
    letter: Color,
    ground: Color,
    underline: Color,
    attributes: Modifier,
}

/// One stroke of changed cells.
pub(super) struct Ink<'a> {
    bytes: &'a mut Vec<u8>,
    look: Look,
    /// Where the terminal would put the next letter.
    next: Option<Position>,
}

impl<'a> Ink<'a> {
    pub fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self { bytes, look: Look::default(), next: None }
    }

    /// Adds a cell at its place.
    pub fn put(&mut self, x: u16, y: u16, cell: &Cell) {
        match self.next {
            Some(next) if next == Position::new(x, y) => {}
            Some(next) if next.y == y => self.say(format_args!("\x1b[{}G", x.saturating_add(1))),
            _ => self.say(format_args!("\x1b[{};{}H", y.saturating_add(1), x.saturating_add(1))),
        }
        // Terminals do not agree on how wide some letters are: after a wide one the next cell is not where this says, and is placed anew.
        self.next = Some(Position::new(x.saturating_add(1), y));
        let wanted =
            Look { letter: cell.fg, ground: cell.bg, underline: cell.underline_color, attributes: cell.modifier };
        let shows_ink = cell.symbol() != " " || (wanted.attributes | self.look.attributes).intersects(ON_BLANKS);
        self.change(if shows_ink { wanted } else { Look { ground: wanted.ground, ..self.look } });
        self.bytes.extend_from_slice(cell.symbol().as_bytes());
    }

    /// Ends the stroke.
    pub fn dry(mut self) {
        self.change(Look::default());
    }

    fn change(&mut self, to: Look) {
        let from = std::mem::replace(&mut self.look, to);
        if from == to {
            return;
        }
        if to == Look::default() {
            return self.bytes.extend_from_slice(b"\x1b[m");
        }
        let mut codes = Codes(Vec::new());
        // Bold and dim share what switches them off, as both blinks do: what stays is said again.
        let gone = |attribute: Modifier| from.attributes.contains(attribute) && !to.attributes.contains(attribute);
        let lost: Vec<u8> =
            ATTRIBUTES.iter().filter(|(attribute, ..)| gone(*attribute)).map(|(.., off)| *off).collect();
        for off in &lost {
            codes.add(&[*off]);
        }
        for (attribute, on, off) in ATTRIBUTES {
            let is_new = !from.attributes.contains(attribute) || lost.contains(&off);
            if is_new && to.attributes.contains(attribute) {
                codes.add(&[on]);
            }
        }
        for (from, to, base) in
            [(from.letter, to.letter, 30), (from.ground, to.ground, 40), (from.underline, to.underline, 50)]
        {
            if from != to {
                codes.color(base, to);
            }
        }
        let Codes(codes) = codes;
        self.bytes.extend_from_slice(b"\x1b[");
        self.bytes.extend_from_slice(&codes);
        self.bytes.push(b'm');
    }

    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        // A `Vec` takes everything.
        let _ = self.bytes.write_fmt(what);
    }
}

/// The numbers of one sequence.
struct Codes(Vec<u8>);

impl Codes {
    fn add(&mut self, numbers: &[u8]) {
        for number in numbers {
            if !self.0.is_empty() {
                self.0.push(b';');
            }
            self.0.extend_from_slice(number.to_string().as_bytes());
        }
    }

    /// A colour of letters (`base` 30), grounds (40) or underlines (50, which know the palette by number only).
    fn color(&mut self, base: u8, color: Color) {
        let named = |nth: u8| match (base, nth) {
            (50, _) => vec![58, 5, nth],
            (_, 0..8) => vec![base + nth],
            (_, _) => vec![base + 60 + nth - 8],
        };
        let numbers = match color {
            Color::Reset => vec![base + 9],
            Color::Black => named(0),
            Color::Red => named(1),
            Color::Green => named(2),
            Color::Yellow => named(3),
            Color::Blue => named(4),
            Color::Magenta => named(5),
            Color::Cyan => named(6),
            Color::Gray => named(7),
            Color::DarkGray => named(8),
            Color::LightRed => named(9),
            Color::LightGreen => named(10),
            Color::LightYellow => named(11),
            Color::LightBlue => named(12),
            Color::LightMagenta => named(13),
            Color::LightCyan => named(14),
            Color::White => named(15),
            Color::Indexed(nth) => vec![base + 8, 5, nth],
            Color::Rgb(r, g, b) => vec![base + 8, 2, r, g, b],
        };
        self.add(&numbers);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use proptest::prelude::*;
    use ratatui::backend::{Backend, CrosstermBackend};
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;

    use super::*;

    const COLORS: [Color; 8] = [
        Color::Reset,
        Color::Black,
        Color::Gray,
        Color::DarkGray,
        Color::White,
        Color::LightYellow,
        Color::Indexed(208),
        Color::Rgb(1, 20, 200),
    ];
    /// The terminal of these tests knows bold or dim, not both at once, and neither blinks nor strikes out.
    const MODIFIERS: [Modifier; 5] =
        [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED, Modifier::REVERSED];

    fn stroke(cells: &[(u16, u16, &Cell)]) -> String {
        let mut bytes = Vec::new();
        let mut ink = Ink::new(&mut bytes);
        for (x, y, cell) in cells {
            ink.put(*x, *y, cell);
        }
        ink.dry();
        String::from_utf8(bytes).unwrap().replace('\x1b', "^")
    }

    fn cell(symbol: &'static str, letter: Color, ground: Color, attributes: Modifier) -> Cell {
        let mut cell = Cell::new(symbol);
        (cell.fg, cell.bg, cell.modifier) = (letter, ground, attributes);
        cell
    }

    #[test]
    fn only_what_differs_is_said() {
        let bold = Modifier::BOLD;
        let a = cell("a", Color::Red, Color::Indexed(236), bold);
        let b = cell("b", Color::Red, Color::Indexed(236), Modifier::empty());
        let blank = cell(" ", Color::Green, Color::Indexed(236), bold);
        let c = cell("c", Color::LightCyan, Color::Reset, Modifier::DIM);
        let cells = [(4, 0, &a), (5, 0, &b), (6, 0, &blank), (9, 0, &c), (0, 1, &Cell::EMPTY)];
        assert_eq!(stroke(&cells), "^[1;5H^[1;31;48;5;236ma^[22mb ^[10G^[2;96;49mc^[2;1H ^[m");
        assert_eq!(stroke(&[]), "");
    }

    #[test]
    fn what_shares_its_end_is_said_again() {
        let both = cell("a", Color::Reset, Color::Reset, Modifier::BOLD | Modifier::DIM);
        let dim = cell("b", Color::Reset, Color::Reset, Modifier::DIM);
        assert_eq!(stroke(&[(0, 0, &both), (1, 0, &dim)]), "^[1;1H^[1;2ma^[22;2mb^[m");
    }

    #[test]
    fn underlines_have_a_colour_of_their_own() {
        let mut wavy = cell(" ", Color::Reset, Color::Reset, Modifier::UNDERLINED);
        wavy.underline_color = Color::LightRed;
        assert_eq!(stroke(&[(0, 0, &wavy), (1, 0, &Cell::EMPTY)]), "^[1;1H^[4;58;5;9m ^[m ");
    }

    fn any_cell() -> impl Strategy<Value = Cell> {
        let color = || prop::sample::select(COLORS.to_vec());
        let modifiers = prop::sample::subsequence(MODIFIERS.to_vec(), 0..=2);
        (prop::sample::select(vec![" ", "x", "✗", "日"]), color(), color(), modifiers).prop_map(
            |(symbol, letter, ground, modifiers)| {
                let mut attributes = modifiers.into_iter().fold(Modifier::empty(), Modifier::union);
                if attributes.contains(Modifier::BOLD) {
                    attributes.remove(Modifier::DIM);
                }
                cell(symbol, letter, ground, attributes)
            },
        )
    }

    fn any_buffer() -> impl Strategy<Value = Buffer> {
        prop::collection::vec(any_cell(), 24).prop_map(|mut content| {
            for at in 0..content.len() {
                // A wide letter covers the cell behind it, which must be there.
                if content[at].symbol() == "日" && at % 8 == 7 {
                    content[at].set_symbol("x");
                } else if content[at].symbol() == "日" {
                    content[at + 1] = Cell::EMPTY;
                }
            }
            Buffer { area: Rect::new(0, 0, 8, 3), content }
        })
    }

    proptest! {
        #[test]
        fn a_terminal_shows_what_ratatuis_own_backend_would_show(before in any_buffer(), after in any_buffer()) {
            let terminal = || vt100::Parser::new(NonZero::new(3).unwrap(), NonZero::new(8).unwrap(), 0);
            let (mut ours, mut theirs) = (terminal(), terminal());
            for (from, to) in [(&Buffer::empty(before.area), &before), (&before, &after)] {
                let mut bytes = Vec::new();
                let mut ink = Ink::new(&mut bytes);
                from.diff_iter(to).for_each(|(x, y, cell)| ink.put(x, y, cell));
                ink.dry();
                ours.process(&bytes);
                let mut bytes = Vec::new();
                CrosstermBackend::new(&mut bytes).draw(from.diff_iter(to)).unwrap();
                theirs.process(&bytes);
            }
            for (row, column) in (0..3).flat_map(|row| (0..8).map(move |column| (row, column))) {
                let seen = |terminal: &vt100::Parser| {
                    let cell = terminal.screen().cell(row, column).unwrap().clone();
                    let text = cell.contents().trim().to_owned();
                    let bare = text.is_empty() && !cell.inverse() && !cell.underline();
                    let ink = (!bare).then(|| (cell.fgcolor(), cell.bold(), cell.dim(), cell.italic()));
                    (text, cell.bgcolor(), cell.underline(), cell.inverse(), ink)
                };
                prop_assert_eq!(seen(&ours), seen(&theirs), "row {} column {}", row, column);
            }
        }
    }
}
