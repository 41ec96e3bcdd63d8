//! Theme files. A role is written as `"red bold"` or `"ink on paper"`, or as a table with one such text per depth: `any`, `c256`, `c16`,
//! `mono`. Files inherit from each other; the palette is merged first, so a child that only renames its greens recolours everything green.

use std::collections::BTreeMap;
use std::ops::Range;

use ratatui::style::{Color, Modifier, Style};
use toml::de::{DeTable, DeValue};

use super::depth::{Depth, NAMES};
use super::{Kind, Role, Theme};
use crate::tui::files::{Doc, Find, LoadError, Source, did_you_mean, lineage};

/// The themes inside the binary, by name; the first is the default.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("terminal", include_str!("../../../../themes/terminal.toml")),
    ("dusk", include_str!("../../../../themes/dusk.toml")),
    ("day", include_str!("../../../../themes/day.toml")),
    ("high-contrast", include_str!("../../../../themes/high-contrast.toml")),
    ("deuter", include_str!("../../../../themes/deuter.toml")),
    ("mono", include_str!("../../../../themes/mono.toml")),
];

const ATTRIBUTES: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
    ("strike", Modifier::CROSSED_OUT),
];

type Palette = BTreeMap<String, Color>;

/// What a role looks like, before the depth is known.
#[derive(Debug, Clone, Copy, Default)]
struct Looks {
    any: Option<Style>,
    c256: Option<Style>,
    c16: Option<Style>,
    mono: Option<Style>,
}

impl Looks {
    /// Lays a child's word over what was inherited. A new look for all depths puts an inherited 256-colour one out of date, and a
    /// 16-colour one too unless it is there to say what the nearest colour would get wrong.
    fn patch(&mut self, child: Self) {
        if let Some(any) = child.any {
            *self = Self { any: child.any, c256: None, c16: self.c16.filter(|_| !is_exact(any)), mono: self.mono };
        }
        self.c256 = child.c256.or(self.c256);
        self.c16 = child.c16.or(self.c16);
        self.mono = child.mono.or(self.mono);
    }

    fn at(&self, depth: Depth) -> Option<Style> {
        let near = |style: Option<Style>| {
            style.map(|s| Style { fg: s.fg.map(|c| depth.nearest(c)), bg: s.bg.map(|c| depth.nearest(c)), ..s })
        };
        match depth {
            Depth::True => self.any.or(self.c256).or(self.c16).or(self.mono),
            Depth::Indexed => self.c256.or(near(self.any)).or(self.c16).or(self.mono),
            Depth::Sixteen => self.c16.or(near(self.any)).or(near(self.c256)).or(self.mono),
            Depth::Mono => self.mono.or(self.c16).or(self.any).or(self.c256).map(|s| Style { fg: None, bg: None, ..s }),
        }
    }
}

/// Whether sixteen colours are enough to show it exactly.
fn is_exact(style: Style) -> bool {
    let exact = |color: Option<Color>| !matches!(color, Some(Color::Rgb(..) | Color::Indexed(_)));
    exact(style.fg) && exact(style.bg)
}

impl Theme {
    /// Loads a theme by name for a depth: the user's file if `find` has one, else the built-in one.
    pub fn load(name: &str, depth: Depth, find: Find<'_>) -> Result<Self, LoadError> {
        let sources = lineage(name, find, &built_in)?;
        let docs = sources.iter().map(Doc::parse).collect::<Result<Vec<_>, _>>()?;
        let mut palette = Palette::new();
        let mut kind = Kind::Any;
        for doc in &docs {
            doc.only(&doc.root, &["name", "inherits", "kind", "palette", "role"])?;
            doc.string(&doc.root, "name")?;
            kind = kind_of(doc)?.unwrap_or(kind);
            if let Some((colors, _)) = doc.table(&doc.root, "palette")? {
                for (key, _) in colors {
                    let name = key.get_ref().as_ref();
                    if let Some((text, at)) = doc.string(colors, name)? {
                        palette.insert(name.to_owned(), color(doc, text, &at, &Palette::new())?);
                    }
                }
            }
        }
        let mut looks = [Looks::default(); Role::COUNT];
        let mut role_table = 0..0;
        for doc in &docs {
            if let Some((roles, at)) = doc.table(&doc.root, "role")? {
                role_table = at;
                for (key, value) in roles {
                    let name = key.get_ref().as_ref();
                    let role = Role::named(name).ok_or_else(|| {
                        let near = did_you_mean(name, Role::ALL.map(Role::name));
                        doc.error(&key.span(), format!("unknown role `{name}`{near}"))
                    })?;
                    if let Some(slot) = looks.get_mut(role.index()) {
                        slot.patch(looks_of(doc, value.get_ref(), &value.span(), &palette)?);
                    }
                }
            }
        }
        let mut styles = [Style::default(); Role::COUNT];
        for ((style, looks), role) in styles.iter_mut().zip(looks).zip(Role::ALL) {
            match (looks.at(depth), docs.last()) {
                (Some(found), _) => *style = found,
                (None, Some(doc)) => {
                    let name = role.name();
                    return Err(doc.error(
                        &role_table,
                        format!("role `{name}` is missing; give it a style, or inherit a theme that has one"),
                    ));
                }
                (None, None) => {}
            }
        }
        Ok(Self { name: name.to_owned(), kind, depth, styles })
    }

