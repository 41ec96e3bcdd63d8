//! Small plots: inside a line of text, and a curve over several lines.

use std::ops::RangeInclusive;

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::Role;

/// Draws the newest values that fit, one column each, scaled to the largest. A value that is not known leaves a gap; it is not a zero.
pub fn sparkline(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, values: &[Option<f64>], role: Role) {
    let values = values.get(values.len().saturating_sub(usize::from(width))..).unwrap_or_default();
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    for (column, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let part = if most > 0.0 { value / most } else { 0.0 };
            pen.glyph(x + column as u16, y, Glyphs::step(pen.look.glyphs.spark, part), role);
        }
    }
}

/// Draws a part of a whole as a bar; the last cell tells eighths where the set of characters can.
pub fn bar(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, part: f64, role: Role) {
    let glyphs = pen.look.glyphs;
    let filled = if part.is_finite() { part.clamp(0.0, 1.0) * f64::from(width) } else { 0.0 };
    let whole = filled.floor() as u16;
    pen.repeat(x, y, whole, glyphs.bar, role);
    let rest = filled - f64::from(whole);
    if glyphs.is_ascii() {
        pen.repeat(x + whole, y, u16::from(rest >= 0.5), glyphs.bar, role);
    } else if rest > 0.05 {
        pen.glyph(x + whole, y, Glyphs::step(glyphs.spark.get(..7).unwrap_or(glyphs.spark), rest), role);
    }
}

/// How many values a curve of so many columns takes: two in each, or one where there is only ASCII.
pub fn curve_values(glyphs: &Glyphs, width: u16) -> usize {
    usize::from(width) * if glyphs.is_ascii() { 1 } else { 2 }
}

/// Draws values as a curve, the first at the left edge. Neighbours are joined; where a value is not known there is a gap.
pub fn curve(pen: &mut Pen<'_>, area: Rect, values: &[Option<u64>], scale: RangeInclusive<u64>, role: Role) {
    let is_ascii = pen.look.glyphs.is_ascii();
    let (across, down) = if is_ascii { (1, 1) } else { (2, 4) };
    let steps = usize::from(area.height) * down;
    let (Some(top), (low, high)) = (steps.checked_sub(1), scale.into_inner()) else { return };
    // From the top, in dots; where nothing changes the curve lies in the middle.
    let row = |value: u64| {
        let part = if high > low { value.saturating_sub(low) as f64 / (high - low) as f64 } else { 0.5 };
        top - ((part.clamp(0.0, 1.0) * top as f64).round() as usize).min(top)
    };
    let columns = usize::from(area.width);
    let mut dots = vec![0_u8; columns * usize::from(area.height)];
    let mut before: Option<usize> = None;
    for (x, value) in values.iter().take(columns * across).enumerate() {
        let here = value.map(row);
        if let Some(here) = here {
            // Up to the neighbour, and not onto it.
            let (from, to) = match before {
                Some(before) if before > here + 1 => (here, before - 1),
                Some(before) if before + 1 < here => (before + 1, here),
                _ => (here, here),
            };
            for y in from..=to {
                if let Some(cell) = dots.get_mut(y / down * columns + x / across) {
                    *cell |= dot(x % across, y % down);
                }
            }
        }
        before = here;
    }
    for (nth, cell) in dots.iter().enumerate().filter(|(_, cell)| **cell != 0) {
        let (x, y) = (area.x + (nth % columns) as u16, area.y + (nth / columns) as u16);
        if is_ascii {
            pen.glyph(x, y, "#", role);
        } else if let Some(glyph) = char::from_u32(0x2800 + u32::from(*cell)) {
            pen.put(x, y, 1, glyph.encode_utf8(&mut [0; 4]), role);
        }
    }
}

/// The bit of a dot in a braille cell of two by four.
const fn dot(x: usize, y: usize) -> u8 {
    match (x, y) {
        (0, 3) => 0x40,
        (0, y) => 1 << y,
        (_, 3) => 0x80,
        (_, y) => 8 << y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{drawn, picture};
    use crate::tui::theme::Depth;

    fn line(glyphs: &Glyphs, draw: impl FnOnce(&mut Pen<'_>)) -> String {
        picture(&drawn(10, 1, glyphs, Depth::True, |pen, _| draw(pen))).lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn sparklines_scale_and_unknown_is_a_gap() {
        let values = [Some(900.0), Some(0.0), Some(1.0), None, Some(2.0), Some(4.0)];
        let spark = |glyphs| line(glyphs, |pen| sparkline(pen, 0, 0, 5, &values, Role::Plot1));
        assert_eq!(spark(&Glyphs::UNICODE), "▁▃ ▅█");
        assert_eq!(spark(&Glyphs::ASCII), "02 59");
        let flat = line(&Glyphs::UNICODE, |pen| sparkline(pen, 0, 0, 5, &[Some(0.0), Some(0.0)], Role::Plot1));
        assert_eq!(flat, "▁▁");
    }

    #[test]
    fn curves_join_neighbours_and_keep_their_gaps() {
        let values = [None, None, Some(10), Some(11), None, Some(20), Some(20), Some(30), Some(10)];
        let shown = |glyphs: &Glyphs, values: &[Option<u64>]| {
            let drawn = drawn(6, 3, glyphs, Depth::True, |pen, area| curve(pen, area, values, 10..=30, Role::Plot1));
            picture(&drawn).split("-- roles").next().unwrap_or_default().to_owned()
        };
        assert_eq!(shown(&Glyphs::UNICODE, &values), "   ⢸⡆\n  ⠐⠊⡇\n ⡠  ⡇\n");
        assert_eq!(shown(&Glyphs::ASCII, &values[2..8]), "     #\n   ##\n##\n");
        let flat = drawn(2, 1, &Glyphs::ASCII, Depth::True, |pen, area| {
            curve(pen, area, &[Some(5), Some(5)], 5..=5, Role::Plot1);
        });
        assert!(picture(&flat).starts_with("##\n"));
        drawn(3, 0, &Glyphs::UNICODE, Depth::True, |pen, area| curve(pen, area, &values, 10..=30, Role::Plot1));
    }

    #[test]
    fn bars_fill_and_never_overflow() {
        let bar = |glyphs, part| line(glyphs, |pen| bar(pen, 0, 0, 8, part, Role::Plot2));
        assert_eq!(bar(&Glyphs::UNICODE, 0.61), "▇▇▇▇▆");
        assert_eq!(bar(&Glyphs::ASCII, 0.61), "#####");
        assert_eq!(bar(&Glyphs::UNICODE, 7.0), "▇▇▇▇▇▇▇▇");
        assert_eq!(bar(&Glyphs::UNICODE, 0.0), "");
        assert_eq!(bar(&Glyphs::UNICODE, f64::NAN), "");
    }
}
