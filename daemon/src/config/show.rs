//! `config show`: every key, its value, where it came from, and where alerts go. Secrets stay hidden.

use std::fmt::Write;

use super::Loaded;
use super::layers::Setting;

/// One line a key: `name = value  # origin`.
pub fn show(loaded: &Loaded) -> String {
    let lines: Vec<(String, String)> = loaded
        .settings
        .iter()
        .map(|setting| (assignment(loaded, setting), setting.origin.to_string()))
        .collect();
    let width = lines.iter().map(|it| it.0.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (assignment, origin) in lines {
        let _ = writeln!(text, "{assignment:width$}  # {origin}");
    }
    for channel in loaded.config.alert_channels.iter() {
        let _ = writeln!(
            text,
            "[[alert_channel]] {}: {} at {}, from {}",
            channel.name,
            channel.kind(),
            channel.place(),
            channel.least.as_str()
        );
    }
    text
}

fn assignment(loaded: &Loaded, setting: &Setting) -> String {
    let name = setting.key.name;
    let value = setting.value.clone().or_else(|| computed(loaded, name));
    match value {
        Some(_) if setting.key.is_secret() => format!("{name} = (hidden)"),
        Some(value) => format!("{name} = {value:?}"),
        None => format!("{name} = ({})", setting.key.default),
    }
}

/// Defaults that depend on who runs the daemon and where.
fn computed(loaded: &Loaded, name: &str) -> Option<String> {
    let config = &loaded.config;
    let path = match name {
        "data_dir" => &config.data_dir,
        "log_dir" => &config.log_dir,
        "control_socket" => &config.control_socket,
        _ => return None,
    };
    Some(path.display().to_string())
}