    /// A theme as shipped.
    pub fn shipped(name: &str, depth: Depth) -> Result<Self, LoadError> {
        Self::load(name, depth, &|_| None)
    }
}

fn built_in(name: &str) -> Option<Source> {
    let (name, text) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)?;
    Some(Source::shipped(name, text))
}

fn kind_of(doc: &Doc<'_>) -> Result<Option<Kind>, LoadError> {
    Ok(match doc.string(&doc.root, "kind")? {
        None => None,
        Some(("dark", _)) => Some(Kind::Dark),
        Some(("light", _)) => Some(Kind::Light),
        Some(("any", _)) => Some(Kind::Any),
        Some((word, at)) => return Err(doc.error(&at, format!("kind `{word}` is not one of dark, light, any"))),
    })
}

fn looks_of(doc: &Doc<'_>, value: &DeValue<'_>, at: &Range<usize>, palette: &Palette) -> Result<Looks, LoadError> {
    match value {
        DeValue::String(text) => Ok(Looks { any: Some(style(doc, text, at, palette)?), ..Looks::default() }),
        DeValue::Table(table) => {
            doc.only(table, &["any", "c256", "c16", "mono"])?;
            let look = |table: &DeTable<'_>, key: &str| -> Result<Option<Style>, LoadError> {
                doc.string(table, key)?.map(|(text, at)| style(doc, text, &at, palette)).transpose()
            };
            Ok(Looks {
                any: look(table, "any")?,
                c256: look(table, "c256")?,
                c16: look(table, "c16")?,
                mono: look(table, "mono")?,
            })
        }
        _ => Err(doc.error(at, "write a role as a text like \"red bold\", or a table with any, c256, c16, mono")),
    }
}

/// Reads `ink on paper bold underline`: a colour, `on` and a colour behind it, attributes; each may be left out.
fn style(doc: &Doc<'_>, text: &str, at: &Range<usize>, palette: &Palette) -> Result<Style, LoadError> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word == "on" {
            let behind = words.next().ok_or_else(|| doc.error(at, "a colour must follow `on`"))?;
            style = style.bg(color(doc, behind, at, palette)?);
        } else if let Some((_, attribute)) = ATTRIBUTES.iter().find(|(name, _)| *name == word) {
            style = style.add_modifier(*attribute);
        } else if style.fg.is_some() {
            // A second word that is no attribute: most likely a misspelt one.
            let near = did_you_mean(word, ATTRIBUTES.map(|(name, _)| name));
            return Err(doc.error(at, format!("unknown attribute `{word}`{near}")));
        } else {
            style = style.fg(color(doc, word, at, palette)?);
        }
    }
    Ok(style)
}

fn color(doc: &Doc<'_>, word: &str, at: &Range<usize>, palette: &Palette) -> Result<Color, LoadError> {
    if let Some(color) = palette.get(word) {
        return Ok(*color);
    }
    if word == "default" {
        return Ok(Color::Reset);
    }
    if let Some((_, color)) = NAMES.iter().find(|(name, _)| *name == word) {
        return Ok(*color);
    }
    if let Ok(index) = word.parse::<u8>() {
        return Ok(Color::Indexed(index));
    }
    let hex = word.strip_prefix('#').filter(|hex| hex.len() == 6).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    if let Some(hex) = hex {
        return Ok(Color::from_u32(hex));
    }
    let known = palette.keys().map(String::as_str).chain(NAMES.iter().map(|(name, _)| *name));
    let near = did_you_mean(word, known.chain(ATTRIBUTES.map(|(name, _)| name)));
    Err(doc.error(at, format!("unknown colour `{word}`{near}")))
}

#[cfg(test)]
mod tests;
