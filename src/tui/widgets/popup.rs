//! A frame over what is already on screen.

use ratatui::layout::{Rect, Size};

use super::panel::Panel;
use super::pen::Pen;

/// Below this width a popup takes the whole screen.
const FULL_BELOW: u16 = 80;

/// Wipes and frames a popup of the wanted size (its frame included) in the middle of `screen`. Returns what is inside.
pub fn popup(pen: &mut Pen<'_>, screen: Rect, want: Size, panel: &Panel<'_>) -> Rect {
    let area = if screen.width < FULL_BELOW || want.width >= screen.width {
        screen
    } else {
        let height = want.height.min(screen.height);
        Rect::new(
            screen.x + (screen.width - want.width) / 2,
            screen.y + (screen.height - height) / 2,
            want.width,
            height,
        )
    };
    pen.wipe(area);
    Panel { is_focused: true, ..*panel }.draw(pen, area)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::testing::drawn;
    use crate::tui::theme::Depth;

    #[test]
    fn a_popup_is_centred_until_the_screen_is_narrow() {
        for (screen, inside) in [
            ((100, 30), (22, 11, 56, 8)),
            ((60, 20), (2, 1, 56, 18)),
            ((100, 6), (22, 1, 56, 4)),
            ((1, 1), (0, 1, 1, 0)),
        ] {
            drawn(screen.0, screen.1, &Glyphs::UNICODE, Depth::True, |pen, area| {
                let inner = popup(pen, area, Size::new(60, 10), &Panel { title: "Retry", ..Panel::default() });
                assert_eq!((inner.x, inner.y, inner.width, inner.height), inside, "{screen:?}");
            });
        }
    }
}
