//! The first lines of every screen: where this is, how fresh it is, what it shows.

use super::paper::Paper;
use super::text;
use crate::model::link::{Freshness, LinkState};
use crate::model::{Model, ScreenKind};
use crate::theme::Role;

/// Header, title and rule.
pub(super) fn draw(model: &Model, paper: &mut Paper) {
    place_and_link(model, paper);
    let title = title(model, paper);
    let y = paper.area.y + 1;
    paper.put(paper.area.x, y, &title);
    aside(model, paper, &title);
    paper.rule(y + 1, model.link.production());
}

/// The environment to the left, the link to the right; what does not fit goes in a stated order:
/// the clock, the revision, the socket.
fn place_and_link(model: &Model, paper: &mut Paper) {
    let width = usize::from(paper.area.width);
    let environment = environment(model);
    let link = link(model);
    let link_width: usize = link.iter().map(|(_, text)| text::width(text)).sum();
    let room = width.saturating_sub(text::width(&environment.1) + 2 + link_width + 2);
    let mut extra = extras(model);
    while extra
        .iter()
        .map(|text| text::width(text) + 2)
        .sum::<usize>()
        > room
    {
        extra.pop();
    }
    let extra = extra
        .iter()
        .flat_map(|text| ["  ", text])
        .collect::<String>();
    let room = room.saturating_sub(text::width(&extra) + 2);
    let socket = format!("unix:{}", model.socket);
    let short = format!("unix:{}", file_name(&model.socket));
    let socket = if text::width(&socket) <= room {
        socket
    } else {
        short
    };
    let socket = if room < 10 {
        String::new()
    } else {
        text::fit(&socket, room, paper.theme.glyphs.ellipsis)
    };
    let (x, y) = (paper.area.x, paper.area.y);
    let x = paper.put(x + 1, y, &[environment]);
    paper.put(x + 2, y, &[(Role::Dim, socket)]);
    let mut right = link;
    right.push((Role::Text, extra));
    let right_width: usize = right.iter().map(|(_, text)| text::width(text)).sum();
    let x = width.saturating_sub(right_width + 1);
    paper.put(paper.area.x + x as u16, y, &right);
}

fn environment(model: &Model) -> (Role, String) {
    match model.link.environment() {
        Some(name) if model.link.production() => {
            (Role::Production, format!("[ {} ]", name.to_uppercase()))
        }
        Some(name) => (Role::Heading, name.to_owned()),
        None => (Role::Dim, "pitboss".to_owned()),
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn extras(model: &Model) -> Vec<String> {
    if !model.link.loaded {
        return Vec::new();
    }
    let clock = model.daemon_now().filter(|_| model.link.is_up());
    [format!("rev {}", model.shown().revision)]
        .into_iter()
        .chain(clock.map(text::clock))
        .collect()
}

fn link(model: &Model) -> Vec<(Role, String)> {
    let mut words = Vec::new();
    if model.read_only {
        words.push((Role::Warn, "READ-ONLY  ".to_owned()));
    }
    if let Some(frozen) = &model.frozen {
        let seconds = model.now_ms.saturating_sub(frozen.since_ms) / 1_000;
        words.push((
            Role::Stale,
            format!(
                "FROZEN {} (space: resume, {} new)  ",
                text::duration(seconds),
                frozen.news
            ),
        ));
    }
    words.push(link_word(model));
    words
}

fn link_word(model: &Model) -> (Role, String) {
    let age = model.link.age_ms(model.now_ms).unwrap_or(0) / 1_000;
    let ago = format!("{} ago", text::duration(age));
    match (&model.link.state, model.link.freshness(model.now_ms)) {
        (LinkState::Live | LinkState::Loading, Freshness::Live) => match database_away(model) {
            Some(age) => (Role::Stale, format!("STALE {age} old, no database")),
            None => (Role::Ok, format!("LIVE {ago}")),
        },
        (LinkState::Live | LinkState::Loading, Freshness::Stale) => {
            (Role::Stale, format!("STALE {ago}"))
        }
        (LinkState::Loading | LinkState::Live, _) => (Role::Stale, "LOADING".to_owned()),
        (LinkState::Starting, _) => (Role::Stale, "CONNECTING".to_owned()),
        (LinkState::Connecting { attempt }, _) => (
            Role::Stale,
            format!("CONNECTING (try {attempt}){}", as_of(model)),
        ),
        (
            LinkState::Waiting {
                attempt,
                retry_at_ms,
                ..
            },
            _,
        ) => {
            let wait = retry_at_ms.saturating_sub(model.now_ms).div_ceil(1_000);
            (
                Role::Warn,
                format!(
                    "RECONNECTING in {wait}s (try {}){}",
                    attempt + 1,
                    as_of(model)
                ),
            )
        }
    }
}

/// How old the oldest row is, while the daemon answers without its database.
fn database_away(model: &Model) -> Option<String> {
    let stale = model.shown().rows.values().filter_map(|row| row.stale);
    let as_of = stale.map(|stale| stale.as_of).min()?;
    let age = (model.daemon_now()? - as_of).num_seconds();
    Some(text::duration(u64::try_from(age).unwrap_or(0)))
}

fn as_of(model: &Model) -> String {
    model
        .link
        .daemon_now
        .filter(|_| model.link.loaded)
        .map_or_else(String::new, |at| {
            format!("  data as of {}", text::clock(at))
        })
}

fn title(model: &Model, paper: &Paper) -> Vec<(Role, String)> {
    let heading = |text: &str| (Role::Heading, format!(" {text}"));
    match model.screen() {
        ScreenKind::List => super::list::title(model),
        ScreenKind::Detail => super::detail::title(model, paper),
        ScreenKind::Form => super::form::title(model),
        ScreenKind::Plan => super::plan::title(model),
        ScreenKind::Audit => super::audit::title(model),
        ScreenKind::Alerts => super::alerts::title(model),
        ScreenKind::Messages => vec![
            heading("Messages"),
            (
                Role::Dim,
                format!(
                    "   newest first; {} updates were merged by the daemon",
                    text::count(model.link.coalesced)
                ),
            ),
        ],
        ScreenKind::Help => {
            let below = model.stack.iter().rev().nth(1);
            vec![heading(&format!(
                "Help: {}",
                super::help::name(below.copied())
            ))]
        }
    }
}

/// To the right of the title: that this is not the present, or what needs attention.
fn aside(model: &Model, paper: &mut Paper, title: &[(Role, String)]) {
    let used: usize = title.iter().map(|(_, text)| text::width(text)).sum();
    let aside = match model.link.freshness(model.now_ms) {
        Freshness::Old => {
            let age = model.link.age_ms(model.now_ms).unwrap_or(0) / 1_000;
            let age = text::duration(age);
            vec![(Role::Warn, format!("! last known state, {age} old"))]
        }
        _ if model.screen() == ScreenKind::List => super::list::alarms(model),
        _ => Vec::new(),
    };
    let wide: usize = aside.iter().map(|(_, text)| text::width(text)).sum();
    let width = usize::from(paper.area.width);
    if wide > 0 && used + wide + 2 < width {
        let x = paper.area.x + (width - wide - 1) as u16;
        paper.put(x, paper.area.y + 1, &aside);
    }
}
