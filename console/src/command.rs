//! The one table of commands: keys, `:` line, completion, hint bar, help and read-only mode all come from it.

pub mod availability;
pub mod table;

use bandit::experiment::{ArmVerb, Verb};
use serde::{Deserialize, Serialize};

use crate::model::ScreenKind;
pub use table::COMMANDS;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    /// Open what is selected.
    Open,
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// Half a page up.
    PageUp,
    /// Half a page down.
    PageDown,
    /// To the first line.
    Top,
    /// To the last line.
    Bottom,
    /// The next part of the screen.
    NextPane,
    /// Another way to draw the posterior.
    View,
    /// The next lane.
    Lane,
    /// The next sort column.
    Sort,
    /// The other direction.
    InvertSort,
    /// Change the state of an experiment.
    Verb(Verb),
    /// Change what an arm gets.
    Arm(ArmVerb),
    /// Take the last pause or resume back.
    Undo,
    /// Write a new experiment.
    New,
    /// Plan a file.
    PlanFile,
    /// Plan again.
    Replan,
    /// Whether experiments that the file leaves out are stopped.
    Prune,
    /// Carry out the plan.
    Apply,
    /// Back to the form a plan came from.
    Edit,
    /// To the next field of the form.
    NextField,
    /// To the field before.
    PreviousField,
    /// To the next step of the form.
    NextStep,
    /// To the step before.
    PreviousStep,
    /// One arm more.
    AddArm,
    /// One arm less.
    RemoveArm,
    /// Plan what the form says.
    PlanForm,
    /// An empty form.
    ClearForm,
    /// The list.
    Experiments,
    /// The audit log.
    Audit,
    /// What is wrong.
    Alerts,
    /// Look after an alert.
    Ack,
    /// Hear nothing of an alert for some time.
    Silence,
    /// What was said in the line that stays.
    Messages,
    /// Narrow the list.
    Filter,
    /// The `:` line.
    CommandLine,
    /// The help.
    Help,
    /// One layer back.
    Back,
    /// The screen before this one.
    Last,
    /// Stop the screen, not the data.
    Freeze,
    /// Copy the id.
    Copy,
    /// Say which command prints this.
    Json,
    /// Try the link now.
    Reconnect,
    /// Draw everything again.
    Redraw,
    /// To the shell and back.
    Suspend,
    /// Leave.
    Quit,
}

/// What a command can do to the world, and so how much is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Changes nothing but the screen.
    Plain,
    /// Happens at once and can be taken back.
    Reversible,
    /// A dialog with a reason.
    Costly,
    /// A dialog in which the name is typed.
    Irreversible,
}

/// What may follow a command on the `:` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// The key of an experiment, then a reason.
    Experiment,
    /// The key of an experiment, the name of an arm, then a reason.
    Arm(ArmVerb),
    /// A path.
    File,
    /// Any text.
    Text,
}

/// Where help lists a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What this screen is for.
    View,
    /// On every screen.
    Everywhere,
    /// Moving about.
    Move,
}

/// One row of the table.
#[derive(Debug, PartialEq)]
pub struct Command {
    /// What it does.
    pub id: Id,
    /// Its name on the `:` line.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Its keys; the first one is shown. A chord is written with a space: `g g`.
    pub keys: &'static [&'static str],
    /// The screens it is on; empty is all.
    pub screens: &'static [ScreenKind],
    /// How much is asked first.
    pub grade: Grade,
    /// Where help lists it.
    pub group: Group,
    /// What may follow it on the `:` line.
    pub argument: Argument,
    /// Its place in the hint bar, the least first; 0 is not there.
    pub hint: u8,
    /// Two words for hints and help.
    pub label: &'static str,
    /// One sentence.
    pub doc: &'static str,
}

impl Command {
    /// Whether it changes the daemon's world and is therefore off in read-only mode.
    pub fn needs_write(&self) -> bool {
        self.grade > Grade::Plain || self.id == Id::New
    }

    /// The label, with two dots where something is asked first.
    pub fn shown_label(&self) -> String {
        if self.grade >= Grade::Costly {
            return format!("{}..", self.label);
        }
        self.label.to_owned()
    }

    /// The key that is shown, if it has one.
    pub fn key(&self) -> Option<&'static str> {
        self.keys.first().copied()
    }
}

/// The commands of a screen, in the order of the table.
pub fn on(screen: ScreenKind) -> impl Iterator<Item = &'static Command> {
    COMMANDS
        .iter()
        .filter(move |command| command.screens.is_empty() || command.screens.contains(&screen))
}

/// The command of an id.
pub fn by_id(id: Id) -> &'static Command {
    COMMANDS
        .iter()
        .find(|command| command.id == id)
        .expect("a test checks that every id is in the table")
}

/// The command with this name or alias.
pub fn by_name(name: &str) -> Option<&'static Command> {
    COMMANDS
        .iter()
        .find(|command| command.name == name || command.aliases.contains(&name))
}

/// Commands for what was typed: names that begin with it, then aliases, then descriptions that hold it.
pub fn complete(typed: &str) -> Vec<&'static Command> {
    let typed = typed.to_lowercase();
    let mut found: Vec<(u8, &'static Command)> = COMMANDS
        .iter()
        .filter_map(|command| rank(command, &typed).map(|rank| (rank, command)))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, command)| command).collect()
}

fn rank(command: &Command, typed: &str) -> Option<u8> {
    if command.name == typed || command.aliases.contains(&typed) {
        return Some(0);
    }
    if command.name.starts_with(typed) {
        return Some(1);
    }
    if command.aliases.iter().any(|alias| alias.starts_with(typed)) {
        return Some(2);
    }
    let described = command.doc.to_lowercase().contains(typed) || command.label.contains(typed);
    (typed.len() > 2 && described).then_some(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keymap::Key;

    #[test]
    fn names_and_aliases_are_unique() {
        let mut names: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|command| command.aliases.iter().chain([&command.name]))
            .copied()
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn every_key_is_a_key_and_means_one_thing_on_a_screen() {
        for screen in ScreenKind::ALL {
            let mut keys: Vec<&str> = on(screen)
                .flat_map(|command| command.keys)
                .copied()
                .collect();
            for key in &keys {
                for part in key.split(' ') {
                    assert!(part.parse::<Key>().is_ok(), "{key}");
                }
            }
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all, "{screen:?}");
        }
    }

    #[test]
    fn no_lower_case_key_does_what_cannot_be_taken_back() {
        for command in COMMANDS {
            if command.grade < Grade::Costly {
                continue;
            }
            for key in command.keys {
                let upper = key.chars().all(|c| c.is_ascii_uppercase());
                assert!(upper || command.id == Id::Apply, "{}", command.name);
            }
        }
    }

    #[test]
    fn the_palette_finds_by_name_and_by_description() {
        assert_eq!(complete("pau")[0].name, "pause");
        assert!(
            complete("clipboard")
                .iter()
                .any(|command| command.name == "copy")
        );
    }
}
