//! Small plots inside a line of text.

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
    fn bars_fill_and_never_overflow() {
        let bar = |glyphs, part| line(glyphs, |pen| bar(pen, 0, 0, 8, part, Role::Plot2));
        assert_eq!(bar(&Glyphs::UNICODE, 0.61), "▇▇▇▇▆");
        assert_eq!(bar(&Glyphs::ASCII, 0.61), "#####");
        assert_eq!(bar(&Glyphs::UNICODE, 7.0), "▇▇▇▇▇▇▇▇");
        assert_eq!(bar(&Glyphs::UNICODE, 0.0), "");
        assert_eq!(bar(&Glyphs::UNICODE, f64::NAN), "");
    }
}
