//! The columns of the list: which fit, and what is in them.
//!
//! Below 110 columns UNITS go and policies have short names, below 96 FOR goes, below 76 POLICY, below 68 DEC/s,
//! below 56 the leader;
//! NAME, STATE and GUARD never go.

use protocol::experiments::Row;

use super::super::{decision, text};
use crate::model::Model;
use crate::model::list::Sort;
use crate::model::reading::{Guard, guard, leader};
use crate::theme::{Role, Theme};

const STATE: usize = 8;
const AGE: usize = 7;
const POLICY: usize = 8;
/// The longest policy in full.
const WHOLE_POLICY: usize = 16;
const DECISIONS: usize = 6;
const UNITS: usize = 10;
const LEADER: usize = 15;
const P_BEST: usize = 8;
const GUARD: usize = 8;
/// Longest name column: longer names are rare, and figures far from their name are misread.
const NAME: usize = 40;

/// Which columns there are, and how wide the name is.
#[expect(
    clippy::struct_excessive_bools,
    reason = "one a column, all independent"
)]
pub(super) struct Columns {
    name: usize,
    age: bool,
    units: bool,
    policy: Option<usize>,
    decisions: bool,
    leader: bool,
}

impl Columns {
    pub(super) fn fit(width: usize) -> Self {
        let mut columns = Self {
            name: 0,
            age: width >= 96,
            units: width >= 110,
            policy: match width {
                ..76 => None,
                76..110 => Some(POLICY),
                110.. => Some(WHOLE_POLICY),
            },
            decisions: width >= 68,
            leader: width >= 56,
        };
        let optional = [
            (columns.age, AGE),
            (columns.units, UNITS),
            (columns.policy.is_some(), columns.policy.unwrap_or(0)),
            (columns.decisions, DECISIONS),
            (columns.leader, LEADER + 1 + P_BEST),
        ];
        let used: usize = optional
            .iter()
            .filter(|(there, _)| *there)
            .map(|(_, wide)| wide + 1)
            .sum();
        // Gutter of 3, a blank after the name, the state, two blanks, the guardrail and a right margin.
        let fixed = 3 + 1 + STATE + 2 + GUARD;
        columns.name = width.saturating_sub(fixed + used).clamp(8, NAME);
        columns
    }

    pub(super) fn titles(&self, model: &Model) -> Vec<(Role, String)> {
        let mark = |sort: Sort, title: &str| {
            let sign = if model.list.inverted { 'v' } else { '^' };
            if model.list.sort == sort {
                format!("{title}{sign}")
            } else {
                title.to_owned()
            }
        };
        let columns = [
            (
                true,
                format!("   {:<1$} ", mark(Sort::Name, "NAME"), self.name),
            ),
            (true, format!("{:<STATE$}", mark(Sort::State, "STATE"))),
            (self.age, format!(" {:>AGE$}", "FOR")),
            (
                self.policy.is_some(),
                format!(" {:<1$}", "POLICY", self.policy.unwrap_or(0)),
            ),
            (
                self.decisions,
                format!(" {:>DECISIONS$}", mark(Sort::Decisions, "DEC/s")),
            ),
            (self.units, format!(" {:>UNITS$}", "UNITS")),
            (self.leader, format!(" {:<LEADER$}", " LEADING ARM")),
            (
                self.leader,
                format!(" {:>P_BEST$}", mark(Sort::PBest, "P(BEST)")),
            ),
            (true, format!("  {}", mark(Sort::Guard, "GUARD"))),
        ];
        let shown = columns.into_iter().filter(|(there, _)| *there);
        vec![(Role::Dim, shown.map(|(_, title)| title).collect())]
    }

    pub(super) fn row(&self, model: &Model, row: &Row, theme: &Theme) -> Vec<(Role, String)> {
        let ellipsis = theme.glyphs.ellipsis;
        let mut cells = self.name(model, row, ellipsis);
        let (role, state) = state(row);
        cells.push((role, text::left(&state, STATE, ellipsis)));
        if self.age {
            let age = row.since.zip(model.daemon_now());
            let age = age.map_or_else(String::new, |(at, now)| text::since(at, now));
            cells.push((Role::Text, format!(" {age:>AGE$}")));
        }
        if let Some(room) = self.policy {
            let policy = text::left(short_policy(&row.policy, room), room, ellipsis);
            cells.push((Role::Text, format!(" {policy}")));
        }
        if self.decisions {
            let rate = text::rate(row.decisions_per_sec);
            cells.push((Role::Text, format!(" {rate:>DECISIONS$}")));
        }
        if self.units {
            let units = text::count(row.assigned);
            cells.push((Role::Text, format!(" {units:>UNITS$}")));
        }
        if self.leader {
            cells.extend(leading(model, row, theme));
        }
        cells.push(guarded(row));
        cells
    }

