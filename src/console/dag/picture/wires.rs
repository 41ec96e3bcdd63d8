//! Lines of box characters. Each square of the grid remembers which of its four sides a line leaves through and how heavy it is; the
//! character follows from that, so lines may be drawn in any order and join where they meet.

use super::super::canvas::{Canvas, Role};

/// How a line looks; where several share a square, the last in this order wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Weight {
    #[default]
    None,
    /// An optional need.
    Dashed,
    Light,
    /// Leads to another pipeline.
    Double,
    /// The critical path.
    Heavy,
}

#[derive(Debug, Clone, Copy, Default)]
struct Square {
    up: Weight,
    down: Weight,
    left: Weight,
    right: Weight,
    role: Role,
    is_bus: bool,
    is_arrow: bool,
}

pub(super) struct Wires {
    width: usize,
    squares: Vec<Square>,
}

/// Characters by sides (up 8, down 4, left 2, right 1): light, heavy, heavy across, heavy along, double.
const SHAPES: [[char; 5]; 16] = [
    [' '; 5],
    ['─', '━', '━', '─', '═'],
    ['─', '━', '━', '─', '═'],
    ['─', '━', '━', '─', '═'],
    ['│', '┃', '│', '┃', '║'],
    ['┌', '┏', '┍', '┎', '╔'],
    ['┐', '┓', '┑', '┒', '╗'],
    ['┬', '┳', '┯', '┰', '╦'],
    ['│', '┃', '│', '┃', '║'],
    ['└', '┗', '┕', '┖', '╚'],
    ['┘', '┛', '┙', '┚', '╝'],
    ['┴', '┻', '┷', '┸', '╩'],
    ['│', '┃', '│', '┃', '║'],
    ['├', '┣', '┝', '┠', '╠'],
    ['┤', '┫', '┥', '┨', '╣'],
    ['┼', '╋', '┿', '╂', '╬'],
];

impl Wires {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, squares: vec![Square::default(); width * height] }
    }

    /// A line from `start` to `end` (which it enters, but does not leave) in one row.
    pub(super) fn across(&mut self, start: usize, end: usize, y: usize, weight: Weight, role: Role, is_bus: bool) {
        for x in start..=end {
            let square = |square: &mut Square| {
                if x > start {
                    square.left = square.left.max(weight);
                }
                if x < end {
                    square.right = square.right.max(weight);
                }
                square.is_bus |= is_bus;
            };
            self.touch(x, y, role, square);
        }
    }

    /// A line between two rows in one column.
    pub(super) fn down(&mut self, x: usize, from: usize, to: usize, weight: Weight, role: Role, is_bus: bool) {
        let (top, bottom) = (from.min(to), from.max(to));
        for y in top..=bottom {
            let square = |square: &mut Square| {
                if y > top {
                    square.up = square.up.max(weight);
                }
                if y < bottom {
                    square.down = square.down.max(weight);
                }
                square.is_bus |= is_bus;
            };
            self.touch(x, y, role, square);
        }
    }

    pub(super) fn arrow(&mut self, x: usize, y: usize, role: Role) {
        self.touch(x, y, role, |square| square.is_arrow = true);
    }

    pub(super) fn print(&self, canvas: &mut Canvas, ascii: bool) {
        for y in 0..canvas.height() {
            for x in 0..self.width {
                let Some(square) = self.squares.get(y * self.width + x).filter(|s| s.role != Role::Blank) else {
                    continue;
                };
                let symbol = if ascii { square.plain(x) } else { square.symbol() };
                if symbol != ' ' {
                    canvas.put(x, y, symbol, square.role);
                }
            }
        }
    }

    fn touch(&mut self, x: usize, y: usize, role: Role, change: impl FnOnce(&mut Square)) {
        if let Some(square) = self.squares.get_mut(y * self.width + x).filter(|_| x < self.width) {
            change(square);
            square.role = square.role.max(role);
        }
    }
}

impl Square {
    fn shape(self) -> usize {
        let side = |weight: Weight, bit: usize| if weight == Weight::None { 0 } else { bit };
        side(self.up, 8) | side(self.down, 4) | side(self.left, 2) | side(self.right, 1)
    }

    fn is_straight(self) -> bool {
        matches!(self.shape(), 1..=4 | 8 | 12)
    }

    fn symbol(self) -> char {
        let (across, along) = (self.left.max(self.right), self.up.max(self.down));
        let heaviest = across.max(along);
        if self.is_arrow {
            return '▸';
        }
        if self.is_straight() && self.is_bus && heaviest < Weight::Heavy {
            return if across > along { '┉' } else { '┋' };
        }
        if self.is_straight() && heaviest == Weight::Dashed {
            return if across > along { '╌' } else { '╎' };
        }
        let style = match (across, along) {
            (Weight::Heavy, Weight::Heavy) => 1,
            (Weight::Heavy, _) => 2,
            (_, Weight::Heavy) => 3,
            _ if heaviest == Weight::Double => 4,
            _ => 0,
        };
        SHAPES.get(self.shape()).and_then(|styles| styles.get(style)).copied().unwrap_or(' ')
    }

    fn plain(self, x: usize) -> char {
        let (across, along) = (self.left.max(self.right), self.up.max(self.down));
        match self.shape() {
            _ if self.is_arrow => '>',
            0 => ' ',
            1..=3 if self.is_bus || across > Weight::Light => '=',
            1..=3 if across == Weight::Dashed && x.is_multiple_of(2) => ' ',
            1..=3 => '-',
            4 | 8 | 12 if self.is_bus || along == Weight::Double => '=',
            4 | 8 | 12 => '|',
            _ => '+',
        }
    }
}
