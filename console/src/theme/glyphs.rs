//! The characters of rules, charts and marks. Every glyph of the Unicode set has a twin in the ASCII set.

/// A set of characters, all one cell wide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glyphs {
    /// Whether ridges are drawn in braille.
    pub braille: bool,
    /// Horizontal rule.
    pub rule: char,
    /// Horizontal rule of a production environment: another shape, not only another colour.
    pub production_rule: char,
    /// Vertical line.
    pub bar: char,
    /// Corners of a box: top left, top right, bottom left, bottom right.
    pub corners: [char; 4],
    /// Stands for what was cut.
    pub ellipsis: char,
    /// A value that went up.
    pub up: char,
    /// A value that went down.
    pub down: char,
    /// From one value to another.
    pub arrow: &'static str,
    /// A band's darkness, from nothing to everything.
    pub shades: [char; 5],
    /// How far a column of an ASCII ridge reaches into a line of text, from nothing to full.
    pub steps: [char; 5],
}

impl Glyphs {
    /// For UTF-8 terminals.
    pub const UNICODE: Self = Self {
        braille: true,
        rule: '─',
        production_rule: '═',
        bar: '│',
        corners: ['┌', '┐', '└', '┘'],
        ellipsis: '…',
        up: '↑',
        down: '↓',
        arrow: "→",
        shades: [' ', '░', '▒', '▓', '█'],
        steps: [' ', '.', '-', '=', '#'],
    };

    /// For everything else.
    pub const ASCII: Self = Self {
        braille: false,
        rule: '-',
        production_rule: '=',
        bar: '|',
        corners: ['+', '+', '+', '+'],
        ellipsis: '~',
        up: '^',
        down: 'v',
        arrow: "->",
        shades: [' ', '.', ':', '=', '#'],
        steps: [' ', '.', '-', '=', '#'],
    };

    /// The darkness of a band where an arm has this share, in `0..=1`: a quarter is one step, and what is there at
    /// all is not blank.
    pub fn shade(&self, share: f64) -> char {
        if share > 0.0 {
            let step = (share * 4.0).ceil() as usize;
            self.shades[step.clamp(1, self.shades.len() - 1)]
        } else {
            self.shades[0]
        }
    }
}
