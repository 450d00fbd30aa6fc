//! What the environment says about the terminal: read once, here and nowhere else.

use std::path::PathBuf;

use crate::theme::ThemeName;

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The theme: none with `NO_COLOR` or on a terminal without colours.
    pub theme: ThemeName,
    /// Whether the locale is UTF-8.
    pub utf8: bool,
    /// Inside tmux or screen, whose pass-through wraps what is meant for the outer terminal.
    pub multiplexer: Option<Multiplexer>,
    /// What `~` stands for.
    pub home: Option<PathBuf>,
}

/// A terminal inside the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplexer {
    /// tmux
    Tmux,
    /// GNU screen
    Screen,
}

impl Environment {
    /// Read it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the console that reads the environment"
    )]
    pub fn read() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// The same, from any source of variables.
    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let colourless = set("NO_COLOR").is_some() || matches!(term.as_str(), "dumb" | "vt100");
        let locale = set("LC_ALL").or(set("LC_CTYPE")).or(set("LANG"));
        let locale = locale.unwrap_or_default().to_lowercase();
        Self {
            theme: if colourless {
                ThemeName::None
            } else {
                ThemeName::Dark
            },
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
            multiplexer: if set("TMUX").is_some() {
                Some(Multiplexer::Tmux)
            } else if term.starts_with("screen") {
                Some(Multiplexer::Screen)
            } else {
                None
            },
            home: set("HOME").map(PathBuf::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::of(|name| {
            let mut found = variables.iter().filter(|(known, _)| *known == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_color_and_the_locale_are_honoured() {
        let plain = environment(&[("NO_COLOR", "1"), ("LANG", "C"), ("TERM", "xterm")]);
        assert_eq!((plain.theme, plain.utf8), (ThemeName::None, false));
        let full = environment(&[("LC_ALL", "de_DE.UTF-8"), ("LANG", "C"), ("NO_COLOR", "")]);
        assert_eq!((full.theme, full.utf8), (ThemeName::Dark, true));
    }
}
