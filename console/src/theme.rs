//! Roles, not colours: what a piece of text means, and how each theme shows it.
//!
//! Colour never carries meaning alone: every role also has a word or a sign where it is used. The built-in
//! themes use the sixteen ANSI colours only, so that they follow the terminal's own palette; `none` uses
//! reverse, bold and underline and is what `NO_COLOR` selects.

pub mod glyphs;

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

use crate::theme::glyphs::Glyphs;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Less important: labels, rules, things that are off.
    Dim,
    /// Headings and column titles.
    Heading,
    /// All is well.
    Ok,
    /// Look soon.
    Warn,
    /// Look now.
    Breach,
    /// Not fresh, not known.
    Stale,
    /// The leader, the thing this screen is about.
    Accent,
    /// Where the cursor is.
    Selected,
    /// Part of a diff: new.
    Add,
    /// Part of a diff: changed.
    Change,
    /// Part of a diff: stopped.
    Stop,
    /// A key that can be pressed.
    Key,
    /// The name of a production environment.
    Production,
}

/// The names of the built-in themes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeName {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds: no yellow, no cyan.
    Light,
    /// Safe for deuteranopia and tritanopia: blue, orange-ish yellow and magenta, never red against green.
    Safe,
    /// No colour at all.
    None,
}

impl ThemeName {
    /// Every theme, as `--theme` lists them.
    pub const ALL: [Self; 4] = [Self::Dark, Self::Light, Self::Safe, Self::None];

    /// The word in files and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Safe => "safe",
            Self::None => "none",
        }
    }
}

impl std::str::FromStr for ThemeName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|theme| theme.as_str() == text)
            .ok_or_else(|| format!("no theme `{text}`; use dark, light, safe or none"))
    }
}

/// How everything looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Theme {
    name: ThemeName,
    /// The characters that rules, charts and marks are made of.
    pub glyphs: Glyphs,
}

impl Theme {
    /// A theme with its characters.
    pub fn new(name: ThemeName, glyphs: Glyphs) -> Self {
        Self { name, glyphs }
    }

    /// The style of a role.
    pub fn style(&self, role: Role) -> Style {
        match self.name {
            ThemeName::None => attributes(role),
            ThemeName::Dark => coloured(role, &DARK),
            ThemeName::Light => coloured(role, &LIGHT),
            ThemeName::Safe => coloured(role, &SAFE),
        }
    }
}

/// The colours of the roles that have one.
struct Palette {
    ok: Color,
    warn: Color,
    breach: Color,
    stale: Color,
    accent: Color,
}

const DARK: Palette = Palette {
    ok: Color::Green,
    warn: Color::Yellow,
    breach: Color::LightRed,
    stale: Color::Magenta,
    accent: Color::Cyan,
};

const LIGHT: Palette = Palette {
    ok: Color::Green,
    warn: Color::Magenta,
    breach: Color::Red,
    stale: Color::DarkGray,
    accent: Color::Blue,
};

const SAFE: Palette = Palette {
    ok: Color::Blue,
    warn: Color::Yellow,
    breach: Color::LightMagenta,
    stale: Color::DarkGray,
    accent: Color::LightCyan,
};

fn coloured(role: Role, palette: &Palette) -> Style {
    let plain = Style::new();
    match role {
        Role::Text => plain,
        Role::Dim => plain.fg(Color::DarkGray),
        Role::Heading => plain.add_modifier(Modifier::BOLD),
        Role::Ok | Role::Add => plain.fg(palette.ok),
        Role::Warn | Role::Change => plain.fg(palette.warn),
        Role::Breach | Role::Stop => plain.fg(palette.breach).add_modifier(Modifier::BOLD),
        Role::Stale => plain.fg(palette.stale),
        Role::Accent | Role::Key => plain.fg(palette.accent),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Production => plain
            .fg(palette.breach)
            .add_modifier(Modifier::REVERSED | Modifier::BOLD),
    }
}

fn attributes(role: Role) -> Style {
    let plain = Style::new();
    match role {
        Role::Text | Role::Dim | Role::Ok | Role::Add | Role::Change => plain,
        Role::Heading | Role::Key | Role::Accent => plain.add_modifier(Modifier::BOLD),
        Role::Warn | Role::Stale => plain.add_modifier(Modifier::UNDERLINED),
        Role::Breach | Role::Stop => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Selected => plain.add_modifier(Modifier::REVERSED),
        Role::Production => plain.add_modifier(Modifier::REVERSED | Modifier::BOLD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 14] = [
        Role::Text,
        Role::Dim,
        Role::Heading,
        Role::Ok,
        Role::Warn,
        Role::Breach,
        Role::Stale,
        Role::Accent,
        Role::Selected,
        Role::Add,
        Role::Change,
        Role::Stop,
        Role::Key,
        Role::Production,
    ];

    #[test]
    fn the_theme_without_colour_has_none() {
        let theme = Theme::new(ThemeName::None, Glyphs::ASCII);
        for role in ROLES {
            let style = theme.style(role);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn no_theme_tells_red_from_green_by_colour_alone_in_a_diff() {
        for name in ThemeName::ALL {
            let theme = Theme::new(name, Glyphs::UNICODE);
            let (add, stop) = (theme.style(Role::Add), theme.style(Role::Stop));
            assert_ne!(add.add_modifier, stop.add_modifier, "{name:?}");
        }
    }

    #[test]
    fn themes_use_the_sixteen_colours_of_the_terminal() {
        for name in ThemeName::ALL {
            let theme = Theme::new(name, Glyphs::UNICODE);
            for role in ROLES {
                let fg = theme.style(role).fg;
                assert!(!matches!(fg, Some(Color::Rgb(..) | Color::Indexed(_))));
            }
        }
    }
}
