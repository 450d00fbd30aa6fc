//! Copying through the terminal (OSC 52): works over SSH, where no clipboard is at hand.

use super::environment::{Environment, Multiplexer};

/// 74,994 bytes of text: what base64 and the frame make of it stays below the 100,000 that xterm takes.
const MOST_BYTES: usize = 74_994;

/// Bytes of one pass-through string of GNU screen, which drops longer ones.
const SCREEN_CHUNK: usize = 256;

/// The bytes that make the terminal copy `text`.
pub(super) fn sequence(text: &str, environment: &Environment) -> Result<String, String> {
    if text.len() > MOST_BYTES {
        return Err(format!(
            "{} bytes are too long for the terminal's clipboard",
            text.len()
        ));
    }
    let plain = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    Ok(match environment.multiplexer {
        None => plain,
        Some(Multiplexer::Tmux) => {
            format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b"))
        }
        Some(Multiplexer::Screen) => in_chunks(&plain),
    })
}

/// What was copied, in few words.
pub(super) fn describe(text: &str) -> String {
    if text.len() <= 60 && !text.contains('\n') {
        return text.to_owned();
    }
    format!("{} lines", text.lines().count())
}

fn in_chunks(plain: &str) -> String {
    // The sequence is ASCII, so any place is a boundary of characters.
    let chunks = plain.as_bytes().chunks(SCREEN_CHUNK);
    chunks
        .map(String::from_utf8_lossy)
        .flat_map(|chunk| ["\x1bP".into(), chunk, "\x1b\\".into()])
        .collect()
}

/// RFC 4648, section 4. Twenty lines are less than a dependency.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            if at <= chunk.len() {
                let index = (bits >> (18 - 6 * at)) & 63;
                out.push(char::from(ALPHABET[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::ThemeName;

    fn environment(multiplexer: Option<Multiplexer>) -> Environment {
        Environment {
            theme: ThemeName::Dark,
            utf8: true,
            multiplexer,
            home: None,
        }
    }

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn multiplexers_get_their_wrapping_and_long_texts_are_refused() {
        let tmux = sequence("a", &environment(Some(Multiplexer::Tmux)));
        assert_eq!(
            tmux.as_deref(),
            Ok("\x1bPtmux;\x1b\x1b]52;c;YQ==\x07\x1b\\")
        );
        let long = "x".repeat(MOST_BYTES + 1);
        assert!(sequence(&long, &environment(None)).is_err());
    }
}