    /// The name is what is highlighted: the cells with text, not a whole row of blanks.
    fn name(&self, model: &Model, row: &Row, ellipsis: char) -> Vec<(Role, String)> {
        let selected = model.list.selected.as_deref() == Some(row.key.as_str());
        let (mark, role) = if selected {
            (" > ", Role::Selected)
        } else {
            ("   ", Role::Text)
        };
        let name = text::fit(&row.key, self.name, ellipsis);
        let moved = model.moved.get(&row.key).is_some_and(|moved| moved.state);
        let blanks = self.name - text::width(&name);
        let waits = row
            .decision
            .as_ref()
            .filter(|decision| decision.decision != "keep_running");
        let (mark_role, sign) = match waits {
            Some(decision) => (decision::role(decision), "!"),
            None if moved => (Role::Accent, "*"),
            None => (Role::Accent, " "),
        };
        vec![
            (Role::Accent, mark.to_owned()),
            (role, name),
            (mark_role, format!("{}{sign}", " ".repeat(blanks))),
        ]
    }
}

/// The policy in a word that fits the column.
fn short_policy(policy: &str, room: usize) -> &str {
    match policy {
        whole if text::width(whole) <= room => whole,
        "top_two_thompson" => "top_two",
        "epsilon_greedy" => "epsilon",
        "ucb1_tuned" => "ucbtuned",
        other => other,
    }
}

/// The state; capitals are for what needs attention.
fn state(row: &Row) -> (Role, String) {
    let by_daemon = row.state_by.starts_with("daemon") || row.state_by.starts_with("guard");
    match row.state.as_str() {
        "running" => (Role::Ok, "running".to_owned()),
        "paused" if by_daemon => (Role::Breach, "PAUSED!".to_owned()),
        "paused" => (Role::Warn, "PAUSED".to_owned()),
        "rolled_back" => (Role::Breach, "ROLLBACK".to_owned()),
        other => (Role::Dim, other.to_owned()),
    }
}

fn leading(model: &Model, row: &Row, theme: &Theme) -> Vec<(Role, String)> {
    let glyphs = theme.glyphs;
    let Some(leader) = leader(row) else {
        let why = if row.state == "draft" {
            ""
        } else {
            "no data yet"
        };
        return vec![(
            Role::Dim,
            format!("  {why:<width$} {:>P_BEST$}", "", width = LEADER - 1),
        )];
    };
    let lift = match leader.lift {
        Some(lift) => text::lift(lift),
        None if leader.arm.control => "ctl".to_owned(),
        None => String::new(),
    };
    let room = LEADER - 2 - text::width(&lift);
    let name = if leader.arm.control && leader.arm.name == "control" {
        text::left("control", LEADER - 1, glyphs.ellipsis)
    } else {
        format!(
            "{} {lift}",
            text::left(&leader.arm.name, room, glyphs.ellipsis)
        )
    };
    let p = text::probability(leader.arm.p_best);
    let moved = model.moved.get(&row.key).map_or(0, |moved| moved.p_best);
    let (role, sign) = match moved {
        1 => (Role::Ok, glyphs.up),
        -1 => (Role::Warn, glyphs.down),
        _ => (Role::Text, ' '),
    };
    vec![
        (
            Role::Text,
            format!("  {name} {p:>width$}", width = P_BEST - 1),
        ),
        (role, sign.to_string()),
    ]
}

fn guarded(row: &Row) -> (Role, String) {
    let guard = guard(row);
    let role = match guard {
        Guard::Ok => Role::Ok,
        Guard::None | Guard::NotActive(_) => Role::Dim,
        Guard::Unknown(_) => Role::Stale,
        Guard::Warn(_) => Role::Warn,
        Guard::Breach(_) => Role::Breach,
    };
    (role, format!("  {}", guard.word()))
}
