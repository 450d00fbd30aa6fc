//! The rows of the command table, in the order in which help lists them.

use bandit::experiment::{ArmVerb, Verb};

use super::{Argument, Command, Grade, Group, Id};
use crate::model::ScreenKind::{self, Alerts, Audit, Detail, Form, Help, List, Messages, Plan};

const EXPERIMENT: &[ScreenKind] = &[List, Detail];
const LISTS: &[ScreenKind] = &[List, Audit, Alerts];
/// Lists that can be narrowed.
const FILTERED: &[ScreenKind] = &[List, Audit];
/// Screens on which letters are keys; on the form they are text.
const KEYS: &[ScreenKind] = &[List, Detail, Plan, Audit, Alerts, Messages, Help];

const BASE: Command = Command {
    id: Id::Open,
    name: "",
    aliases: &[],
    keys: &[],
    screens: &[],
    grade: Grade::Plain,
    group: Group::View,
    argument: Argument::None,
    hint: 0,
    label: "",
    doc: "",
};

/// Every command there is.
pub static COMMANDS: &[Command] = &[
    Command {
        id: Id::Open,
        name: "open",
        aliases: &["show"],
        keys: &["enter", "l", "right"],
        screens: LISTS,
        argument: Argument::Experiment,
        hint: 1,
        label: "open",
        doc: "open the experiment",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Start),
        name: "start",
        keys: &["T"],
        screens: EXPERIMENT,
        grade: Grade::Costly,
        argument: Argument::Experiment,
        hint: 2,
        label: "start",
        doc: "let a draft take traffic; settles its reward, salt and control",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Pause),
        name: "pause",
        keys: &["p"],
        screens: EXPERIMENT,
        grade: Grade::Reversible,
        argument: Argument::Experiment,
        hint: 3,
        label: "pause",
        doc: "new units get control, assigned units keep their arm; undo with u",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Resume),
        name: "resume",
        keys: &["R"],
        screens: EXPERIMENT,
        grade: Grade::Reversible,
        argument: Argument::Experiment,
        hint: 4,
        label: "resume",
        doc: "take traffic again; after a rollback it asks for a reason",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Rollback),
        name: "rollback",
        keys: &["B"],
        screens: EXPERIMENT,
        grade: Grade::Costly,
        argument: Argument::Experiment,
        label: "roll back",
        doc: "everyone gets control at once, assigned units too",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Stop),
        name: "stop",
        keys: &["X"],
        screens: EXPERIMENT,
        grade: Grade::Irreversible,
        argument: Argument::Experiment,
        hint: 12,
        label: "stop",
        doc: "end it for good: everyone gets control, open windows still resolve",
        ..BASE
    },
    Command {
        id: Id::Verb(Verb::Archive),
        name: "archive",
        keys: &["Z"],
        screens: EXPERIMENT,
        grade: Grade::Irreversible,
        argument: Argument::Experiment,
        label: "archive",
        doc: "put a draft or a stopped experiment out of sight; its ledger stays",
        ..BASE
    },
    Command {
        id: Id::Arm(ArmVerb::Quarantine),
        name: "quarantine",
        keys: &["Q"],
        screens: EXPERIMENT,
        grade: Grade::Costly,
        argument: Argument::Arm(ArmVerb::Quarantine),
        label: "quarantine",
        doc: "close an arm to new units until it is released; apply keeps it closed",
        ..BASE
    },
    Command {
        id: Id::Arm(ArmVerb::Release),
        name: "release",
        keys: &["E"],
        screens: EXPERIMENT,
        grade: Grade::Costly,
        argument: Argument::Arm(ArmVerb::Release),
        label: "release",
        doc: "end the quarantine of an arm, or every hold; the state stays",
        ..BASE
    },
    Command {
        id: Id::Arm(ArmVerb::Ship),
        name: "ship",
        keys: &["W"],
        screens: EXPERIMENT,
        grade: Grade::Irreversible,
        argument: Argument::Arm(ArmVerb::Ship),
        label: "ship",
        doc: "end it for good with one arm for everyone; open windows still resolve",
        ..BASE
    },
    Command {
        id: Id::Sort,
        name: "sort",
        keys: &["s"],
        screens: &[List],
        argument: Argument::Text,
        hint: 13,
        label: "sort",
        doc: "sort by the next column, or by the column named",
        ..BASE
    },
    Command {
        id: Id::InvertSort,
        name: "invert",
        keys: &["S"],
        screens: &[List],
        label: "invert sort",
        doc: "sort the other way round",
        ..BASE
    },
    Command {
        id: Id::NextPane,
        name: "pane",
        keys: &["tab"],
        screens: &[Detail],
        hint: 5,
        label: "next part",
        doc: "show one part of the screen alone: posterior, allocation, guardrails, events, file",
        ..BASE
    },
    Command {
        id: Id::View,
        name: "view",
        keys: &["v"],
        screens: &[Detail],
        hint: 6,
        label: "ridge/table",
        doc: "draw the posterior as a ridge or as a table",
        ..BASE
    },
    Command {
        id: Id::Lane,
        name: "lane",
        keys: &["L"],
        screens: &[Detail],
        hint: 7,
        label: "next lane",
        doc: "show the posterior and the allocation of the next lane",
        ..BASE
    },
    Command {
        id: Id::Apply,
        name: "apply",
        keys: &["a"],
        screens: &[Plan],
        grade: Grade::Costly,
        hint: 1,
        label: "apply",
        doc: "carry out the plan, if the revision still stands",
        ..BASE
    },
    Command {
        id: Id::Replan,
        name: "replan",
        keys: &["r"],
        screens: &[Plan],
        hint: 2,
        label: "re-plan",
        doc: "read the file again and plan it against the revision of now",
        ..BASE
    },
    Command {
        id: Id::Prune,
        name: "prune",
        keys: &["o"],
        screens: &[Plan],
        hint: 4,
        label: "prune",
        doc: "also stop what the file does not mention; plans again",
        ..BASE
    },
    Command {
        id: Id::Edit,
        name: "edit",
        keys: &["e"],
        screens: &[Plan],
        hint: 3,
        label: "edit",
        doc: "back to the form this plan came from",
        ..BASE
    },
    Command {
        id: Id::New,
        name: "new",
        aliases: &["create"],
        keys: &["n"],
        screens: &[List],
        hint: 7,
        label: "new",
        doc: "write a new experiment in a form; plans it before anything is sent",
        ..BASE
    },
    Command {
        id: Id::PlanFile,
        name: "plan",
        keys: &["P"],
        screens: &[List, Detail, Audit, Plan],
        argument: Argument::File,
        hint: 8,
        label: "plan file",
        doc: "show what an experiment file would change; changes nothing",
        ..BASE
    },
    Command {
        id: Id::Audit,
        name: "audit",
        aliases: &["log"],
        keys: &["A"],
        screens: &[List, Detail, Plan, Audit, Alerts],
        argument: Argument::Experiment,
        hint: 9,
        label: "audit",
        doc: "who changed what, and why",
        ..BASE
    },
    Command {
        id: Id::Alerts,
        name: "alerts",
        keys: &["!"],
        screens: &[List, Detail, Plan, Audit, Alerts],
        label: "alerts",
        doc: "what is wrong, who looks after it, and who was told",
        ..BASE
    },
    Command {
        id: Id::Ack,
        name: "ack",
        keys: &["K"],
        screens: &[Alerts],
        grade: Grade::Reversible,
        argument: Argument::Text,
        hint: 2,
        label: "ack",
        doc: "you look after the alert: no reminders; :ack REASON says why",
        ..BASE
    },
    Command {
        id: Id::Silence,
        name: "silence",
        keys: &["I"],
        screens: &[Alerts],
        grade: Grade::Reversible,
        argument: Argument::Text,
        hint: 3,
        label: "silence 1h",
        doc: "nobody is told of the alert for an hour; :silence 2h REASON for longer",
        ..BASE
    },
    Command {
        id: Id::Filter,
        name: "filter",
        keys: &["/"],
        screens: FILTERED,
        argument: Argument::Text,
        hint: 10,
        label: "filter",
        doc: "narrow the list, such as: checkout state:running p>0.9",
        ..BASE
    },
    Command {
        id: Id::NextField,
        name: "next-field",
        keys: &["tab", "enter", "down"],
        screens: &[Form],
        hint: 1,
        label: "next",
        doc: "to the next field; after the last one to the next step",
        ..BASE
    },
    Command {
        id: Id::PreviousField,
        name: "previous-field",
        keys: &["backtab", "up"],
        screens: &[Form],
        label: "back",
        doc: "to the field before",
        ..BASE
    },
    Command {
        id: Id::NextStep,
        name: "next-step",
        keys: &["pgdn"],
        screens: &[Form],
        hint: 2,
        label: "next step",
        doc: "to the next step of the form",
        ..BASE
    },
    Command {
        id: Id::PreviousStep,
        name: "previous-step",
        keys: &["pgup"],
        screens: &[Form],
        hint: 3,
        label: "step back",
        doc: "to the step before",
        ..BASE
    },
    Command {
        id: Id::AddArm,
        name: "add-arm",
        keys: &["ctrl-n"],
        screens: &[Form],
        hint: 5,
        label: "add arm",
        doc: "one arm more, up to 8; more are written in a file",
        ..BASE
    },
    Command {
        id: Id::RemoveArm,
        name: "remove-arm",
        keys: &["ctrl-x"],
        screens: &[Form],
        hint: 6,
        label: "remove arm",
        doc: "remove the arm under the cursor; two stay",
        ..BASE
    },
    Command {
        id: Id::PlanForm,
        name: "plan-form",
        keys: &["ctrl-p"],
        screens: &[Form],
        hint: 4,
        label: "plan",
        doc: "show what the daemon would do; nothing is created yet",
        ..BASE
    },
    Command {
        id: Id::ClearForm,
        name: "clear-form",
        screens: &[Form],
        keys: &["ctrl-g"],
        label: "start over",
        doc: "empty the form",
        ..BASE
    },
    Command {
        id: Id::Undo,
        name: "undo",
        keys: &["u"],
        screens: EXPERIMENT,
        grade: Grade::Reversible,
        label: "undo",
        doc: "take the last pause or resume back, within 10 s",
        ..BASE
    },
    Command {
        id: Id::CommandLine,
        name: "commands",
        keys: &[":"],
        screens: KEYS,
        group: Group::Everywhere,
        hint: 14,
        label: "command",
        doc: "type a command by name; tab completes, finds by description too",
        ..BASE
    },
    Command {
        id: Id::Help,
        name: "help",
        keys: &["?", "f1"],
        group: Group::Everywhere,
        hint: 15,
        label: "help",
        doc: "what every key does here, and why some are off",
        ..BASE
    },
    Command {
        id: Id::Back,
        name: "back",
        keys: &["esc"],
        group: Group::Everywhere,
        hint: 11,
        label: "back",
        doc: "close the top layer: message, filter, screen; never quits",
        ..BASE
    },
    Command {
        id: Id::Last,
        name: "last",
        keys: &["-"],
        screens: KEYS,
        group: Group::Everywhere,
        label: "last screen",
        doc: "the screen before this one",
        ..BASE
    },
    Command {
        id: Id::Experiments,
        name: "experiments",
        aliases: &["exp", "ls", "list"],
        group: Group::Everywhere,
        label: "experiments",
        doc: "the list of experiments",
        ..BASE
    },
    Command {
        id: Id::Freeze,
        name: "freeze",
        keys: &["space"],
        screens: KEYS,
        group: Group::Everywhere,
        hint: 16,
        label: "freeze",
        doc: "stop the screen, not the data; again to go on",
        ..BASE
    },
    Command {
        id: Id::Copy,
        name: "copy",
        aliases: &["yank"],
        keys: &["y"],
        screens: &[List, Detail, Audit, Alerts, Plan],
        group: Group::Everywhere,
        hint: 17,
        label: "copy id",
        doc: "copy the id to your clipboard through the terminal (OSC 52)",
        ..BASE
    },
    Command {
        id: Id::Json,
        name: "json",
        keys: &["J"],
        screens: &[List, Detail, Audit, Alerts, Plan],
        group: Group::Everywhere,
        label: "shell twin",
        doc: "say the shell command that prints this screen",
        ..BASE
    },
    Command {
        id: Id::Messages,
        name: "messages",
        aliases: &["mess"],
        keys: &["M"],
        screens: &[List, Detail, Audit, Alerts, Plan, Messages],
        group: Group::Everywhere,
        label: "messages",
        doc: "what was done and said in this session",
        ..BASE
    },
    Command {
        id: Id::Reconnect,
        name: "reconnect",
        keys: &["ctrl-r"],
        group: Group::Everywhere,
        label: "reconnect",
        doc: "try the daemon now instead of waiting",
        ..BASE
    },
    Command {
        id: Id::Redraw,
        name: "redraw",
        keys: &["ctrl-l"],
        group: Group::Everywhere,
        label: "redraw",
        doc: "draw the whole screen again",
        ..BASE
    },
    Command {
        id: Id::Suspend,
        name: "suspend",
        keys: &["ctrl-z"],
        group: Group::Everywhere,
        label: "suspend",
        doc: "to the shell; fg comes back",
        ..BASE
    },
    Command {
        id: Id::Quit,
        name: "quit",
        aliases: &["q", "q!", "exit"],
        keys: &["q", "ctrl-c"],
        group: Group::Everywhere,
        hint: 18,
        label: "quit",
        doc: "leave; the daemon goes on",
        ..BASE
    },
    Command {
        id: Id::Up,
        name: "up",
        keys: &["k", "up"],
        screens: KEYS,
        group: Group::Move,
        label: "up",
        doc: "one line up",
        ..BASE
    },
    Command {
        id: Id::Down,
        name: "down",
        keys: &["j", "down"],
        screens: KEYS,
        group: Group::Move,
        label: "down",
        doc: "one line down",
        ..BASE
    },
    Command {
        id: Id::PageUp,
        name: "page-up",
        keys: &["ctrl-u", "pgup"],
        screens: KEYS,
        group: Group::Move,
        label: "page up",
        doc: "half a page up",
        ..BASE
    },
    Command {
        id: Id::PageDown,
        name: "page-down",
        keys: &["ctrl-d", "pgdn"],
        screens: KEYS,
        group: Group::Move,
        label: "page down",
        doc: "half a page down",
        ..BASE
    },
    Command {
        id: Id::Top,
        name: "top",
        keys: &["g g", "home"],
        screens: KEYS,
        group: Group::Move,
        label: "top",
        doc: "to the first line",
        ..BASE
    },
    Command {
        id: Id::Bottom,
        name: "bottom",
        keys: &["G", "end"],
        screens: KEYS,
        group: Group::Move,
        label: "bottom",
        doc: "to the last line",
        ..BASE
    },
];
