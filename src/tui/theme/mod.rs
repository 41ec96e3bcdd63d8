//! Colours by role. A screen asks for `state.fail`, never for red; a theme file says what that looks like at each depth of colour. Pure:
//! texts in, a [`Theme`] or a complaint with file and line out. Whoever watches the files swaps the theme whole.

mod ansi;
mod depth;
mod load;
mod role;

use ratatui::style::Style;

pub use depth::{ColorChoice, Depth};
pub use load::BUILT_IN;
pub use role::Role;

/// For which background a theme is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    Dark,
    Light,
    /// Paints no background of its own, so it suits both.
    #[default]
    Any,
}

/// A style for every role, resolved for one depth of colour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    name: String,
    kind: Kind,
    depth: Depth,
    styles: [Style; Role::COUNT],
}

impl Theme {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// The style of a role. It leaves open what the role does not care about, so it may be laid over another one.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(role.index()).copied().unwrap_or_default()
    }

    /// A theme for snapshots in which each role has a colour that no other role has, so that a picture can be read back into roles. The
    /// cursor owns a background, all others a foreground.
    #[cfg(test)]
    pub fn distinct(depth: Depth) -> Self {
        use ratatui::style::Color;
        let styles = Role::ALL.map(|role| {
            let color = Color::Indexed(16 + role.index() as u8);
            if role == Role::Cursor { Style::new().bg(color) } else { Style::new().fg(color) }
        });
        Self { name: "distinct".to_owned(), kind: Kind::Any, depth, styles }
    }
}
